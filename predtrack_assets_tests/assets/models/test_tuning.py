"""Weekly tuning through the assets: proposals on record, failures backed off, versions in shadow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import psycopg
import pytest

from predtrack_assets.assets.models import tuning
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.models.learners.search import HyperparameterSearch
from predtrack_assets.domain.models.tuning import Proposal
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.domain.trading import rule_search
from predtrack_assets.proofs.replay import replay
from predtrack_assets.proofs.stages import PREDICTED
from predtrack_assets.services.models import searches
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Written
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets.warehouse.features.store import FeatureRows, write_features
from predtrack_assets.warehouse.models import optimization
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets import test_deployment as planted

SYMBOLS = ["AAA", "BBB", "CCC"]
FIRST, LAST = date(2021, 1, 4), date(2022, 4, 29)
MONDAY, WEEK = date(2022, 3, 21), date(2022, 3, 25)
TUNING = ["models/optimization_results"]
DIRECTION = f"{WEEK}/hyperparameter/pooled-v1/direction/h1"
RESULTS = (
    "SELECT task_id, accepted, old_value::text, new_value::text, conclusion"
    " FROM models.optimization_results ORDER BY task_id"
)


def settings(patch: pytest.MonkeyPatch, artifacts: Path) -> None:
    patch.setenv("PREDTRACK_FIRST_DAY", FIRST.isoformat())
    patch.setenv("PREDTRACK_HORIZONS", "1")
    patch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", "200")
    patch.setenv("PREDTRACK_TUNING_CONFIGURATIONS", "2")
    patch.setenv("PREDTRACK_ARTIFACTS", str(artifacts))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def fitted(postgres_server: str, template_database: str, artifacts: Path) -> Iterator[str]:
    """Bars whose next day the first feature foretells, and a fit of the simplest families to them."""
    template = with_database(postgres_server, template_database)
    with pytest.MonkeyPatch.context() as patch, graph.copy_of(template) as url:
        settings(patch, artifacts)
        days = calendar("XNYS").between(np.datetime64("2020-10-01"), np.datetime64(LAST))
        walks = [graph.random_walk(days, seed) for seed in range(len(SYMBOLS))]
        named = [w.with_columns(symbol=pl.lit(s)) for w, s in zip(walks, SYMBOLS, strict=True)]
        graph.store_bars(url, pl.concat(named))
        graph.run_reference(url)
        plant_features(url, days, walks)
        graph.run_months(url, "2021-11", "2021-11")
        yield url


def plant_features(url: str, days: np.ndarray, walks: list[pl.DataFrame]) -> None:
    """Noise, but for the first feature: how the next day goes, blurred."""
    kept = days >= np.datetime64(FIRST)
    random = np.random.default_rng(7)
    ahead = np.stack([np.diff(np.log(w["close"].to_numpy()), append=np.nan) for w in walks], axis=1)
    values = random.normal(size=(kept.sum() * len(SYMBOLS), len(STANDARD.columns)))
    values[:, 0] += np.nan_to_num(ahead[kept].ravel()) * 100
    rows = FeatureRows(
        np.tile(np.array(SYMBOLS, dtype=object), kept.sum()),
        np.repeat(days[kept], len(SYMBOLS)),
        values,
    )
    with Warehouse(url=url).transaction() as transaction:
        write_features(transaction, STANDARD, rows, SYMBOLS, FIRST, LAST)


@pytest.fixture
def market(fitted: str, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A copy of `fitted` that is the test's own."""
    settings(monkeypatch, artifacts)
    with graph.copy_of(fitted) as url:
        yield url


def tune(url: str, **options: Any) -> dg.ExecuteInProcessResult:
    return graph.run(url, MONDAY, WEEK, TUNING, **options)


def states(url: str) -> dict[str, int]:
    query = "SELECT status, count(*) FROM models.v_optimization_tasks GROUP BY 1"
    return dict(graph.frame(url, query).rows())


def only(monkeypatch: pytest.MonkeyPatch, *tasks: str) -> None:
    """Put down no others than these."""
    usual = searches.tasks_of_week
    monkeypatch.setattr(
        tuning, "tasks_of_week", lambda *a: [t for t in usual(*a) if t.task_id in tasks]
    )


def test_a_week_is_tuned_once_and_what_is_found_is_proposed(market: str) -> None:
    before = graph.frame(market, "SELECT * FROM models.v_model_registry ORDER BY 1")
    first = tune(market)
    assert states(market) == {"done": 5}
    found = {row[0]: row for row in graph.frame(market, RESULTS).rows()}
    accepted, old, new = found[DIRECTION][1:4]
    assert accepted, found[DIRECTION]
    assert json.loads(old)["parameters"] == {}
    assert json.loads(new)["family"] == "lightgbm"
    (event,) = graph.frame(
        market,
        "SELECT component_type, old_value::text, new_value::text, trigger_reason,"
        " performance_before ? 'brier' AS known, automated FROM deployment.improvement_events"
        " WHERE event_type = 'params_optimized' AND component_id = 'pooled-v1/direction/h1'",
    ).rows()
    said = f"weekly tuning, proposed by {DIRECTION}"
    assert event == ("model", old, new, said, True, True)
    after = graph.frame(market, "SELECT * FROM models.v_model_registry ORDER BY 1")
    assert after.equals(before), "no model has changed, and none is new"
    assert graph.counts(first)["models/optimization_results"]["inserted"] == 5

    again = tune(market)
    assert graph.changed(again) == {}
    attempts = "SELECT count(*), count(*) FILTER (WHERE outcome = 'succeeded') AS done"
    assert graph.frame(market, f"{attempts} FROM models.optimization_attempts").rows() == [(5, 5)]


def test_trials_are_on_record_before_their_results_and_count(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, DIRECTION)
    counted = "SELECT count(*) AS asked, count(result) AS done FROM models.trials t JOIN"
    counted += " models.training_runs r USING (training_run_id) WHERE r.scope LIKE 'tuning/%%'"
    seen, run = [], HyperparameterSearch.run

    def watched(search: HyperparameterSearch) -> Any:
        seen.append(graph.frame(market, counted).row(0))
        return run(search)

    monkeypatch.setattr(HyperparameterSearch, "run", watched)
    tried = "SELECT count(*) FROM models.trials WHERE (kind, horizon) = ('direction', 1)"
    before = graph.frame(market, tried).item()
    tune(market)
    assert seen == [(2, 0)]
    assert graph.frame(market, counted).row(0) == (2, 2)
    assert graph.frame(market, tried).item() == before + 2, "N of the deflated Sharpe ratio"
    chosen = "SELECT family, chosen FROM models.trials WHERE family LIKE 'lightgbm/%%' ORDER BY 2"
    assert [row[1] for row in graph.frame(market, chosen).rows()] == [False, True]


POISON = (
    "UPDATE market.market_data SET (open, high, low, close) = (1e9, 1e9, 1e9, 1e9)"
    " WHERE trading_day > '2022-03-25'",
    "UPDATE features.feature_store SET vector = (SELECT vector FROM features.feature_store LIMIT 1)"
    " WHERE trading_day > '2022-03-25'",
)


def test_nothing_after_the_week_reaches_its_tuning(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, DIRECTION)
    with graph.copy_of(market) as poisoned:
        for statement in POISON:
            graph.execute(poisoned, statement)
        tune(market)
        tune(poisoned)
        found = graph.frame(market, RESULTS)
        assert found.height == 1
        assert found.equals(graph.frame(poisoned, RESULTS)), "and the same data give the same"


def broken(*_: Any, **__: Any) -> None:
    raise ArithmeticError("it does not converge")


def hours_pass(url: str, hours: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE models.optimization_attempts SET (started_at, lease_until, finished_at) ="
            " (started_at - h, lease_until - h, finished_at - h) FROM make_interval(hours => %s) h",
            [hours],
        )


def test_a_failure_is_counted_backed_off_and_stops_no_other_task(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    volatility = DIRECTION.replace("direction", "volatility")
    only(monkeypatch, DIRECTION, volatility)
    monkeypatch.setenv("PREDTRACK_TUNING_ATTEMPTS", "2")
    with monkeypatch.context() as patch:
        patch.setattr(HyperparameterSearch, "_rising", broken)
        failed = tune(market, raise_on_error=False)
        assert not failed.success
        assert states(market) == {"failed": 1, "done": 1}
        tune(market)
        assert states(market) == {"failed": 1, "done": 1}, "too soon to be tried again"
        hours_pass(market, 2)
        tune(market, raise_on_error=False)
    assert states(market) == {"given_up": 1, "done": 1}
    hours_pass(market, 1000)
    tune(market)
    assert states(market) == {"given_up": 1, "done": 1}
    query = "SELECT failures, last_error FROM models.v_optimization_tasks WHERE status = 'given_up'"
    failures, error = graph.frame(market, query).row(0)
    assert failures == 2
    assert "it does not converge" in error
    runs = (
        "SELECT status, count(*) FROM models.training_runs WHERE scope LIKE 'tuning/%%' GROUP BY 1"
    )
    assert dict(graph.frame(market, runs).rows()) == {"failed": 2, "succeeded": 1}


def test_a_crash_leaves_no_task_running_for_ever(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, DIRECTION)
    with monkeypatch.context() as patch:
        patch.setattr(tuning.Work, "attempt", lambda *_: "nothing")
        tune(market)
    warehouse = Warehouse(url=market)
    assert optimization.claim(warehouse, DIRECTION, "a run that died") == 1
    assert optimization.claim(warehouse, DIRECTION, "another run") is None, "one at a time"
    assert states(market) == {"running": 1}
    with graph.copy_of(market) as unwatched:
        hours_pass(unwatched, 7)
        assert states(unwatched) == {"failed": 1}, "its lease ran out"
        hours_pass(unwatched, 1)
        assert optimization.claim(Warehouse(url=unwatched), DIRECTION, "a later run") == 2
    tune(market)
    assert states(market) == {"failed": 1}, "the orchestrator knows no such run any more"
    hours_pass(market, 2)
    tune(market)
    assert states(market) == {"done": 1}


def test_who_comes_late_writes_nothing(market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, DIRECTION)
    tune(market)
    before = graph.frame(market, RESULTS)
    with Warehouse(url=market).transaction() as transaction:
        (task,) = tuning.tasks_of_week(transaction, get_settings(), WEEK)
    other = Proposal(True, {}, {"family": "lightgbm"}, {}, {}, "late")
    assert optimization.succeed(Warehouse(url=market), task, 1, other, None) == Written()
    assert graph.frame(market, RESULTS).equals(before)


def test_the_budget_leaves_the_rest_for_a_later_run(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, DIRECTION, DIRECTION.replace("direction", "volatility"))
    monkeypatch.setenv("PREDTRACK_TUNING_SECONDS", "1e-9")
    tune(market)
    assert states(market) == {"pending": 2}
    monkeypatch.delenv("PREDTRACK_TUNING_SECONDS")
    graph.run(market, date(2022, 3, 28), date(2022, 3, 28), TUNING)
    assert states(market) == {"done": 2}, "a Monday puts nothing down, and finishes what is left"


def test_what_is_accepted_becomes_a_version_in_shadow_where_that_is_asked_for(
    market: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, DIRECTION)
    monkeypatch.setenv("PREDTRACK_TUNING_REGISTER", "true")
    tune(market)
    registered = "SELECT model_id, status, hyperparameters::text FROM models.model_registry"
    registered += " WHERE model_name = 'pooled_tuned'"
    ((model, status, text),) = graph.frame(market, registered).rows()
    assert (model, status) == ("pooled_tuned-v1", "shadow")
    parameters = json.loads(text)
    assert parameters["proposals"] == [DIRECTION]
    assert parameters["tuned_through"] == str(WEEK)
    assert parameters["tuned"]["of"]["direction"]["1"]["family"] == "lightgbm"
    assert graph.changed(tune(market)) == {}, "registered once"

    graph.run_months(market, "2022-02", "2022-03")
    fits = "SELECT artifact_id FROM models.model_artifacts WHERE scope = '*' ORDER BY 1"
    assert graph.frame(market, fits)["artifact_id"].to_list() == [
        "pooled-v1@2021-11-30", "pooled-v1@2022-02-28", "pooled-v1@2022-03-31",
        "pooled_tuned-v1@2022-03-31",
    ]  # fmt: skip
    graph.run(market, date(2022, 3, 30), date(2022, 4, 4), ["forecasts/predictions"])
    said = graph.frame(
        market,
        "SELECT min(trading_day), count(DISTINCT symbol) AS symbols FROM forecasts.predictions"
        " WHERE model_id = 'pooled_tuned-v1'",
    )
    assert said.rows() == [(date(2022, 4, 1), len(SYMBOLS))], "of no day that it was tuned on"
    span = (date(2022, 3, 30), date(2022, 4, 4))
    parity = replay(Warehouse(url=market), get_settings(), *span, stages=(PREDICTED,))[PREDICTED]
    assert parity.compared["pooled_tuned-v1", "price"] > 0
    assert parity.equal == parity.compared
    graph.run(market, date(2022, 3, 28), date(2022, 4, 1), TUNING)
    assert graph.frame(market, registered).height == 1, "one at a time is judged"
    audited = "SELECT count(*) FROM audit.audit_trail WHERE event_type = 'model_registered'"
    assert graph.frame(market, audited).item() == 1


def test_rules_are_tuned_by_what_following_the_candidates_would_have_earned(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`gifted` knows a part of the future, `an_idler` nothing; the rule in force follows the latter."""
    monkeypatch.setenv("PREDTRACK_TUNING_CONFIGURATIONS", "23")
    monkeypatch.setattr(rule_search, "MIN_DAYS", 60)
    close, foreseen = planted.market()
    close, foreseen = close[:450], foreseen[:450]
    days = planted.days()[:450]
    prices = dict.fromkeys(["open", "high", "low", "close"])
    bars = [
        pl.DataFrame({"symbol": f"S{k}", "date": days, **dict.fromkeys(prices, close[:, k])})
        for k in range(planted.SYMBOLS)
    ]
    volume = pl.lit(1000.0).alias("volume")
    graph.store_bars(
        database_url, pl.concat(bars).with_columns(volume, pl.col("date").cast(pl.Date))
    )
    ahead = np.lib.stride_tricks.sliding_window_view(foreseen, 5, axis=0)[1:].sum(axis=-1)
    noise = np.random.default_rng(5).normal(0, ahead.std(), ahead.shape)
    for model, median in (("gifted", ahead), ("an_idler", noise)):
        graph.execute(
            database_url,
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds,"
            " description) VALUES (%s, %s, 1, 'candidate', '{price}', 'says something')",
            *(model, model),
        )
        said = planted.said_by(model, close, median, 0.02).filter(pl.col("kind") == "price")
        with Warehouse(url=database_url).transaction() as transaction:
            transaction.append(tables.PREDICTIONS, said)
    week = last_days_of("W", days)[-1].item()
    graph.run(database_url, week, week, TUNING)
    ((task, accepted, old, new, conclusion),) = graph.frame(database_url, RESULTS).rows()
    assert task == f"{week}/strategy_weights/an_idler/price/h5"
    assert json.loads(old) == {"band": 0.5, "cost": 0.001, "models": ["an_idler"]}
    assert accepted, conclusion
    assert json.loads(new)["models"] == ["gifted"]
    (event,) = graph.frame(
        database_url,
        "SELECT component_type, component_id, performance_after::text"
        " FROM deployment.improvement_events",
    ).rows()
    assert event[:2] == ("strategy", "recommendations/price/h5")
    assert json.loads(event[2])["sharpe_ratio"] > 1
    tried = "SELECT count(*), count(result) AS done, count(*) FILTER (WHERE chosen) AS used"
    assert graph.frame(database_url, f"{tried} FROM models.trials").rows() == [(23, 23, 1)]
    assert graph.changed(graph.run(database_url, week, week, TUNING)) == {}
