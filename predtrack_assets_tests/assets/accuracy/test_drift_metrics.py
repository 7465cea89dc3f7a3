"""The asset drift_metrics on a real database: windows, alerts, estimates, and what never reads them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date

import dagster as dg
import numpy as np
import polars as pl
import psycopg
import pytest

from predtrack_assets.assets.accuracy.drift_metrics import drift_metrics
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.drift import no_open_drift_alerts
from predtrack_assets.days import Window
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.reporting.plots.drift import drift_plots
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.transaction import READER
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets.warehouse.features.store import FeatureRows, write_features
from predtrack_assets_tests import graph

SYMBOLS = ["AAA", "BBB", "CCC"]
DAYS = Window(date(2020, 1, 2), date(2020, 12, 31)).days
REPORTS = (date(2020, 5, 29), date(2020, 7, 2))  # six weeks
SHIFT = np.datetime64("2020-06-04")  # 21 sessions before the last report
SHIFTED, VANISHED = STANDARD.columns[:12], STANDARD.columns[12]
WORSE = np.datetime64("2020-04-20")
SYMBOL = """
    INSERT INTO market.symbols (symbol, exchange, asset_class, source)
    VALUES (%s, 'XNYS', 'stock', 'file')"""
LATE = """
    INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of, due_day,
        resolved_day, status, confidence, occurred, brier, brier_no_change, knowledge_time)
    SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, '2020-06-24', status,
           confidence, NOT occurred, (1 - sqrt(brier))^2, brier_no_change, '2020-06-25 00:00Z'
    FROM forecasts.outcomes WHERE due_day = '2020-06-09' AND model_id = 'own-v1'
"""
MODEL = (
    "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
    " VALUES (%s, %s, 1, %s, '{direction}', 'x')"
)
SAID = """
    INSERT INTO forecasts.predictions (model_id, kind, symbol, trading_day, as_of, horizon, due_day,
        event, confidence, reference_price, sigma, climatology, feature_digest, due_at,
        earliest_resolution_time, origin)
    SELECT %(model)s, 'direction', symbol, d, (d + 1)::timestamp AT TIME ZONE 'UTC', 1, due, 'up', p,
           10, 0.02, 0.5, 1, (due + 1)::timestamp AT TIME ZONE 'UTC',
           (due + 1)::timestamp AT TIME ZONE 'UTC', 'replay'
    FROM unnest(%(days)s::date[], %(dues)s::date[], %(symbols)s::text[], %(p)s::float8[])
        AS said (d, due, symbol, p)
"""
CAME = """
    INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of, due_day,
        resolved_day, status, confidence, occurred, brier, brier_no_change, knowledge_time)
    SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, due_day, 'validated',
           confidence, came, (confidence - came::int)^2, 0.25,
           (due_day + 1)::timestamp AT TIME ZONE 'UTC'
    FROM forecasts.predictions JOIN unnest(%(days)s::date[], %(symbols)s::text[], %(came)s::boolean[])
        AS came (trading_day, symbol, came) USING (trading_day, symbol)
    WHERE model_id = %(model)s
"""


def vectors() -> FeatureRows:
    """Noise, but for some features that shift and one that goes missing."""
    random = np.random.default_rng(0)
    days = np.repeat(DAYS, len(SYMBOLS))
    values = random.normal(size=(len(days), len(STANDARD.columns)))
    late = days >= SHIFT
    values[late, : len(SHIFTED)] += 4
    values[late, len(SHIFTED)] = np.nan
    return FeatureRows(np.tile(np.array(SYMBOLS, dtype=object), len(DAYS)), days, values)


def predict(url: str, model: str, role: str) -> None:
    """A model of a coin that it sees through, until it begins to be wrong as often as right."""
    random = np.random.default_rng(1)
    days = np.repeat(DAYS[:-1], len(SYMBOLS))
    confident = random.random(len(days)) < 0.5
    p = np.where(confident, 0.8, 0.2)
    right = random.random(len(days)) < np.where(days < WORSE, 0.85, 0.4)
    row = {
        "model": model,
        "days": days.tolist(),
        "dues": np.repeat(DAYS[1:], len(SYMBOLS)).tolist(),
        "symbols": SYMBOLS * (len(DAYS) - 1),
        "p": p.tolist(),
        "came": (confident == right).tolist(),
    }
    with psycopg.connect(url) as connection:
        connection.execute(MODEL, [model, model, role])
        connection.execute(SAID, row)
        connection.execute(CAME, row)


SMALL = {"PREDTRACK_DRIFT_REFERENCE_SESSIONS": "90", "PREDTRACK_DRIFT_SPAN_SESSIONS": "63"}


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def prepared(postgres_server: str, template_database: str) -> Iterator[str]:
    """A database with features, predictions and outcomes of a year, not to be written to."""
    with graph.copy_of(with_database(postgres_server, template_database)) as url:
        with psycopg.connect(url) as connection:
            for symbol in SYMBOLS:
                connection.execute(SYMBOL, [symbol])
        predict(url, "own-v1", "candidate")
        predict(url, "drift", "baseline")
        first, last = DAYS[0].item(), DAYS[-1].item()
        with Warehouse(url=url).transaction() as transaction:
            write_features(transaction, STANDARD, vectors(), SYMBOLS, first, last)
        yield url


@pytest.fixture(scope="module")
def measured(prepared: str) -> Iterator[str]:
    """A copy of it with the reports of all weeks, not to be changed."""
    with graph.copy_of(prepared) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setenv(name, value)
        add_up(url)
        measure(url, *REPORTS)
        yield url


def add_up(url: str) -> None:
    """Sums of all due days, which drift of performance is measured on."""
    graph.run(url, DAYS[0].item(), REPORTS[1], ["accuracy/day_sums"])


def measure(url: str, first: date, last: date) -> dict[str, int]:
    result = graph.run(url, first, last, ["accuracy/drift_metrics"])
    return graph.counts(result)["accuracy/drift_metrics"]


def metrics(url: str) -> pl.DataFrame:
    return graph.frame(url, "SELECT * FROM accuracy.drift_metrics ORDER BY as_of_day, name")


def open_alerts(url: str) -> pl.DataFrame:
    return graph.frame(url, "SELECT * FROM accuracy.v_open_drift_alerts ORDER BY name")


def test_a_rerun_changes_nothing(measured: str) -> None:
    rows = graph.contents(measured)
    assert graph.off_the_record(measured, "accuracy.drift_metrics", "accuracy.drift_alerts") == {}
    again = measure(measured, *REPORTS)
    assert again == {**dict.fromkeys(again, 0), "unchanged": len(rows["accuracy.drift_metrics"])}
    last = measure(measured, REPORTS[1], REPORTS[1])
    assert last == {**dict.fromkeys(last, 0), "unchanged": last["unchanged"]}
    assert graph.differences(graph.contents(measured), rows) == {}
    assert graph.off_the_record(measured, "accuracy.drift_metrics", "accuracy.drift_alerts") == {}


def test_a_range_is_its_days_with_a_result_that_came_late(prepared: str) -> None:
    with graph.copy_of(prepared) as together, graph.copy_of(prepared) as daily:
        for url in (together, daily):
            graph.execute(url, LATE)
            add_up(url)
        measure(together, *REPORTS)
        for friday in metrics(together)["as_of_day"].unique().sort():
            measure(daily, friday, friday)
        assert graph.differences(graph.contents(together), graph.contents(daily)) == {}


def test_what_drifted_is_found_once_and_named(measured: str) -> None:
    found = metrics(measured).filter(pl.col("subject") == "feature")
    assert found["as_of_day"].n_unique() == 6
    assert not found.filter(pl.col("as_of_day") < SHIFT.item())["drifted"].any()
    drifted = found.filter("drifted", pl.col("statistic").is_in(["psi", "missing"]))
    assert set(drifted["name"]) == {*SHIFTED, VANISHED}
    missing = drifted.filter(pl.col("statistic") == "missing")
    assert set(missing["name"]) == {VANISHED}
    last = found.filter(pl.col("as_of_day") == REPORTS[1], pl.col("name") == SHIFTED[0])
    assert set(last["n_reference"]) == {3 * 90}
    assert set(last["n_current"]) == {3 * 21}

    alerts = open_alerts(measured).filter(pl.col("subject") == "feature")
    assert alerts["name"].to_list() == sorted([*SHIFTED, VANISHED]), "one each, after many weeks"
    assert set(alerts["last_seen"]) == {REPORTS[1]}
    assert all(SHIFT.item() < day <= REPORTS[1] for day in alerts["opened_on"])


def test_a_model_that_got_worse_is_degraded_and_a_baseline_is_not_watched(measured: str) -> None:
    degraded = graph.frame(measured, "SELECT * FROM accuracy.v_degraded_models")
    (row,) = degraded.iter_rows(named=True)
    assert row["model_id"] == "own-v1"
    assert (row["kind"], row["horizon"], row["score"]) == ("direction", 1, "brier")
    assert row["as_of_day"] == REPORTS[1]
    assert row["e_value"] >= 20
    assert WORSE.item() < row["since"] <= REPORTS[1]
    assert set(metrics(measured)["model_id"].drop_nulls()) == {"own-v1"}
    critical = open_alerts(measured).filter(pl.col("severity") == "critical")
    assert critical["subject"].to_list() == ["performance"]


def test_estimates_come_before_the_outcomes_and_are_marked(measured: str) -> None:
    found = metrics(measured).filter("is_estimate")
    assert set(found["statistic"]) == {"expected_brier", "expected_ece"}
    assert set(found["n_current"]) == {len(SYMBOLS)}, "said on the day, due on the next"
    assert not found["drifted"].any()


def test_open_alerts_fail_the_check_with_a_warning_that_names_them(measured: str) -> None:
    def checked(day: date) -> dg.AssetCheckEvaluation:
        result = dg.materialize(
            [drift_metrics, no_open_drift_alerts],
            selection=dg.AssetSelection.all_asset_checks(),
            resources={"warehouse": Warehouse(url=measured)},
            tags={
                "dagster/asset_partition_range_start": day.isoformat(),
                "dagster/asset_partition_range_end": day.isoformat(),
            },
            instance=dg.DagsterInstance.ephemeral(),
        )
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation

    before, later = checked(REPORTS[0]), checked(REPORTS[1])
    assert not later.passed
    assert later.severity == dg.AssetCheckSeverity.WARN
    assert SHIFTED[0] in str(later.metadata["alerts"].value)
    assert later.metadata["critical"].value == 1
    assert SHIFTED[0] not in str(before.metadata["alerts"].value), "as it stood then"


def test_plots_show_features_and_evidence(measured: str) -> None:
    with Warehouse(url=measured).transaction(READER) as transaction:
        shown = drift_plots(transaction, REPORTS[1])
        nothing = drift_plots(transaction, DAYS[40].item())
    assert set(shown) == {"feature_drift", "degradation"}
    assert "image/png" in shown["feature_drift"].markdown
    assert nothing["feature_drift"].markdown.startswith("Nothing to draw yet")


def test_no_gate_reads_drift() -> None:
    """Estimates and alerts may cause a retraining; what is deployed rests on outcomes alone."""
    gates = [
        "domain/deployment/gates.py",
        "domain/deployment/track_record.py",
        "domain/deployment/champions.py",
        "assets/deployment.py",
    ]
    gates += [
        "warehouse/deployment/queries.py",
        "services/deployment/track_records.py",
        "services/deployment/decisions.py",
        "services/deployment/gate_evidence.py",
        "services/deployment/champion_weeks.py",
        "domain/deployment/judging.py",
    ]
    for name in gates:
        text = (PROJECT_ROOT / "predtrack_assets" / name).read_text(encoding="utf-8")
        assert "drift_" not in text, name
        imported = {
            node.module or ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom)
        }
        assert not [module for module in imported if "drift" in module or "expected" in module], (
            name
        )


def test_what_guards_deployments_does_not_know_of_drift(database_url: str) -> None:
    found = graph.frame(
        database_url,
        "SELECT p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'deployment' AND p.prosrc LIKE '%%drift%%'"
        " UNION ALL SELECT viewname FROM pg_views WHERE definition LIKE '%%drift%%'"
        " AND viewname IN ('champions', 'v_latest_gates', 'v_ab_tests')",
    )
    assert found.is_empty()
