"""Days of a book from frames: what each knows, and which bars it carries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import polars as pl

from predtrack_assets.domain.trading.days import PRICES, DatedAction, days_of
from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.execution.orders import OrderRequest

MONDAY, TUESDAY, WEDNESDAY = (date(2020, 1, n) for n in (6, 7, 8))


def prices(*rows: tuple[str, date, str]) -> pl.DataFrame:
    bars = [(symbol, day, 1.0, 1.0, 1.0, 1.0, 1.0, exchange) for symbol, day, exchange in rows]
    return pl.DataFrame(bars, schema=PRICES, orient="row")


def order(decided_at: datetime, symbol: str = "A") -> OrderRequest:
    return OrderRequest(decided_at, symbol, "buy", D(1))


def test_a_day_carries_the_bars_that_are_ordered_and_every_session():
    frame = prices(("A", MONDAY, "XNYS"), ("B", MONDAY, "XNYS"), ("B", TUESDAY, "XNYS"))
    days = days_of(frame, [order(datetime(2020, 1, 6, 22, tzinfo=UTC))], [])
    assert [(day.day, sorted(day.bars), sorted(day.sessions)) for day in days] == [
        (MONDAY, ["A"], ["XNYS"]),
        (TUESDAY, [], ["XNYS"]),
    ]
    assert days[0].sessions["XNYS"].opens_at == datetime(2020, 1, 6, 14, 30, tzinfo=UTC)


def test_an_order_belongs_to_the_last_day_that_had_closed_everywhere():
    frame = prices(("A", MONDAY, "XNYS"), ("B", MONDAY, "XASX"), ("A", TUESDAY, "XNYS"))
    before = order(datetime(2020, 1, 6, 20, 59, tzinfo=UTC))  # New York is open
    at_close = order(datetime(2020, 1, 6, 21, tzinfo=UTC))
    days = days_of(frame, [at_close, before], [])
    assert [(day.day, day.orders) for day in days] == [
        (date(2020, 1, 5), (before,)),
        (MONDAY, (at_close,)),
        (TUESDAY, ()),
    ]


def test_an_action_belongs_to_the_first_day_at_whose_end_it_was_known():
    frame = prices(("A", MONDAY, "XNYS"), ("A", TUESDAY, "XNYS"), ("A", WEDNESDAY, "XNYS"))
    action = Action("A", WEDNESDAY, "dividend", D(1))
    for known_at, day in (
        (datetime(2020, 1, 8, tzinfo=UTC), TUESDAY),
        (datetime(2020, 1, 8, 0, 0, 1, tzinfo=UTC), WEDNESDAY),
    ):
        days = days_of(frame, [], [DatedAction(action, known_at)])
        assert [d.day for d in days if d.actions] == [day]
    late = DatedAction(action, datetime(2020, 2, 1, tzinfo=UTC))
    assert not any(day.actions for day in days_of(frame, [], [late]))


def test_without_prices_there_are_no_days():
    assert days_of(prices(), [], []) == []
