"""What a model has to show at its gate: daily sums of its scores, and of following its advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.forecasts.hits import correct_call
from predtrack_assets.domain.forecasts.recommendations import advised
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.trading.following import StrategyPnl, daily_returns

BINS = 100  # of the probability, for calibration
CELL = ["model_id", "kind", "horizon"]


@dataclass(frozen=True)
class Scores:
    """Sums of scored predictions per day (T,) on which they were known, days without any left out.

    hits: events that the model called (accuracy); loss_difference: score of no_change minus the model's;
    bins, bin_hits, bin_confidence (T, BINS): rows, events and summed probability per narrow bin.
    """

    days: Days
    count: Floats
    hits: Floats
    loss_difference: Floats
    bins: Floats
    bin_hits: Floats
    bin_confidence: Floats

    def residuals(self) -> tuple[Floats, Floats, Floats]:
        """Sums, numbers and sums of squares (T,) of event minus probability, per day.

        A probability counts as the mean of its bin on that day: off by less than 1 / BINS.
        """
        mean = self.bin_confidence / np.maximum(self.bins, 1)
        squares = self.bin_hits * (1 - 2 * mean) + self.bins * np.square(mean)
        return (self.bin_hits - self.bin_confidence).sum(axis=1), self.count, squares.sum(axis=1)


@dataclass(frozen=True)
class Returns:
    """Daily simple returns (T,) of following the model, and of the benchmarks (T, K), K >= 1.

    gross_exposure: BUY and SELL outstanding on each day; none ever means that nothing was recommended.
    net_exposure: BUY less SELL as a fraction of the capital; the rest of it is cash.
    """

    days: Days
    following: Floats
    benchmarks: Floats
    gross_exposure: Floats
    net_exposure: Floats

    def excess(self, risk_free: float) -> Floats:
        """Returns (T,) above the risk-free return of a day, which the cash beside positions earns.

        following + (1 - net) risk_free - risk_free.
        """
        return self.following - self.net_exposure * risk_free


@dataclass(frozen=True)
class Due:
    """Predictions (T,) that fell due, or were refused, on each day; days without any left out."""

    days: Days
    count: Floats


@dataclass(frozen=True)
class Record:
    """What a model has to show for itself, for one kind and horizon.

    symbol: the one that it is judged on; None: all of them together.
    """

    model_id: str
    horizon: int
    scores: Scores
    returns: Returns
    due: Due
    symbol: str | None = None


def measure(rows: pl.DataFrame) -> pl.DataFrame:
    """Predictions of price and direction with what the gate counts of each.

    Adds called (whether the call was correct: within_5pct of a price, the
    likelier side of a direction), loss_difference (the score of no_change minus the model's own: CRPS of a
    price, Brier of a direction) and position (+1 BUY, -1 SELL, 0 HOLD). rows: kind, horizon,
    confidence, sigma, q50, occurred, brier, brier_no_change, crps, crps_no_change.
    """
    price = pl.col("kind") == "price"
    sigma, horizon = rows["sigma"].to_numpy(), rows["horizon"].to_numpy().astype(np.float64)
    median = rows["q50"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    p_up = rows["confidence"].cast(pl.Float64).to_numpy()
    position = advised(rows["kind"].to_numpy(), median, p_up, sigma, horizon)
    crps = pl.col("crps_no_change") - pl.col("crps")
    brier = pl.col("brier_no_change") - pl.col("brier")
    return rows.with_columns(
        correct_call().alias("called"),
        pl.when(price).then(crps).otherwise(brier).alias("loss_difference"),
        pl.Series("position", position).cast(pl.Int8),
    )


def score_sums(rows: pl.DataFrame) -> Scores:
    """Daily sums of rows (known_day, confidence, occurred, called, loss_difference), one per prediction."""
    rows = rows.select("known_day", "confidence", "occurred", "called", "loss_difference")
    rows = rows.sort(rows.columns)
    days, day = np.unique(rows["known_day"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    values = rows.select(pl.exclude("known_day").cast(pl.Float64)).to_numpy()
    confidence, occurred, called, loss_difference = np.ascontiguousarray(values.T)
    cell = day * BINS + np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    one = np.ones_like(confidence)
    shape = (days.size, BINS)

    def per_day(weights: Floats) -> Floats:
        return np.bincount(day, weights, days.size).astype(np.float64)

    def per_bin(weights: Floats) -> Floats:
        return np.bincount(cell, weights, days.size * BINS).astype(np.float64).reshape(shape)

    sums = [per_day(w) for w in (one, called, loss_difference)]
    binned = [per_bin(w) for w in (one, occurred, confidence)]
    return Scores(days, *sums, *binned)


def add_up(parts: Sequence[Scores]) -> Scores:
    """The sums of several sets of predictions, added in their order."""
    days = np.unique(np.concatenate([part.days for part in parts]))
    sums = []
    for name in [f.name for f in fields(Scores)][1:]:
        total = np.zeros((days.size, *getattr(parts[0], name).shape[1:]))
        for part in parts:
            total[np.searchsorted(days, part.days)] += getattr(part, name)
        sums.append(total)
    return Scores(days, *sums)


class Cell(NamedTuple):
    """A model version, kind and horizon; of one symbol, or of all together (None)."""

    model_id: str
    kind: str
    horizon: int
    symbol: str | None = None


JUDGED = [*CELL, "judged"]  # judged: the symbol of a version that has a fit per symbol, else null


def positions_of(rows: pl.DataFrame, panel: Panel) -> NDArray[np.float64]:
    """Positions (symbols, sessions), NaN where nothing was recommended."""
    matrix = np.full(panel.close.shape, np.nan)
    symbol = np.searchsorted(panel.symbols.astype(str), rows["symbol"].to_numpy().astype(str))
    day = np.searchsorted(panel.sessions, rows["trading_day"].to_numpy().astype("datetime64[D]"))
    inside = day < len(panel.sessions)
    matrix[symbol[inside], day[inside]] = rows["position"].to_numpy()[inside]
    return matrix


def as_returns(
    total: StrategyPnl, open_: NDArray[np.bool_], sessions: Days, index: NDArray[np.float64]
) -> Returns:
    """Returns on the days on which any of the exchanges is open and anything outstanding."""
    active = open_ & (total.capital_deployed > 0)
    following, held = (series[active] for series in daily_returns(total))
    benchmarks = [held]
    if not np.isnan(index).all():
        benchmarks.append(np.nan_to_num(index[active], nan=0.0))
    net = total.net_exposure[active] / total.capital_deployed[active]
    together = np.stack(benchmarks, axis=1)
    return Returns(sessions[active], following, together, total.gross_exposure[active], net)
