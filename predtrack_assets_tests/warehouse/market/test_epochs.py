"""Epochs of constant knowledge, and panels of bars as of their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.market import epochs as snapshots
from predtrack_assets_tests import graph

XNYS = calendar("XNYS")
DAYS = XNYS.between(date(2024, 3, 4), date(2024, 3, 15))  # two weeks, Monday to Friday
OPENS = date(2024, 3, 2)


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


def add_bar(url: str, symbol: str, day: date, close: float, known: datetime) -> None:
    graph.execute(
        url,
        "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume,"
        " quality, source, knowledge_time) VALUES (%s, %s, %s, %s, %s, %s, 1, 'good', 't', %s)",
        *(symbol, day, close, close, close, close, known),
    )


def add_action(url: str, symbol: str, day: date, value: float, known: datetime) -> None:
    graph.execute(
        url,
        "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred, source,"
        " knowledge_time) VALUES (%s, %s, 'split', %s, false, 't', %s)",
        *(symbol, day, value, known),
    )


@pytest.fixture
def transaction(database_url: str) -> Iterator[Transaction]:
    """Read committed: it sees what the test adds."""
    with Database(url=database_url).transaction() as opened:
        yield opened


def epochs(transaction: Transaction) -> list[tuple[date, date, date, date | None]]:
    found = snapshots.market_epochs(transaction, DAYS, OPENS)
    return [(e.opens, e.first, e.last, e.touched) for e in found]


def test_without_late_knowledge_history_is_one_epoch(
    database_url: str, transaction: Transaction
) -> None:
    add_bar(database_url, "A", date(2024, 3, 5), 1.0, utc(2024, 3, 5, 21))
    add_bar(database_url, "A", date(2024, 3, 6), 1.0, utc(2024, 3, 7))  # at its day's very end
    assert epochs(transaction) == [(OPENS, date(2024, 3, 4), date(2024, 3, 15), None)]
    assert snapshots.market_epochs(transaction, DAYS[:0], OPENS) == []


def test_late_knowledge_begins_an_epoch(database_url: str, transaction: Transaction) -> None:
    add_bar(database_url, "A", date(2024, 3, 5), 1.0, utc(2024, 3, 7, 12))
    add_action(database_url, "B", date(2024, 3, 4), 2.0, utc(2024, 3, 7, 23))
    assert epochs(transaction) == [
        (OPENS, date(2024, 3, 4), date(2024, 3, 6), None),
        (date(2024, 3, 7), date(2024, 3, 7), date(2024, 3, 15), date(2024, 3, 4)),
    ]


@pytest.mark.parametrize(
    "known",
    [utc(2024, 3, 9, 0, 31), utc(2024, 3, 10, 12), utc(2024, 3, 11), utc(2024, 3, 11, 23)],
)
def test_what_a_weekend_brings_belongs_to_monday(
    database_url: str, transaction: Transaction, known: datetime
) -> None:
    add_bar(database_url, "A", date(2024, 3, 6), 1.0, known)
    assert epochs(transaction)[1:] == [
        (date(2024, 3, 9), date(2024, 3, 11), date(2024, 3, 15), date(2024, 3, 6))
    ]
    alone = snapshots.market_epochs(transaction, DAYS[5:6], date(2024, 3, 9))
    assert [(e.opens, e.first, e.touched) for e in alone] == [
        (date(2024, 3, 9), date(2024, 3, 11), date(2024, 3, 6))
    ], "Monday alone hears of it as well"


def test_what_is_known_before_or_after_the_days_divides_nothing(
    database_url: str, transaction: Transaction
) -> None:
    add_bar(database_url, "A", date(2024, 2, 1), 1.0, utc(2024, 2, 9))
    add_bar(database_url, "A", date(2024, 2, 2), 1.0, utc(2024, 3, 2))  # the end of Friday
    add_bar(database_url, "A", date(2024, 2, 5), 1.0, utc(2024, 3, 16, 1))
    assert [e[3] for e in epochs(transaction)] == [None]


def test_an_epoch_knows_what_was_known_at_its_end(
    database_url: str, transaction: Transaction
) -> None:
    add_bar(database_url, "A", date(2024, 3, 5), 1.0, utc(2024, 3, 5, 21))
    add_bar(database_url, "A", date(2024, 3, 5), 3.0, utc(2024, 3, 8, 9))
    add_bar(database_url, "A", date(2024, 3, 11), 4.0, utc(2024, 3, 11, 21))
    add_action(database_url, "A", date(2024, 3, 6), 2.0, utc(2024, 3, 8, 9))
    before, after = snapshots.market_epochs(transaction, DAYS, OPENS)
    first = date(2024, 3, 4)

    early = snapshots.read_panel(transaction, ["A", "B"], XNYS, first, before)
    assert early.symbols.tolist() == ["A"]
    assert early.sessions[-1] == np.datetime64("2024-03-07")
    assert early.close[0, 1] == 1.0
    assert early.split[0, 2] == 1.0
    assert early.known_day[0, 1] == np.datetime64("2024-03-05")

    late = snapshots.read_panel(transaction, ["A", "B"], XNYS, first, after)
    assert late.close[0, [1, 5]].tolist() == [3.0, 4.0]
    assert late.split[0, 2] == 2.0
    assert late.known_day[0, 1] == np.datetime64("2024-03-08")
    assert np.isnan(late.close[0, 0])


def test_late_outcomes_divide_the_days_of_reports(
    database_url: str, transaction: Transaction
) -> None:
    for due, resolved in (("2024-03-05", "2024-03-05"), ("2024-03-06", "2024-03-12")):
        graph.execute(
            database_url,
            "INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon,"
            " as_of, due_day, resolved_day, status, confidence, knowledge_time)"
            " VALUES ('m', 'direction', 'up', 'A', '2024-03-04', 1, '2024-03-05Z', %s, %s, 'expired', 0.5,"
            " now())",
            *(due, resolved),
        )
    found = snapshots.outcome_epochs(transaction, DAYS)
    assert [(e.first, e.last) for e in found] == [
        (date(2024, 3, 4), date(2024, 3, 11)),
        (date(2024, 3, 12), date(2024, 3, 15)),
    ]


def test_symbols_are_grouped_by_exchange_and_size(
    database_url: str, transaction: Transaction
) -> None:
    for name, exchange, kind in (
        ("A", "XNYS", "stock"),
        ("B", "XNYS", "stock"),
        ("C", "XNYS", "stock"),
        ("V", "XNYS", "volatility"),
        ("X", "XASX", "stock"),
    ):
        graph.execute(
            database_url,
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source) VALUES (%s, %s, %s, 't')",
            *(name, exchange, kind),
        )
    groups = snapshots.symbol_groups(transaction, 10, without=("volatility",), rows=20)
    assert [(market.name, names) for market, names in groups] == [
        ("XNYS", ["A", "B"]),
        ("XNYS", ["C"]),
        ("XASX", ["X"]),
    ]
    assert len(snapshots.symbol_groups(transaction, 1_000)) == 2


def test_sessions_before_stops_at_the_calendars_beginning() -> None:
    assert snapshots.sessions_before(XNYS, date(2024, 3, 11), 1) == date(2024, 3, 8)
    assert snapshots.sessions_before(XNYS, date(1990, 1, 5), 1_000) == date(1990, 1, 2)
