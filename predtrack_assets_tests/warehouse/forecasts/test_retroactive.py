"""What was written after the fact, or cannot be, never counts as said before it, whoever writes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql

from predtrack_assets.clock import utc_now
from predtrack_assets.days import Window
from predtrack_assets.domain.audit.claims import Claim
from predtrack_assets.domain.audit.ledger.comparison import LATE, UNSEALED
from predtrack_assets.domain.forecasts.outcomes import (
    NOT_BY_ITS_MODEL,
    NOT_FINITE,
    NOT_THE_CLOSE,
    NOT_THE_HORIZON,
)
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.services.audit.claims import recompute
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.forecasts.outcome_days import outcome_days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.forecasts.ledger import Sealed, seal
from predtrack_assets_tests.warehouse.forecasts.test_ledger_attacks import create

DAY = date(2013, 2, 20)
SAID = {
    "model_id": "mine-1", "kind": "direction", "symbol": "AAA", "trading_day": DAY,
    "as_of": as_of(DAY), "horizon": 1, "due_day": DAY + timedelta(days=1), "event": "up",
    "due_at": datetime(2013, 2, 21, 21, tzinfo=UTC),
    "confidence": 0.9, "reference_price": 100.0, "sigma": 0.02, "climatology": 0.5,
    "feature_digest": 7, "origin": "replay",
    "earliest_resolution_time": datetime(2013, 2, 21, 21, tzinfo=UTC),
}  # fmt: skip
TOUCH = {
    "kind": "time_to_hit", "event": "hit", "target_price": 110.0, "side": "above",
    "hit_rule": "touch", "predicted_days": 1.0,
}  # fmt: skip
KNOWN = """
    INSERT INTO market.symbols (symbol, exchange, asset_class, source)
    VALUES ('AAA', 'XNYS', 'stock', 'test');
    INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)
    VALUES ('mine-1', 'mine', 1, 'candidate', '{direction,time_to_hit}', 'x');
"""
BAR = """
    INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,
        source, knowledge_time) VALUES ('AAA', %s, %s, %s, %s, %s, 1, 'good', 'test', %s)
"""
AS_WRITER = "SET LOCAL ROLE predtrack_writer"
AS_SUPERUSER = "SET LOCAL session_replication_role = replica"


@pytest.fixture
def url(postgres_server: str, template_database: str) -> Iterator[str]:
    """A database that knows one symbol of the New York exchange and one model of somebody's own."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        made = create(admin, postgres_server, template_database)
        with psycopg.connect(made) as connection:
            connection.execute(KNOWN)
        yield made
        name = sql.Identifier(made.rsplit("/", 1)[1].split("?")[0])
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def insert(connection: psycopg.Connection, **changes: Any) -> None:
    row = SAID | changes
    statement = sql.SQL("INSERT INTO forecasts.predictions ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    connection.execute(statement, row)


def write(url: str, hand: str = AS_WRITER, **changes: Any) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(hand)
        insert(connection, **changes)


def sealed(url: str) -> Sealed:
    with Database(url=url).transaction() as transaction:
        return seal(transaction)


def faults(url: str) -> list[str]:
    with Database(url=url).transaction() as transaction:
        return verify(transaction).findings["fault"].to_list()


def origins(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [o for (o,) in connection.execute("SELECT origin FROM forecasts.prediction_batches")]


PRICE = {
    "kind": "price", "event": "within_5pct", "predicted_price": 100.0, "q50": 0.0,
}  # fmt: skip
MINUTES = {
    "horizon": 30, "horizon_unit": "minute", "as_of": datetime(2013, 2, 20, 15, tzinfo=UTC),
    "due_at": datetime(2013, 2, 20, 15, 30, tzinfo=UTC), "due_day": DAY,
    "earliest_resolution_time": datetime(2013, 2, 20, 15, 30, tzinfo=UTC),
}  # fmt: skip
EARLIEST = "earliest_resolution_time"
IMPOSSIBLE = [
    ({EARLIEST: datetime(2099, 1, 1, tzinfo=UTC)}, "earliest_resolution_time_is_by_due_at"),
    ({EARLIEST: datetime(2013, 2, 21, 21, 1, tzinfo=UTC)}, "earliest_resolution_time_is_by_due_at"),
    ({EARLIEST: datetime(2013, 2, 19, tzinfo=UTC)}, "earliest_resolution_time_is_by_due_at"),
    (
        {**TOUCH, "horizon": 21, "due_day": date(2013, 3, 21),
         "due_at": datetime(2013, 3, 21, 20, tzinfo=UTC),
         "earliest_resolution_time": datetime(2013, 3, 21, tzinfo=UTC)},
        "earliest_resolution_time_of_a_path_is_the_next_opening",
    ),
    ({"origin": "live"}, "live_is_recorded_before_its_earliest_resolution"),
    ({"as_of": datetime(2013, 12, 1, tzinfo=UTC)}, "as_of_is_24_00_utc_of_the_trading_day"),
    ({"as_of": datetime(2013, 2, 20, 23, tzinfo=UTC)}, "as_of_is_24_00_utc_of_the_trading_day"),
    ({"due_at": datetime(2013, 2, 22, 1, tzinfo=UTC)}, "due_at_is_within_the_due_day"),
    (
        {"due_day": date(2014, 2, 20), "due_at": datetime(2014, 2, 20, 21, tzinfo=UTC)},
        "due_day_fits_the_horizon",
    ),
    ({"horizon": 21}, "due_day_fits_the_horizon"),
    ({"due_day": DAY, "due_at": datetime(2013, 2, 20, 21, tzinfo=UTC)}, "due_day_fits_the_horizon"),
    ({"horizon": 0}, "horizon_is_1_to_252_sessions_or_1_to_1440_minutes"),
    ({"horizon_unit": "hour"}, "horizon_unit_is_session_or_minute"),
    ({**MINUTES, "as_of": datetime(2013, 2, 20, tzinfo=UTC)}, "or_within_it"),
    ({**MINUTES, "horizon": 31}, "due_at_is_that_many_minutes_after_as_of"),
    ({"model_id": "m|price"}, "names_have_no_bar_and_no_control_character"),
    ({"symbol": "A|B"}, "names_have_no_bar_and_no_control_character"),
    ({"symbol": "A\x1b"}, "names_have_no_bar_and_no_control_character"),
    ({**PRICE, "q95": 20.5}, "q95_is_within_20"),
    ({**PRICE, "q95": 1e300}, "q95_is_within_20"),
    ({**PRICE, "predicted_price": 99.0}, "predicted_price_is_the_median"),
    ({**PRICE, "q05": 0.1, "q10": None, "q25": None}, "quantiles_are_in_order"),
    ({**PRICE, "q25": 0.2, "q95": 0.1}, "quantiles_are_in_order"),
    ({"q05": 0.1}, "only_a_price_has_a_price_and_quantiles"),
    ({"p_within_band": 0.1}, "only_a_price_has_a_price_and_quantiles"),
    ({"predicted_days": 1.0}, "only_a_time_to_hit_has_a_target"),
    ({**PRICE, "side": "above"}, "only_a_time_to_hit_has_a_target"),
    ({**TOUCH, "predicted_days": 1.5}, "predicted_days_is_within_the_horizon"),
    ({"symbol": ""}, "symbol_has_1_to_32_characters_and_no_space"),
    ({"symbol": "A A"}, "symbol_has_1_to_32_characters_and_no_space"),
    ({"symbol": "A" * 5_000}, "symbol_has_1_to_32_characters_and_no_space"),
    ({"model_id": ""}, "model_id_has_1_to_100_characters"),
    ({"model_id": "m" * 101}, "model_id_has_1_to_100_characters"),
    ({"artifact_id": "a" * 201}, "artifact_id_has_at_most_200_characters"),
    ({"confidence": 1.7}, "confidence_is_0_to_1"),
    ({"confidence": float("nan")}, "confidence_is_0_to_1"),
    ({"reference_price": 0.0}, "reference_price_is_positive"),
    ({**TOUCH, "side": "below"}, "target_is_complete_and_on_its_side"),
]  # fmt: skip


def test_what_cannot_be_is_refused_to_all_hands_by_the_name_of_the_rule(url: str) -> None:
    for hand in (AS_WRITER, AS_SUPERUSER):
        with psycopg.connect(url) as connection:
            connection.execute(hand)
            for changes, rule in IMPOSSIBLE:
                with (
                    pytest.raises(psycopg.errors.CheckViolation, match=rule),
                    connection.transaction(),
                ):
                    insert(connection, **changes)
            for possible in ({}, PRICE, TOUCH, MINUTES):
                insert(connection, **possible)  # as it is, it can be
            connection.rollback()


def test_when_a_row_was_written_is_not_the_writers_to_say(url: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(url, recorded_at=datetime(2013, 2, 20, tzinfo=UTC), origin="live")


def test_a_superuser_who_dates_a_row_back_seals_a_replay_and_is_named(url: str) -> None:
    earlier = datetime(2013, 2, 20, tzinfo=UTC)
    write(url, AS_SUPERUSER, recorded_at=earlier, origin="live")
    assert sealed(url) == Sealed(1, 1)
    assert origins(url) == ["replay"]
    assert faults(url) == [LATE]


@pytest.mark.parametrize("hand", [AS_WRITER, AS_SUPERUSER])
def test_the_calendar_says_from_when_on_a_touch_could_be_known(url: str, hand: str) -> None:
    """Some days after its first session opened, with an earliest resolution that a CHECK lets pass."""
    today = utc_now().date()
    day = today - timedelta(days=7)
    while day.weekday() > 3:
        day -= timedelta(days=1)
    midnight = datetime.combine(today + timedelta(days=2), time(0), UTC)
    due_day = day + timedelta(days=14)
    due = {"horizon": 10, "due_day": due_day, "due_at": datetime.combine(due_day, time(21), UTC)}
    said = {
        **TOUCH,
        **due,
        "trading_day": day,
        "as_of": as_of(day),
        "earliest_resolution_time": midnight,
    }
    write(url, hand, **said, origin="live")
    assert sealed(url) == Sealed(1, 1)
    assert origins(url) == ["replay"]
    assert faults(url) == [LATE]


def test_rows_of_nobody_and_of_anothers_model_are_left_out_and_counted(url: str) -> None:
    write(url, model_id="ghost-9")
    write(url, symbol="NOWHERE")
    write(url, model_id="pooled-v1")
    write(url, model_id="no_change")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
            " SELECT m, m, 1, 'candidate', '{direction}', 'x' FROM unnest('{pooled-v1,no_change}'::text[]) m"
        )
    why = {
        "model not registered": 1, "symbol not known": 1, "not written by the run of its model": 2,
    }  # fmt: skip
    assert sealed(url) == Sealed(0, 0, why)
    assert str(sealed(url)).endswith("left out 1: symbol not known")
    assert faults(url) == [UNSEALED] * 4
    write(url)
    assert sealed(url) == Sealed(1, 1, why)
    with Database(url=url).transaction() as transaction:
        claim = Claim("brier", "ghost-9", "direction", 1, date(2013, 2, 28), "rolling_30d")
        found = recompute(transaction, claim)
    assert (found.predictions, found.live, found.unsealed) == (1, 0, 1)


def test_what_the_run_of_an_own_model_writes_is_sealed_with_it(url: str) -> None:
    row = pl.DataFrame([SAID | {"model_id": "no_change", "horizon_unit": "session"}])
    absent = [pl.lit(None).alias(c) for c in tables.PREDICTIONS.columns if c not in row.columns]
    register = "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
    with psycopg.connect(url) as connection:
        connection.execute(
            f"{register} VALUES ('no_change', 'n', 1, 'baseline', '{{direction}}', 'x')"
        )
    with Database(url=url).transaction() as transaction:
        transaction.append(tables.PREDICTIONS, row.with_columns(absent))
        assert seal(transaction) == Sealed(1, 1)
    assert faults(url) == []


def add_bars(url: str) -> None:
    """100 on the day, corrected to 50 two days later; 101 on the next."""
    with psycopg.connect(url) as connection:
        for day, close, known in (
            (DAY, 100.0, "2013-02-20 21:15Z"),
            (DAY, 50.0, "2013-02-22 12:00Z"),
            (DAY + timedelta(days=1), 101.0, "2013-02-21 21:15Z"),
            (DAY + timedelta(days=2), 102.0, "2013-02-22 21:15Z"),
        ):
            connection.execute(BAR, [day, close, close + 1, close - 1, close, known])


def register(url: str, *models: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
            " SELECT m, m, 1, 'candidate', '{direction,volatility}', 'x' FROM unnest(%s::text[]) m",
            [list(models)],
        )


def resolve(url: str, days: int) -> None:
    """Store what became known by so many days after DAY."""
    with Database(url=url).transaction() as transaction:
        asked = Window(DAY, DAY + timedelta(days=days))
        for _, _, found in outcome_days(transaction, asked, get_settings()):
            transaction.revise(tables.OUTCOMES, found)


def endings(url: str) -> list[tuple[str, str, str | None, date]]:
    """model_id, status, reason and resolved_day of all outcomes."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT model_id, status, reason, resolved_day FROM forecasts.outcomes ORDER BY 1"
        ).fetchall()


def test_what_is_of_another_session_or_without_a_finite_score_expires_alone(url: str) -> None:
    """One row that cannot be scored is no reason to score none."""
    add_bars(url)
    register(url, "late-1", "tiny-1")
    later = DAY + timedelta(days=2)
    write(url)
    write(url, model_id="late-1", due_day=later, due_at=datetime(2013, 2, 22, 21, tzinfo=UTC))
    loud = {"kind": "volatility", "event": None, "confidence": None, "climatology": None}
    if accepts(url, model_id="tiny-1", **loud, predicted_volatility=1e-300):
        write(url, model_id="tiny-1", **loud, predicted_volatility=1e-300)
    resolve(url, 2)
    one_day = DAY + timedelta(days=1)
    found = endings(url)
    assert ("late-1", "expired", NOT_THE_HORIZON, later) in found
    assert ("mine-1", "validated", None, one_day) in found
    assert set(found[2:]) <= {("tiny-1", "expired", NOT_FINITE, one_day)}


def accepts(url: str, **changes: Any) -> bool:
    """Whether the table takes such a row; it is not kept."""
    with psycopg.connect(url) as connection:
        try:
            insert(connection, **changes)
        except psycopg.errors.CheckViolation:
            return False
        finally:
            connection.rollback()
    return True


def test_what_no_batch_will_hold_is_not_scored(url: str) -> None:
    """Of a model of this project by another hand: never. Of an unknown model: not before it is known."""
    add_bars(url)
    register(url, "no_change")
    write(url)
    write(url, model_id="no_change")
    write(url, model_id="ghost-9")
    resolve(url, 1)
    one_day = DAY + timedelta(days=1)
    expected = [
        ("mine-1", "validated", None, one_day),
        ("no_change", "expired", NOT_BY_ITS_MODEL, one_day),
    ]
    assert endings(url) == expected
    register(url, "ghost-9")
    resolve(url, 1)
    assert endings(url) == [("ghost-9", "validated", None, one_day), *expected]


@pytest.mark.parametrize("days", [1, 2])
def test_a_price_that_was_not_the_close_is_not_scored_and_says_why(url: str, days: int) -> None:
    """Not even where a correction, after the fact, would make it one; a rounded one is."""
    add_bars(url)
    prices = {"right": 100.0, "rounded": 100.004, "invented": 0.0001, "corrected": 50.0}
    register(url, *prices)
    for model, price in prices.items():
        write(url, model_id=model, reference_price=price)
    resolve(url, days)
    with psycopg.connect(url) as connection:
        statuses = connection.execute("SELECT DISTINCT model_id, status FROM forecasts.outcomes")
        assert len(statuses.fetchall()) == len(prices)
        rows = connection.execute(
            "SELECT model_id, status, s.reason, occurred, brier IS NULL, actual_return IS NULL"
            " FROM forecasts.prediction_status s"
            " JOIN forecasts.outcomes o USING (trading_day, symbol, model_id, kind, horizon, status)"
            " WHERE o.knowledge_time = '2013-02-22Z' ORDER BY 1"
        ).fetchall()
    void = ("expired", NOT_THE_CLOSE, None, True, True)
    scored = ("validated", None, True, False, False)
    assert rows == [
        ("corrected", *void), ("invented", *void), ("right", *scored), ("rounded", *scored),
    ]  # fmt: skip


def test_a_due_day_that_is_not_the_horizons_is_not_scored_and_says_why(url: str) -> None:
    """Such a row was scored before its own due day, and the check for that stopped everybody's."""
    add_bars(url)
    late = date(2013, 2, 22)
    due = {"due_day": late, "due_at": datetime(2013, 2, 22, 21, tzinfo=UTC)}
    register(url, "right", "late")
    write(url, model_id="right")
    write(url, model_id="late", **due)
    resolve(url, 2)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (model_id) model_id, status, reason, resolved_day"
            " FROM forecasts.outcomes ORDER BY model_id, knowledge_time"
        ).fetchall()
    assert rows == [
        ("late", "expired", NOT_THE_HORIZON, late),
        ("right", "validated", None, date(2013, 2, 21)),
    ]
