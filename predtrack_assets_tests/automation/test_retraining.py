"""The retraining sensor: worst first, a few at a time, each once; and what it says of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import psycopg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.retraining import RETRAINING, build_retraining_sensor, sentence
from predtrack_assets.definitions import build_definitions
from predtrack_assets.services.models.retraining_choice import (
    ASKED,
    COOLING,
    LATER,
    RUNNING,
    WANTED,
    Limits,
    choose,
)

REPORT = date(2024, 3, 1)
SESSIONS = np.arange("2024-01-01", "2024-04-01", dtype="datetime64[D]")


def candidates(**fitted: date | None) -> pl.DataFrame:
    """One per name, each worse than the one after it."""
    names = list(fitted)
    return pl.DataFrame(
        {
            "symbol": names,
            "run_key": [f"{name}@pooled-v1@{REPORT}" for name in names],
            "posterior_mean": [0.1 + k / 100 for k in range(len(names))],
            "report_day": [REPORT] * len(names),
            "fitted_through": list(fitted.values()),
            "spared": [None] * len(names),
        },
        schema_overrides={"fitted_through": pl.Date, "spared": pl.String},
    )


def reasons(frame: pl.DataFrame, **options: Any) -> dict[str, str]:
    given = {"asked": (), "running": (), "limits": Limits(2, 21), **options}
    return dict(choose(frame, SESSIONS, **given).select("symbol", "why").iter_rows())


def test_the_worst_are_asked_for_first_and_no_more_than_the_cap() -> None:
    frame = candidates(A=None, B=None, C=None).sample(fraction=1, shuffle=True, seed=1)
    assert reasons(frame) == {"A": WANTED, "B": WANTED, "C": LATER.format(2)}


def test_a_symbol_rests_after_its_fit_for_as_many_sessions_as_are_set() -> None:
    frame = candidates(A=REPORT - timedelta(days=20), B=REPORT - timedelta(days=21), C=None)
    assert reasons(frame) == {"A": COOLING.format(21), "B": WANTED, "C": WANTED}
    assert reasons(frame, limits=Limits(5, 0))["A"] == WANTED


def test_what_was_asked_or_is_being_fitted_is_not_asked_again() -> None:
    frame = candidates(A=None, B=None, C=None, D=None)
    asked = [f"A@pooled-v1@{REPORT}", f"C@pooled-v1@{REPORT - timedelta(days=7)}"]
    assert reasons(frame, asked=asked, running=["B"]) == {
        "A": ASKED, "B": RUNNING, "C": WANTED, "D": LATER.format(2),
    }  # fmt: skip
    assert WANTED not in reasons(frame, running=["X", "Y", "Z"]).values(), "the places are taken"


def test_who_would_not_be_helped_is_spared_with_the_reason() -> None:
    frame = candidates(A=None, B=None).with_columns(spared=pl.Series(["it is a baseline", None]))
    assert reasons(frame) == {"A": "it is a baseline", "B": WANTED}


def test_the_sentence_names_some_of_each_reason() -> None:
    frame = candidates(**dict.fromkeys("ABCDEFGHIJ"))
    said = sentence(choose(frame, SESSIONS, (), ("A",), Limits(2, 21)))
    assert said == (
        "10 symbols flagged, 1 asked for now; A: is being fitted;"
        " C, D, E, F, G and 3 more: waits for a later tick: at most 2 at a time"
    )


# -- on the database, as the daemon evaluates it -------------------------------------------------

FLAGGED = 300


@pytest.fixture
def flagged(database_url: str) -> str:
    """A report that flags 300 symbols for the pooled version, and another for a baseline."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds,"
            " description, scope) VALUES"
            " ('pooled-v1', 'pooled', 1, 'candidate', '{price}', 'x', 'pooled'),"
            " ('symbol-v1', 'symbol', 1, 'candidate', '{price}', 'x', 'symbol'),"
            " ('drift', 'drift', 1, 'baseline', '{price}', 'x', NULL)"
        )
        connection.execute(
            "INSERT INTO accuracy.symbol_accuracy (symbol, model_id, kind, event, horizon, period,"
            " period_start, period_end, total_predictions, accurate_predictions, accuracy_rate, n_eff,"
            " posterior_mean, posterior_low, posterior_high, p_below_threshold, avg_confidence,"
            " needs_retraining, threshold) SELECT 'S' || lpad(n::text, 3, '0'),"
            " CASE n WHEN 0 THEN 'drift' ELSE 'pooled-v1' END, 'price', 'within_5pct', 5,"
            " 'rolling_30d', '2024-02-01', '2024-03-01', 21, 4, 0.2, 21, 0.1 + n / 1000.0, 0.1, 0.4,"
            " 0.999, 0.8, true, 0.5 FROM generate_series(0, %s) n",
            [FLAGGED],
        )
    return database_url


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


DEFINITIONS = build_definitions()


def tick(url: str, instance: dg.DagsterInstance) -> Any:
    context = dg.build_sensor_context(
        instance=instance,
        instance_ref=instance.get_ref(),
        definitions=DEFINITIONS,
        resources={"warehouse": Warehouse(url=url)},
    )
    return build_retraining_sensor(()).evaluate_tick(context)


def launch(instance: dg.DagsterInstance, ticked: Any, status: dg.DagsterRunStatus) -> list[str]:
    """Runs as the daemon leaves them, in a status; their symbols."""
    for added in ticked.dynamic_partitions_requests:
        instance.add_dynamic_partitions("symbols", added.partition_keys)
    for request in ticked.run_requests:
        tags = {
            **request.tags,
            "dagster/run_key": request.run_key,
            "dagster/sensor_name": RETRAINING,
        }
        instance.add_run(dg.DagsterRun("fit_symbols", tags=tags, status=status))
    return [request.partition_key for request in ticked.run_requests]


def test_after_a_long_pause_there_is_no_storm(flagged: str, instance: dg.DagsterInstance) -> None:
    seen: list[str] = []
    for _ in range(3):
        ticked = tick(flagged, instance)
        symbols = launch(instance, ticked, dg.DagsterRunStatus.FAILURE)
        assert len(symbols) == 5
        seen += symbols
    assert seen == [f"S{n:03}" for n in range(1, 16)], "worst first, each asked for once"
    assert list(instance.get_dynamic_partitions("symbols")) == seen
    launch(instance, tick(flagged, instance), dg.DagsterRunStatus.STARTED)
    full = tick(flagged, instance)
    assert not full.run_requests
    assert "300 symbols flagged, 0 asked for now" in full.skip_message, "a baseline is not fitted"
    assert "S016, S017, S018, S019, S020: is being fitted" in full.skip_message


def test_a_request_carries_symbol_model_report_and_reason(
    flagged: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_RETRAINING_CAP", "1")
    (request,) = tick(flagged, instance).run_requests
    assert request.run_key == "S001@pooled-v1@2024-03-01"
    assert request.partition_key == "S001"
    (op,) = request.run_config["ops"].values()
    assert op["config"]["through"] == "2024-03-01"
    assert op["config"]["reason"].startswith("pooled-v1, price within_5pct h5: 4 of 21 calls")


def test_a_run_started_by_hand_is_not_doubled(flagged: str, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("symbols", ["S001", "S002", "S003"])
    by_hand = {
        "dagster/asset_partition_range_start": "S001",
        "dagster/asset_partition_range_end": "S002",
    }
    status = dg.DagsterRunStatus.STARTED
    instance.add_run(dg.DagsterRun("fit_symbols", tags=by_hand, status=status))
    asked = [request.partition_key for request in tick(flagged, instance).run_requests]
    assert asked == ["S003", "S004", "S005"], "two of five places are taken"


def test_nothing_flagged_is_said(database_url: str, instance: dg.DagsterInstance) -> None:
    assert tick(database_url, instance).skip_message == "the latest report flags no symbol"
