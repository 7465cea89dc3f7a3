"""Gates of strategies: their paper books judged by the criteria of money that models are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment.gates import FAILED, INSUFFICIENT, PASSED, judge_strategy
from predtrack_assets.domain.deployment.track_record import Returns
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.services.deployment.gate_evidence import thresholds
from predtrack_assets.services.trading.strategy_report import StrategyReport
from predtrack_assets.settings import Settings

HARDEST = "buy_and_hold"
"""The baseline that a strategy has to beat beside the benchmark."""


class StrategyGate(NamedTuple):
    """A verdict and, where it is not passed, each criterion with its value, bound and threshold."""

    status: str
    reasons: tuple[str, ...]


def strategy_gates(
    reports: Sequence[StrategyReport], settings: Settings
) -> dict[str, StrategyGate]:
    """The gate of each strategy that is no baseline, on its whole record.

    Growth above the harder of the benchmark and of buy and hold, Sharpe ratio beyond the threshold
    and beyond luck, drawdown: with the limits of the models' gates.
    """
    limits = thresholds(settings)
    held = [r.daily for r in reports if r.strategy_id.startswith(HARDEST)]
    found = {}
    for report in reports:
        if report.record is None or report.strategy_id.startswith(HARDEST):
            continue
        returns = _returns(report.daily, held[0] if held else None)
        criteria = judge_strategy(returns, report.variance, report.record.trials, limits)
        states = {name: str(c.status(name)[0]) for name, c in criteria.items()}
        reasons = tuple(
            f"{name}: {states[name]}, {c.value[0]:.3g}, {limits.level:.0%} bound {c.bound[0]:.3g},"
            f" threshold {c.threshold[0]:.3g} (n {c.n[0]:.0f})"
            for name, c in criteria.items()
            if states[name] != PASSED
        )
        verdict = PASSED if not reasons else INSUFFICIENT
        found[report.strategy_id] = StrategyGate(
            FAILED if FAILED in states.values() else verdict, reasons
        )
    return found


def _returns(daily: pl.DataFrame, held: pl.DataFrame | None) -> Returns:
    """A book's daily returns beside the benchmark's and those of buy and hold, where there are any."""
    own = daily
    columns = ["benchmark"]
    if held is not None:
        other = held.select("trading_day", pl.col("daily_return").alias("held"))
        own = own.join(other, on="trading_day", how="left", maintain_order="left")
        columns.append("held")
    benchmarks: list[Floats] = [
        own[name].cast(pl.Float64).fill_null(0.0).to_numpy()
        for name in columns
        if own[name].null_count() < len(own)
    ]
    days = own["trading_day"].to_numpy().astype("datetime64[D]")
    nothing = np.zeros(days.size)
    return Returns(
        days,
        own["daily_return"].to_numpy(),
        np.stack(benchmarks or [nothing], axis=1),
        own["gross"].fill_null(0.0).to_numpy(),
        own["net"].fill_null(0.0).to_numpy(),
    )
