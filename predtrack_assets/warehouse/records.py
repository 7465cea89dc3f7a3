"""One record a table: description, columns, key and checks, as the SQL catalogue states them.

`sql/` is the source. `make docs` reads the catalogue of a migrated database into `records.json`,
so that tables, asset metadata and documentation follow from it without a database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("records.json")


@dataclass(frozen=True)
class Column:
    """One column. type: as PostgreSQL names it; description: meaning and unit.

    by_database: the database fills it in (generated, identity or default now()).
    """

    name: str
    type: str
    nullable: bool
    by_database: bool
    description: str


@dataclass(frozen=True)
class Record:
    """One table or view. key: columns of its primary key; checks: name and SQL of each CHECK."""

    schema: str
    name: str
    is_view: bool
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    checks: Mapping[str, str]

    @property
    def written(self) -> tuple[str, ...]:
        """Columns that a writer gives, in their order."""
        return tuple(column.name for column in self.columns if not column.by_database)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@cache
def records() -> Mapping[str, Record]:
    """Every table and view of the project's schemas, by `schema.name`."""
    return {name: _record(name, item) for name, item in json.loads(FILE.read_text()).items()}


def record_of(schema: str, name: str) -> Record:
    """The record of one table or view. Raises KeyError where sql/ makes none of that name."""
    return records()[f"{schema}.{name}"]


def as_json(found: Mapping[str, Record]) -> str:
    """The text of `records.json`, a column a line."""
    parts = []
    for name, record in found.items():
        item = asdict(record)
        columns = ",\n".join(f"      {_dumps([*column.values()])}" for column in item["columns"])
        rest = {key: item[key] for key in ("is_view", "description", "key", "checks")}
        fields = [f"    {_dumps(key)}: {_dumps(value)}" for key, value in rest.items()]
        fields.append(f'    "columns": [\n{columns}\n    ]')
        parts.append(f"  {_dumps(name)}: {{\n" + ",\n".join(fields) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _record(name: str, item: Mapping[str, Any]) -> Record:
    schema, table = name.split(".")
    columns = tuple(Column(*column) for column in item["columns"])
    return Record(
        schema,
        table,
        item["is_view"],
        item["description"],
        columns,
        tuple(item["key"]),
        item["checks"],
    )


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
