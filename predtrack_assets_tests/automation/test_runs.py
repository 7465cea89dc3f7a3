"""Which months a window of days is fitted from, and what cannot be backfilled."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from predtrack_assets.automation import runs
from predtrack_assets.automation.progress import progress_logger
from predtrack_assets.automation.runs import (
    RunReport,
    months_before,
    run_waiting_checks,
    run_window,
    selection_of,
)
from predtrack_assets.days import Window, month_ends
from predtrack_assets.definitions import build_definitions
from predtrack_assets.partitions import MONTHS


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        (date(2011, 3, 1), date(2011, 3, 1), ("2011-02", "2011-02")),
        (date(2011, 3, 31), date(2011, 5, 2), ("2011-02", "2011-04")),
        (date(2011, 1, 3), date(2011, 1, 31), ("2010-12", "2010-12")),
        (date(2000, 1, 3), date(2000, 1, 31), None),  # no month before the first day
        (date(2000, 1, 3), date(2000, 2, 29), ("2000-01", "2000-01")),
    ],
)
def test_days_may_use_the_months_before_theirs(
    first: date, last: date, months: tuple[str, str] | None
) -> None:
    assert months_before(Window(first, last)) == months
    for month in months or ():
        assert MONTHS.has_partition_key(month)


def test_a_month_ends_with_its_last_trading_day() -> None:
    ends = month_ends(date(2021, 4, 1), date(2021, 7, 1))
    assert ends == [date(2021, 4, 30), date(2021, 5, 28), date(2021, 6, 30), date(2021, 7, 30)]


def test_symbols_models_alone_cannot_be_backfilled_over_days() -> None:
    definitions = build_definitions()
    selection = selection_of(["symbol_models"], definitions)
    window = Window(date(2011, 3, 1), date(2011, 3, 1))
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(ValueError, match="nothing of that has days or months"),
    ):
        run_window(definitions, instance, window, selection)


def test_what_models_are_fitted_to_may_begin_before_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans: dict[str, tuple[str, str]] = {}

    def run_range(
        _: object, __: object, name: str, ___: object, span: tuple[str, str], ____: object
    ) -> RunReport:
        spans[name] = span
        return RunReport(name, success=True)

    monkeypatch.setattr(runs, "_run", run_range)
    window = Window(date(2011, 3, 1), date(2011, 3, 31))
    with dg.DagsterInstance.ephemeral() as instance:
        run_window(build_definitions(), instance, window, inputs_from=date(2009, 1, 2))
    assert spans == {
        "backfill_inputs": ("2009-01-02", "2011-03-31"),
        "backfill_fits": ("2011-02", "2011-02"),
        "backfill_results": ("2011-03-01", "2011-03-31"),
    }


@pytest.mark.parametrize("name", ["outcomes", "forecasts/outcomes", "forecasts.outcomes"])
def test_an_asset_has_one_name_in_several_spellings(name: str) -> None:
    definitions = build_definitions()
    chosen = selection_of([name], definitions).resolve(definitions.resolve_asset_graph())
    assert chosen == {dg.AssetKey(["forecasts", "outcomes"])}


def test_a_mistyped_asset_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean market or market_data"):
        selection_of(["markt"], build_definitions())
    with pytest.raises(ValueError, match="did you mean forecasts/predictions"):
        selection_of(["forecasts.prediction"], build_definitions())


def test_checks_that_no_run_has_evaluated_are_run_once() -> None:
    @dg.asset(key=["market", "universe_members"])
    def reference() -> None: ...

    @dg.asset(key=["models", "symbol_models"])
    def fits() -> None: ...

    @dg.asset_check(asset=fits)
    def holds() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    loggers = {"progress": progress_logger}
    defs = dg.Definitions([reference, fits], asset_checks=[holds], loggers=loggers)
    with dg.DagsterInstance.ephemeral() as instance:
        report = run_waiting_checks(defs, instance)
        assert report.success
        assert list(report.materialized) == ["market/universe_members"]
        key = dg.AssetCheckKey(dg.AssetKey(["models", "symbol_models"]), "holds")
        assert key in instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
        assert run_waiting_checks(defs, instance).materialized == {}
