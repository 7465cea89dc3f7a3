"""What is kept of fits: scores and importances of every revision, reasons of those not made, MLflow."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import dagster as dg
import numpy as np
import polars as pl
import pytest

from predtrack_assets.assets.models import training, tuning
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.models.fitted_model import POOLED, tuned_procedure
from predtrack_assets.domain.models.learners import selection
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.models import fitting
from predtrack_assets.warehouse import tables
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.models.test_training import FIRST, LAST, SYMBOLS, plant_features
from predtrack_assets_tests.stores.test_tracking import record

CHOSEN, AGAIN = "pooled-v1@2021-03-31", "pooled-v1@2021-09-30"
REGIMES = """INSERT INTO market.market_conditions (trading_day, market_regime, benchmark, symbols_counted)
    SELECT DISTINCT trading_day, CASE WHEN mod(extract(week FROM trading_day)::int, 3) = 0 THEN 'bear'
           ELSE 'bull' END, '^IDX', 0 FROM market.market_data"""
CORRECTION = """UPDATE features.feature_store SET vector = (
        SELECT vector FROM features.feature_store WHERE trading_day = '2021-06-02' AND symbol = 'BBB')
    WHERE (trading_day, symbol) = ('2021-06-01', 'AAA')"""


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Bars, features and regimes of three symbols. Families are chosen in September too and on few
    days, and the direction looks at features."""
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", FIRST.isoformat())
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1")
    monkeypatch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", "60")
    monkeypatch.setenv("PREDTRACK_ARTIFACTS", str(tmp_path / "artifacts"))
    choose = training.choose_families

    def chosen(*arguments: Any) -> Any:
        choices, trials = choose(*arguments)
        choices["families"]["direction"]["1"] = "logistic"
        return choices, trials

    monkeypatch.setattr(fitting, "CHOICE_MONTH", 9)
    monkeypatch.setattr(selection, "MIN_DAYS", 100)
    monkeypatch.setattr(training, "choose_families", chosen)
    days = calendar("XNYS").between(np.datetime64("2020-10-01"), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(SYMBOLS)
    ]
    graph.store_bars(database_url, pl.concat(walks))
    graph.run_reference(database_url)
    plant_features(database_url, days[days >= np.datetime64(FIRST)])
    graph.execute(database_url, REGIMES)
    return database_url


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Of the last materialization."""
    event = result.get_asset_materialization_events()[-1]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_every_revision_keeps_its_scores_and_importances(
    market: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = metadata(graph.run_months(market, "2021-03", "2021-03"))
    lacking = "not validated: 61 decision days, 100 needed"
    assert first["not_validated"] == [
        f"{kind} 1: {lacking}" for kind in ("price", "direction", "time_to_hit", "volatility")
    ]
    assert f"the simplest families by default. price 1: {lacking}" in capfd.readouterr().err
    reasons = graph.frame(market, "SELECT DISTINCT result ->> 'reason' FROM models.trials")
    assert reasons.rows() == [(lacking,)]
    assert graph.frame(market, "SELECT * FROM models.model_performance").is_empty()

    monkeypatch.setenv("PREDTRACK_MLFLOW_URI", "http://127.0.0.1:1")
    recorded = record(monkeypatch)
    shown = metadata(graph.run_months(market, "2021-09", "2021-09"))
    assert "data:image/png" in shown["importance"], "drawn for the UI"
    assert "better than" in shown["walk_forward_scores"]
    assert [run.name for run in recorded.runs.values()] == [AGAIN]
    (run,) = recorded.runs.values()
    assert run.finished
    assert set(run.parameters) == {"input_digest"}
    assert {"price.1.score", "direction.1.skill"} <= set(run.metrics)

    files = graph.frame(
        market, "SELECT artifact_id, artifact_uri, sha256 FROM models.model_artifacts"
    )
    ((uri, sha256),) = files.filter(artifact_id=AGAIN).drop("artifact_id").rows()
    path = Path(urlparse(uri).path)
    path.write_bytes(b"{}")
    again = metadata(graph.run_months(market, "2021-09", "2021-09"))
    assert (again["fits_unchanged"], again["fits_restored"]) == (1, 1), "same inputs, same bits"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    again = metadata(graph.run_months(market, "2021-09", "2021-09"))
    assert (again["fits_unchanged"], again["fits_restored"]) == (1, 0)
    plots = ("fit", "importance", "walk_forward_scores")
    assert [again[name] for name in plots] == [shown[name] for name in plots], "the UI shows this"

    graph.execute(market, CORRECTION)
    graph.run_months(market, "2021-09", "2021-09")
    assert len(recorded.runs) == 2
    for query in (
        "SELECT artifact_id, regime, count(*) FROM models.walk_forward_scores GROUP BY 1, 2",
        "SELECT artifact_id, regime, count(skill_low) FROM models.model_performance"
        " WHERE evaluation = 'cv' AND baseline = 'no_change' GROUP BY 1, 2",
    ):
        counted = graph.frame(market, f"{query} ORDER BY 1, 2").rows()
        assert counted == [
            (fit, r, 4) for fit in (AGAIN, f"{AGAIN}.2") for r in ("all", "bear", "bull")
        ]
    current = graph.frame(market, "SELECT DISTINCT artifact_id FROM models.v_current_performance")
    assert current.rows() == [(f"{AGAIN}.2",)]

    measured = graph.frame(
        market,
        "SELECT measured_by, artifact_id, count(*) AS n, count(*) FILTER (WHERE importance <> 0) AS used,"
        " count(loss) AS lossy, count(DISTINCT loss) AS losses, count(DISTINCT (kind, horizon)) AS cells"
        " FROM features.feature_importance GROUP BY 1, 2 ORDER BY 1",
    )
    assert measured["measured_by"].to_list() == [AGAIN, f"{AGAIN}.2"]
    assert set(measured["artifact_id"]) == {CHOSEN}
    assert measured["n"].n_unique() == 1
    assert (measured["used"] > 0).all()
    assert (measured["lossy"] == measured["n"]).all()
    assert (measured["losses"] == measured["cells"]).all(), "one loss for all features of a kind"
    newest = graph.frame(market, "SELECT DISTINCT measured_by FROM features.v_current_importance")
    assert newest.rows() == [(f"{AGAIN}.2",)]
    graph.execute(
        market,
        "UPDATE models.model_artifacts SET status = 'withdrawn' WHERE artifact_id = %s",
        f"{AGAIN}.2",
    )
    current = graph.frame(market, "SELECT DISTINCT artifact_id FROM models.v_current_performance")
    assert current.rows() == [(AGAIN,)], "a fit that is out of use is not the newest"


def test_a_tuned_version_has_importances_and_scores_of_its_own(market: str) -> None:
    tuned = {"of": {}, "without": ["return_1"]}
    made = tuned_procedure(
        1, {**POOLED.hyperparameters, "tuned": tuned, "tuned_through": "2021-03-31"}
    )
    with Warehouse(url=market).transaction() as transaction:
        transaction.append(tables.MODEL_REGISTRY, tuning._row(made))
    graph.run_months(market, "2021-03", "2021-03")
    shown = metadata(graph.run_months(market, "2021-09", "2021-09"))
    again = f"{made.model_id}@2021-09-30"
    assert (shown["fit"], shown[f"{made.model_id} fit"]) == (AGAIN, again)
    for model in ("", f"{made.model_id} "):
        assert "data:image/png" in shown[f"{model}importance"]
        assert "better than" in shown[f"{model}walk_forward_scores"]
    measured = graph.frame(
        market,
        "SELECT DISTINCT model_id, artifact_id, measured_by FROM features.v_current_importance"
        " ORDER BY 1",
    )
    assert measured.rows() == [
        ("pooled-v1", CHOSEN, AGAIN),
        (made.model_id, f"{made.model_id}@2021-03-31", again),
    ]
    used = graph.frame(
        market,
        "SELECT model_id, count(*) FROM features.v_current_importance"
        " WHERE importance <> 0 AND feature = 'return_1' GROUP BY 1",
    )
    assert used["model_id"].to_list() == ["pooled-v1"], "what is left out is worth nothing"


def test_what_is_not_fitted_says_why(market: str, capfd: pytest.CaptureFixture[str]) -> None:
    graph.run_months(market, "2021-03", "2021-03")
    instance = dg.DagsterInstance.ephemeral()
    symbols = ["NOSUCH", "AAA"]
    instance.add_dynamic_partitions("symbols", symbols)

    def correct(symbol: str) -> dict[str, Any]:
        done = dg.materialize(
            graph.ASSETS,
            selection=["models/symbol_models"],
            resources={"warehouse": Warehouse(url=market)},
            partition_key=symbol,
            instance=instance,
        )
        return metadata(done)

    unknown = correct("NOSUCH")
    assert unknown["skipped"] == "no such symbol is registered: no prices of it have been stored"
    assert "NOSUCH is not fitted: no such symbol" in capfd.readouterr().err
    assert (unknown["fits"], unknown["fits_skipped"]) == (0, 1)
    retire = "UPDATE models.model_registry SET status = 'retired' WHERE model_id = %s"
    graph.execute(market, retire, "symbol-v1")
    assert correct("AAA")["skipped"] == "symbol-v1 is retired"
    graph.execute(market, retire, "pooled-v1")
    assert (
        metadata(graph.run_months(market, "2021-04", "2021-04"))["skipped"]
        == "pooled-v1 is retired"
    )
    assert "pooled-v1 is retired: no month is fitted" in capfd.readouterr().err
    fits = graph.frame(market, "SELECT artifact_id FROM models.model_artifacts")
    assert fits.rows() == [(CHOSEN,)]
    assert graph.frame(market, "SELECT count(*) FROM models.training_runs").item() == 1


def test_predicting_nothing_is_said_with_the_reason(
    market: str, capfd: pytest.CaptureFixture[str]
) -> None:
    first = calendar("XNYS").between(np.datetime64("2020-10-01"), np.datetime64("2020-10-06"))
    days = first[0].item(), first[-1].item()
    done = graph.run(market, *days, ["forecasts/predictions"])
    said = capfd.readouterr().err
    assert (
        "Nothing was predicted. Skipped: 48 too_little_history. A symbol is predicted from 20"
        in said
    )
    assert metadata(done)["skipped"] == {"too_little_history": 48}, "3 symbols, 4 days, 4 models"
    graph.run(market, date(2020, 9, 1), date(2020, 9, 1), ["forecasts/predictions"])
    assert "Skipped: no symbol has a bar on these days." in capfd.readouterr().err
