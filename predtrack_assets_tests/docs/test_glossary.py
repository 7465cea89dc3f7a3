"""The glossary names files that exist, and defines every term once."""

from __future__ import annotations

import re

from predtrack_assets.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "glossary.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| term")
]


def test_every_term_has_a_meaning_and_a_file_that_exists() -> None:
    assert len(ROWS) > 60
    for term, meaning, where in ROWS:
        assert meaning, term
        paths = re.findall(r"`([\w/]+\.py)`", where)
        assert paths, term
        assert [p for p in paths if not (PROJECT_ROOT / "predtrack_assets" / p).exists()] == [], (
            term
        )


def test_no_term_is_defined_twice() -> None:
    terms = [term for term, _, _ in ROWS]
    assert sorted(terms) == sorted(set(terms))


def test_quoted_names_are_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in (PROJECT_ROOT / "predtrack_assets").rglob("*.py"))
    quoted = {name for term, _, _ in ROWS for name in re.findall(r"`(\w+)`", term)}
    assert quoted
    assert {name for name in quoted if name not in code} == set()
