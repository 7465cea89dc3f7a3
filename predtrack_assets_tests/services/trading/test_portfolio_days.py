"""Paper books in the database: a range is its days, a rerun is nothing, the future moves no order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import psycopg
import pytest
from rich.console import Console

from predtrack_assets.days import Window
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.domain.trading.strategies.catalogue import STRATEGIES
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.reporting.tables.strategies import strategies_table
from predtrack_assets.services.deployment.strategy_gates import strategy_gates
from predtrack_assets.services.trading import portfolio_days
from predtrack_assets.services.trading.decide import decide
from predtrack_assets.services.trading.portfolio_days import PortfolioRun, run_portfolios
from predtrack_assets.services.trading.strategy_periods import strategy_periods
from predtrack_assets.services.trading.strategy_report import strategy_reports
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 2, 1), date(2021, 4, 30)
DAYS = Window(FIRST, LAST).days.tolist()
NAMED = {strategy.name: strategy for strategy in STRATEGIES}
BOOKS = [
    NAMED["buy_and_hold"],
    NAMED["equal_weight"],
    Strategy("weekly", "", NAMED["momentum_hrp"].signals, {"months": 3, "top": 0.5},
             allocation="hrp", rebalance="weekly", lookback=80),
]  # fmt: skip
SYMBOLS = ("A", "B", "C", "D", "^GSPC")


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Four stocks and the index from September 2020 on, known at each session's close."""
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", "2020-09-01")
    dice = np.random.default_rng(4)
    market = calendar("XNYS")
    days = market.between(date(2020, 9, 1), date(2021, 5, 14))
    known = market.closes_utc(days).astype("datetime64[us]").tolist()
    rows = []
    for symbol in SYMBOLS:
        close = 50 * np.exp(np.cumsum(dice.normal(0.001, 0.02, days.size)))
        opened = close * dice.uniform(0.99, 1.01, days.size)
        for n, day in enumerate(days.tolist()):
            o, c = round(opened[n], 4), round(close[n], 4)
            rows.append(
                (
                    symbol,
                    day,
                    o,
                    max(o, c) + 0.5,
                    min(o, c) - 0.5,
                    c,
                    5e6,
                    known[n].replace(tzinfo=UTC),
                )
            )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, currency, source)"
            " VALUES (%s, 'XNYS', %s, 'USD', 'test')",
            [(s, "index" if s.startswith("^") else "stock") for s in SYMBOLS],
        )
        with connection.cursor().copy(
            "COPY market.market_data (symbol, trading_day, open, high, low, close, volume,"
            " knowledge_time, quality, source) FROM STDIN"
        ) as copy:
            for row in rows:
                copy.write_row((*row, "good", "test"))
        connection.execute(
            "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred, source,"
            " knowledge_time) VALUES ('A', '2021-03-10', 'dividend', 0.25, false, 'test', '2021-03-01Z'),"
            " ('B', '2021-03-16', 'dividend', 0.5, false, 'test', '2021-03-23Z')"
        )
        # Corrected on a Saturday: the bar of a Monday that filled the orders of a month's end.
        connection.execute(
            "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,"
            " source, knowledge_time) VALUES ('C', '2021-03-01', 9, 9.5, 8.5, 9, 5e6, 'good', 'test',"
            " '2021-03-20 00:31Z')"
        )
    return Database(url=database_url)


def run(database: Database, first: date, last: date) -> PortfolioRun:
    settings, asked = get_settings(), Window(first, last)
    with database.transaction() as transaction:
        decide(transaction, asked, BOOKS, settings)
    with database.transaction() as transaction:
        return run_portfolios(transaction, asked, BOOKS, settings)


def stored(database: Database) -> graph.Rows:
    rows = graph.contents(database.url or "")
    clocks = {"trading.decisions", "trading.books", "trading.strategies"}
    return {t: r for t, r in rows.items() if t.startswith("trading.") and t not in clocks}


@pytest.mark.slow
def test_a_range_is_its_days_and_a_rerun_changes_nothing(database: Database) -> None:
    with graph.copy_of(database.url or "") as other:
        day_by_day = Database(url=other)
        for day in DAYS:
            run(day_by_day, day, day)
        expected = stored(day_by_day)
    first = run(database, FIRST, LAST)
    assert first.written.inserted > 500
    rows = stored(database)
    assert len(rows["trading.fills"]) > 20
    assert graph.differences(rows, expected) == {}
    again = run(database, FIRST, LAST)
    assert (again.written.inserted, again.written.unchanged) == (0, first.written.inserted)
    assert run(database, DAYS[30], DAYS[40]).written.inserted == 0
    assert graph.differences(stored(database), rows) == {}
    assert again.digests == first.digests
    noted = [row for row in rows["trading.journal"] if "correction" in row]
    assert len(noted) == len({row[0] for row in noted}) >= 1, "once in each book that it filled"
    assert {row[2] for row in noted} == {"2021-03-22"}


def test_the_future_moves_no_order_and_no_fill(database: Database) -> None:
    cut = DAYS[40]
    poison = (
        "UPDATE market.market_data SET open = open * 3, high = high * 9, low = low / 9, close = close * 2"
        " WHERE trading_day > %s"
    )
    with graph.copy_of(database.url or "") as other:
        graph.execute(other, poison, cut)
        run(Database(url=other), FIRST, LAST)
        poisoned = graph.frame(other, PAST, cut)
    run(database, FIRST, LAST)
    clean = graph.frame(database.url or "", PAST, cut)
    assert len(clean) > 150
    assert clean.rows() == poisoned.rows()


PAST = """
    WITH day AS (SELECT %s::date AS cut)
    SELECT o.book || o.decided_at || o.symbol || o.side || o.quantity AS what FROM trading.orders o, day
    WHERE decided_at <= (cut + 1)::timestamp AT TIME ZONE 'UTC'
    UNION ALL SELECT book || trading_day || encode(digest, 'hex') FROM trading.portfolio_state, day
    WHERE trading_day <= cut
    UNION ALL SELECT trading_day || strategy_id || symbol || weight FROM trading.target_weights, day
    WHERE trading_day <= cut ORDER BY 1
"""


def test_what_is_killed_anywhere_ends_equal(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is one transaction: killed at any write, it leaves nothing, and the next one all."""
    with graph.copy_of(database.url or "") as other:
        run(Database(url=other), FIRST, LAST)
        expected = stored(Database(url=other))
    for place in ("write_days", "write_snapshot"):
        for turn in (0, 2):
            with monkeypatch.context() as patch:
                patch.setattr(portfolio_days, place, dies_at(turn, getattr(portfolio_days, place)))
                with pytest.raises(KeyboardInterrupt):
                    run(database, FIRST, LAST)
            assert stored(database)["trading.portfolio_state"] == []
    run(database, FIRST, LAST)
    assert graph.differences(stored(database), expected) == {}


def dies_at(turn: int, function: Callable[..., object]) -> Callable[..., object]:
    calls = 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > turn:
            raise KeyboardInterrupt
        return function(*arguments)

    return dying


def test_a_book_waits_for_the_days_before_and_says_which(database: Database) -> None:
    run(database, FIRST, DAYS[5])
    waiting = run(database, DAYS[8], DAYS[9])
    assert waiting.written.inserted == 0
    assert all(
        f"its book ends on {DAYS[5]}" in reason and f"--from {DAYS[6]} --to {DAYS[7]}" in reason
        for reason in waiting.skipped
    )
    assert waiting.skipped
    assert run(database, DAYS[6], DAYS[9]).written.inserted


def test_a_book_begins_with_its_first_day_and_has_none_before(database: Database) -> None:
    run(database, DAYS[10], DAYS[12])
    earlier = run(database, DAYS[0], DAYS[5])
    assert earlier.written.inserted == 0
    assert earlier.skipped == tuple(f"{b.strategy_id} begins on {DAYS[10]}" for b in BOOKS)


def test_a_dividend_that_is_learned_late_is_paid_on_the_day_it_is(database: Database) -> None:
    run(database, FIRST, LAST)
    paid = graph.frame(
        database.url or "",
        "SELECT symbol, ex_date, trading_day, cash > 0 AS positive FROM trading.journal"
        " WHERE book = 'paper:buy_and_hold-v1' AND kind = 'dividend' ORDER BY 1",
    )
    assert paid.rows() == [
        ("A", date(2021, 3, 10), date(2021, 3, 10), True),
        ("B", date(2021, 3, 16), date(2021, 3, 22), True),
    ]


def test_orders_before_the_next_session_are_live_and_their_bar_is_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the database's clock: here the next session is made to lie ahead of it."""
    ahead = datetime.combine(date(2999, 1, 1), time(0), UTC)
    run(database, FIRST, DAYS[0])
    monkeypatch.setattr(portfolio_days, "earliest_open", lambda *_: ahead)
    run(database, DAYS[1], DAYS[18])
    origins = graph.frame(
        database.url or "",
        "SELECT decided_at::date AS day, origin FROM trading.decisions ORDER BY 1, 2",
    )
    live = origins.filter(origins["origin"] == "live")["day"].unique().to_list()
    assert live == [DAYS[18] + timedelta(days=1)]


def test_periods_add_up_and_the_report_says_how_sure_it_is(database: Database) -> None:
    run(database, FIRST, LAST)
    asked = Window(FIRST, LAST)
    with database.transaction() as transaction:
        frame = strategy_periods(transaction, asked, get_settings())
        transaction.replace(tables.STRATEGY_PERFORMANCE, frame, FIRST, LAST)
        reports = {r.strategy_id: r for r in strategy_reports(transaction, get_settings())}
    for book in ("paper:equal_weight-v1", "paper:weekly-v1"):
        own = frame.filter(frame["book"] == book)
        growth = {
            kind: float((own.filter(own["period_type"] == kind)["period_return"] + 1).product())
            for kind in ("DAY", "MONTH")
        }
        assert growth["DAY"] == pytest.approx(growth["MONTH"], rel=1e-12)
        assert own.filter(own["period_type"] == "DAY")["sharpe_ratio"].null_count() == len(DAYS)
    months = frame.filter((frame["book"] == "paper:weekly-v1") & (frame["period_type"] == "MONTH"))
    assert months["sessions"].to_list() == [19, 23, 21]
    assert months["benchmark_return"].null_count() == 0
    weekly = reports["weekly-v1"]
    assert weekly.record is not None
    assert weekly.record.n == len(DAYS)
    assert weekly.record.sharpe_low < weekly.record.sharpe < weekly.record.sharpe_high
    assert weekly.equity == pytest.approx(weekly.capital * (1 + weekly.record.total_return))
    assert reports["equal_weight-v1"].record.trials == 2  # type: ignore[union-attr]
    gates = strategy_gates(list(reports.values()), get_settings())
    assert set(gates) == {"equal_weight-v1", "weekly-v1"}
    assert gates["weekly-v1"].status == "insufficient_evidence"
    assert all(f"(n {len(DAYS)})" in reason for reason in gates["weekly-v1"].reasons)
    shown = strategies_table(database)
    console = Console(record=True, width=160)
    console.print(shown)
    assert "None is above the benchmark beyond luck" in console.export_text()
