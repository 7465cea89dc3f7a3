"""Parameters are named in the text, bound by position, and never guessed."""

from __future__ import annotations

import pytest

from predtrack_assets.warehouse import queries, tables
from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.warehouse import Warehouse

EVERY = {name: value for name, value in vars(queries).items() if isinstance(value, Query)}


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
    found = Warehouse(url=database_url).read(Query("SELECT :value::text AS value"), value=nasty)
    assert found.item() == nasty


def test_every_query_is_understood_by_the_database(database_url: str) -> None:
    """Parsed and planned, without values: names of tables and columns are right."""
    import psycopg

    templates = [queries.REVISE, queries.REVISE_SEEN]
    assert all("{table}" in template for template in templates), "those are fragments"
    readable = [q for n, q in EVERY.items() if n not in {"WITHDRAW_MISSING"}]
    with psycopg.connect(database_url) as connection:
        for number, query in enumerate(readable):
            connection.execute(f"PREPARE q{number} AS {query.text}")


def test_tables_describe_what_is_in_the_database(database_url: str) -> None:
    warehouse = Warehouse(url=database_url)
    for table in (value for value in vars(tables).values() if isinstance(value, tables.Table)):
        found = warehouse.read(queries.COLUMN_TYPES, schema=table.schema, name=table.name)
        assert set(table.columns) <= set(found["column"]), table
        assert len(set(table.columns)) == len(table.columns), table
