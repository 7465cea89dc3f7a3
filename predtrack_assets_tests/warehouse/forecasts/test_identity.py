"""A prediction's identity: the same in Python and in the database, and of one prediction only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.forecasts.identity import MINUTE, SESSION, UNITS, prediction_id
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.warehouse.test_schema import DIRECTION, OUTCOME, SKIPPED, insert

AS_OF = datetime(2024, 3, 6, tzinfo=UTC)
QUERY = "SELECT forecasts.prediction_id(%s, %s, %s, %s, %s::smallint, %s)"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
HALF_PAST = {
    "as_of": "2024-03-05T15:30:00Z",
    "horizon": 30,
    "horizon_unit": MINUTE,
    "due_day": "2024-03-05",
    "due_at": "2024-03-05T16:00:00Z",
    "earliest_resolution_time": "2024-03-05T16:00:00Z",
}
FOUR = {
    "as_of": "2024-03-05T16:00:00Z",
    "due_at": "2024-03-05T16:30:00Z",
    "earliest_resolution_time": "2024-03-05T16:30:00Z",
}


@pytest.fixture(scope="module")
def connection(postgres_server: str, template_database: str) -> Iterator[psycopg.Connection]:
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, psycopg.connect(url, autocommit=True) as connected:
        yield connected


@given(TEXT, TEXT, TEXT, MOMENTS, st.integers(-(2**15), 2**15 - 1), st.sampled_from(UNITS))
def test_it_is_the_same_in_python_and_in_the_database(
    connection: psycopg.Connection,
    model: str,
    kind: str,
    symbol: str,
    as_of: datetime,
    horizon: int,
    unit: str,
) -> None:
    fields = (model, kind, symbol, as_of, horizon, unit)
    found = connection.execute(QUERY, fields).fetchone()
    assert found == (prediction_id(*fields),)


def test_names_with_bars_in_them_are_not_other_names() -> None:
    joined = ("m|price|A", "price", "B"), ("m", "price", "A|price|B")
    assert len({prediction_id(*names, AS_OF, 5) for names in joined}) == 2


def test_every_field_counts() -> None:
    fields = ("m", "price", "A", AS_OF, 5, SESSION)
    others = ("n", "direction", "B", AS_OF + timedelta(minutes=1), 6, MINUTE)
    changed = [(*fields[:i], other, *fields[i + 1 :]) for i, other in enumerate(others)]
    assert len({prediction_id(*each) for each in (fields, *changed)}) == 7


def test_predictions_of_minutes_of_one_day_stand_beside_each_other_and_the_days(
    connection: psycopg.Connection,
) -> None:
    """The decisions of half past three and of four, and the day's, of the same number of units."""
    with connection.transaction(force_rollback=True):
        daily = {**DIRECTION, "horizon": 30, "due_day": "2024-04-16"}
        daily |= {"due_at": "2024-04-16T20:00:00Z"}
        for row in (daily, DIRECTION | HALF_PAST, DIRECTION | HALF_PAST | FOUR):
            insert(connection, "forecasts.predictions", row)
            key = {name: row[name] for name in ("as_of", "horizon", "due_day")}
            key["horizon_unit"] = row.get("horizon_unit", SESSION)
            come = {"kind": "direction", "event": "up", "knowledge_time": "2024-04-17T00:00:00Z"}
            insert(connection, "forecasts.outcomes", {**OUTCOME, **come, **key})
        count = "SELECT count(DISTINCT id) FROM forecasts.direction_predictions WHERE went_up"
        assert connection.execute(count).fetchone() == (3,)
        joined = """
            SELECT count(*) FROM forecasts.predictions p JOIN forecasts.outcomes o USING (prediction_id)
        """
        assert connection.execute(joined).fetchone() == (3,)
        statuses = "SELECT status FROM forecasts.prediction_status"
        assert connection.execute(statuses).fetchall() == [("validated",)] * 3
        current = "SELECT count(*) FROM forecasts.outcomes_current WHERE horizon_unit = 'minute'"
        assert connection.execute(current).fetchone() == (2,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(connection, "forecasts.predictions", DIRECTION | HALF_PAST)


def test_what_was_refused_of_one_moment_is_not_written_at_another(
    connection: psycopg.Connection,
) -> None:
    with connection.transaction(force_rollback=True):
        moment = {n: HALF_PAST[n] for n in ("as_of", "horizon", "horizon_unit")}
        insert(
            connection, "forecasts.skipped_predictions", SKIPPED | {"kind": "direction"} | moment
        )
        insert(connection, "forecasts.predictions", DIRECTION | HALF_PAST | FOUR)
        statuses = "SELECT status FROM forecasts.prediction_status ORDER BY status"
        assert connection.execute(statuses).fetchall() == [("pending",), ("skipped",)]
        insert(connection, "forecasts.predictions", DIRECTION | HALF_PAST)
        assert connection.execute(statuses).fetchall() == [("pending",), ("pending",)]
