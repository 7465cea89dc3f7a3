"""Ingest: windows are independent, failures cost only themselves, and what is settled is not asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import dagster as dg
import polars as pl
import pytest

from predtrack_assets.assets import market
from predtrack_assets.days import window_start
from predtrack_assets.domain.market.bars import BARS
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.market.ingest import IngestReport, ingest
from predtrack_assets.settings import get_settings
from predtrack_assets.sources.base import FETCHES, Batch, PriceSource, Revises
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph
from predtrack_assets_tests.graph import utc

PRICES = ["market/market_data", "market/corporate_actions"]
MONDAY, FRIDAY = date(2021, 4, 5), date(2021, 4, 9)


@dataclass
class Vendor:
    """A source whose bars, actions and failures the test decides."""

    bars: pl.DataFrame
    actions: pl.DataFrame = field(default_factory=lambda: Batch().actions)
    failing: dict[str, str] = field(default_factory=dict)
    revises: Revises = "anything"
    asked: list[tuple[str, date, date]] = field(default_factory=list)
    name: str = "vendor"
    publication_delay: timedelta = timedelta(minutes=15)
    exchange: str | None = None

    def symbols(self) -> list[str]:
        return sorted({*self.bars["symbol"], *self.failing})

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        for symbol in symbols:
            self.asked.append((symbol, start, end))
            category = self.failing.get(symbol)
            of_symbol = pl.col("symbol") == symbol
            bars = self.bars.filter(of_symbol, pl.col("trading_day").is_between(start, end))
            if category:
                bars = bars.clear()
            row = {
                "symbol": symbol,
                "first_day": start,
                "last_day": end,
                "status": "failed" if category else "ok",
                "category": category,
                "attempts": 1,
                "rows": len(bars),
                "message": category and "no luck",
            }
            yield Batch(
                bars=bars,
                actions=self.actions.filter(of_symbol, pl.col("ex_date").is_between(start, end)),
                fetches=pl.DataFrame([row], schema=FETCHES),
            )


def walk(symbol: str, first: date, last: date, seed: int = 0) -> pl.DataFrame:
    days = calendar("XNYS").between(first, last)
    frame = graph.random_walk(days, seed).rename({"date": "trading_day"})
    return frame.with_columns(symbol=pl.lit(symbol)).select(list(BARS))


def prices(bars: pl.DataFrame, since: date, factor: float) -> pl.DataFrame:
    """The bars with all prices from a day on times `factor`."""
    later = pl.col("trading_day") >= since
    return bars.with_columns(
        pl.when(later).then(pl.col(p) * factor).otherwise(pl.col(p)).alias(p)
        for p in ("open", "high", "low", "close")
    )


def take(url: str, source: PriceSource, first: date, last: date) -> IngestReport:
    with Database(url=url).transaction() as transaction:
        opens = window_start(first, get_settings())
        return ingest(transaction, source, get_settings(), opens, last, "run", lambda _: None)


def action(symbol: str, day: date, kind: str, value: float) -> pl.DataFrame:
    schema = Batch().actions.schema
    return pl.DataFrame([(symbol, day, kind, value, False)], schema=schema, orient="row")


@pytest.mark.parametrize(
    ("bars", "actions", "flags"),
    [
        pytest.param(
            prices(walk("AAA", date(2021, 3, 1), FRIDAY), date(2021, 3, 25), 0.25).filter(
                ~pl.col("trading_day").is_between(date(2021, 3, 23), date(2021, 3, 24))
            ),
            action("AAA", date(2021, 3, 23), "split", 4.0),
            0,
            id="a split on a day without a bar explains the step after it",
        ),
        pytest.param(
            prices(walk("AAA", date(2021, 2, 1), FRIDAY), date(2021, 3, 31), 0.25).filter(
                ~pl.col("trading_day").is_between(date(2021, 2, 20), date(2021, 3, 30))
            ),
            Batch().actions,
            0,
            id="a step over more than thirty days says nothing",
        ),
        pytest.param(
            prices(walk("AAA", date(2021, 3, 1), FRIDAY), date(2021, 3, 25), 0.25).filter(
                ~pl.col("trading_day").is_between(date(2021, 3, 10), date(2021, 3, 24))
            ),
            Batch().actions,
            1,
            id="an unexplained step is suspect",
        ),
    ],
)
def test_a_range_judges_bars_as_its_days_do(
    database_url: str, bars: pl.DataFrame, actions: pl.DataFrame, flags: int
) -> None:
    with graph.copy_of(database_url) as daily:
        first = bars["trading_day"].min()
        assert isinstance(first, date)
        take(database_url, Vendor(bars, actions), first, FRIDAY)
        for day in graph.trading_days(first, FRIDAY):
            take(daily, Vendor(bars, actions), day, day)
        rows = graph.contents(database_url)
        assert graph.differences(rows, graph.contents(daily)) == {}
    suspect = "SELECT count(*) AS n FROM market.market_data WHERE quality = 'suspect'"
    assert graph.frame(database_url, suspect)["n"].to_list() == [flags]


def test_first_sight_is_known_when_the_vendor_publishes(database_url: str) -> None:
    take(database_url, Vendor(walk("AAA", MONDAY, MONDAY)), MONDAY, MONDAY)
    known = graph.frame(database_url, "SELECT knowledge_time FROM market.market_data")
    assert known["knowledge_time"].to_list() == [utc(2021, 4, 5, 20, 15)], "New York, in summer"


def test_a_source_that_never_revises_is_asked_once(database_url: str) -> None:
    vendor = Vendor(walk("AAA", MONDAY, FRIDAY), revises="never")
    assert take(database_url, vendor, MONDAY, FRIDAY).bars.inserted == 5
    report = take(database_url, vendor, MONDAY, FRIDAY)
    assert (report.symbols_asked, report.symbols_covered, report.bars.changed) == (0, 1, 0)
    assert len(vendor.asked) == 1
    longer = take(database_url, vendor, MONDAY, date(2021, 4, 12))
    assert longer.symbols_asked == 1, "a window that reaches further is asked for whole"


def test_of_a_source_that_revises_lately_only_recent_days_are_asked_again(
    database_url: str,
) -> None:
    vendor = Vendor(walk("AAA", MONDAY, FRIDAY), revises="recent")
    take(database_url, vendor, MONDAY, FRIDAY)
    take(database_url, vendor, MONDAY, FRIDAY)
    assert len(vendor.asked) == 1, "2021 is settled"


def test_what_fails_is_asked_for_again_and_alone(database_url: str) -> None:
    vendor = Vendor(walk("AAA", MONDAY, FRIDAY), failing={"BAD": "TIMEOUT"}, revises="never")
    report = take(database_url, vendor, MONDAY, FRIDAY)
    assert report.failures == {"TIMEOUT": 1}
    assert report.failed_share == 0.5
    again = take(database_url, vendor, MONDAY, FRIDAY)
    assert again.failed_share == 0.5, "of the two symbols, not of the one asked for"
    assert [symbol for symbol, *_ in vendor.asked] == ["AAA", "BAD", "BAD"]


def test_a_revised_bar_and_a_withdrawn_action_are_told_apart(database_url: str) -> None:
    bars = walk("AAA", MONDAY, FRIDAY)
    split = action("AAA", FRIDAY, "split", 2.0)
    take(database_url, Vendor(bars, split), MONDAY, FRIDAY)
    report = take(database_url, Vendor(prices(bars, FRIDAY, 1.01)), MONDAY, FRIDAY)
    assert (report.bars.updated, report.bars.unchanged) == (1, 4)
    assert report.actions.deleted == 1
    again = take(database_url, Vendor(prices(bars, FRIDAY, 1.01)), MONDAY, FRIDAY)
    assert again.bars.changed == again.actions.changed == 0


def test_a_failed_answer_withdraws_nothing(database_url: str) -> None:
    bars, split = walk("AAA", MONDAY, FRIDAY), action("AAA", FRIDAY, "split", 2.0)
    take(database_url, Vendor(bars, split), MONDAY, FRIDAY)
    report = take(database_url, Vendor(bars, failing={"AAA": "NETWORK"}), MONDAY, FRIDAY)
    assert report.actions.changed == 0


def test_days_to_come_are_not_asked_for(database_url: str) -> None:
    vendor = Vendor(walk("AAA", MONDAY, FRIDAY))
    report = take(database_url, vendor, date(2030, 1, 2), date(2030, 1, 4))
    assert vendor.asked == []
    assert report.failed_share == 0.0


# -- the asset ---------------------------------------------------------------------------------


def test_too_many_failures_fail_the_run_and_keep_what_arrived(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = pl.concat([walk("AAA", MONDAY, FRIDAY), walk("BBB", MONDAY, FRIDAY, 1)])
    vendor = Vendor(bars, failing={"BAD": "RATE_LIMIT", "GONE": "DELISTED"})
    monkeypatch.setattr(market, "make_source", lambda settings: vendor)
    monkeypatch.setenv("PREDTRACK_MAX_FAILED_SHARE", "0.4")
    result = graph.run(database_url, MONDAY, FRIDAY, raise_on_error=False)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    message = failure.step_failure_data.error
    assert message is not None
    assert "50% of the symbols could not be fetched from vendor" in str(message)
    assert "PREDTRACK_MAX_FAILED_SHARE=40%" in str(message)
    assert graph.counts(result) == {}, "nothing after it ran"

    stored = graph.frame(database_url, "SELECT DISTINCT symbol FROM market.market_data")
    assert set(stored["symbol"]) == {"AAA", "BBB"}
    logged = graph.frame(
        database_url, "SELECT symbol, status, category, message FROM market.fetch_log"
    )
    assert set(logged.iter_rows()) == {
        ("AAA", "ok", None, None),
        ("BBB", "ok", None, None),
        ("BAD", "failed", "RATE_LIMIT", "no luck"),
        ("GONE", "failed", "DELISTED", "no luck"),
    }

    vendor.failing = {"GONE": "DELISTED"}
    assert graph.run(database_url, MONDAY, FRIDAY, PRICES).success


def test_a_run_says_what_it_stored_refused_and_missed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = walk("AAA", MONDAY, FRIDAY)
    saturday = bars.tail(1).with_columns(trading_day=pl.lit(date(2021, 4, 3)))
    broken = bars.head(1).with_columns(close=pl.lit(float("nan")))
    vendor = Vendor(pl.concat([bars, saturday, broken]), failing={"BAD": "TIMEOUT"})
    monkeypatch.setattr(market, "make_source", lambda settings: vendor)
    monkeypatch.setenv("PREDTRACK_MAX_FAILED_SHARE", "0.5")
    result = graph.run(database_url, MONDAY, FRIDAY, PRICES)
    key = dg.AssetKey(["market", "market_data"])
    *_, event = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    said = {name: value.value for name, value in event.materialization.metadata.items()}
    assert said["rows_inserted"] == 5
    assert said["quarantined"] == {"not_a_session": 1, "not_finite": 1}
    assert said["failures"] == {"TIMEOUT": 1}
    assert said["most_troubled"] == {"AAA": 2}
