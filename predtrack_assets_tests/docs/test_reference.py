"""The committed pages of docs/reference are what the code gives: renew them by `make docs`."""

from __future__ import annotations

import pytest

from docs import generate
from predtrack_assets.warehouse.database.record_catalogue import read_records
from predtrack_assets.warehouse.records import FILE, as_json, records

RENEW = "docs/reference is not what the code gives: run `make docs` (python -m docs.generate)"
CODE_PAGES = generate.code_pages()


@pytest.mark.parametrize("name", sorted(CODE_PAGES))
def test_page_is_what_the_code_gives(name: str) -> None:
    assert (generate.REFERENCE / name).read_text() == CODE_PAGES[name], RENEW


def test_records_are_what_the_catalogue_gives(database_url: str) -> None:
    assert as_json(read_records(database_url)) == FILE.read_text(), RENEW


def test_schema_pages_are_what_the_catalogue_gives(database_url: str) -> None:
    found = generate.schema_pages(database_url, records())
    committed = {path.stem: path.read_text() for path in generate.REFERENCE.glob("schema/*.md")}
    assert sorted(committed) == sorted(found), RENEW
    for room, text in found.items():
        assert committed[room] == text, RENEW


def test_table_escapes_what_markdown_would_take_for_its_own() -> None:
    assert generate.table(("a",), [("x | y\nz <w>",)]) == [
        "| a |", "| --- |", "| x \\| y z &lt;w> |",
    ]  # fmt: skip
