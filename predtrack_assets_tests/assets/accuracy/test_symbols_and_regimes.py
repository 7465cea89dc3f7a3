"""Reports on symbols and regimes, from what the ledger, the outcomes and the market hold."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 4, 1)  # a Thursday that ends its week
CHAIN = [
    "market/market_conditions",
    "forecasts/predictions",
    "forecasts/outcomes",
    "accuracy/day_sums",
    "accuracy/symbol_accuracy",
    "accuracy/accuracy_correlation",
]

# BUY, SELL, HOLD and what came of them, written out for prices, whose q50 is the advice.
RECOMMENDED = """
    SELECT symbol, model_id, horizon::int,
           count(*) FILTER (WHERE q50 > limit_)::int AS buy_count,
           count(*) FILTER (WHERE q50 > limit_ AND actual_return - 0.001 > band)::int AS buy_right,
           count(*) FILTER (WHERE q50 < -limit_)::int AS sell_count,
           count(*) FILTER (WHERE q50 < -limit_ AND actual_return + 0.001 < -band)::int AS sell_right,
           count(*) FILTER (WHERE abs(q50) <= limit_)::int AS hold_count,
           count(*) FILTER (WHERE abs(q50) <= limit_ AND abs(actual_return) <= band)::int AS hold_right
    FROM (SELECT p.*, o.actual_return, 0.5 * p.sigma * sqrt(p.horizon) AS band,
                 0.5 * p.sigma * sqrt(p.horizon) + 0.001 AS limit_
          FROM forecasts.predictions p
          JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
          WHERE p.kind = 'price' AND o.status = 'validated'
            AND o.due_day BETWEEN '2021-03-01' AND '2021-03-31') r
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
IN_REGIMES = """
    SELECT model_id, kind, horizon::int, market_regime, count(*)::int AS sample_size,
           count(DISTINCT trading_day)::int AS dates,
           avg(CASE kind WHEN 'price' THEN occurred
               ELSE occurred = (confidence >= 0.5) END::int)::float8 AS accuracy_rate
    FROM forecasts.outcomes_current JOIN market.market_conditions USING (trading_day)
    WHERE status = 'validated' AND event IS NOT NULL AND due_day BETWEEN '2021-03-01' AND '2021-03-31'
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three symbols and an index through the chain."""
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,21")
    monkeypatch.setenv("PREDTRACK_RETRAINING_THRESHOLD", "0.97")
    monkeypatch.setenv("PREDTRACK_RETRAINING_MIN_EFFECTIVE", "15")
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAA", "BBB", "CCC", "^GSPC"])
    ]
    graph.run_reference(database_url)
    graph.store_bars(database_url, pl.concat(walks))
    graph.run(database_url, FIRST, LAST, CHAIN)
    return database_url


def test_reports_follow_from_what_is_stored(market: str) -> None:
    symbols = graph.frame(
        market,
        "SELECT * FROM accuracy.symbol_accuracy WHERE period = 'monthly' AND kind = 'price'"
        " AND period_end = '2021-03-31' ORDER BY symbol, model_id, horizon",
    )
    recommended = graph.frame(market, RECOMMENDED)
    assert symbols.select(recommended.columns).rows() == recommended.rows()
    assert recommended["hold_count"].sum() > recommended["buy_count"].sum() > 0

    regimes = graph.frame(
        market,
        "SELECT * FROM accuracy.accuracy_correlation WHERE period = 'monthly'"
        " AND period_end = '2021-03-31' ORDER BY model_id, kind, horizon, market_regime",
    )
    expected = graph.frame(market, IN_REGIMES)
    assert regimes["market_regime"].n_unique() > 1
    assert regimes.select(expected.columns).rows() == [
        (*row[:-1], pytest.approx(row[-1])) for row in expected.iter_rows()
    ]

    ends = graph.frame(market, "SELECT DISTINCT period, period_end FROM accuracy.symbol_accuracy")
    assert set(ends["period"]) == {"monthly", "rolling_30d"}
    assert set(ends.filter(pl.col("period_end").dt.weekday() != 5).iter_rows()) == {
        ("monthly", date(2021, 3, 31)),
        ("rolling_30d", LAST),
    }

    flagged = graph.frame(market, "SELECT * FROM accuracy.symbol_accuracy WHERE needs_retraining")
    assert flagged["threshold"].unique().to_list() == [0.97], "the rule is a setting"
    candidates = graph.frame(market, "SELECT * FROM accuracy.v_retraining_candidates")
    assert len(flagged) > len(candidates) == 0, "baselines are not fitted"
