"""Outcomes as known at a moment: one revision of each, in one order, and no more than asked for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.forecasts.known_outcomes import KEY, LONGEST, known_outcomes
from predtrack_assets_tests import graph
from predtrack_assets_tests.graph import utc

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 8)
EVENTS = {"price": "within_5pct", "direction": "up", "time_to_hit": "hit", "volatility": None}
INSERT = """
    INSERT INTO forecasts.outcomes
        (model_id, kind, event, horizon, symbol, trading_day, as_of, due_day, resolved_day, status,
         confidence, occurred, brier, realised_volatility, qlike, knowledge_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'validated', %s, %s, %s, %s, %s, %s)
"""


def add(url: str, known: datetime, *, occurred: bool = True, **changes: Any) -> None:
    row = {"model_id": "m", "kind": "time_to_hit", "horizon": 5, "symbol": "A"}
    row |= {"trading_day": date(2024, 2, 29), "due_day": date(2024, 3, 7), **changes}
    event = EVENTS[str(row["kind"])]
    of_event = (0.6, occurred, 0.16, None, None) if event else (None, None, None, 0.01, 0.2)
    keys = [row[name] for name in ("model_id", "kind")]
    rest = [row[name] for name in ("horizon", "symbol", "trading_day")]
    rest += [as_of(row["trading_day"]), row["due_day"]]
    graph.execute(url, INSERT, *keys, event, *rest, known.date(), *of_event, known)


def read(url: str, as_of: datetime, *columns: str, **options: Any) -> pl.DataFrame:
    with Database(url=url).transaction() as transaction:
        return known_outcomes(transaction, FIRST, LAST, as_of, columns, **options)


def test_of_each_outcome_the_revision_known_then(database_url: str) -> None:
    """A hit, withdrawn by a restated price before it fell due, and found again after that."""
    for known, occurred in [(utc(2024, 3, 4), True), (utc(2024, 3, 7), False)]:
        add(database_url, known, occurred=occurred)
    add(database_url, utc(2024, 3, 12), occurred=True)
    add(database_url, utc(2024, 3, 5), symbol="B")
    asked = [utc(2024, 3, 3), utc(2024, 3, 5), utc(2024, 3, 8), utc(2024, 3, 12)]
    found = [read(database_url, moment, "occurred") for moment in asked]
    assert [rows["symbol"].to_list() for rows in found] == [[], *[["A", "B"]] * 3]
    assert [rows["occurred"].to_list() for rows in found] == [
        [],
        [True, True],
        [False, True],
        [True, True],
    ]


def test_in_the_order_of_the_key_whatever_that_of_the_database(database_url: str) -> None:
    keys = [
        (model, kind, symbol, day)
        for symbol in ("B", "A")
        for day in (date(2024, 2, 29), date(2024, 2, 28))
        for kind in ("volatility", "price", "direction")
        for model in ("n", "m")
    ]
    for model, kind, symbol, day in keys:
        add(
            database_url, utc(2024, 3, 8), model_id=model, kind=kind, symbol=symbol, trading_day=day
        )
    found = read(database_url, utc(2024, 3, 8), "status", "confidence")
    assert found.columns == [*KEY, "status", "confidence"]
    text = found.cast({pl.Enum: pl.String})
    assert len(text) == len(keys)
    assert_frame_equal(text, text.sort(KEY, nulls_last=True))
    assert set(found["event"]) == {"within_5pct", "up", None}

    of_events = read(database_url, utc(2024, 3, 8), "status", kinds=WITH_EVENT)
    assert of_events["event"].null_count() == 0
    assert len(of_events) == len(keys) * 2 // 3


@pytest.mark.parametrize(("due", "rows"), [(date(2024, 3, 1), 0), (FIRST, 1), (LAST, 1)])
def test_of_those_that_fell_due_in_the_window(database_url: str, due: date, rows: int) -> None:
    add(database_url, utc(2024, 3, 1), due_day=due, horizon=1)
    assert len(read(database_url, utc(2024, 3, 8), "status")) == rows


def test_the_longest_horizon_is_read(database_url: str) -> None:
    """Its decision day is as far from the due day as the rule of the table allows."""
    decided = date(2024, 3, 7) - timedelta(days=LONGEST)
    far = {"horizon": 252, "trading_day": decided, "kind": "direction"}
    add(database_url, utc(2024, 3, 7), **far)
    assert len(read(database_url, utc(2024, 3, 9), "status")) == 1
    with pytest.raises(psycopg.errors.CheckViolation, match="due_day_fits_the_horizon"):
        add(database_url, utc(2024, 3, 7), **far | {"trading_day": decided - timedelta(days=1)})
