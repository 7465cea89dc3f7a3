"""Fits: made once, from nothing after their cutoff, on record whatever happens; and who speaks when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from predtrack_assets.assets.models import training
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.reporting.plots.accuracy import leading
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.stores.artifacts import ArtifactError
from predtrack_assets.warehouse.features.store import FeatureRows, write_features
from predtrack_assets_tests import graph

SYMBOLS = ["AAA", "BBB", "^IDX"]
FIRST, LAST = date(2021, 1, 4), date(2021, 9, 30)
MONTHS = ("2021-05", "2021-08")
WINDOW = (date(2021, 7, 28), date(2021, 8, 5))
FITS = "SELECT artifact_id, trained_through, sha256 FROM models.model_artifacts ORDER BY 1"
PREDICTIONS = ["forecasts/predictions"]


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Bars of three symbols, features of random numbers, registered versions; nothing fitted."""
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", FIRST.isoformat())
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", "60")
    monkeypatch.setenv("PREDTRACK_ARTIFACTS", str(tmp_path / "artifacts"))
    days = calendar("XNYS").between(np.datetime64("2020-10-01"), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(SYMBOLS)
    ]
    graph.store_bars(database_url, pl.concat(walks))
    graph.run_reference(database_url)
    plant_features(database_url, days[days >= np.datetime64(FIRST)])
    return database_url


def plant_features(url: str, days: np.ndarray) -> None:
    n = len(days) * len(SYMBOLS)
    values = np.random.default_rng(7).normal(size=(n, len(STANDARD.columns)))
    values[::7, 3] = np.nan
    rows = FeatureRows(
        np.tile(np.array(SYMBOLS, dtype=object), len(days)), np.repeat(days, len(SYMBOLS)), values
    )
    with Warehouse(url=url).transaction() as transaction:
        write_features(transaction, STANDARD, rows, SYMBOLS, days[0].item(), days[-1].item())


def fits(url: str) -> list[tuple[Any, ...]]:
    return graph.frame(url, FITS).rows()


def test_a_month_is_fitted_once_through_its_last_trading_day(market: str) -> None:
    result = graph.run_months(market, "2021-02", MONTHS[1])
    made = fits(market)
    assert [name for name, *_ in made] == [
        "pooled-v1@2021-03-31", "pooled-v1@2021-04-30", "pooled-v1@2021-05-28",
        "pooled-v1@2021-06-30", "pooled-v1@2021-07-30", "pooled-v1@2021-08-31",
    ]  # fmt: skip
    (february, *_, august) = result.get_asset_materialization_events()
    skipped = february.materialization.metadata["skipped"].value
    assert skipped == "38 sessions with features, 60 needed"
    assert august.materialization.metadata["fit"].value == "pooled-v1@2021-08-31"
    before = (
        graph.contents(market),
        graph.frame(market, "SELECT count(*) FROM models.training_runs"),
    )
    again = graph.run_months(market, "2021-02", MONTHS[1])
    assert graph.changed(again) == {}
    assert graph.differences(graph.contents(market), before[0]) == {}
    assert graph.frame(market, "SELECT count(*) FROM models.training_runs").equals(before[1])


def test_months_together_are_months_one_by_one(market: str) -> None:
    with graph.copy_of(market) as single:
        graph.run_months(market, *MONTHS)
        for month in ("2021-05", "2021-06", "2021-07", "2021-08"):
            graph.run_months(single, month, month)
        assert graph.differences(graph.contents(market), graph.contents(single)) == {}
    chosen = graph.frame(market, "SELECT DISTINCT chosen_through FROM models.model_artifacts")
    assert chosen.rows() == [(date(2021, 5, 28),)], "refits keep the families of the first choice"


POISON = (
    "UPDATE market.market_data SET (open, high, low, close) = (1e9, 1e9, 1e9, 1e9)"
    " WHERE trading_day > '2021-06-30' AND symbol = 'AAA'",
    "DELETE FROM market.market_data WHERE trading_day > '2021-07-06' AND symbol = 'BBB'",
    "UPDATE features.feature_store SET vector = (SELECT vector FROM features.feature_store LIMIT 1)"
    " WHERE trading_day > '2021-06-30'",
    # Known only later: a correction of a day before the cutoff, and a split after it.
    "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,"
    " source, knowledge_time) VALUES ('AAA', '2021-06-15', 7, 7, 7, 7, 1, 'good', 'file',"
    " '2021-07-01 00:30Z')",
    "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred, source,"
    " knowledge_time) VALUES ('AAA', '2021-07-02', 'split', 50, false, 'file', '2021-07-02 21:00Z')",
)


def test_nothing_after_the_cutoff_reaches_a_fit(market: str) -> None:
    with graph.copy_of(market) as poisoned:
        for statement in POISON:
            graph.execute(poisoned, statement)
        graph.run_months(market, "2021-05", "2021-06")
        graph.run_months(poisoned, "2021-05", "2021-07")
        clean, dirty = fits(market), fits(poisoned)
        assert dirty[:2] == clean
        graph.run_months(market, "2021-07", "2021-07")
        assert fits(market)[2] != dirty[2], "the poison does matter to a later fit"


def test_a_failed_fit_stays_on_record_and_the_one_before_in_force(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.run_months(market, "2021-05", "2021-05")

    def broken(*_: Any, **__: Any) -> None:
        raise ArithmeticError("it does not converge")

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit_pooled", broken)
        with pytest.raises(ArithmeticError):
            graph.run_months(market, "2021-06", "2021-07")
    runs = graph.frame(
        market, "SELECT trained_through, status, error_log FROM models.training_runs ORDER BY 1"
    ).rows()
    assert [row[:2] for row in runs] == [
        (date(2021, 5, 28), "succeeded"),
        (date(2021, 6, 30), "failed"),
    ]
    assert "it does not converge" in runs[1][2]
    graph.run(market, *WINDOW, PREDICTIONS)
    assert speakers(market) == {"pooled-v1@2021-05-28"}
    graph.run_months(market, "2021-06", "2021-07")
    assert [name for name, *_ in fits(market)][1:] == [
        "pooled-v1@2021-06-30",
        "pooled-v1@2021-07-30",
    ]


def test_trials_are_on_record_before_they_are_evaluated(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose, seen = training.choose_families, []

    def watched(*arguments: Any) -> Any:
        known = "SELECT count(*) AS asked, count(result) AS done FROM models.trials"
        seen.append(graph.frame(market, known).row(0))
        return choose(*arguments)

    monkeypatch.setattr(training, "choose_families", watched)
    graph.run_months(market, "2021-05", "2021-06")
    asked = len(training.candidates((1, 4)))
    assert seen == [(asked, 0)]
    known = (
        "SELECT count(*) AS asked, count(result) AS done, count(*) FILTER (WHERE chosen) AS used"
        " FROM models.trials"
    )
    assert graph.frame(market, known).row(0) == (asked, asked, 8)


def test_a_training_killed_before_it_commits_ends_equal(market: str) -> None:
    with graph.copy_of(market) as undisturbed:
        program = (
            "import sys; from predtrack_assets_tests import graph;"
            "from predtrack_assets_tests.assets.killed import kill_after_writing;"
            "kill_after_writing('models.model_artifacts', 0);"
            "graph.run_months(*sys.argv[1:])"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, market, *MONTHS],
            cwd=PROJECT_ROOT, env=os.environ, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        assert fits(market) == []
        graph.run_months(market, *MONTHS)
        graph.run_months(undisturbed, *MONTHS)
        assert graph.differences(graph.contents(market), graph.contents(undisturbed)) == {}
    states = "SELECT status, count(*) FROM models.training_runs GROUP BY 1 ORDER BY 1"
    assert graph.frame(market, states).rows() == [("failed", 1), ("succeeded", 4)]


def speakers(url: str) -> set[str]:
    found = graph.frame(
        url, "SELECT DISTINCT artifact_id FROM forecasts.predictions WHERE artifact_id IS NOT NULL"
    )
    return set(found["artifact_id"])


def test_each_day_is_spoken_of_by_the_newest_fit_that_has_not_seen_it(market: str) -> None:
    graph.run_months(market, *MONTHS)
    with graph.copy_of(market) as daily:
        graph.run(market, *WINDOW, PREDICTIONS)
        graph.run_day_by_day(daily, *WINDOW, PREDICTIONS)
        assert graph.differences(graph.contents(market), graph.contents(daily)) == {}
    said = graph.frame(
        market,
        "SELECT artifact_id, min(trading_day), max(trading_day), count(DISTINCT kind) AS kinds,"
        " count(DISTINCT symbol) AS symbols FROM forecasts.predictions WHERE model_id = 'pooled-v1'"
        " GROUP BY 1 ORDER BY 1",
    )
    assert said.rows() == [
        ("pooled-v1@2021-06-30", date(2021, 7, 28), date(2021, 7, 30), 4, 3),
        ("pooled-v1@2021-07-30", date(2021, 8, 2), date(2021, 8, 5), 4, 3),
    ]
    again = graph.run(market, *WINDOW, PREDICTIONS)
    assert graph.changed(again) == {}


def test_a_file_that_is_not_the_one_on_record_is_refused(market: str, tmp_path: Path) -> None:
    graph.run_months(market, "2021-06", "2021-06")
    (path,) = (tmp_path / "artifacts").rglob("*.json")
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "cutoff": "2021-06-29"}))
    with pytest.raises(ArtifactError, match="pooled-v1@2021-06-30 is not the one"):
        graph.run(market, *WINDOW, PREDICTIONS)
    path.unlink()
    with pytest.raises(ArtifactError, match="pooled-v1@2021-06-30 is missing"):
        graph.run(market, *WINDOW, PREDICTIONS)
    assert graph.frame(market, "SELECT * FROM forecasts.predictions").is_empty()


def test_cells_without_features_are_skipped_with_that_reason(market: str) -> None:
    graph.run_months(market, "2021-06", "2021-06")
    graph.execute(
        market,
        "DELETE FROM features.feature_store WHERE (symbol, trading_day) = ('BBB', '2021-08-03')",
    )
    graph.run(market, *WINDOW, PREDICTIONS)
    skipped = graph.frame(
        market,
        "SELECT model_id, symbol, trading_day, reason, count(*) FROM"
        " forecasts.skipped_predictions GROUP BY 1, 2, 3, 4",
    )
    assert skipped.rows() == [("pooled-v1", "BBB", date(2021, 8, 3), "no_features", 8)]
    others = "SELECT count(*) FROM forecasts.predictions WHERE (symbol, trading_day) = ('BBB', '2021-08-03')"
    assert graph.frame(market, others).item() > 0


@pytest.mark.parametrize("model", ["pooled-v1", "drift"])
def test_a_retired_version_predicts_no_more(market: str, model: str) -> None:
    graph.run_months(market, "2021-06", "2021-06")
    graph.execute(
        market, "UPDATE models.model_registry SET status = 'retired' WHERE model_id = %s", model
    )
    graph.run(market, *WINDOW, PREDICTIONS)
    said = set(
        graph.frame(market, "SELECT DISTINCT model_id FROM forecasts.predictions")["model_id"]
    )
    with Warehouse(url=market).transaction() as transaction:
        shown = [leading(transaction, date(2021, 6, day), 5)["volatility"] for day in (29, 30)]
    assert shown == [[], ["pooled-v1"] if model != "pooled-v1" else []], "first in every plot"
    everyone = {"pooled-v1", "drift", "no_change", "climatology", "filtered_history-v1"}
    assert said == everyone - {model}
    reference = graph.run_reference(market)
    assert graph.changed(reference) == {}, "registering again does not bring it back"


def test_a_symbols_own_fit_speaks_of_that_symbol_alone(market: str) -> None:
    graph.run_months(market, "2021-06", "2021-06")
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("symbols", ["AAA"])

    def correct() -> dg.ExecuteInProcessResult:
        return dg.materialize(
            graph.ASSETS,
            selection=["models/symbol_models"],
            resources={"warehouse": Warehouse(url=market)},
            partition_key="AAA",
            instance=instance,
        )

    assert graph.counts(correct())["models/symbol_models"]["inserted"] == 1
    unchanged = correct()
    assert graph.changed(unchanged) == {}
    (event,) = unchanged.get_asset_materialization_events()
    corrects = event.materialization.metadata["corrects"].value
    assert corrects == "pooled-v1@2021-06-30", "whose importances are its own"
    graph.run(market, *WINDOW, PREDICTIONS)
    said = graph.frame(
        market,
        "SELECT DISTINCT artifact_id, symbol FROM forecasts.predictions"
        " WHERE model_id = 'symbol-v1'",
    )
    assert said.rows() == [("symbol-v1:AAA@2021-06-30", "AAA")]


def test_a_symbol_is_fitted_through_the_day_that_is_asked_for_with_its_reason(market: str) -> None:
    graph.run_months(market, "2021-06", "2021-07")
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("symbols", ["AAA"])

    def correct(through: str | None, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
        config = {"through": through, "reason": "it was off"}
        return dg.materialize(
            graph.ASSETS,
            selection=["models/symbol_models"],
            resources={"warehouse": Warehouse(url=market)},
            partition_key="AAA",
            instance=instance,
            run_config={"ops": {"models__symbol_models": {"config": config}}},
            tags=tags,
            raise_on_error=False,
        )

    for refused, why in (
        ("2021-07-17", "no trading day that is over"),
        ("2100-01-04", "no trading day that is over"),
        ("2021-05-03", "no pooled fit through 2021-05-03 or before"),
    ):
        failure = correct(refused, {}).failure_data_for_node("models__symbol_models")
        assert why in str(failure)
    assert correct("2021-07-16", {"dagster/sensor_name": "retraining_sensor"}).success
    assert correct(None, {}).success
    runs = graph.frame(
        market,
        "SELECT r.trained_through, triggered_by, reason, parameters ->> 'basis' = a.sha256 AS same"
        " FROM models.training_runs r, models.model_artifacts a"
        " WHERE r.scope = 'AAA' AND a.artifact_id = 'pooled-v1@2021-06-30' ORDER BY 1",
    )
    assert runs.rows() == [
        (date(2021, 7, 16), "sensor", "it was off", True),
        (date(2021, 7, 30), "manual", "it was off", False),
    ]
    events = graph.frame(
        market,
        "SELECT old_value ->> 'artifact_id', automated, approved_by"
        " FROM deployment.improvement_events ORDER BY event_id",
    )
    assert events.rows() == [
        ("pooled-v1@2021-06-30", True, None),
        ("symbol-v1:AAA@2021-07-16", False, "operator"),
    ]
    graph.run(market, *WINDOW, PREDICTIONS)
    said = graph.frame(
        market,
        "SELECT DISTINCT ON (artifact_id) artifact_id, trading_day FROM forecasts.predictions"
        " WHERE model_id = 'symbol-v1' ORDER BY artifact_id, trading_day",
    )
    assert said.rows() == [
        ("symbol-v1:AAA@2021-07-16", date(2021, 7, 28)),
        ("symbol-v1:AAA@2021-07-30", date(2021, 8, 2)),
    ]
