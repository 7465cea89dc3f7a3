"""Plots of the accuracy stage: on the last day of a run, from what was known by then."""

from __future__ import annotations

from datetime import date

import dagster as dg
import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.reporting.plots.accuracy import by_model
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.test_range_is_day_by_day import CHAIN

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 10)
PLOTS = [
    ("day_sums", "reliability"),
    ("day_sums", "errors"),
    ("day_sums", "skill"),
    ("symbol_accuracy", "ranking"),
    ("accuracy_correlation", "regimes"),
    ("survival_curves", "survival"),
]


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAA", "BBB", "^GSPC"])
    ]
    graph.run_reference(database_url)
    graph.store_bars(database_url, pl.concat(walks))
    return database_url


def plots_of(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dict[str, str]]:
    """Of each asset and plot: partition and text."""
    found: dict[tuple[str, str], dict[str, str]] = {plot: {} for plot in PLOTS}
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        asset = event.materialization.asset_key.path[-1]
        for of_asset, plot in PLOTS:
            if of_asset == asset and plot in metadata:
                found[asset, plot][event.partition or ""] = metadata[plot].value
    return found


def test_plots_are_drawn_once_from_the_latest_reports(market: str) -> None:
    early = date(2021, 1, 15)
    for partitions in plots_of(graph.run(market, FIRST, early, CHAIN)).values():
        assert list(partitions) == [early.isoformat()]
        assert partitions[early.isoformat()].startswith("Nothing to draw yet: ")

    for asset, partitions in plots_of(graph.run(market, early, LAST, CHAIN)).items():
        assert list(partitions) == [LAST.isoformat()], asset
        assert "data:image/png;base64," in partitions[LAST.isoformat()], asset
        assert len(partitions[LAST.isoformat()]) < 60_000

    accuracy = [name for name in CHAIN if name.startswith("accuracy/")]
    tables = ["forecasts.outcomes", *(name.replace("/", ".") for name in accuracy)]
    assert graph.off_the_record(market, *tables) == {}
    (wednesday,) = {tuple(p) for p in plots_of(graph.run(market, LAST, LAST, accuracy)).values()}
    assert wednesday == (LAST.isoformat(),), "a day without a weekly report shows the last one"


def test_the_named_models_come_first_then_candidates_then_baselines() -> None:
    rows = pl.DataFrame({"model_id": ["drift", "drift", "old-v1", "old-v1", "new-v2", "new-v1"]})
    shown = by_model(rows, ["new-v2", "absent-v1", "new-v1"], most=3)
    assert [model for model, _ in shown] == ["new-v2", "new-v1", "old-v1"]
    assert [len(part) for _, part in shown] == [1, 1, 2]
    assert [model for model, _ in by_model(rows, [], most=9)][:2] == ["old-v1", "new-v1"]
