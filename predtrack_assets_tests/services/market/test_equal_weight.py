"""A home without an index: its stocks, weighted equally, are the market."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.features.store import read_market
from predtrack_assets.warehouse.market.epochs import equal_weight_returns, market_epochs
from predtrack_assets_tests import graph
from predtrack_assets_tests.services.market.test_ingest import Vendor, take, walk

FIRST, LAST = date(2021, 1, 4), date(2021, 4, 9)
CONDITIONS = "SELECT * FROM market.market_conditions ORDER BY trading_day"


@pytest.mark.parametrize("given", [False, True], ids=["no benchmark", "a benchmark"])
def test_features_and_pnl_are_held_to_the_same_market(database_url: str, given: bool) -> None:
    symbols = ["AAA", "BBB", "CCC", *(["^GSPC"] if given else [])]
    parts = [walk(symbol, FIRST, LAST, n) for n, symbol in enumerate(symbols)]
    bars = pl.concat(parts)
    take(database_url, Vendor(bars), FIRST, LAST)
    graph.run(database_url, FIRST, LAST, ["market/market_conditions"])
    stored = graph.frame(database_url, CONDITIONS)
    assert stored["benchmark"].unique().to_list() == ["^GSPC" if given else "equal_weight"]
    assert len(stored) == len(graph.trading_days(FIRST, LAST)) - (not given), "a return needs two"
    days = np.array(graph.trading_days(FIRST, LAST), "datetime64[D]")
    exchange = calendar("XNYS")
    with Database(url=database_url).transaction() as transaction:
        epoch = market_epochs(transaction, days, FIRST)[-1]
        market = read_market(transaction, "^GSPC", exchange, FIRST, epoch)
        earned = equal_weight_returns(transaction, days)
    daily = stored["daily_return"].to_numpy()[-40:]
    np.testing.assert_allclose(market.benchmark_return[-40:], daily, rtol=0, atol=1e-12)
    assert np.isfinite(earned).any() == (not given)
    if not given:
        np.testing.assert_array_equal(earned[-40:], np.expm1(daily))
