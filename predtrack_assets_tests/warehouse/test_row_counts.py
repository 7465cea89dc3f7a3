"""Parameters are named in the text, bound by position, and never guessed."""

from __future__ import annotations

from datetime import date

import pytest

from predtrack_assets.warehouse import row_counts, tables
from predtrack_assets.warehouse.database import writes
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database

EVERY = {name: value for name, value in vars(row_counts).items() if isinstance(value, Query)}


def test_names_become_numbers_in_the_order_of_their_first_use() -> None:
    query = Query("SELECT :b::date, :a, :b, x::text, 'at 10:30' FROM t")
    assert query.names == ["b", "a"]
    assert query.text == "SELECT $1::date, $2, $1, x::text, 'at 10:30' FROM t"
    assert query.bind({"a": 1, "b": 2}) == (2, 1)


def test_a_query_without_parameters_binds_nothing() -> None:
    assert Query("SELECT 1").bind({}) is None


@pytest.mark.parametrize("given", [{}, {"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_missing_and_unknown_parameters_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="query takes"):
        Query("SELECT :a, :b").bind(given)


def test_values_are_bound_not_pasted(database_url: str) -> None:
    nasty = "'; DROP TABLE market.symbols; --"
    found = Database(url=database_url).read(Query("SELECT :value::text AS value"), value=nasty)
    assert found.item() == nasty


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "'; DROP TABLE market.symbols; --"),
        ("text", "\\' :value {} %s"),
        ("text[]", ["BRK.B", "O'X", 'a,"b}', "\\"]),
        ("date", date(2024, 2, 29)),
        ("integer", None),
    ],
)
def test_values_that_stand_in_the_text_are_quoted(
    database_url: str, kind: str, value: object
) -> None:
    query = Query(f"SELECT :value::{kind} AS value")
    with Database(url=database_url).transaction(READER) as transaction:
        assert transaction.read_copied(query, value=value).to_dicts() == [{"value": value}]
        with pytest.raises(TypeError, match="query takes"):
            transaction.read_copied(query, other=value)


def test_parts_are_all_rows_as_they_come(database_url: str) -> None:
    with Database(url=database_url).transaction(READER) as transaction:
        parts = transaction.read_parts(Query("SELECT generate_series(1, 3) AS n"))
        assert [n for part in parts for n in part.column("n").to_pylist()] == [1, 2, 3]


def test_every_query_is_understood_by_the_database(database_url: str) -> None:
    """Parsed and planned, without values: names of tables and columns are right."""
    import psycopg

    templates = [writes.REVISE, writes.REVISE_SEEN]
    assert all("{table}" in template for template in templates), "those are fragments"
    readable = [q for n, q in EVERY.items() if n not in {"WITHDRAW_MISSING"}]
    with psycopg.connect(database_url) as connection:
        for number, query in enumerate(readable):
            connection.execute(f"PREPARE q{number} AS {query.text}")


def test_tables_describe_what_is_in_the_database(database_url: str) -> None:
    warehouse = Database(url=database_url)
    for table in (value for value in vars(tables).values() if isinstance(value, tables.Table)):
        found = warehouse.read(writes.COLUMN_TYPES, schema=table.schema, name=table.name)
        assert set(table.columns) <= set(found["column"]), table
        assert len(set(table.columns)) == len(table.columns), table
