"""The two lock files: what runs, and what tests and lint need beside it."""

from __future__ import annotations

import ast

from predtrack_assets.settings import PROJECT_ROOT


def pinned(file: str) -> set[str]:
    lines = (PROJECT_ROOT / file).read_text().splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line}


def extras() -> dict[str, set[str]]:
    """Distribution names of each extra in setup.py."""
    call = ast.parse((PROJECT_ROOT / "setup.py").read_text()).body[-1]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    given = {k.arg: k.value for k in call.value.keywords}
    named = ast.literal_eval(given["extras_require"])
    return {
        extra: {text.partition(">")[0].partition("[")[0].lower() for text in texts}
        for extra, texts in named.items()
    }


def test_lock_of_the_demo_holds_no_development_tool() -> None:
    names = extras()
    assert {name.replace("_", "-") for name in names["sample"]} <= pinned("requirements.lock")
    # Dagster needs PyYAML, and arch (whose data the sample is) statsmodels.
    assert (
        pinned("requirements.lock") & (names["dev"] - {"pyyaml", "statsmodels"} | names["s3"])
        == set()
    )


def test_development_lock_adds_to_the_other_and_repeats_nothing() -> None:
    assert "-r requirements.lock" in (PROJECT_ROOT / "requirements-dev.lock").read_text()
    names = {name.replace("_", "-") for name in extras()["dev"] | extras()["s3"]}
    assert names <= pinned("requirements-dev.lock") | pinned("requirements.lock")
    assert pinned("requirements-dev.lock") & pinned("requirements.lock") == set()
