"""Every suite on real rows: good ones pass, and each planted fault is noticed by its check alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import psycopg
import pytest
from psycopg import sql

from predtrack_assets.checks.engine.adapter import evaluate
from predtrack_assets.checks.engine.factory import Suite
from predtrack_assets.checks.suites import SUITES
from predtrack_assets.days import Window
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets.warehouse.row_counts import COUNTED_TABLES, row_counts
from predtrack_assets_tests.checks.faults import COPY, FAULTS, Fault
from predtrack_assets_tests.graph import run, run_reference

FIRST, LAST = date(2000, 3, 1), date(2000, 12, 29)
DAYS = Window(FIRST, LAST).days
SUITE_OF = {str(suite.table): suite for suite in SUITES}

UNGUARD = """
DO $$
DECLARE guard record;
BEGIN
    FOR guard IN SELECT conname FROM pg_constraint
                 WHERE conrelid = '{table}'::regclass AND contype IN ('c', 'p', 'u') LOOP
        EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I CASCADE', guard.conname);
    END LOOP;
END $$
"""


@pytest.fixture(scope="module")
def history(postgres_server: str, template_database: str) -> Iterator[str]:
    """URL of a database with the sample's March to December 2000 through the whole graph."""
    with (
        psycopg.connect(postgres_server, autocommit=True) as admin,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PREDTRACK_SOURCE", "sample")
        patch.setenv("PREDTRACK_HORIZONS", "1,5")
        database = f"predtrack_checks_{uuid.uuid4().hex[:12]}"
        name = sql.Identifier(database)
        template = sql.Identifier(template_database)
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
        url = with_database(postgres_server, database)
        run_reference(url)
        run(url, FIRST, LAST)
        yield url
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_derived_rows_are_fewer_than_predictions(history: str) -> None:
    """Reports are sums: what is derived of outcomes is less than what was predicted."""
    drift = {tables.DRIFT_METRICS, tables.DRIFT_ALERTS}  # grows with features, not with predictions
    names = [str(t) for t in COUNTED_TABLES if t.schema == "accuracy" and t not in drift]
    rows = dict(Database(url=history).read(row_counts()).iter_rows())
    derived = {name: rows[name] for name in names}
    assert all(derived[name] > 0 for name in ("accuracy.day_sums", "accuracy.symbol_accuracy"))
    assert sum(derived.values()) < rows["forecasts.predictions"], derived


@contextmanager
def undone(url: str) -> Iterator[tuple[adbc.Cursor, Transaction]]:
    """A transaction without triggers that is rolled back at the end."""
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor, Transaction(cursor)
        connection.rollback()


def failures(suite: Suite, transaction: Transaction, days: np.ndarray = DAYS) -> set[str]:
    profile = suite.profile(transaction, days)
    return {
        str(result.check_name)
        for result in evaluate(suite.asset, suite.rules, profile)
        if not result.passed
    }


def statement_of(text: str, suite: Suite) -> str:
    if text != COPY:
        return text
    columns = sql.SQL(", ").join(map(sql.Identifier, suite.table.columns))
    names = {"table": sql.Identifier(suite.table.schema, suite.table.name), "columns": columns}
    template = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1"
    return sql.SQL(template).format(**names).as_string()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: str(suite.table))
def test_good_rows_pass(suite: Suite, history: str) -> None:
    with undone(history) as (_, transaction):
        profile = suite.profile(transaction, DAYS)
        assert not profile.frame.is_empty()
        assert failures(suite, transaction) == set()


@pytest.mark.parametrize("planted", FAULTS, ids=str)
def test_a_fault_is_noticed_by_its_check_alone(planted: Fault, history: str) -> None:
    suite = SUITE_OF[planted.table]
    with undone(history) as (cursor, transaction):
        for table in (planted.table, *planted.also_unguarded):
            cursor.execute(UNGUARD.replace("{table}", table))
        for text in planted.statements:
            cursor.execute(statement_of(text, suite))
            assert cursor.rowcount != 0, "the fault was planted"
        assert failures(suite, transaction) == planted.noticed


def test_every_check_has_a_fault_that_it_notices() -> None:
    noticed = {(planted.table, name) for planted in FAULTS for name in planted.noticed}
    rules = {(str(suite.table), rule.name) for suite in SUITES for rule in suite.rules}
    assert rules == noticed


@pytest.mark.parametrize("days", [DAYS[:1], DAYS[-1:], DAYS[50:70], DAYS], ids=len)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: str(suite.table))
def test_a_row_per_trading_day_at_most(suite: Suite, days: np.ndarray, history: str) -> None:
    """So what a check costs does not grow with the table."""
    with undone(history) as (_, transaction):
        frame = suite.profile(transaction, days).frame
    if suite.daily:
        assert frame["day"].to_list() == days.tolist()
    else:
        assert len(frame) < 10


def test_only_structure_blocks() -> None:
    structure = {
        "no_missing_days", "no_duplicate_keys", "no_look_ahead", "finite_numbers",
        "reference_price_was_known",
        "r1_cash", "r2_quantity", "r3_equity", "r4_orders", "r5_decisions", "r6_prices",
        "r7_participation", "r8_actions", "r9_attribution", "r10_result", "r11_digests", "r12_stale",
    }  # fmt: skip
    for suite in SUITES:
        assert {rule.name for rule in suite.rules if rule.blocking} <= structure


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: str(suite.table))
def test_an_empty_database_blocks_nothing(suite: Suite, database_url: str) -> None:
    """As before the first run, or where a source begins after the window's start."""
    with undone(database_url) as (_, transaction):
        failed = failures(suite, transaction, DAYS[:5])
    assert not failed & {rule.name for rule in suite.rules if rule.blocking}
