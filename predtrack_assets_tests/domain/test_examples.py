"""Every public function of domain/statistics and domain/market has an example, and it runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect

import pytest

from predtrack_assets.settings import PROJECT_ROOT

ROOMS = ("statistics", "market")
FUNCTIONS = [
    (".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts), node.name)
    for room in ROOMS
    for path in sorted((PROJECT_ROOT / "predtrack_assets" / "domain" / room).glob("*.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


@pytest.mark.parametrize(
    ("module", "name"), FUNCTIONS, ids=[f"{m.split('domain.')[1]}.{n}" for m, n in FUNCTIONS]
)
def test_example_of_a_public_function_runs(module: str, name: str) -> None:
    loaded = importlib.import_module(module)
    function = inspect.unwrap(getattr(loaded, name))  # machine code keeps its source there
    text = inspect.getdoc(function) or ""
    example = doctest.DocTestParser().get_doctest(text, dict(vars(loaded)), name, module, 0)
    assert example.examples, f"{module}.{name} shows no example"
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert not report, "".join(report)
