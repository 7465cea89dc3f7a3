"""SQL that a page shows is valid against the schema of today."""

from __future__ import annotations

import re

import psycopg
import pytest

from predtrack_assets.settings import PROJECT_ROOT

SHOWN = [
    (page.name, number, text)
    for page in sorted((PROJECT_ROOT / "docs").rglob("*.md"))
    for number, text in enumerate(re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize(("page", "number", "text"), SHOWN, ids=[f"{p}-{n}" for p, n, _ in SHOWN])
def test_statement_of_a_page_runs(database_url: str, page: str, number: int, text: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO models.model_registry"
            " (model_id, model_name, version, role, kinds, description)"
            " VALUES ('pooled-v1', 'pooled', 1, 'candidate', '{price}', 'as pages name it')"
        )
        connection.execute(text)
        connection.rollback()
