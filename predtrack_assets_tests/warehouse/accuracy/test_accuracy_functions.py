"""What the database computes itself of accuracy equals what the reports say of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from psycopg import errors

from predtrack_assets.domain.accuracy.calibration_report import calibration_summary
from predtrack_assets.domain.statistics import effective_size
from predtrack_assets.domain.time.calendar import as_of, as_of_array, calendar
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.domain.accuracy.test_report_windows import sums_of
from predtrack_assets_tests.warehouse.test_schema import BAR, HIT, MODEL, OUTCOME, PRICE, insert

SESSIONS = calendar("XNYS").between(date(2024, 1, 2), date(2024, 4, 30))
END = SESSIONS[60].item()
KINDS = {"price": "within_5pct", "direction": "up", "time_to_hit": "hit"}


def outcomes(kind: str, horizon: int, symbols: int, miss: float, seed: int) -> pl.DataFrame:
    """Outcomes of 60 decision days, some expired, with ties and certainties among the forecasts;
    a forecast of p comes true at p - miss."""
    rng = np.random.default_rng(seed)
    start = np.repeat(np.arange(60), symbols)
    p = rng.beta(3, 2, start.size)
    p = np.where(rng.random(start.size) < 0.4, p.round(1), p)
    y = rng.random(start.size) < np.clip(p - miss, 0, 1)
    due = SESSIONS[start + horizon]
    expired = rng.random(start.size) < 0.04
    day = pl.Series(due).cast(pl.Date)
    return pl.DataFrame(
        {
            "model_id": "m",
            "kind": kind,
            "event": KINDS[kind],
            "symbol": np.char.add("S", (np.arange(start.size) % symbols).astype(str)),
            "trading_day": pl.Series(SESSIONS[start]).cast(pl.Date),
            "as_of": as_of_array(SESSIONS[start]),
            "horizon": horizon,
            "due_day": day,
            "resolved_day": day,
            "status": np.where(expired, "expired", "validated"),
            "confidence": p,
            "occurred": pl.Series(y),
            "brier": np.square(p - y),
            "knowledge_time": (
                day.cast(pl.Datetime("us")) + timedelta(days=1)
            ).dt.replace_time_zone("UTC"),
        }
    ).with_columns(
        pl.when(pl.col("status") == "validated").then(pl.col(c)) for c in ("occurred", "brier")
    )


CELLS = {
    "calibrated": outcomes("price", 1, 120, 0.0, 1),
    "off": outcomes("direction", 1, 40, 0.15, 2),
    "overlapping": outcomes("direction", 5, 8, 0.1, 3),
    "few": outcomes("time_to_hit", 21, 1, 0.0, 4),
}
OUTCOMES = pl.concat(CELLS.values())


@pytest.fixture(scope="module")
def shared(postgres_server: str, template_database: str) -> Iterator[psycopg.Connection]:
    """A connection to a database with OUTCOMES, whose every test is rolled back."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, psycopg.connect(url) as connection:
        columns = ", ".join(OUTCOMES.columns)
        with connection.cursor().copy(f"COPY forecasts.outcomes ({columns}) FROM STDIN") as copy:
            for row in OUTCOMES.iter_rows():
                copy.write_row(row)
        for model in ("m", "nobody"):
            insert(
                connection,
                "models.model_registry",
                {**MODEL, "model_id": model, "model_name": model},
            )
        connection.commit()
        yield connection


@pytest.fixture
def connection(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    yield shared
    shared.rollback()


def ask(connection: psycopg.Connection, query: str, *parameters: Any) -> list[dict[str, Any]]:
    cursor = connection.execute(query, parameters)
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def calculated(
    connection: psycopg.Connection, kind: str, horizon: int, known: datetime, days: int = 30
) -> dict[str, Any]:
    query = "SELECT * FROM accuracy.calculate_ece('m', %s, %s, %s, %s)"
    (row,) = ask(connection, query, kind, horizon, days, known)
    return row


def reported(rows: pl.DataFrame, day: date) -> dict[str, Any]:
    """The row that the summary of the 30 days until `day` has of one cell."""
    days = np.array([day], "datetime64[D]")
    return calibration_summary(rows, sums_of(rows), days, "rolling_30d").row(0, named=True)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("day", [SESSIONS[22].item(), END])
def test_calculate_ece_is_the_summary_of_the_same_rows(
    connection: psycopg.Connection, name: str, day: date
) -> None:
    rows = CELLS[name]
    found = calculated(connection, rows["kind"][0], rows["horizon"][0], as_of(day))
    expected = reported(rows, day)
    assert found["total_predictions"] == expected["n"] > 0
    assert found["calibration_quality"] == expected["calibration_quality"]
    for column in ("ece", "n_eff", "rms_calibration_error", "rms_calibration_upper"):
        assert found[column] == pytest.approx(expected[column], rel=1e-9, abs=1e-9), column


def test_the_cells_show_every_quality(connection: psycopg.Connection) -> None:
    def quality(kind: str, horizon: int) -> str:
        return calculated(connection, kind, horizon, as_of(END))["calibration_quality"]

    assert quality("price", 1) in ("good", "moderate")
    assert quality("direction", 1) == "poor"
    assert quality("time_to_hit", 21) == "insufficient_data"


def test_no_data_is_insufficient_data_not_poor(connection: psycopg.Connection) -> None:
    (row,) = ask(connection, "SELECT * FROM accuracy.calculate_ece('nobody')")
    assert (row["total_predictions"], row["calibration_quality"]) == (0, "insufficient_data")
    assert {row["ece"], row["rms_calibration_error"], row["rms_calibration_upper"]} == {None}
    assert row["n_eff"] == 0


def test_a_later_revision_counts_from_when_it_was_known(connection: psycopg.Connection) -> None:
    before = calculated(connection, "price", 1, as_of(END))
    known = as_of(END) + timedelta(days=2)
    connection.execute(
        "INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of, due_day,"
        " resolved_day, status, confidence, occurred, brier, knowledge_time)"
        " SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, %s, status, confidence,"
        " NOT occurred, 1 - brier, %s FROM forecasts.outcomes"
        " WHERE kind = 'price' AND status = 'validated' AND due_day = %s",
        [END + timedelta(days=1), known, END],
    )
    assert calculated(connection, "price", 1, as_of(END)) == before
    days = (known.date() - END).days + 29  # the same first day
    after = calculated(connection, "price", 1, known, days)
    assert after["total_predictions"] == before["total_predictions"]
    assert after["ece"] != before["ece"]


def test_the_window_is_the_days_that_were_asked_for(connection: psycopg.Connection) -> None:
    week = calculated(connection, "price", 1, as_of(END), 7)["total_predictions"]
    since = END - timedelta(days=6)
    chosen = CELLS["calibrated"].filter(
        pl.col("due_day").is_between(since, END), pl.col("status") == "validated"
    )
    assert week == len(chosen)
    noon = datetime.combine(END, datetime.min.time(), UTC) + timedelta(hours=12)
    at_noon = calculated(connection, "price", 1, noon, 7)["total_predictions"]
    assert at_noon == len(chosen.filter(pl.col("due_day") < END)), "the day is not over"


@pytest.mark.parametrize("horizon", [1, 5, 21])
@pytest.mark.parametrize("dates", [1, 2, 15, 60, 150])
def test_effective_sample_size_is_that_of_the_domain(
    connection: psycopg.Connection, horizon: int, dates: int
) -> None:
    rng = np.random.default_rng(dates)
    counts = rng.integers(1, 9, dates)
    for rate in (0.0, 0.4, 1.0):
        hits = rng.binomial(counts, rate)
        (row,) = ask(
            connection,
            "SELECT accuracy.effective_sample_size(%s::bigint[], %s::bigint[], %s) AS n_eff",
            *(hits.tolist(), counts.tolist(), horizon),
        )
        expected = effective_size.effective_sample_size(hits, counts, horizon)
        assert row["n_eff"] == pytest.approx(expected, rel=1e-9)


TUESDAY = date(2024, 3, 5)
QUEUE = (
    "SELECT due_day, kind, predictions, symbols, oldest_decision, age_days, overdue FROM forecasts."
)


def list_bars(connection: psycopg.Connection, exchange: str, **last: date) -> None:
    """Symbols of an exchange with bars on TUESDAY and on their last day."""
    for symbol, day in last.items():
        listed = {
            "symbol": symbol,
            "exchange": exchange,
            "asset_class": "stock",
            "currency": "USD",
            "source": "t",
        }
        insert(connection, "market.symbols", listed)
        for one in sorted({TUESDAY, day}):
            insert(connection, "market.market_data", {**BAR, "symbol": symbol, "trading_day": one})


def predict(connection: psycopg.Connection, symbol: str, days: int, **changes: Any) -> None:
    """A prediction of TUESDAY that falls due `days` later."""
    day = TUESDAY + timedelta(days=days)
    due = {"trading_day": TUESDAY, "due_day": day, "due_at": as_of(day), **changes}
    insert(connection, "forecasts.predictions", {**PRICE, **due, "symbol": symbol})


def queued(connection: psycopg.Connection, what: str = "v_due_queue") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in ask(connection, QUEUE + what)]


def test_the_queue_is_what_is_due_by_the_bars_and_has_not_ended(
    connection: psycopg.Connection,
) -> None:
    """Those of Q0 to Q2 fall due when Q0 has its last bar; Q1 has none that day, Q2's has expired."""
    friday = TUESDAY + timedelta(days=3)
    list_bars(connection, "XNYS", Q0=friday, Q1=TUESDAY, Q2=TUESDAY)
    list_bars(connection, "XLON", L0=TUESDAY)
    for symbol in ("Q0", "Q1", "Q2", "L0"):
        predict(connection, symbol, 3)
    predict(connection, "Q0", 6, horizon=2)  # after the last bar
    insert(connection, "forecasts.predictions", {
        **HIT, "symbol": "Q0", "trading_day": TUESDAY, "due_day": TUESDAY + timedelta(days=1),
        "due_at": as_of(TUESDAY + timedelta(days=1)),
    })  # fmt: skip
    expired = {
        **OUTCOME, "symbol": "Q2", "due_day": friday, "status": "expired", "occurred": None,
        "brier": None, "actual_price": None,
    }  # fmt: skip
    insert(connection, "forecasts.outcomes", expired)
    assert queued(connection) == [
        (TUESDAY + timedelta(days=1), "time_to_hit", 1, 1, TUESDAY, 2, 0),
        (friday, "price", 2, 2, TUESDAY, 0, 1),
    ]


def test_the_queue_shows_a_quarter_and_the_function_all(connection: psycopg.Connection) -> None:
    list_bars(connection, "XNYS", Q0=TUESDAY + timedelta(days=100))
    for horizon, days in enumerate((8, 9), start=1):
        predict(connection, "Q0", days, horizon=horizon)
    ages = [(row[0], row[5]) for row in queued(connection, "due_queue()")]
    assert ages == [(TUESDAY + timedelta(days=days), 100 - days) for days in (8, 9)]
    assert queued(connection) == queued(connection, "due_queue()")[1:]
    assert queued(connection, f"due_queue('{TUESDAY + timedelta(days=9)}')") == queued(connection)


def test_without_bars_nothing_is_due(connection: psycopg.Connection) -> None:
    predict(connection, "Q0", 3)
    assert queued(connection) == queued(connection, "due_queue()") == []


def test_completeness_counts_trading_days_of_the_exchange(connection: psycopg.Connection) -> None:
    days = calendar("XNYS").between(date(2024, 1, 8), date(2024, 1, 19))  # a holiday is within
    listed = {"WHOLE": days, "HOLES": np.delete(days, [2, 5]), "YOUNG": days[3:]}
    for symbol, own in listed.items():
        connection.execute(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
            " VALUES (%s, 'XNYS', 'stock', 't')",
            [symbol],
        )
        for day in own.tolist():
            close = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=21)
            connection.execute(
                "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume,"
                " quality, source, knowledge_time) VALUES (%s, %s, 1, 1, 1, 1, 1, 'good', 't', %s)",
                [symbol, day, close],
            )
    rows = ask(connection, "SELECT * FROM market.check_data_completeness()")
    assert rows == [{"symbol": "HOLES", "missing_dates": days[[2, 5]].tolist()}]
    early = "SELECT * FROM market.check_data_completeness(last_day => %s)"
    assert ask(connection, early, days[4].item())[0]["missing_dates"] == [days[2].item()]


@pytest.mark.parametrize(
    ("period", "end", "start"),
    [
        ("daily", "2024-02-29", "2024-02-29"),
        ("weekly", "2024-03-03", "2024-02-26"),
        ("rolling_30d", "2024-03-01", "2024-02-01"),
        ("monthly", "2024-02-29", "2024-02-01"),
        ("quarterly", "2024-03-29", "2024-01-01"),
        ("yearly", "2024-12-31", "2024-01-01"),
    ],
)
def test_periods_begin_where_windows_do(
    connection: psycopg.Connection, period: str, end: str, start: str
) -> None:
    from predtrack_assets.domain.accuracy.report_windows import period_named

    assert str(period_named(period).starts(np.array([end], "datetime64[D]"))[0]) == start
    query = "SELECT accuracy.period_start(%s, %s)::text AS start"
    assert ask(connection, query, period, date.fromisoformat(end)) == [{"start": start}]


SUMS = {
    "known_day": END, "due_day": END, "model_id": "m", "kind": "price", "event": "within_5pct",
    "horizon": 1, "market_regime": "bull", "origin": "replay", "due": 5, "validated": 3, "expired": 1,
    "scored": 3, "hits": 2, "correct_calls": 2, "confidence": 2.1, "residual": -0.1,
    "squared_residual": 0.7,
}  # fmt: skip
CURVE = {
    "model_id": "m", "horizon": 2, "period": "monthly", "period_start": END, "period_end": END,
    "session": 2, "n": 5, "n_eff": 2.5, "at_risk": 4, "hits": 1, "censored": 3, "survival": 0.75,
    "survival_low": 0.1, "survival_high": 0.9, "predicted_survival": 0.7, "baseline_survival": 0.6,
}  # fmt: skip


def test_possible_reports_are_taken(connection: psycopg.Connection) -> None:
    insert(connection, "accuracy.day_sums", SUMS)
    insert(connection, "accuracy.survival_curves", CURVE)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        *[("day_sums", {**SUMS, **change}) for change in (
            {"validated": -1}, {"hits": 4}, {"scored": 4}, {"correct_calls": 4}, {"event": None},
            {"residual": float("nan")}, {"due_day": date(2100, 1, 4)}, {"market_regime": "crab"},
            {"origin": "hindsight"}, {"horizon": 0},
        )],
        *[("survival_curves", {**CURVE, **change}) for change in (
            {"survival": float("nan")}, {"survival": 1.1}, {"session": 3}, {"session": 1},
            {"predicted_survival": None}, {"hits": 2}, {"at_risk": 6}, {"n_eff": 6.0},
            {"baseline_survival": None}, {"period": "daily"},
        )],
    ],
)  # fmt: skip
def test_impossible_reports_are_refused(
    connection: psycopg.Connection, table: str, row: dict[str, Any]
) -> None:
    with pytest.raises((errors.CheckViolation, errors.NotNullViolation)):
        insert(connection, f"accuracy.{table}", row)
