"""What a symbol's own past says on each day: volatility, drift, momentum, and tallies of outcomes.

Every statistic of column t uses columns t - LOOKBACK .. t only, added in one fixed order or
counted in integers, so that a day computed alone and within a range of years is equal bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import (
    MAX_GAP,
    daily_returns,
    first_touch,
    forward_returns,
    shift,
)

EWMA_LAMBDA = 0.94  # RiskMetrics Technical Document (1996)
MEMORY = 250  # sessions in volatility and drift
WINDOW = 750  # sessions of past decisions in a tally
MIN_RETURNS = 20

EDGES = np.concatenate([[-8.0], np.arange(-6.0, 6.25, 0.25), [8.0]])
"""Edges of the bins of standardised returns; values beyond the ends count in the end bins."""
BINS = len(EDGES) - 1


def lookback(max_horizon: int) -> int:
    """Sessions before a decision day that its statistics may touch."""
    return MEMORY + WINDOW + max_horizon + MAX_GAP + 1


@dataclass(frozen=True)
class Statistics:
    """As-of statistics, each of shape (symbols, sessions), NaN where history is too short.

    sigma: EWMA volatility of daily log price returns (lambda 0.94 over 250 sessions).
    drift: mean of the same returns, unweighted. momentum: log return of 21 sessions.
    reversal: log return of 5 sessions.
    """

    sigma: np.ndarray
    drift: np.ndarray
    momentum: np.ndarray
    reversal: np.ndarray

    @property
    def state(self) -> np.ndarray:
        """Market state of the symbol, 0..3: momentum up or down x last week up or down."""
        return 2 * (self.momentum > 0).astype(np.int8) + (self.reversal > 0).astype(np.int8)


def as_of_statistics(panel: Panel) -> Statistics:
    """Volatility, drift, momentum and reversal of every symbol on every session."""
    returns = daily_returns(panel)
    seen = ~np.isnan(returns)
    values = np.where(seen, returns, 0.0)
    squares = values * values
    weighted, weights = np.zeros_like(values), np.zeros_like(values)
    total, count = np.zeros_like(values), np.zeros(values.shape, dtype=np.int32)
    width = values.shape[1]
    for k in range(min(MEMORY, width)):
        weight = EWMA_LAMBDA**k
        weighted[:, k:] += weight * squares[:, : width - k]
        weights[:, k:] += weight * seen[:, : width - k]
        total[:, k:] += values[:, : width - k]
        count[:, k:] += seen[:, : width - k]
    enough = count >= MIN_RETURNS
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.where(enough & (weighted > 0), np.sqrt(weighted / weights), np.nan)
        drift = np.where(enough, total / count, np.nan)
    return Statistics(
        sigma=sigma,
        drift=drift,
        momentum=shift(forward_returns(panel, 21), 21),
        reversal=shift(forward_returns(panel, 5), 5),
    )


@dataclass(frozen=True)
class EmpiricalCounts:
    """Counts over the past decisions of each requested cell whose result was known by then.

    decisions: int64 (cells,). bins: int64 (cells, BINS) of standardised returns
    ln(S_{t+h}/S_t) / (sigma_t sqrt(h)). up, within, above, below: int64 (cells,), how often the
    price rose, ended within 5 % of where it stood, touched one sigma sqrt(h) above, below.
    above_days, below_days: int64 (cells,), total sessions to those touches.
    """

    decisions: np.ndarray
    bins: np.ndarray
    up: np.ndarray
    within: np.ndarray
    above: np.ndarray
    below: np.ndarray
    above_days: np.ndarray
    below_days: np.ndarray

    def take(self, rows: np.ndarray) -> EmpiricalCounts:
        """The cells of a boolean mask or of numbers."""
        return EmpiricalCounts(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class _Labels:
    """One row per past decision (symbols, sessions): valid, bin and the integers that are tallied."""

    valid: np.ndarray
    bin: np.ndarray
    integers: dict[str, np.ndarray]


def _labels(panel: Panel, statistics: Statistics, horizon: int) -> _Labels:
    returns = forward_returns(panel, horizon)
    spread = statistics.sigma * np.sqrt(horizon)
    standardised = returns / spread
    valid = np.isfinite(standardised)
    bins = np.clip(np.searchsorted(EDGES, standardised, side="left") - 1, 0, BINS - 1)
    above = first_touch(panel, panel.close * np.exp(spread), horizon, "above")
    below = first_touch(panel, panel.close * np.exp(-spread), horizon, "below")
    within = (returns >= -np.log(1.05)) & (returns <= -np.log(0.95))
    integers = {
        "up": returns > 0,
        "within": within,
        "above": above > 0,
        "below": below > 0,
        "above_days": above,
        "below_days": below,
    }
    return _Labels(valid, bins, {k: np.where(valid, v, 0) for k, v in integers.items()})


def _window_sums(values: np.ndarray, columns: np.ndarray, horizon: int) -> np.ndarray:
    """Sums of integers over the WINDOW decisions that ended by each of `columns`; (symbols, days)."""
    running = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=np.int64)
    np.cumsum(values, axis=-1, out=running[..., 1:])
    last = np.maximum(columns - horizon + 1, 0)
    return running[..., last] - running[..., np.maximum(last - WINDOW, 0)]


def tally(
    panel: Panel, statistics: Statistics, horizon: int, rows: np.ndarray, columns: np.ndarray
) -> tuple[EmpiricalCounts, EmpiricalCounts]:
    """Tallies for the cells (rows[i], columns[i]): over all past decisions, and over those made
    in the state that the symbol is in on that day."""
    labels = _labels(panel, statistics, horizon)
    states = statistics.state
    own_state = states[rows, columns]
    unconditional = _tally_where(labels, labels.valid, horizon, rows, columns)
    parts = [
        _tally_where(labels, labels.valid & (states == state), horizon, rows, columns)
        for state in range(4)
    ]
    names = list(EmpiricalCounts.__dataclass_fields__)
    conditional = EmpiricalCounts(
        **{
            name: np.choose(
                own_state if name != "bins" else own_state[:, None],
                [getattr(part, name) for part in parts],
            )
            for name in names
        }
    )
    return unconditional, conditional


def _tally_where(
    labels: _Labels, chosen: np.ndarray, horizon: int, rows: np.ndarray, columns: np.ndarray
) -> EmpiricalCounts:
    days, day_index = np.unique(columns, return_inverse=True)

    def count(values: np.ndarray) -> np.ndarray:
        return _window_sums(np.where(chosen, values, 0), days, horizon)[rows, day_index]

    bins = np.zeros((len(rows), BINS), dtype=np.int64)
    for b in range(BINS):
        bins[:, b] = count(labels.bin == b)
    sums = {name: count(values) for name, values in labels.integers.items()}
    return EmpiricalCounts(
        decisions=count(np.ones(chosen.shape, dtype=np.int64)), bins=bins, **sums
    )
