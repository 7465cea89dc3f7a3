"""The event of a price that is scaled by volatility is judged as the other one is."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import psycopg
import pytest

from predtrack_assets.domain.accuracy.calibration_report import calibration_summary
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets_tests import graph
from predtrack_assets_tests.domain.accuracy.test_report_windows import sums_of

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 31)
BAND = """
    SELECT o.model_id, o.kind, 'within_band' AS event, o.horizon::int, o.symbol, o.trading_day, o.due_day,
           o.status, p.p_within_band AS confidence, o.within_band AS occurred,
           (p.p_within_band - o.within_band::int) ^ 2 AS brier,
           (b.p_within_band - o.within_band::int) ^ 2 AS brier_no_change,
           NULL::float8 AS brier_climatology, NULL::float8 AS crps, NULL::float8 AS crps_no_change
    FROM forecasts.outcomes_current o
    JOIN forecasts.predictions p USING (trading_day, symbol, model_id, kind, horizon)
    JOIN forecasts.predictions b ON (b.trading_day, b.symbol, b.model_id, b.kind, b.horizon)
        = (o.trading_day, o.symbol, 'no_change', o.kind, o.horizon)
    WHERE o.kind = 'price' AND o.model_id = %s
"""
FIGURES = ["n_eff", "mean_confidence", "event_rate", "event_low", "event_high", "ece", "brier"]
BESIDE = ["brier_no_change", "skill_vs_no_change"]


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two symbols and an index, forecast by the baselines and validated."""
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,5")
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    names = ["AAA", "BBB", "^GSPC"]
    graph.store_bars(
        database_url,
        pl.concat(
            graph.random_walk(days, seed).with_columns(symbol=pl.lit(name))
            for seed, name in enumerate(names)
        ),
    )
    graph.run_reference(database_url)
    chain = ["market/market_conditions", "forecasts/predictions", "forecasts/outcomes"]
    graph.run(database_url, FIRST, LAST, chain)
    return database_url


def test_months_are_those_of_a_report_on_the_band(market: str) -> None:
    for model in ("no_change", "climatology"):
        rows = graph.frame(market, BAND, model)
        ends = np.array(["2021-02-26", "2021-03-31"], "datetime64[D]")
        expected = calibration_summary(rows, sums_of(rows), ends, "monthly").sort(
            "horizon", "period_end"
        )
        query = "SELECT * FROM accuracy.band_calibration(%s) WHERE period_start > '2021-01-31'"
        found = graph.frame(market, query, model).sort("horizon", "period_start")
        assert len(found) == 4
        for name in ("n", "horizon", "period_start"):
            assert found[name].to_list() == expected[name].to_list()
        for name in [*FIGURES, *BESIDE]:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, err_msg=name)


def test_months_are_as_they_were_known_and_models_must_be(market: str) -> None:
    known = "SELECT sum(n)::int AS n FROM accuracy.band_calibration('drift', '2021-03-01Z')"
    due = "SELECT count(*)::int AS n FROM ({}) b WHERE due_day <= '2021-02-28'"
    (rows,) = graph.frame(market, known)["n"]
    counted = graph.frame(market, due.format(BAND), "drift")
    assert rows == counted.item() > 0
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no model gossip"):
        graph.frame(market, "SELECT * FROM accuracy.band_calibration('gossip')")
