"""The real sample against facts that are public."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.machinery import ModuleSpec

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.actions import adjust
from predtrack_assets.domain.market.bars import empty_previous, screen
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.sources import sample
from predtrack_assets.sources.base import Batch, SourceError
from predtrack_assets.sources.routing import routes
from predtrack_assets.sources.sample import FIRST_DAY, LAST_DAY, SampleSource


@pytest.fixture(scope="module")
def source() -> SampleSource:
    return SampleSource()


@pytest.fixture(scope="module")
def everything(source: SampleSource) -> Batch:
    (batch,) = source.fetch(source.symbols(), date(1990, 1, 1), date(2030, 1, 1))
    return batch


def test_symbols_and_days(everything: Batch) -> None:
    spans = everything.bars.group_by("symbol").agg(
        pl.col("trading_day").min().alias("first"), pl.col("trading_day").max().alias("last")
    )
    assert set(spans["symbol"]) == {"AAPL", "FB", "GOOG", "IBM", "MSFT", "^GSPC"}
    assert spans["last"].to_list() == [LAST_DAY] * 6
    first = dict(spans.select("symbol", "first").iter_rows())
    assert first["FB"] == date(2012, 5, 18)
    assert first["GOOG"] == date(2004, 8, 19)
    assert first["^GSPC"] == first["AAPL"] == FIRST_DAY


def test_splits_are_the_known_ones(everything: Batch) -> None:
    splits = everything.actions.filter(pl.col("kind") == "split")
    assert splits.select("symbol", "ex_date", "value").rows() == [
        ("AAPL", date(2000, 6, 21), 2.0),
        ("AAPL", date(2005, 2, 28), 2.0),
        ("MSFT", date(2003, 2, 18), 2.0),
    ]
    assert everything.actions["inferred"].all()


def test_dividends_are_the_known_ones(everything: Batch) -> None:
    dividends = everything.actions.filter(pl.col("kind") == "dividend")
    counts = dict(dividends.group_by("symbol").len().iter_rows())
    assert counts == {"AAPL": 3, "IBM": 52, "MSFT": 37}
    special = dividends.filter((pl.col("symbol") == "MSFT") & (pl.col("value") > 1))
    assert special["ex_date"].to_list() == [date(2004, 11, 15)]
    # 3.00 and the regular 0.08 went ex on one day; Adj Close carries few digits of it.
    assert special["value"][0] == pytest.approx(3.08, rel=0.02)
    months = dividends.filter(pl.col("symbol") == "IBM")["ex_date"].dt.month().unique().sort()
    assert months.to_list() == [2, 5, 8, 11]


def test_total_return_adjustment_reproduces_adj_close(everything: Batch) -> None:
    """Up to one constant per symbol, the actions after the sample's end."""
    adjusted = adjust(everything.bars, everything.actions, LAST_DAY, "total_return")
    vendors = SampleSource()._bars.select("symbol", "trading_day", "adj_close")
    constants = (
        adjusted.join(vendors, on=["symbol", "trading_day"])
        .group_by("symbol")
        .agg((pl.col("close") / pl.col("adj_close")).alias("ratio"))
        .select((pl.col("ratio").list.max() / pl.col("ratio").list.min()).alias("spread"))
    )
    assert (constants["spread"] - 1).max() < 1e-5


def test_every_bar_is_accepted(everything: Batch) -> None:
    result = screen(
        everything.bars,
        routes=routes(everything.bars["symbol"].unique()),
        sessions={"XNYS": calendar("XNYS").sessions},
        last_complete=LAST_DAY,
        previous=empty_previous(),
        traded=(),
        actions=everything.actions,
        max_jump=0.5,
    )
    assert result.rejects.is_empty()
    flagged = result.accepted.filter(pl.col("flag").is_not_null())
    # The profit warning of September 2000: a real fall of 52 %.
    assert flagged.select("symbol", "trading_day").rows() == [("AAPL", date(2000, 9, 29))]


def test_range_equals_day_by_day(source: SampleSource) -> None:
    start, end = date(2004, 11, 8), date(2004, 11, 19)
    (whole,) = source.fetch(source.symbols(), start, end)
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    single = [next(source.fetch(source.symbols(), day, day)) for day in days]
    key = ["symbol", "trading_day"]
    assert_frame_equal(whole.bars, pl.concat([s.bars for s in single]).sort(key))
    by_date = ["symbol", "ex_date", "kind"]
    assert_frame_equal(whole.actions, pl.concat([s.actions for s in single]).sort(by_date))


def test_symbol_that_the_sample_lacks_is_empty(source: SampleSource) -> None:
    (batch,) = source.fetch(["NONE", "IBM"], date(2001, 1, 2), date(2001, 1, 5))
    assert batch.fetches.select("symbol", "status", "category").rows() == [
        ("NONE", "empty", "EMPTY"),
        ("IBM", "ok", None),
    ]


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(sample, "find_spec", absent)
    with pytest.raises(SourceError, match=r"bokeh_sampledata.*predtrack_assets\[sample\]"):
        SampleSource().symbols()
