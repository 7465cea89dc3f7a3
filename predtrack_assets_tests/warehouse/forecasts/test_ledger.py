"""Sealing: what is committed, when, and that it is done once, in one transaction, without gaps."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import adbc_driver_manager.dbapi as adbc
import polars as pl
import psycopg
import pytest
from psycopg import sql

from predtrack_assets.clock import utc_now
from predtrack_assets.domain.audit.ledger.encoding import Encoding, encode_row
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit.batches import PAGE_OF_BATCHES
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.forecasts import ledger
from predtrack_assets.warehouse.forecasts.ledger import (
    LedgerError,
    Sealed,
    row_bytes,
    seal,
    table_encoding,
)
from predtrack_assets_tests import graph
from predtrack_assets_tests.builders.ledgers import (
    FIRST,
    commit,
    first_fault,
    predictions,
    register,
    verdict_of,
)

TOMORROW = utc_now().date() + timedelta(days=1)


def batches(url: str) -> pl.DataFrame:
    return graph.frame(url, "SELECT * FROM forecasts.prediction_batches ORDER BY batch_index")


def test_a_batch_per_day_model_and_kind(database_url: str) -> None:
    assert commit(database_url, predictions()) == Sealed(rows=108, batches=18)
    stored = batches(database_url)
    assert stored["batch_index"].to_list() == list(range(1, 19))
    assert stored.select("trading_day", "model_id", "kind").n_unique() == 18
    assert stored["row_count"].unique().to_list() == [6]
    assert stored["origin"].unique().to_list() == ["replay"]
    verdict = verdict_of(database_url)
    assert verdict.good
    assert (verdict.batches_good, verdict.rows_good) == (18, 108)


def test_parts_of_a_long_history_are_one_chain(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "CHUNK_ROWS", 40)  # a day has 36 rows
    assert commit(database_url, predictions(days=5)) == Sealed(rows=180, batches=30)
    verdict = verdict_of(database_url)
    assert verdict.good
    assert (verdict.batches_good, verdict.rows_good) == (30, 180)
    assert batches(database_url)["trading_day"].is_sorted()


def test_a_rerun_adds_nothing(database_url: str) -> None:
    commit(database_url, predictions())
    before = batches(database_url)
    assert commit(database_url, predictions()) == Sealed()
    assert batches(database_url).equals(before)


def test_later_symbols_of_the_same_day_are_further_batches(database_url: str) -> None:
    commit(database_url, predictions(days=1))
    again = commit(database_url, predictions(days=1, symbols=("AAA", "DDD")))
    assert again == Sealed(rows=12, batches=6)
    assert verdict_of(database_url).good


def test_live_and_replay_are_never_in_one_batch(database_url: str) -> None:
    live = predictions(days=1, first=TOMORROW, resolvable=as_of(TOMORROW))
    both = predictions(days=1, symbols=("ZZZ",))
    assert commit(database_url, live, both) == Sealed(rows=48, batches=12)
    stored = batches(database_url)
    assert stored.group_by("origin").len().sort("origin").rows() == [("live", 6), ("replay", 6)]
    assert verdict_of(database_url).good


def test_no_batch_is_sealed_while_the_clock_is_behind_the_last(database_url: str) -> None:
    """A clock set back: the batch would break the chain for ever."""
    commit(database_url, predictions(days=1))
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE forecasts.prediction_batches SET committed_at = now() + interval '8 days'"
        )
    with pytest.raises(LedgerError, match="set the clock right, or wait until then"):
        commit(database_url, predictions(days=1, symbols=("ZZZ",)))
    late = "INSERT INTO forecasts.prediction_batches SELECT (jsonb_populate_record(b, jsonb_build_object("
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="does not continue"),
    ):
        connection.execute(
            f"{late} 'batch_index', batch_index + 1, 'previous_hash', hash, 'committed_at',"
            " clock_timestamp(), 'hash', sha256(hash)))).*"
            " FROM forecasts.prediction_batches b ORDER BY batch_index DESC LIMIT 1"
        )


def commit_resolvable_at_once(url: str) -> None:
    register(url, predictions(days=1))
    with Database(url=url).transaction() as transaction:
        soon = transaction.now + timedelta(microseconds=1)
        rows = predictions(days=1, first=soon.date(), resolvable=soon)
        transaction.append(tables.PREDICTIONS, rows)
        seal(transaction)


def test_what_became_resolvable_meanwhile_is_not_called_live(database_url: str) -> None:
    with pytest.raises(LedgerError, match="could be resolved while they were written"):
        commit_resolvable_at_once(database_url)
    assert verdict_of(database_url).rows == 0


def insert_by_sql(url: str, origin: str = "replay", symbol: str = "AAA") -> None:
    """A row as a user writes it: see docs/guide/predictions.md."""
    register(url, predictions(days=1, symbols=(symbol,), models=("mine-1",)))
    graph.execute(
        url,
        "INSERT INTO forecasts.predictions (model_id, kind, symbol, trading_day, as_of, horizon,"
        " due_day, event, confidence, reference_price, sigma, climatology, feature_digest,"
        " due_at, earliest_resolution_time, origin) VALUES"
        " ('mine-1', 'direction', %s, '2020-03-02', '2020-03-03Z', 1,"
        " '2020-03-03', 'up', 0.6, 100, 0.02, 0.5, 7, '2020-03-03 21:00Z', '2020-03-03 21:00Z', %s)",
        *(symbol, origin),
    )


def test_rows_of_ones_own_are_reported_until_they_are_sealed(database_url: str) -> None:
    commit(database_url, predictions())
    insert_by_sql(database_url)
    assert first_fault(database_url) == (None, "was never committed")
    assert commit(database_url) == Sealed(rows=1, batches=1)
    assert verdict_of(database_url).good


def test_a_row_that_calls_itself_live_too_late_is_found(database_url: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="live_is_recorded_before_its_earliest"):
        insert_by_sql(database_url, origin="live")
    graph.execute(
        database_url,
        "ALTER TABLE forecasts.predictions DROP CONSTRAINT live_is_recorded_before_its_earliest_resolution",
    )
    insert_by_sql(database_url, origin="live")
    commit(database_url)
    assert batches(database_url)["origin"].to_list() == ["replay"]
    index, fault = first_fault(database_url)
    assert index == 1
    assert "claims to be live" in fault


def test_columns_added_later_leave_old_leaves_as_they_were(database_url: str) -> None:
    commit(database_url, predictions(days=1))
    graph.execute(database_url, "ALTER TABLE forecasts.predictions ADD note text DEFAULT 'new'")
    assert verdict_of(database_url).good
    commit(database_url, predictions(days=2))
    assert batches(database_url)["encoding"].n_unique() == 2
    verdict = verdict_of(database_url)
    assert verdict.good
    assert verdict.rows_good == 72


def test_the_database_encodes_as_the_domain_does(database_url: str) -> None:
    types = {
        "boolean": [True, False],
        "smallint": [-(2**15), 7],
        "integer": [-(2**31), 7],
        "bigint": [-(2**63), 7],
        "double precision": [-0.0, float("nan")],
        "date": [date(1, 1, 1), date(2026, 11, 21)],
        "timestamp with time zone": [
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 11, 21, 5, 30, 0, 1, tzinfo=UTC),
        ],
        "uuid": ["00000000-0000-0000-0000-0000000000ff", "ffffffff-ffff-ffff-ffff-ffffffffff00"],
        "text": ["", "Zürich \N{SNOWMAN}"],
        "jsonb": ['{"a": [1, "x"]}', "null"],
    }
    encoding = Encoding(tuple((f"c{i}", kind) for i, kind in enumerate(types)))
    names = [name for name, _ in encoding.columns]
    values = [*zip(*types.values(), strict=True), (None,) * len(names)]
    rows = [dict(zip(names, row, strict=True)) for row in values]
    declared = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in encoding.columns
    )
    marks = sql.SQL(", ").join(sql.Placeholder() * len(names))
    with psycopg.connect(database_url) as connection:
        connection.execute(sql.SQL("CREATE TABLE every_type ({})").format(declared))
        for row in values:
            connection.execute(sql.SQL("INSERT INTO every_type VALUES ({})").format(marks), row)
        select = sql.SQL("SELECT {} FROM every_type").format(row_bytes(encoding))
        stored = connection.execute(select).fetchall()
    assert [bytes(row[0]) for row in stored] == [encode_row(row, encoding) for row in rows]


def test_every_column_of_a_prediction_is_committed(database_url: str) -> None:
    with Database(url=database_url).transaction() as transaction:
        committed = {name for name, _ in table_encoding(transaction, tables.PREDICTIONS).columns}
    stored = graph.frame(
        database_url,
        "SELECT column_name::text FROM information_schema.columns"
        " WHERE (table_schema, table_name) = ('forecasts', 'predictions')",
    )
    assert committed == set(stored["column_name"])


@pytest.mark.parametrize(
    "table", ["forecasts.prediction_batches", "audit.audit_trail", "audit.row_encodings"]
)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET encoding = encoding", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_record_cannot_be_rewritten(database_url: str, table: str, statement: str) -> None:
    commit(database_url, predictions(days=1))
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        graph.execute(database_url, statement.format(table))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batch_index": 9}, "link 9"),
        ({"previous_hash": bytes(32)}, "link 7"),
        ({"committed_at": datetime(2020, 1, 1, tzinfo=UTC)}, "link 7"),
        ({"committed_at": datetime(2999, 1, 1, tzinfo=UTC)}, "link 7"),
    ],
)
def test_the_database_refuses_a_link_out_of_place(
    database_url: str, change: dict[str, Any], named: str
) -> None:
    commit(database_url, predictions(days=1))
    with pytest.raises(adbc.IntegrityError, match=f"{named} does not continue the chain"):
        add_link(database_url, change)
    assert len(batches(database_url)) == 6


def add_link(url: str, change: dict[str, Any]) -> None:
    """A seventh batch, in its place but for the change."""
    with Database(url=url).transaction() as transaction:
        last = transaction.read(PAGE_OF_BATCHES, after=5)
        following = {
            "batch_index": 7,
            "previous_hash": last["hash"][0],
            "hash": os.urandom(32),
            "committed_at": transaction.now,
            **change,
        }
        fields = [pl.lit(value).alias(name) for name, value in following.items()]
        transaction.append(tables.PREDICTION_BATCHES, last.with_columns(fields))


def write_one(url: str, number: int, start: Any) -> None:
    """One of several writers: five transactions, a symbol each."""
    start.wait()
    for turn in range(5):
        commit(url, predictions(days=1, symbols=(f"S{number}{turn}",)))


@pytest.mark.slow
def test_eight_writers_at_once_leave_no_gap(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(8)
    writers = [context.Process(target=write_one, args=(database_url, n, start)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    verdict = verdict_of(database_url)
    assert verdict.good
    assert (verdict.batches, verdict.rows) == (8 * 5 * 6, 8 * 5 * 12)
    assert batches(database_url)["batch_index"].to_list() == list(range(1, 241))


KILLED = """
import os, signal, sys
from predtrack_assets_tests.builders.ledgers import predictions
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.forecasts.ledger import seal
from predtrack_assets.warehouse.database.transaction import Database
with Database(url=sys.argv[1]).transaction() as transaction:
    transaction.append(tables.PREDICTIONS, predictions(symbols=("DDD",)))
    print(seal(transaction), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_writer_killed_before_its_commit_leaves_nothing(database_url: str) -> None:
    commit(database_url, predictions())
    register(database_url, predictions(symbols=("DDD",)))
    before = batches(database_url)
    command = [sys.executable, "-c", KILLED, database_url]
    killed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "in 18 batches" in killed.stdout
    assert batches(database_url).equals(before)
    commit(database_url, predictions(symbols=("DDD",)))
    verdict = verdict_of(database_url)
    assert verdict.good
    assert verdict.batches == 36


def test_retention_keeps_leaf_hashes(database_url: str) -> None:
    """Old rows may go, if the audit trail says so; their leaves and the chain still verify."""
    from predtrack_assets.warehouse.audit.trail import record_event
    from predtrack_assets_tests.builders.ledgers import attacker

    commit(database_url, predictions())
    with attacker(database_url) as connection:
        connection.execute("DELETE FROM forecasts.predictions WHERE trading_day = %s", [FIRST])
    assert first_fault(database_url) == (1, "was committed and is gone")
    until = {"before": (FIRST + timedelta(days=1)).isoformat()}
    with Database(url=database_url).transaction() as transaction:
        record_event(transaction, "retention", "forecasts.predictions", until, "operator")
    verdict = verdict_of(database_url)
    assert verdict.good
    assert (verdict.pruned, verdict.rows_good, verdict.rows) == (36, 72, 108)
    with attacker(database_url) as connection:
        connection.execute(
            "DELETE FROM forecasts.predictions WHERE trading_day = %s AND symbol = 'AAA'",
            [FIRST + timedelta(days=1)],
        )
    assert first_fault(database_url) == (7, "was committed and is gone")


READ = Query("""
    SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables
    WHERE relid = 'forecasts.predictions'::regclass
""")


def vacuumed(url: str) -> None:
    """Wait until VACUUM has marked every page as visible to all, as it does once nobody looks back.

    Until then (autovacuum's ANALYZE of any table is enough) an index has to ask the pages too.
    """
    seen = "SELECT relallvisible >= relpages FROM pg_class WHERE oid = 'forecasts.predictions'::regclass"
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(600):
            connection.execute("VACUUM ANALYZE forecasts.predictions")
            if connection.execute(seen).fetchone() == (True,):
                return
            time.sleep(0.1)
    pytest.fail("a snapshot was held for a minute")


def rows_read_to_add(url: str, rows: pl.DataFrame) -> int:
    """Stored predictions that sealing looks at when these are added, by the database's count."""
    vacuumed(url)
    register(url, rows)
    with Database(url=url).transaction() as transaction:
        transaction.append(tables.PREDICTIONS, rows)
        before: int = transaction.read(READ).item()
        assert seal(transaction).rows == len(rows)
        return int(transaction.read(READ).item()) - before


def test_sealing_costs_by_what_is_added_not_by_what_the_day_holds(database_url: str) -> None:
    """Both days have their batches; one holds 13 times as much as the other."""
    many = tuple(f"S{n:03}" for n in range(64))
    later = FIRST + timedelta(days=30)
    commit(database_url, predictions(days=20, symbols=many[:5], models=("one-1",)))
    commit(database_url, predictions(days=1, symbols=many, models=("one-1",), first=later))
    added = predictions(days=1, symbols=("NEW",), models=("one-1",))
    few = rows_read_to_add(database_url, added)
    added = predictions(days=1, symbols=("NEW",), models=("one-1",), first=later)
    read = rows_read_to_add(database_url, added)
    assert read <= few + 6
    assert verdict_of(database_url).good


def test_what_somebody_else_wrote_is_sealed_with_what_is_added(database_url: str) -> None:
    commit(database_url, predictions(days=2, models=("mine-1",)))
    insert_by_sql(database_url, symbol="EEE")
    again = commit(database_url, predictions(days=2, symbols=("DDD",), models=("mine-1",)))
    assert again == Sealed(rows=13, batches=6)
    assert verdict_of(database_url).good


def test_sealing_twice_in_one_transaction_seals_once(database_url: str) -> None:
    first, second = (predictions(days=1, symbols=(s,), models=("one-1",)) for s in ("AAA", "BBB"))
    commit(database_url, predictions(days=1, symbols=("ZZZ",), models=("one-1",)))
    register(database_url, first, second)
    with Database(url=database_url).transaction() as transaction:
        for rows in (first, second):
            transaction.append(tables.PREDICTIONS, rows)
            assert seal(transaction) == Sealed(rows=6, batches=3)
        assert seal(transaction) == Sealed()
    assert verdict_of(database_url).good
