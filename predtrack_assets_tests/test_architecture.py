"""Rules about the code itself: who imports whom, where SQL and the clock live, what loads."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from predtrack_assets.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "predtrack_assets"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A part may import those in the layers below its own, and itself. A new part is placed here.
LAYERS: list[set[str]] = [
    {"domain"},
    {"settings", "clock", "faults"},
    {"days"},
    {"stores", "sources"},
    {"warehouse"},
    {"services"},
    {"reporting"},
    {"partitions"},
    {"assets", "checks"},
    {"proofs"},
    {"automation"},
    {"definitions"},
    {"api"},
    {"dashboard"},
    {"cli"},
]
SIDEWAYS = {("checks", "assets")}  # a check names the asset that it checks

# The rooms of domain, in the same manner.
ROOMS: list[set[str]] = [
    {"numerics"},
    {"time"},
    {"statistics", "market", "audit"},
    {"features", "models"},
    {"forecasts"},
    {"accuracy", "trading"},
    {"deployment"},
]
LARGEST_FOLDER = 20

PURE = {"dagster", "sqlalchemy", "psycopg", "psycopg2", "adbc_driver_postgresql", "yfinance"}
SLOW = {
    "arch",
    "curl_cffi",
    "exchange_calendars",
    "great_expectations",
    "lightgbm",
    "matplotlib",
    "numba",
    "scipy",
    "sklearn",
    "statsmodels",
    "yfinance",
}

SQL = re.compile(
    r"\bSELECT\b.*\bFROM\b|\bINSERT\s+INTO\b|\bUPDATE\s+\S+\s+SET\b|\bDELETE\s+FROM\b"
    r"|\b(CREATE|ALTER|DROP)\s+(TABLE|VIEW|INDEX|SCHEMA|DATABASE|FUNCTION|ROLE)\b"
    r"|\bTRUNCATE\s|\bCOPY\s+\S+\s+(FROM|TO)\b|(?i:select \*|\bwith recursive\b)",
    re.DOTALL,
)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def part_of(module: str) -> str:
    """`predtrack_assets.domain.bars` -> `domain`."""
    return module.split(".")[1]


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that a source imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.fixture(params=MODULES, ids=name_of)
def module(request: pytest.FixtureRequest) -> tuple[Path, ast.Module]:
    path: Path = request.param
    return path, ast.parse(path.read_text(encoding="utf-8"))


def test_imports_point_one_way(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if path == PACKAGE / "__init__.py":
        assert not list(imports(tree))
        return
    height = {name: number for number, names in enumerate(LAYERS) for name in names}
    here = part(path)
    assert here in height, f"give {here} its place in LAYERS"
    for imported in imports(tree):
        if not imported.startswith("predtrack_assets."):
            continue
        there = part_of(imported)
        below = height[there] < height[here]
        assert below or there == here or (here, there) in SIDEWAYS, f"{here} imports {imported}"


def test_rooms_of_domain_point_one_way(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    inside = path.relative_to(PACKAGE).parts
    if inside[0] != "domain" or len(inside) == 2:
        return
    height = {name: number for number, names in enumerate(ROOMS) for name in names}
    here = inside[1]
    assert here in height, f"give {here} its place in ROOMS"
    for imported in imports(tree):
        if not imported.startswith("predtrack_assets.domain."):
            continue
        there = imported.split(".")[2]
        assert height[there] < height[here] or there == here, f"{here} imports {imported}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports at the top of modules have no circles, inside a room either."""
    modules = {module_of(path): path for path in MODULES}
    arrows: dict[str, set[str]] = {}
    for name, path in modules.items():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        found = (i for node in body for i in imports(node) if isinstance(node, ast.stmt))
        targets = {i if i in modules else i.rpartition(".")[0] for i in found}
        arrows[name] = (targets & modules.keys()) - {name}
    tuple(TopologicalSorter(arrows).static_order())  # raises CycleError


def test_no_module_gives_one_name_twice(module: tuple[Path, ast.Module]) -> None:
    """Two constants of one name: the second silently takes the place of the first."""
    _, tree = module
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


def test_a_folder_is_a_room_and_no_heap() -> None:
    for folder in {path.parent for path in MODULES}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= LARGEST_FOLDER, f"{folder.relative_to(PACKAGE)} has {len(files)} files"


def test_what_reads_imports_no_dagster() -> None:
    """A fresh interpreter: services, reporting, warehouse, stores, sources, domain."""
    parts = {"domain", "stores", "sources", "warehouse", "services", "reporting"}
    names = [module_of(path) for path in MODULES if part(path) in parts]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names}]"
    code += "; print('dagster' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.strip() == "False"


def test_domain_is_pure(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if part(path) == "domain":
        assert not PURE & {imported.split(".")[0] for imported in imports(tree)}


def test_only_clock_reads_the_clock(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if path.name == "clock.py":
        return
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
    clocks |= {"time.time_ns", "Timestamp.now", "Timestamp.utcnow", "Timestamp.today"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            last_two = ast.unparse(node).split(".")[-2:]
            assert ".".join(last_two) not in clocks, f"line {node.lineno}"
        if isinstance(node, ast.Constant):
            assert node.value not in {"now", "today"}, f"line {node.lineno}: NumPy's clock"


def test_only_the_warehouse_speaks_sql(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if part(path) == "warehouse":
        return
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in documentation:
            assert not SQL.search(node.value), f"line {node.lineno}: {node.value!r}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1 AS a FROM t", True),
        ("INSERT INTO market.symbols VALUES (1)", True),
        ("COPY t FROM STDIN", True),
        ("select * from t", True),
        ("--from D --to D [--select ASSET,...]", False),
        ("Update or delete nothing.", False),
    ],
)
def test_sql_is_told_from_english(text: str, found: bool) -> None:
    assert bool(SQL.search(text)) is found


def test_every_package_says_what_belongs_in_it() -> None:
    for path in PACKAGE.glob("*/**/__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert len(tree.body) == 1, (
            f"{path.parent.relative_to(PACKAGE)}: a docstring and nothing else"
        )
        documentation = ast.get_docstring(tree) or ""
        assert "Belongs here:" in documentation
        assert "Does not:" in documentation


def test_files_and_functions_stay_short(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    assert len(path.read_text(encoding="utf-8").splitlines()) < 450
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_loading_the_definitions_imports_nothing_slow() -> None:
    """A fresh interpreter, as every code server, run and step process is."""
    code = "import json, sys, predtrack_assets.definitions; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    loaded = json.loads(done.stdout)
    assert not SLOW & {name.split(".")[0] for name in loaded}
    assert "Warning" not in done.stderr
    # Dagster, its PostgreSQL storage, Polars and ADBC are about 2,200; SciPy alone is 700 more.
    assert len(loaded) < 2_800


HEAVY = {"adbc_driver_manager", "dagster", "numpy", "pandas", "polars", "psycopg2", "pyarrow"}


@pytest.mark.parametrize("arguments", [["--help"], ["gate", "--help"], ["db", "url"]])
def test_commands_that_compute_nothing_load_nothing_heavy(arguments: list[str]) -> None:
    """A fresh interpreter, as whoever types `predtrack` waits for."""
    code = "import sys; from predtrack_assets.cli.main import app; app(standalone_mode=False)"
    code += "; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
        env=os.environ | {"PREDTRACK_DATABASE_URL": "postgresql://nobody@nowhere/none"},
    )
    assert done.stdout
    assert not (HEAVY | SLOW) & {name.split(".")[0] for name in done.stderr.split()}
