"""Suites as Dagster runs them."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from dagster._core.instance import InstanceRef

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.engine.adapter import CheckError, Profile
from predtrack_assets.checks.engine.factory import Suite, build_check
from predtrack_assets.checks.engine.profiles import per_day
from predtrack_assets.checks.engine.rules import Rule, none, structural
from predtrack_assets.checks.suites import CHECKS
from predtrack_assets.days import Window
from predtrack_assets.partitions import day_asset
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction

FIRST, LAST = "2024-07-01", "2024-07-10"
RANGE = {
    "dagster/asset_partition_range_start": FIRST,
    "dagster/asset_partition_range_end": LAST,
}
MARKET_DATA = dg.AssetKey(["market", "market_data"])


@day_asset(schema="market", code_version="1")
def market_data() -> None: ...


@day_asset(schema="market", code_version="1", deps=[market_data])
def downstream() -> None: ...


def suite(*rules: Rule, faulty: int = 0) -> Suite:
    """Of market_data, whose profile has `faulty` in the column x on every day of the window."""

    def profile(_transaction: Transaction, days: np.ndarray) -> Profile:
        return Profile(pl.DataFrame({"day": days, "x": np.full(len(days), faulty)}))

    return Suite(tables.MARKET_DATA, profile, rules)


def run(
    url: str, *checks: dg.AssetChecksDefinition, tags: dict[str, str] | None = None, **options: Any
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [market_data, downstream, *checks],
        resources={"warehouse": Warehouse(url=url)},
        tags=RANGE if tags is None else tags,
        **options,
    )


@pytest.mark.parametrize("tags", [RANGE, {"dagster/partition": LAST}], ids=["range", "one day"])
def test_a_check_sees_the_days_of_its_run(database_url: str, tags: dict[str, str]) -> None:
    result = run(database_url, build_check(suite(none("x", "habits", "Habits."))), tags=tags)
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed
    days = (
        1 if "dagster/partition" in tags else len(Window(date(2024, 7, 1), date(2024, 7, 10)).days)
    )
    assert evaluation.metadata["rows_checked"].value == days


def test_run_by_hand_a_check_looks_at_the_latest_thirty_trading_days(database_url: str) -> None:
    (check,) = (c for c in CHECKS if MARKET_DATA in {k.asset_key for k in c.check_keys})
    result = dg.materialize(
        [market_data, check],
        selection=dg.AssetSelection.checks(dg.AssetCheckKey(MARKET_DATA, "no_gaps")),
        resources={"warehouse": Warehouse(url=database_url)},
    )
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("no_gaps", True)
    assert evaluation.metadata["rows_checked"].value == 30


def test_a_failed_structural_check_stops_what_lies_downstream(database_url: str) -> None:
    check = build_check(suite(structural("x", "keys", "Keys."), faulty=1))
    result = run(database_url, check, raise_on_error=False)
    assert not result.success
    materialized = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert materialized == {"market_data"}


def test_a_failed_warning_stops_nothing(database_url: str) -> None:
    result = run(database_url, build_check(suite(none("x", "habits", "Habits."), faulty=1)))
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.success


def test_a_check_that_cannot_be_evaluated_is_an_error_not_a_failed_check(database_url: str) -> None:
    check = build_check(suite(none("absent", "habits", "Habits.")))
    with pytest.raises(CheckError, match="habits"):
        run(database_url, check)
    result = run(database_url, check, raise_on_error=False)
    assert not result.success
    assert not result.get_asset_check_evaluations()


def test_a_check_is_planned_once_for_a_run_of_many_days(
    empty_database_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """Dagster alone plans it once for each day, and never takes those plans back."""
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", empty_database_url)
    ref = InstanceRef.from_dir(str(tmp_path), config_dir=str(PROJECT_ROOT))
    with dg.DagsterInstance.from_ref(ref) as instance:
        run(database_url, build_check(suite(none("x", "habits", "Habits."))), instance=instance)
        key = dg.AssetCheckKey(MARKET_DATA, "habits")
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    assert [(record.status.value, record.partition) for record in history] == [("SUCCEEDED", None)]


def test_days_in_between_count_with_the_trading_day_after_them() -> None:
    days = Window(date(2024, 7, 3), date(2024, 7, 8)).days
    counts = pl.DataFrame(
        {"day": [date(2024, 7, 4), date(2024, 7, 5), date(2024, 7, 7)], "n": [1, 2, 4]}
    )
    assert per_day(days, counts).rows() == [
        (date(2024, 7, 3), 0),
        (date(2024, 7, 5), 3),
        (date(2024, 7, 8), 4),
    ]
