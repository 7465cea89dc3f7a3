"""What the database itself refuses: impossible numbers, rewriting, and roles beyond their rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets.warehouse.database.urls import with_database, with_role
from predtrack_assets_tests import graph

DAY, NEXT, END = "2024-03-05", "2024-03-06", "2024-03-06T00:00:00Z"
BAR = {
    "symbol": "AAA",
    "trading_day": DAY,
    "open": 10.0,
    "high": 11.0,
    "low": 9.0,
    "close": 10.5,
    "volume": 100.0,
    "quality": "good",
    "flag": None,
    "source": "test",
    "knowledge_time": "2024-03-05T21:00:00Z",
}
ACTION = {
    "symbol": "AAA",
    "ex_date": DAY,
    "kind": "split",
    "value": 2.0,
    "inferred": False,
    "source": "test",
    "knowledge_time": END,
}
MODEL = {
    "model_id": "no_change",
    "model_name": "no_change",
    "version": 1,
    "role": "baseline",
    "kinds": ["price"],
    "description": "stays",
}
PRICE = {
    "model_id": "no_change",
    "kind": "price",
    "symbol": "AAA",
    "trading_day": DAY,
    "as_of": END,
    "horizon": 1,
    "due_day": NEXT,
    "due_at": "2024-03-06T21:00:00Z",
    "event": "within_5pct",
    "confidence": 0.9,
    "reference_price": 10.5,
    "sigma": 0.02,
    "climatology": 0.8,
    "predicted_price": 10.5,
    "q05": -0.03,
    "q10": -0.02,
    "q25": -0.01,
    "q50": 0.0,
    "q75": 0.01,
    "q90": 0.02,
    "q95": 0.03,
    "p_within_band": 0.68,
    "feature_digest": 1,
    "earliest_resolution_time": "2024-03-06T21:00:00Z",
    "origin": "replay",
}
DIRECTION = {
    **{k: v for k, v in PRICE.items() if not k.startswith(("q", "p_", "predicted"))},
    "kind": "direction",
    "event": "up",
}
HIT = {
    **{k: v for k, v in PRICE.items() if not k.startswith("q")},
    "kind": "time_to_hit",
    "event": "hit",
    "predicted_price": None,
    "p_within_band": None,
    "target_price": 11.0,
    "side": "above",
    "hit_rule": "touch",
    "predicted_days": 1.0,
}
VOLATILITY = {
    **{k: v for k, v in HIT.items() if k not in ("target_price", "side", "predicted_days")},
    "kind": "volatility",
    "hit_rule": None,
    "event": None,
    "confidence": None,
    "climatology": None,
    "predicted_volatility": 0.02,
}
SKIPPED = {
    **{k: PRICE[k] for k in ("model_id", "kind", "symbol", "trading_day", "as_of", "horizon")},
    "reason": "not_finite",
    "payload": "{}",
}
OUTCOME = {
    **{k: PRICE[k] for k in ("model_id", "kind", "event", "symbol", "trading_day", "horizon")},
    "as_of": END,
    "due_day": NEXT,
    "resolved_day": NEXT,
    "status": "validated",
    "confidence": 0.9,
    "occurred": True,
    "actual_price": 10.4,
    "brier": 0.01,
    "knowledge_time": "2024-03-07T00:00:00Z",
}
REALISED = {
    **OUTCOME,
    "kind": "volatility",
    **dict.fromkeys(("event", "confidence", "occurred", "brier")),
    "realised_volatility": 0.01,
    "qlike": 0.6,
    "qlike_no_change": 0.6,
}
CONDITION = {
    "trading_day": DAY,
    "market_regime": "bull",
    "benchmark": "^GSPC",
    "vix_level": 15.0,
    "market_breadth": 0.5,
    "symbols_counted": 2,
}
SYMBOL = {"symbol": "AAA", "exchange": "XNYS", "asset_class": "stock", "source": "test"}
FETCH = {
    "run_id": "r",
    "source": "test",
    "symbol": "AAA",
    "first_day": DAY,
    "last_day": DAY,
    "status": "ok",
    "attempts": 1,
    "rows": 1,
}
MEMBER = {"universe": "U", "symbol": "AAA", "start_date": DAY, "end_date": NEXT, "source": "test"}
SUMS = {
    "known_day": DAY,
    "due_day": DAY,
    "model_id": "no_change",
    "kind": "volatility",
    "horizon": 1,
    "market_regime": "bull",
    "origin": "replay",
    "due": 2,
    "validated": 2,
    "expired": 0,
    "qlike_no_change_n": 2,
    "qlike_no_change_loss": 0.6,
    "qlike_no_change_loss_baseline": 0.6,
    "qlike_no_change_squares": 0.0,
}
ROWS = {
    "market.market_data": BAR,
    "market.corporate_actions": ACTION,
    "market.market_conditions": CONDITION,
    "market.fetch_log": FETCH,
    "market.universe_members": MEMBER,
    "models.model_registry": MODEL,
    "forecasts.predictions": PRICE,
    "forecasts.skipped_predictions": SKIPPED,
    "forecasts.outcomes": OUTCOME,
    "accuracy.day_sums": SUMS,
}
APPEND_ONLY = [
    "forecasts.predictions",
    "forecasts.skipped_predictions",
    "forecasts.outcomes",
]
FACTS = ["market.market_data", "market.corporate_actions", "market.fetch_log"]
NAN, INF = float("nan"), float("inf")

IMPOSSIBLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *[
        ("market.market_data", BAR, {column: value})
        for column in ("open", "high", "low", "close")
        for value in (NAN, INF, -INF, -1.0, 0.0)
    ],
    ("market.market_data", BAR, {"high": 9.5}),
    ("market.market_data", BAR, {"low": 10.2}),
    ("market.market_data", BAR, {"high": 8.0, "low": 9.0}),
    *[("market.market_data", BAR, {"volume": value}) for value in (NAN, INF, -1.0)],
    ("market.market_data", BAR, {"quality": "suspect"}),
    ("market.market_data", BAR, {"flag": "jump"}),
    ("market.market_data", BAR, {"quality": "excellent"}),
    *[("market.corporate_actions", ACTION, {"value": v}) for v in (NAN, INF, -1.0, 0.0)],
    ("market.corporate_actions", ACTION, {"kind": "merger"}),
    *[("forecasts.predictions", PRICE, {"confidence": v}) for v in (NAN, INF, -0.1, 1.7)],
    *[("forecasts.predictions", PRICE, {"climatology": v}) for v in (NAN, 1.1, -0.1)],
    *[("forecasts.predictions", PRICE, {"p_within_band": v}) for v in (NAN, 1.1, -0.1)],
    *[("forecasts.predictions", PRICE, {"reference_price": v}) for v in (NAN, INF, -1.0, 0.0)],
    *[("forecasts.predictions", PRICE, {"predicted_price": v}) for v in (NAN, INF, -1.0, None)],
    *[("forecasts.predictions", PRICE, {"sigma": v}) for v in (NAN, INF, -0.1, 0.0)],
    *[("forecasts.predictions", PRICE, {"q95": v}) for v in (NAN, INF, -0.5)],
    ("forecasts.predictions", PRICE, {"q05": -INF}),
    ("forecasts.predictions", PRICE, {"q25": 0.5}),
    ("forecasts.predictions", PRICE, {"q50": None}),
    ("forecasts.predictions", PRICE, {"horizon": 0}),
    ("forecasts.predictions", PRICE, {"due_day": DAY}),
    ("forecasts.predictions", PRICE, {"event": "up"}),
    ("forecasts.predictions", PRICE, {"kind": "volatility"}),
    ("forecasts.predictions", PRICE, {"origin": "hindsight"}),
    ("forecasts.predictions", HIT, {"side": "below"}),
    ("forecasts.predictions", HIT, {"target_price": 10.0}),
    ("forecasts.predictions", HIT, {"target_price": None}),
    ("forecasts.predictions", HIT, {"side": None}),
    ("forecasts.predictions", HIT, {"hit_rule": "rumour"}),
    *[("forecasts.predictions", HIT, {"predicted_days": v}) for v in (NAN, INF, 0.0, -2.0)],
    *[
        ("forecasts.predictions", VOLATILITY, {"predicted_volatility": v})
        for v in (NAN, INF, 0.0, -0.1, None)
    ],
    ("forecasts.predictions", VOLATILITY, {"event": "up"}),
    ("forecasts.predictions", VOLATILITY, {"confidence": 0.5}),
    ("forecasts.predictions", VOLATILITY, {"climatology": 0.5}),
    ("forecasts.predictions", PRICE, {"predicted_volatility": 0.02}),
    *[("forecasts.predictions", PRICE, {name: None}) for name in ("event", "confidence")],
    ("forecasts.predictions", HIT, {"climatology": None}),
    *[("forecasts.outcomes", REALISED, {"realised_volatility": v}) for v in (NAN, INF, -1, None)],
    *[("forecasts.outcomes", REALISED, {"qlike": v}) for v in (NAN, INF, -0.1, None)],
    ("forecasts.outcomes", REALISED, {"status": "expired"}),
    ("forecasts.outcomes", REALISED, {"occurred": True}),
    ("forecasts.outcomes", REALISED, {"confidence": 0.5}),
    ("forecasts.outcomes", OUTCOME, {"confidence": None}),
    ("forecasts.outcomes", OUTCOME, {"event": None}),
    *[("forecasts.outcomes", OUTCOME, {"actual_price": v}) for v in (NAN, INF, -1.0)],
    *[("forecasts.outcomes", OUTCOME, {"brier": v}) for v in (NAN, INF, -0.1, 1.1)],
    *[("forecasts.outcomes", OUTCOME, {"crps": v}) for v in (NAN, INF, -0.1)],
    *[("forecasts.outcomes", OUTCOME, {"relative_error": v}) for v in (NAN, INF)],
    ("forecasts.outcomes", OUTCOME, {"status": "pending"}),
    *[
        ("accuracy.day_sums", SUMS, {"error": v, "error_squares": 0, "error_cubes": 0})
        for v in (NAN, INF)
    ],
    *[("accuracy.day_sums", SUMS, {name: -1}) for name in ("due", "validated", "expired")],
    ("accuracy.day_sums", SUMS, {"event": "up"}),
    ("accuracy.day_sums", SUMS, {"kind": "mood"}),
    ("accuracy.day_sums", SUMS, {"known_day": "2020-01-01"}),
    ("forecasts.outcomes", OUTCOME, {"occurred": None}),
    ("forecasts.outcomes", OUTCOME, {"status": "expired"}),
    ("forecasts.outcomes", OUTCOME, {"actual_days": 0}),
    *[("market.market_conditions", CONDITION, {"market_breadth": v}) for v in (NAN, 1.1)],
    ("market.market_conditions", CONDITION, {"vix_level": 0.0}),
    ("market.market_conditions", CONDITION, {"market_regime": "crab"}),
    ("market.fetch_log", FETCH, {"last_day": "2024-03-04"}),
    ("market.fetch_log", FETCH, {"category": "MOOD"}),
    ("market.universe_members", MEMBER, {"end_date": "2024-03-04"}),
]


def insert(connection: psycopg.Connection, table: str, row: dict[str, Any]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    connection.execute(statement, list(row.values()))


def identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


@pytest.fixture(scope="module")
def shared(postgres_server: str, template_database: str) -> Iterator[psycopg.Connection]:
    """A connection to a migrated database whose every test is rolled back."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def connection(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    yield shared
    shared.rollback()


@pytest.fixture
def filled(connection: psycopg.Connection) -> psycopg.Connection:
    """One row in every table of ROWS."""
    for table, row in ROWS.items():
        insert(connection, table, row)
    return connection


def test_possible_rows_are_taken(filled: psycopg.Connection) -> None:
    insert(filled, "forecasts.predictions", HIT)
    insert(filled, "forecasts.predictions", VOLATILITY)
    insert(filled, "forecasts.outcomes", REALISED)
    later = {"due_day": "2024-03-07", "resolved_day": "2024-03-07"}
    later["knowledge_time"] = "2024-03-08T00:00:00Z"
    still = {**REALISED, **later, "realised_volatility": 0, "horizon": 2}
    insert(filled, "forecasts.outcomes", still)
    for table in ROWS:
        count = filled.execute(sql.SQL("SELECT count(*) FROM {}").format(identifier(table)))
        assert count.fetchone() != (0,)


@pytest.mark.parametrize(
    ("table", "row", "change"),
    IMPOSSIBLE,
    ids=lambda value: (
        " ".join(f"{k}={v}" for k, v in value.items())
        if isinstance(value, dict) and len(value) < 3
        else value
        if isinstance(value, str)
        else ""
    ),
)
def test_impossible_numbers_are_refused(
    connection: psycopg.Connection, table: str, row: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises((errors.CheckViolation, errors.NotNullViolation)):
        insert(connection, table, {**row, **change})


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("role", [None, "predtrack_owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET recorded_at = now()",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {}",
    ],
)
def test_not_even_the_owner_or_the_superuser_rewrites_the_record(
    filled: psycopg.Connection, table: str, role: str | None, statement: str
) -> None:
    if role:
        filled.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    with pytest.raises(errors.RestrictViolation, match="is append-only"):
        filled.execute(sql.SQL(statement).format(identifier(table)))


@pytest.mark.parametrize("table", [*APPEND_ONLY, *FACTS, "models.model_registry"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET recorded_at = now()", "DELETE FROM {}"])
def test_the_writer_only_adds_facts(filled: psycopg.Connection, table: str, statement: str) -> None:
    filled.execute("SET LOCAL ROLE predtrack_writer")
    clock = "fetched_at" if table == "market.fetch_log" else "recorded_at"
    with pytest.raises(errors.InsufficientPrivilege):
        filled.execute(sql.SQL(statement.replace("recorded_at", clock)).format(identifier(table)))


@pytest.mark.parametrize("table", [*APPEND_ONLY, *FACTS])
def test_when_a_row_was_written_is_the_databases_to_say(
    connection: psycopg.Connection, table: str
) -> None:
    clock = "fetched_at" if table == "market.fetch_log" else "recorded_at"
    connection.execute("SET LOCAL ROLE predtrack_writer")
    with pytest.raises(errors.InsufficientPrivilege):
        insert(connection, table, {**ROWS[table], clock: "2020-01-01Z"})


def test_a_reader_cannot_hold_what_the_ledger_waits_for(connection: psycopg.Connection) -> None:
    hold = "SELECT chain FROM audit.chain_locks FOR UPDATE"
    connection.execute("SET LOCAL ROLE predtrack_writer")
    assert len(connection.execute(hold).fetchall()) == 2
    connection.execute("SET LOCAL ROLE predtrack_reader")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(hold)


@pytest.mark.parametrize("statement", ["CREATE TEMP TABLE t ()", "SELECT lo_create(0)"])
def test_a_reader_cannot_fill_disks(empty_database_url: str, statement: str) -> None:
    migrate(empty_database_url, PROJECT_ROOT / "sql")
    with psycopg.connect(with_role(empty_database_url, "predtrack_writer")) as writer:
        writer.execute("CREATE TEMP TABLE t ()")
    with (
        psycopg.connect(with_role(empty_database_url, "predtrack_reader")) as reader,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        reader.execute(statement)


@pytest.mark.parametrize("name", ["a|b", "a\nb", "a\x7fb", "\x1b[31m"])
def test_names_have_no_bars_and_no_control_characters(
    connection: psycopg.Connection, name: str
) -> None:
    for table, row, column in (
        ("models.model_registry", MODEL, "model_id"),
        ("market.symbols", SYMBOL, "symbol"),
        ("forecasts.predictions", PRICE, "model_id"),
        ("forecasts.predictions", PRICE, "symbol"),
    ):
        with pytest.raises(errors.CheckViolation, match="bar"), connection.transaction():
            insert(connection, table, {**row, column: name})


def test_the_writer_may_correct_what_is_derived(filled: psycopg.Connection) -> None:
    filled.execute("SET LOCAL ROLE predtrack_writer")
    filled.execute("UPDATE market.market_conditions SET market_regime = 'bear'")
    filled.execute("DELETE FROM market.market_conditions")


@pytest.mark.parametrize("table", list(ROWS))
def test_the_writer_adds_and_the_reader_only_reads(
    connection: psycopg.Connection, table: str
) -> None:
    insert(connection, "models.model_registry", {**MODEL, "model_id": "m", "model_name": "m"})
    row = {**ROWS[table], "model_id": "m"} if table.startswith("deployment") else ROWS[table]
    connection.execute("SET LOCAL ROLE predtrack_writer")
    insert(connection, table, row)
    connection.execute("SET LOCAL ROLE predtrack_reader")
    found = connection.execute(sql.SQL("SELECT 1 FROM {}").format(identifier(table)))
    assert found.fetchone() == (1,)
    with pytest.raises(errors.InsufficientPrivilege):
        insert(connection, table, row)


def test_roles_take_no_step_back_to_the_login(database_url: str) -> None:
    """The warehouse's sessions act as the role from their first statement."""
    with psycopg.connect(with_role(database_url, "predtrack_reader")) as session:
        assert session.execute("SELECT current_user").fetchone() == ("predtrack_reader",)


def test_identity_of_a_prediction_and_of_its_outcome_are_the_same(
    filled: psycopg.Connection,
) -> None:
    row = filled.execute(
        "SELECT count(*) FROM forecasts.predictions JOIN forecasts.outcomes USING (prediction_id)"
    )
    assert row.fetchone() == (1,)


def test_current_and_as_of_are_the_latest_revision_known(filled: psycopg.Connection) -> None:
    later = {"close": 10.6, "knowledge_time": "2024-03-08T12:00:00Z"}
    insert(filled, "market.market_data", {**BAR, **later})
    query = "SELECT close FROM market.market_data_as_of(%s) WHERE symbol = 'AAA'"
    known = {
        moment: [row[0] for row in filled.execute(query, [moment])]
        for moment in ("2024-03-05T20:59Z", "2024-03-05T21:00Z", "2024-03-08T11:59Z", "2024-03-09Z")
    }
    assert list(known.values()) == [[], [10.5], [10.5], [10.6]]
    assert filled.execute("SELECT close FROM market.market_data_current").fetchall() == [(10.6,)]


def test_adjusted_bars_apply_the_splits_known_by_then(filled: psycopg.Connection) -> None:
    insert(filled, "market.market_data", {**BAR, "trading_day": "2024-03-04"})
    query = "SELECT close, volume FROM market.adjusted_bars_as_of(%s, 'AAA')"
    assert filled.execute(query, ["2024-03-05T23:00Z"]).fetchall() == [(10.5, 100.0)] * 2
    after = filled.execute(query, ["2024-03-06T00:00Z"]).fetchall()
    assert after == [(5.25, 200.0), (10.5, 100.0)]


def test_a_withdrawn_action_is_gone_from_then_on(filled: psycopg.Connection) -> None:
    gone = {"value": None, "knowledge_time": "2024-03-08T12:00:00Z"}
    insert(filled, "market.corporate_actions", {**ACTION, **gone})
    query = "SELECT count(*) FROM market.corporate_actions_as_of(%s)"
    assert filled.execute(query, ["2024-03-08T11:00Z"]).fetchone() == (1,)
    assert filled.execute(query, ["2024-03-08T13:00Z"]).fetchone() == (0,)
    assert filled.execute("TABLE market.corporate_actions_current").fetchall() == []


def test_every_prediction_has_one_status(filled: psycopg.Connection) -> None:
    """Here all are of one identity: refused, then written, then resolved."""
    statuses = filled.execute("SELECT status FROM forecasts.prediction_status").fetchall()
    assert statuses == [("validated",)]
