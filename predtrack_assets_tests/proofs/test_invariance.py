"""Digests depend on the data alone: not on hash seeds, time zones, threads, order, chunks or kills."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise

import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import Window
from predtrack_assets.domain.audit.replay_comparison import Parity
from predtrack_assets.proofs.replay import replay
from predtrack_assets.proofs.stages import REPLAYED, STAGES
from predtrack_assets.services.features import feature_days
from predtrack_assets.services.forecasts import forecast_days
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.market.epochs import symbol_groups
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs.digests import digests
from predtrack_assets_tests.proofs.small_market import BENCHMARK, DAY, SETTINGS

ASKED = Window(DAY - timedelta(days=5), DAY + timedelta(days=6))
TABLES = [str(stage.table).replace(".", "/") for stage in REPLAYED]
THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@pytest.fixture(scope="module")
def expected(market_url: str) -> dict[str, str]:
    """Digests of the days computed in one go, in this process."""
    return digests(market_url, [ASKED])


def in_a_process_of_its_own(url: str, **environment: str) -> dict[str, str]:
    program = "predtrack_assets_tests.proofs.digests"
    days = [ASKED.start.isoformat(), ASKED.end.isoformat()]
    done = subprocess.run(
        [sys.executable, "-m", program, url, *days],
        cwd=PROJECT_ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "zone", "threads"),
    [("0", "UTC", "1"), ("1", "Asia/Kolkata", "2"), ("random", "America/New_York", "2")],
)
def test_the_process_does_not_matter(
    market_url: str, expected: dict[str, str], seed: str, zone: str, threads: str
) -> None:
    environment = {"PYTHONHASHSEED": seed, "TZ": zone, **dict.fromkeys(THREADS, threads)}
    assert in_a_process_of_its_own(market_url, **environment) == expected


def test_the_order_of_days_does_not_matter(market_url: str, expected: dict[str, str]) -> None:
    days = ASKED.days.tolist()
    stages = tuple(stage for stage in STAGES if stage.stored)
    daily = {str(stage.table): expected[str(stage.table)] for stage in stages}
    backward = [Window(day, day) for day in reversed(days)]
    assert digests(market_url, backward, stages) == daily
    pairs = [Window(a, b) for a, b in pairwise(days)][::2]
    rest = [Window(days[-1], days[-1])] if len(days) % 2 else []
    assert digests(market_url, rest + pairs[::-1], stages) == daily


@pytest.mark.parametrize("rows", [1, 1_000])
def test_the_size_of_chunks_does_not_matter(
    market_url: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(forecast_days, "symbol_groups", functools.partial(symbol_groups, rows=rows))
    monkeypatch.setattr(feature_days, "ROWS_AT_ONCE", rows)
    assert digests(market_url, [ASKED]) == expected


@pytest.mark.slow
def test_a_kill_in_the_middle_does_not_matter(
    market_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "1")
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_BENCHMARK", BENCHMARK)
    graph.run_reference(market_copy)
    days = [ASKED.start.isoformat(), ASKED.end.isoformat()]
    program = "predtrack_assets_tests.assets.killed"
    killed = subprocess.run(
        [sys.executable, "-m", program, market_copy, *days, "forecasts.predictions", "0"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    graph.run(market_copy, ASKED.start, ASKED.end, TABLES)
    found = replay(Warehouse(url=market_copy), SETTINGS, ASKED.start, ASKED.end)
    whole = sum(found.values(), Parity())
    assert whole.holds
    assert whole.compared.total() > 500
