"""Partial pooling: the pooled fit with little data, the symbol's own with much."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.pooled import (
    Correction,
    PooledFit,
    PooledForecast,
    fit_pooled,
)
from predtrack_assets.domain.models.learners.symbol import PRIOR, SymbolFit, fit_symbol
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, simulated


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return simulated(sessions=1500, seed=5)


@pytest.fixture(scope="module")
def cutoff(data: TrainingData) -> np.datetime64:
    return data.day[-1] + 30


@pytest.fixture(scope="module")
def pooled(data: TrainingData, cutoff: np.datetime64) -> PooledFit:
    return fit_pooled(data, HORIZONS, cutoff=cutoff)


def of(data: TrainingData, symbol: str) -> TrainingData:
    return data.take(data.symbol == symbol)


def calm(data: TrainingData) -> TrainingData:
    """A symbol whose outcomes are half as wide, always up, and touch nothing."""
    change = {
        "return": lambda v: np.abs(v) / 2,
        "volatility": lambda v: v / 2,
        "up": lambda v: v * 0 + 1,
        "hit_above": lambda v: v * 0,
        "hit_below": lambda v: v * 0,
    }
    labels = {(n, h): (change[n](v), end) for (n, h), (v, end) in data.labels.items()}
    return replace(data, labels=labels)


def test_without_data_of_its_own_a_symbol_is_forecast_as_any_other(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    own = of(data, "S01")
    fit = fit_symbol(own.take(own.day == own.day[-1]), pooled, cutoff=cutoff)
    assert set(fit.corrections.values()) == {Correction()}
    for horizon in HORIZONS:
        mine, theirs = (
            f.predict(own.features, own.sigma, own.drift, horizon) for f in (fit, pooled)
        )
        for field in fields(PooledForecast):
            np.testing.assert_array_equal(getattr(mine, field.name), getattr(theirs, field.name))


def test_a_symbol_like_the_others_is_hardly_corrected(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    fit = fit_symbol(of(data, "S01"), pooled, cutoff=cutoff)
    for correction in fit.corrections.values():
        assert max(abs(getattr(correction, name)) for name in PRIOR) < 0.25


def test_a_symbol_unlike_the_others_is_corrected_the_more_the_longer(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    own = calm(of(data, "S01"))
    before = Correction()
    for days in (30, 300, 1400):
        fit = fit_symbol(own.take(np.arange(days)), pooled, cutoff=cutoff)
        after = fit.corrections[1]
        assert after.up > before.up
        assert after.above < before.above
        assert after.below < before.below
        assert after.widening < before.widening
        assert after.variance < before.variance
        before = after
    assert -2 * np.log(2) < before.variance < -1.8 * np.log(2)


def test_corrections_move_the_forecast_and_keep_it_coherent(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    own = calm(of(data, "S01"))
    fit = fit_symbol(own, pooled, cutoff=cutoff)
    mine, theirs = (f.predict(own.features, own.sigma, own.drift, 1) for f in (fit, pooled))
    assert (mine.p_up > theirs.p_up).all()
    assert (mine.p_hit_above < theirs.p_hit_above).all()
    assert (mine.volatility < theirs.volatility).all()
    assert (np.ptp(mine.quantiles, axis=1) < np.ptp(theirs.quantiles, axis=1)).all()
    assert (np.diff(mine.quantiles, axis=1) >= 0).all()
    assert ((mine.quantiles[:, 3] >= 0) == (mine.p_up >= 0.5)).all()


def test_bytes_give_the_same_fit_back(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    own = of(data, "S02")
    fit = fit_symbol(own, pooled, cutoff=cutoff)
    again = SymbolFit.from_bytes(fit.to_bytes())
    assert again.to_bytes() == fit.to_bytes()
    assert (again.symbol, again.cutoff, again.corrections) == ("S02", cutoff, fit.corrections)
    with pytest.raises(ValueError, match="format"):
        SymbolFit.from_bytes(pooled.to_bytes())


def test_wrong_data_are_refused(
    data: TrainingData, pooled: PooledFit, cutoff: np.datetime64
) -> None:
    with pytest.raises(ValueError, match="rows of 4 symbols"):
        fit_symbol(data, pooled, cutoff=cutoff)
    own = of(data, "S01")
    with pytest.raises(ValueError, match="end after the cutoff"):
        fit_symbol(own.take(own.day <= own.day[-20]), pooled, cutoff=own.day[-20])
    with pytest.raises(ValueError, match="pooled models of"):
        fit_symbol(own.known_by(own.day[-1]), pooled, cutoff=own.day[-1])
    renamed = replace(own, columns=tuple(reversed(own.columns)))
    with pytest.raises(ValueError, match="other columns"):
        fit_symbol(renamed, pooled, cutoff=cutoff)
