"""Lookahead: every planted leak raises an alarm, the clean pipeline none, the database stays."""

from __future__ import annotations

import signal
import subprocess
import sys

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.cli import prove
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.proofs import checks
from predtrack_assets.proofs.lookahead import lookahead, with_a_future
from predtrack_assets.proofs.stages import STAGES
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.binaries import ServerError
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.scratch import POISONS, Poison, Scratch, scratch_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs.leaks import LEAKS, Plant
from predtrack_assets_tests.proofs.small_market import DAY, FIRST, LAST, SETTINGS


def test_the_clean_pipeline_gives_no_alarm(scratch: Scratch) -> None:
    verdict = lookahead(scratch, SETTINGS, [DAY])
    assert verdict.alarms == []
    assert verdict.holds
    assert verdict.digests == verdict.equal == len(STAGES) * len(POISONS)
    assert verdict.rows > 500, "rows were compared, not their absence"


@pytest.mark.parametrize("plant", LEAKS.values(), ids=LEAKS.keys())
def test_a_planted_leak_is_caught(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, plant: Plant
) -> None:
    plant(monkeypatch)
    poisons: tuple[Poison, ...] = ("nan", "huge", "deleted")
    verdict = lookahead(scratch, SETTINGS, [DAY], poisons=poisons)
    assert not verdict.holds
    assert verdict.equal + len(verdict.alarms) == verdict.digests
    for alarm in verdict.alarms:
        assert alarm.rows > 0
        assert str(DAY) in str(alarm)


def test_only_days_that_something_is_stored_after_are_sampled(market_url: str) -> None:
    days = np.array([DAY, LAST], "datetime64[D]")
    found = with_a_future(Warehouse(url=market_url), days)
    assert found.tolist() == [DAY], "the last day has nothing ahead that could be poisoned"


def test_days_with_nothing_ahead_are_refused_in_words(
    market_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = np.array([LAST], "datetime64[D]")
    monkeypatch.setattr(prove, "_decision_days", lambda *_: last)
    with pytest.raises(ValueError, match=f"nothing is stored after {LAST}"):
        prove.run_lookahead(SETTINGS, market_url, 5, 0, LAST, LAST)


def test_the_check_says_that_nothing_lies_ahead(
    market_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = np.array([LAST], "datetime64[D]")
    monkeypatch.setattr(checks, "_stored_days", lambda _: last)
    results = graph_checks(market_url)
    assert not any(result.passed for result in results)
    assert {result.description for result in results} == {checks.NO_FUTURE}


def graph_checks(url: str) -> list[dg.AssetCheckEvaluation]:
    """What no_lookahead says, run by itself."""
    definitions = dg.Definitions(
        assets=graph.ASSETS,
        asset_checks=[checks.no_lookahead],
        resources={"warehouse": Warehouse(url=url)},
        jobs=[dg.define_asset_job("only", dg.AssetSelection.checks(checks.no_lookahead))],
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = definitions.resolve_job_def("only").execute_in_process(instance=instance)
    return done.get_asset_check_evaluations()


def test_each_poison_spoils_the_future_and_nothing_else(scratch: Scratch, market_url: str) -> None:
    scratch.copy(FIRST, LAST)
    of_bars = "SELECT symbol, trading_day, knowledge_time, close FROM market.market_data"
    stored = graph.frame(market_url, of_bars)
    later = (pl.col("trading_day") > DAY) | (pl.col("knowledge_time") > as_of(DAY))
    past, future = stored.filter(~later), stored.filter(later)
    key = ["symbol", "trading_day", "knowledge_time"]
    assert len(future) > 100
    for poison in POISONS:
        with scratch.transaction() as transaction:
            transaction.poison(poison, DAY, as_of(DAY))
            found = transaction.read(Query(of_bars))
        assert_frame_equal(found.filter(~later).sort(key), past.sort(key))
        spoilt = found.filter(later).sort(key)
        if poison == "deleted":
            assert spoilt.is_empty()
            continue
        assert spoilt.select(key).equals(future.select(key).sort(key))
        changed = spoilt["close"].ne_missing(future.sort(key)["close"])
        assert changed.mean() > 0.9
        if poison == "permuted":
            assert sorted(spoilt["close"]) == sorted(future["close"])
    with scratch.transaction() as transaction:
        assert len(transaction.read(Query(of_bars))) == len(stored), "no poison stays"


def test_only_one_at_a_time_and_nothing_stays(market_url: str, scratch: Scratch) -> None:
    with (
        pytest.raises(ServerError, match="Another lookahead"),
        scratch_database(market_url, PROJECT_ROOT / "sql"),
    ):
        pass


@pytest.mark.slow
def test_a_killed_lookahead_leaves_the_database_as_it_was(market_copy: str) -> None:
    before = graph.contents(market_copy)
    program = "predtrack_assets_tests.proofs.killed_lookahead"
    killed = subprocess.run(
        [sys.executable, "-m", program, market_copy],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert "poisoned" in killed.stdout
    assert graph.contents(market_copy) == before
    left = databases(market_copy)
    with scratch_database(market_copy, PROJECT_ROOT / "sql") as fresh:
        assert fresh.copy(FIRST, LAST) > 0
        assert databases(market_copy) == left, "it took the place of the one that was left"
    assert len(databases(market_copy)) == len(left) - 1


def databases(url: str) -> set[str]:
    found = graph.frame(url, "SELECT datname FROM pg_database WHERE datname LIKE '%%lookahead%%'")
    return set(found["datname"])
