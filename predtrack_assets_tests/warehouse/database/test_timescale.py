"""The statements for TimescaleDB, against functions of its names that do what they do to rows.

No TimescaleDB is needed. The stub of create_hypertable records its call and moves the rows as the
real one does, through TRUNCATE; that is where rows, triggers and rights can be lost.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database import migrate as module
from predtrack_assets.warehouse.database.catalogue import compare_catalogues, read_catalogue
from predtrack_assets.warehouse.database.migrate import migrate, rollback, status
from predtrack_assets_tests.warehouse.test_schema import ROWS, insert

BIG = [
    "market.market_data",
    "features.feature_store",
    "forecasts.predictions",
    "forecasts.outcomes",
]
STUB = """
    CREATE TABLE public.calls (name text, dimension text, indexes boolean, moves boolean);
    CREATE TYPE public.dimension AS (column_name text, chunk text);
    CREATE FUNCTION public.by_range(column_name name, partition_interval interval)
        RETURNS public.dimension LANGUAGE sql RETURN ROW(column_name, partition_interval::text);
    CREATE FUNCTION public.create_hypertable(relation regclass, dimension public.dimension,
        create_default_indexes boolean DEFAULT true, migrate_data boolean DEFAULT false)
        RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
                         WHERE attrelid = relation AND attnum > 0 AND attgenerated = '');
    BEGIN
        INSERT INTO public.calls
            VALUES (relation::text, dimension::text, create_default_indexes, migrate_data);
        EXECUTE format('CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT %s FROM %s', columns, relation);
        EXECUTE format('TRUNCATE %s', relation);
        EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM moved', relation, columns, columns);
        DROP TABLE moved;
    END $$;
"""
VECTOR = {"symbol": "AAA", "trading_day": "2024-03-05", "feature_set": "s-v1", "vector": b"\0" * 8}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own files, but for the extension that is not there."""
    shutil.copytree(PROJECT_ROOT / "sql", tmp_path / "sql")
    path = tmp_path / "sql" / "08-timescale.sql"
    text = path.read_text()
    extension = "CREATE EXTENSION IF NOT EXISTS timescaledb;\n"
    assert extension in text
    path.write_text(text.replace(extension, ""))
    monkeypatch.setattr(module, "HAS_TIMESCALEDB", "SELECT false")
    return tmp_path / "sql"


@pytest.fixture
def home(empty_database_url: str, files: Path) -> str:
    """A database with rows in which TimescaleDB was waited for."""
    migrate(empty_database_url, files)
    with psycopg.connect(empty_database_url) as connection:
        for table, row in (ROWS | {"features.feature_store": VECTOR}).items():
            insert(connection, table, row)
        connection.execute(STUB)  # type: ignore[arg-type]
    return empty_database_url


def rows(url: str) -> dict[str, list[Any]]:
    with psycopg.connect(url) as connection:
        return {t: connection.execute(f"TABLE {t}").fetchall() for t in BIG}


def changed_tables(url: str, made: dict[str, str]) -> list[str]:
    """What a catalogue says of the tables that is not as it was; the views may be gone."""
    theirs = re.compile(rf"[a-z ]* ({'|'.join(map(re.escape, BIG))})(?![a-z_])")
    changes = compare_catalogues(read_catalogue(url), made)
    return [change.item for change in changes if theirs.match(change.item)]


def test_it_may_arrive_when_there_are_rows(
    home: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, made = rows(home), read_catalogue(home)
    assert all(len(found) == 1 for found in before.values())
    monkeypatch.setattr(module, "HAS_TIMESCALEDB", "SELECT true")
    assert migrate(home, files) == ["08-timescale"]
    assert rows(home) == before
    assert compare_catalogues(read_catalogue(home), made) == []  # the triggers refuse again
    with psycopg.connect(home) as connection:
        calls = connection.execute("TABLE public.calls").fetchall()
        skipscan = connection.execute("SHOW timescaledb.enable_skipscan").fetchone()
    assert [call[0] for call in calls] == BIG
    assert {call[1] for call in calls} == {'(trading_day,"1 year")', '(trading_day,"3 mons")'}
    assert {call[2:] for call in calls} == {(False, True)}
    assert skipscan == ("off",)


def test_it_goes_down_and_up_again_with_rows(
    home: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, made = rows(home), read_catalogue(home)
    monkeypatch.setattr(module, "HAS_TIMESCALEDB", "SELECT true")
    migrate(home, files)
    assert rollback(home, files, to=7)[-1] == "08-timescale"
    assert rows(home) == before
    assert changed_tables(home, made) == []
    with psycopg.connect(home) as connection, pytest.raises(psycopg.Error):
        connection.execute("SHOW timescaledb.enable_skipscan")
    assert migrate(home, files)[0] == "08-timescale"
    assert rows(home) == before
    assert compare_catalogues(read_catalogue(home), made) == []
    assert {item.state for item in status(home, files)} == {"applied"}


def test_a_role_that_owns_the_tables_but_not_the_database_is_told(
    home: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is advice, so that its refusal does not stop the migration."""
    text = (files / "08-timescale.sql").read_text()
    notices: list[str] = []
    with psycopg.connect(home) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute("CREATE ROLE guest_of_timescale_test")
        try:
            connection.execute("SET LOCAL ROLE guest_of_timescale_test")
            connection.execute(text[text.index("-- SkipScan") :].encode())
        finally:
            connection.rollback()
    assert any("only the owner of database" in notice for notice in notices)
