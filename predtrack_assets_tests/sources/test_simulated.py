"""Simulated prices are reproducible, look like prices, and pass the screen."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.actions import daily_returns
from predtrack_assets.domain.market.bars import empty_previous, screen
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.sources.base import Batch, SourceError
from predtrack_assets.sources.routing import routes
from predtrack_assets.sources.simulated import ORIGIN, SimulatedSource

END = date(2012, 12, 31)


def _all(
    source: SimulatedSource, start: date, end: date, symbols: list[str] | None = None
) -> Batch:
    batches = list(source.fetch(source.symbols() if symbols is None else symbols, start, end))
    return Batch(
        pl.concat([b.bars for b in batches]).sort("symbol", "trading_day"),
        pl.concat([b.actions for b in batches]).sort("symbol", "ex_date", "kind"),
        pl.concat([b.rejects for b in batches]),
        pl.concat([b.fetches for b in batches]).sort("symbol"),
    )


@pytest.fixture(scope="module")
def market() -> Batch:
    return _all(SimulatedSource(60, 7), ORIGIN, END)


def test_every_bar_passes_the_screen(market: Batch) -> None:
    result = screen(
        market.bars,
        routes=routes(market.bars["symbol"].unique(), SimulatedSource.exchange),
        sessions={"XNYS": calendar("XNYS").sessions},
        last_complete=END,
        previous=empty_previous(),
        traded=(),
        actions=market.actions,
        max_jump=0.7,
    )
    assert result.rejects.is_empty()
    assert result.accepted["flag"].null_count() == market.bars.height


def test_it_has_splits_dividends_listings_and_delistings(market: Batch) -> None:
    kinds = market.actions.group_by("kind").len()
    assert set(kinds["kind"]) == {"split", "dividend"}
    splits = market.actions.filter(pl.col("kind") == "split")["value"]
    assert {2.0, 0.1} <= set(splits)
    spans = market.bars.group_by("symbol").agg(
        pl.col("trading_day").min().alias("first"), pl.col("trading_day").max().alias("last")
    )
    assert spans["first"].n_unique() > 1
    assert (spans["last"] < END).any()
    assert spans.filter(pl.col("symbol") == "^GSPC").row(0) == ("^GSPC", ORIGIN, END)


def test_returns_are_fat_tailed_and_volatility_clusters(market: Batch) -> None:
    stocks = market.bars.filter(pl.col("symbol").str.starts_with("SIM"))
    returns = daily_returns(stocks, market.actions)
    values = returns["log_return"].to_numpy()
    standardised = (values - values.mean()) / values.std()
    assert np.mean(standardised**4) > 4  # a normal has 3
    absolute = returns.with_columns(
        now=pl.col("log_return").abs(), before=pl.col("log_return").abs().shift(1).over("symbol")
    ).drop_nulls()
    assert absolute.select(pl.corr("now", "before").over("symbol").mean()).item(0, 0) > 0.03


def test_stocks_move_with_the_benchmark(market: Batch) -> None:
    returns = daily_returns(market.bars, market.actions)
    wide = returns.pivot("symbol", index="trading_day", values="log_return")
    correlations = [
        wide.select(pl.corr("^GSPC", symbol)).item()
        for symbol in wide.columns
        if symbol.startswith("SIM")
    ]
    assert np.nanmedian(correlations) > 0.2


def test_dividends_and_splits_leave_no_step(market: Batch) -> None:
    """Ex-dates have returns like other days: the printed price falls by what is paid."""
    returns = daily_returns(market.bars, market.actions)
    on_ex_dates = returns.join(
        market.actions.rename({"ex_date": "trading_day"}), on=["symbol", "trading_day"]
    )["log_return"]
    assert on_ex_dates.len() > 500
    assert abs(on_ex_dates.mean()) < 4 * on_ex_dates.std() / on_ex_dates.len() ** 0.5


def test_range_equals_day_by_day(market: Batch) -> None:
    splits = market.actions.filter(pl.col("kind") == "split")
    middle = splits["ex_date"][splits.height // 2]
    sessions = calendar("XNYS")
    start, end = sessions.offset(middle, -2).item(), sessions.offset(middle, 2).item()
    source = SimulatedSource(60, 7)
    days = [_all(source, d.item(), d.item()) for d in sessions.between(start, end)]
    inside = pl.col("trading_day").is_between(start, end)
    singly = pl.concat([d.bars for d in days]).sort("symbol", "trading_day")
    assert_frame_equal(market.bars.filter(inside), singly, check_exact=True)
    actions = pl.concat([d.actions for d in days]).sort("symbol", "ex_date", "kind")
    expected = market.actions.filter(pl.col("ex_date").is_between(start, end))
    assert_frame_equal(expected, actions, check_exact=True)


def test_a_symbol_does_not_depend_on_the_others(market: Batch) -> None:
    alone = _all(SimulatedSource(5, 7), ORIGIN, END, ["SIM0003"])
    assert_frame_equal(
        alone.bars, market.bars.filter(pl.col("symbol") == "SIM0003"), check_exact=True
    )


def test_the_seed_matters(market: Batch) -> None:
    other = _all(SimulatedSource(1, 8), ORIGIN, END, ["SIM0001"])
    assert not other.bars.equals(market.bars.filter(pl.col("symbol") == "SIM0001"))


def test_unknown_symbols_and_days_before_the_origin_are_empty() -> None:
    batch = _all(SimulatedSource(1, 7), date(1999, 1, 4), date(1999, 12, 31), ["SIM0001", "OTHER"])
    assert batch.bars.is_empty()
    assert batch.fetches["status"].to_list() == ["empty", "empty"]


def test_absurd_size_is_refused() -> None:
    with pytest.raises(SourceError, match="simulated_symbols"):
        SimulatedSource(100_000, 7)
