"""Running the same days again changes no row and says so, whatever the source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.test_range_is_day_by_day import market_file

WINDOWS = {
    "simulated": (date(2021, 1, 4), date(2021, 2, 26)),
    "sample": (date(2012, 5, 1), date(2012, 6, 29)),  # Facebook lists in it
    "file": (date(2021, 3, 1), date(2021, 4, 16)),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", WINDOWS)
def test_a_rerun_changes_nothing(
    source: str, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_SOURCE", source)
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "4")
    monkeypatch.setenv("PREDTRACK_FILE", str(market_file(tmp_path / "prices.csv")))
    monkeypatch.setenv("PREDTRACK_FILE_PRICES", "as_traded")
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    graph.run_reference(database_url)
    first = graph.run(database_url, *WINDOWS[source])
    assert graph.changed(first)
    rows = graph.contents(database_url)
    assert rows["forecasts.outcomes"]
    assert rows["accuracy.symbol_accuracy"]

    trail = "SELECT event_type, subject, payload ->> 'rows_inserted' FROM audit.audit_trail"
    events = graph.frame(database_url, trail).rows()
    validated = str(len(rows["forecasts.outcomes"]))
    assert ("validation_run", "forecasts.outcomes", validated) in events
    assert {subject for what, subject, _ in events if what == "accuracy_report"} >= {
        "accuracy.calibration_summary",
        "accuracy.symbol_accuracy",
    }

    again = graph.run(database_url, *WINDOWS[source])
    assert set(graph.counts(again)) == set(graph.counts(first)), "every asset ran"
    assert graph.changed(again) == {}
    assert graph.differences(graph.contents(database_url), rows) == {}
    assert graph.frame(database_url, trail).rows() == events, "nothing happened"

    assert graph.changed(graph.run_reference(database_url)) == {}
    last = WINDOWS[source][1]
    assert graph.changed(graph.run(database_url, last, last)) == {}, "nor a single day of it"
    assert graph.differences(graph.contents(database_url), rows) == {}
