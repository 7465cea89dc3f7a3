"""What the UI shows of a partition: its own numbers, and the run's counts on the last one only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg
import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 4, 16)
WEEK = (date(2021, 4, 12), LAST)
ASSETS = [
    "forecasts/predictions",
    "forecasts/outcomes",
    "accuracy/day_sums",
    "accuracy/calibration_summary",
    "deployment/deployment_gates",
]
STORED = {
    "forecasts/predictions": "SELECT trading_day::text, count(*) FROM forecasts.predictions"
    " WHERE trading_day BETWEEN '2021-04-12' AND '2021-04-16' GROUP BY 1",
    "forecasts/outcomes": "SELECT due_day::text, count(*) FROM forecasts.outcomes"
    " WHERE due_day BETWEEN '2021-04-12' AND '2021-04-16' GROUP BY 1",
}
ROWS = "dagster/partition_row_count"


@pytest.fixture(scope="module")
def url(postgres_server: str, template_database: str) -> Iterator[str]:
    """Three months of predictions; the last week is added by `shown`."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as database_url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREDTRACK_HORIZONS", "1,4")
        store_market(database_url)
        graph.run_reference(database_url)
        graph.run(database_url, FIRST, date(2021, 4, 9), ASSETS)
        yield database_url


@pytest.fixture(scope="module")
def shown(url: str) -> dict[str, dict[str, Mapping]]:
    """Metadata by asset and partition of a run over a week."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREDTRACK_HORIZONS", "1,4")
        return events(graph.run(url, *WEEK, ASSETS))


def store_market(database_url: str) -> None:
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    for seed, symbol in enumerate(("^GSPC", "AAA", "BBB")):
        bars = graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        graph.store_bars(database_url, bars)


def events(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Mapping]]:
    found: dict[str, dict[str, Mapping]] = {}
    for event in result.get_asset_materialization_events():
        made = event.materialization
        assert made.partition is not None
        values = {name: value.value for name, value in made.metadata.items()}
        found.setdefault(made.asset_key.to_user_string(), {})[made.partition] = values
    return found


def test_partitions_show_their_own_numbers(shown: dict[str, dict[str, Mapping]], url: str) -> None:
    assert sorted(shown) == sorted(ASSETS)
    for asset, query in STORED.items():
        stored = dict(graph.frame(url, query).rows())
        assert {day: metadata[ROWS] for day, metadata in shown[asset].items()} == stored
    sums = shown["accuracy/day_sums"]
    assert len(sums) == 5
    assert all(metadata["coverage"] == 1.0 and metadata["due"] > 0 for metadata in sums.values())
    assert all(-5 < metadata["skill price"] < 1 for metadata in sums.values())
    assert len({metadata["skill price"] for metadata in sums.values()}) == 5


def test_counts_of_the_run_stand_on_its_last_partition(
    shown: dict[str, dict[str, Mapping]],
) -> None:
    for partitions in shown.values():
        *others, last = (partitions[day] for day in sorted(partitions))
        assert last["partitions_of_the_run"] == "2021-04-12 to 2021-04-16"
        assert "rows_inserted" in last
        assert not [metadata for metadata in others if "rows_inserted" in metadata]


def test_the_end_of_a_week_shows_its_reports(shown: dict[str, dict[str, Mapping]]) -> None:
    summary = shown["accuracy/calibration_summary"]
    (ece,) = (v for name, v in summary["2021-04-16"].items() if name == "ece filtered_history-v1")
    assert 0 <= ece <= 1
    assert not [name for name in summary["2021-04-15"] if name.startswith(("ece", "skill"))]
    gates = shown["deployment/deployment_gates"]["2021-04-16"]
    assert gates["passed"] == 0
    assert gates["failed"] + gates["insufficient_evidence"] > 0
    assert "| filtered_history-v1 | 2021-04-16 |" in gates["gates"]
