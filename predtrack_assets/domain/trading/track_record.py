"""A strategy's whole record in figures, each with what it rests on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics import returns as ratios
from predtrack_assets.domain.statistics.effective_size import normal_quantile, wilson

LEVEL = 0.95


class TrackRecord(NamedTuple):
    """Of daily returns after cost. Bounds are of 95 %, two-sided; shares are fractions.

    n: days. growth: a year, compound. sharpe: annual, with bounds (Mertens 2002). psr: P(true
    Sharpe > 0). dsr: the same after the best of `trials` was chosen. excess: mean return above the
    benchmark a year, with bounds; NaN without a benchmark. value_at_risk, expected_shortfall: of a
    day, as losses. tail_ratio: 95th percentile over the 5th, as sizes.
    """

    n: int
    total_return: float
    growth: float
    volatility: float
    sharpe: float
    sharpe_low: float
    sharpe_high: float
    psr: float
    dsr: float
    trials: int
    sortino: float
    calmar: float
    max_drawdown: float
    drawdown_days: int
    best_day: float
    worst_day: float
    skewness: float
    kurtosis: float
    value_at_risk: float
    expected_shortfall: float
    tail_ratio: float
    beta: float
    excess: float
    excess_low: float
    excess_high: float


class TradeRecord(NamedTuple):
    """Of closed trades, in money. win_rate with Wilson's bounds; NaN where there is none."""

    trades: int
    win_rate: float
    win_low: float
    win_high: float
    profit_factor: float
    average_win: float
    average_loss: float
    expectancy: float
    payoff: float


def track_record(
    returns: Floats, benchmark: Floats, trials: int, variance: float
) -> TrackRecord | None:
    """The record of daily returns (T,) beside the benchmark's (T,), NaN where it has none.

    trials: strategies of the family that were tried, this one included; variance: of their Sharpe
    ratios a day, never taken below 1 / (T - 1), what luck alone would make it. None for T < 2.
    """
    n = returns.size
    if n < 2:
        return None
    year = np.sqrt(ratios.PERIODS)
    moments = ratios.moments(returns)
    error = float(ratios.sharpe_error(moments)) * normal_quantile(1 - (1 - LEVEL) / 2)
    sharpe = float(moments.sharpe)
    losses = np.sort(returns)
    tail = max(1, int(0.05 * n))
    low, high = np.quantile(returns, [0.05, 0.95])
    beta, excess, excess_error = _against(returns, benchmark)
    spread = max(variance, 1 / (n - 1))
    return TrackRecord(
        n,
        float(np.prod(1 + returns) - 1),
        float(ratios.annual_return(returns)),
        float(returns.std(ddof=1) * year),
        sharpe * year,
        (sharpe - error) * year,
        (sharpe + error) * year,
        float(ratios.probabilistic_sharpe(moments)),
        float(ratios.deflated_sharpe(moments, spread, trials)),
        trials,
        float(ratios.sortino(returns)),
        float(ratios.calmar(returns)),
        float(ratios.max_drawdown(returns)),
        int(ratios.drawdown_duration(returns)),
        float(losses[-1]),
        float(losses[0]),
        float(moments.skewness),
        float(moments.kurtosis),
        float(-low),
        float(-losses[:tail].mean()),
        float(high / -low) if low < 0 else np.nan,
        beta,
        excess,
        excess - excess_error,
        excess + excess_error,
    )


def trade_record(net_pnl: Floats) -> TradeRecord:
    """The record of closed trades by their profit after commission, in money (N,)."""
    wins, losses = net_pnl[net_pnl > 0], net_pnl[net_pnl < 0]
    n = net_pnl.size
    nan = float("nan")
    if not n:
        return TradeRecord(0, nan, nan, nan, nan, nan, nan, nan, nan)
    rate = wins.size / n
    low, high = wilson(rate, n, LEVEL)
    average_win = float(wins.mean()) if wins.size else nan
    average_loss = float(losses.mean()) if losses.size else nan
    factor = float(wins.sum() / -losses.sum()) if losses.size else nan
    expectancy = float(net_pnl.mean())
    return TradeRecord(
        n, rate, float(low), float(high), factor, average_win, average_loss, expectancy,
        average_win / -average_loss,
    )  # fmt: skip


def _against(returns: Floats, benchmark: Floats) -> tuple[float, float, float]:
    """Beta, mean excess return a year, and half the width of its interval."""
    known = np.isfinite(benchmark)
    if known.sum() < 2:
        return np.nan, np.nan, np.nan
    own, other = returns[known], benchmark[known]
    difference = own - other
    spread = float(other.var())
    beta = (
        float(np.mean((own - own.mean()) * (other - other.mean())) / spread) if spread else np.nan
    )
    half = normal_quantile(1 - (1 - LEVEL) / 2) * difference.std(ddof=1) / np.sqrt(known.sum())
    return beta, float(difference.mean() * ratios.PERIODS), float(half * ratios.PERIODS)
