"""Model versions that are fitted ahead of time: which fit is in force on which day, and its forecasts.

A version is a procedure (`pooled-v1`): it is refitted again and again, and its fits take turns.
A day is spoken of by the newest fit that used nothing of that day or later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, Cells, Forecast, band_5pct, cdf
from predtrack_assets.domain.models.kinds import KINDS

if TYPE_CHECKING:
    from predtrack_assets.domain.models.learners.pooled import PooledFit
    from predtrack_assets.domain.models.learners.symbol import SymbolFit

EVERY_SYMBOL = "*"


@dataclass(frozen=True)
class Procedure:
    """A registered version of a way to fit. scope: `pooled` over symbols, or one fit per `symbol`.

    feature_set: name and version of the features it reads. hyperparameters: what is not fitted.
    """

    name: str
    scope: str
    description: str
    hyperparameters: dict[str, Any] = field(hash=False)
    version: int = 1
    role: str = "candidate"
    kinds: tuple[str, ...] = tuple(KINDS)
    feature_set: str = "standard-v1"

    @property
    def model_id(self) -> str:
        """Identity of the version."""
        return f"{self.name}-v{self.version}"


POOLED = Procedure(
    "pooled",
    "pooled",
    "Refitted monthly on all symbols; per kind and horizon the simplest family that none beats.",
    {"refit": "monthly", "families": "chosen yearly by purged walk-forward validation"},
)
SYMBOL = Procedure(
    "symbol",
    "symbol",
    "The pooled fit corrected to one symbol's own past, as far as that past bears it.",
    {"refit": "on demand", "families": "those of the pooled fit"},
)
PROCEDURES = (POOLED, SYMBOL)
TUNED = "pooled_tuned"


def tuned_procedure(version: int, hyperparameters: dict[str, Any]) -> Procedure:
    """A pooled version whose parameters were found by tuning; it exists in the registry alone.

    hyperparameters: `tuned` as in learners/tuned, `tuned_through` (ISO day): not fitted to less.
    """
    return Procedure(
        TUNED,
        "pooled",
        f"The pooled version as tuned through {hyperparameters['tuned_through']}.",
        hyperparameters,
        version,
    )


@dataclass(frozen=True)
class FeatureTable:
    """Feature vectors by symbol and day, to be looked up; values: float64 (n, f).

    symbols (n,), days datetime64[D] (n,), in any order, each pair once.
    """

    symbols: np.ndarray
    days: np.ndarray
    values: np.ndarray

    def at(self, symbols: np.ndarray, days: np.ndarray) -> np.ndarray:
        """The vectors (cells, f) of symbols[i] on days[i], all NaN where there is none."""
        found = np.full((len(symbols), self.values.shape[1]), np.nan)
        if not len(self.symbols):
            return found
        names, code = np.unique(self.symbols.astype(str), return_inverse=True)
        key = _key(code, self.days)
        order = np.argsort(key)
        asked = np.minimum(np.searchsorted(names, symbols.astype(str)), len(names) - 1)
        wanted = _key(asked, days)
        position = order[np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)]
        present = (key[position] == wanted) & (names[asked] == symbols.astype(str))
        found[present] = self.values[position[present]]
        return found


def _key(code: np.ndarray, days: np.ndarray) -> np.ndarray:
    """One number per symbol and day; days before 1970 are negative, none reaches 2**24."""
    return (code.astype(np.int64) << 24) + days.astype("datetime64[D]").astype(np.int64)


@dataclass(frozen=True)
class Fit:
    """One fit of a version and the days on which it is the newest: after < D <= until.

    after: trained_through; until: that of the next fit, NaT while there is none. scope: the symbol
    it was made for, or EVERY_SYMBOL. forecasts: the forecasts of cells that carry features.
    """

    artifact_id: str
    scope: str
    after: np.datetime64
    until: np.datetime64
    predict: Callable[[Cells], Forecast]


@dataclass(frozen=True)
class FittedModel:
    """A version, its fits (a symbol's own before those of all symbols) and the features they read."""

    procedure: Procedure
    fits: tuple[Fit, ...]
    features: FeatureTable

    @property
    def model_id(self) -> str:
        """Identity of the version."""
        return self.procedure.model_id

    def turns(self, symbols: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Position in `fits` of the one in force for each cell (symbols[i], days[i]); -1: none."""
        turn = np.full(len(symbols), -1)
        for number, fit in enumerate(self.fits):
            in_force = (turn < 0) & (days > fit.after)
            if not np.isnat(fit.until):
                in_force &= days <= fit.until
            if fit.scope != EVERY_SYMBOL:
                in_force &= symbols == fit.scope
            turn[in_force] = number
        return turn

    def forecast(self, cells: Cells, turn: np.ndarray) -> Forecast:
        """What the fits say of `cells`, each of its own; NaN where a cell has no features."""
        if cells.features is None:
            raise ValueError("a fitted model needs cells with features")
        known = np.isfinite(cells.features).any(axis=1)
        whole = _nothing(len(turn))
        for number in np.unique(turn[known]):
            rows = np.flatnonzero(known & (turn == number))
            predicted = self.fits[number].predict(cells.take(rows))
            for part in fields(Forecast):
                getattr(whole, part.name)[rows] = getattr(predicted, part.name)
        return whole

    def artifact_ids(self, turn: np.ndarray) -> list[str]:
        """Name of the fit in force for each cell."""
        return [self.fits[number].artifact_id for number in turn]


def pooled_forecast(fit: PooledFit | SymbolFit, cells: Cells) -> Forecast:
    """A fit's word in the fields that predictions have; cells must carry features.

    NaN throughout where the fit was made for other horizons.
    """
    if cells.features is None:
        raise ValueError("a fitted model needs cells with features")
    if cells.horizon not in fit.horizons:
        return _nothing(len(cells.price))
    predicted = fit.predict(cells.features, cells.sigma, cells.drift, cells.horizon)
    median = predicted.quantiles[:, 3]
    low, high = band_5pct(median)
    above = predicted.p_up >= 0.5
    return Forecast(
        quantiles=predicted.quantiles,
        p_within_5pct=cdf(predicted.quantiles, high) - cdf(predicted.quantiles, low),
        p_within_band=cdf(predicted.quantiles, median + cells.spread)
        - cdf(predicted.quantiles, median - cells.spread),
        p_up=predicted.p_up,
        side=np.where(above, 1.0, -1.0),
        p_hit=np.where(above, predicted.p_hit_above, predicted.p_hit_below),
        hit_days=np.where(above, predicted.hit_days_above, predicted.hit_days_below),
        volatility=predicted.volatility,
    )


def _nothing(cells: int) -> Forecast:
    """NaN for every cell."""
    return Forecast(
        **{
            f.name: np.full(
                (cells, len(QUANTILE_LEVELS)) if f.name == "quantiles" else cells, np.nan
            )
            for f in fields(Forecast)
        }
    )
