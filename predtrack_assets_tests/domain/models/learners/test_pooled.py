"""Pooled fits: coherent, honest about their cutoff, the same after they were stored."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.pooled import (
    FAMILIES,
    PooledFit,
    PooledForecast,
    fit_pooled,
)
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, all_of


def said(fit: PooledFit, data: TrainingData, horizon: int) -> PooledForecast:
    return fit.predict(data.features, data.sigma, data.drift, horizon)


def assert_equal(one: PooledForecast, other: PooledForecast) -> None:
    for field in fields(PooledForecast):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize("horizon", HORIZONS)
def test_forecasts_cohere(
    fit: PooledFit, planted: TrainingData, cutoff: np.datetime64, horizon: int
) -> None:
    found = said(fit, planted, horizon)
    for field in fields(PooledForecast):
        assert np.isfinite(getattr(found, field.name)).all()
    assert (np.diff(found.quantiles, axis=1) >= 0).all()
    median = found.quantiles[:, 3]
    assert (median[found.p_up > 0.5] >= 0).all()
    assert (median[found.p_up < 0.5] <= 0).all()
    for p in (found.p_up, found.p_hit_above, found.p_hit_below):
        assert ((p > 0) & (p < 1)).all()
    for days in (found.hit_days_above, found.hit_days_below):
        assert ((days >= 1) & (days <= horizon)).all()
    assert (found.volatility > 0).all()


def test_survival_does_not_rise_and_ends_at_p_hit(fit: PooledFit, planted: TrainingData) -> None:
    found = said(fit, planted, 5)
    x = fit.inputs(planted.features, planted.sigma, planted.drift)
    for side, p_hit in (("above", found.p_hit_above), ("below", found.p_hit_below)):
        alive = fit.at(5).survival(x, side)
        assert (np.diff(alive, axis=1) <= 0).all()
        np.testing.assert_array_equal(1.0 - alive[:, -1], p_hit)


def test_levels_fit_the_days_after_the_cutoff(
    fit: PooledFit, planted: TrainingData, cutoff: np.datetime64
) -> None:
    later = planted.take(planted.day > cutoff)
    found = said(fit, later, 1)
    returns, _ = later.labels["return", 1]
    known = np.isfinite(returns)
    for level, column in ((0.05, 0), (0.25, 2), (0.75, 4), (0.95, 6)):
        below = (returns[known] < found.quantiles[known, column]).mean()
        assert abs(below - level) < 0.05
    touched = later.labels["hit_above", 1][0][known] > 0
    assert abs(found.p_hit_above[known].mean() - touched.mean()) < 0.05
    realised = np.sqrt(np.mean(returns[known] ** 2))
    assert 0.8 < np.sqrt(np.mean(found.volatility[known] ** 2)) / realised < 1.25


def test_a_row_is_forecast_the_same_alone_and_among_others(
    fit: PooledFit, planted: TrainingData
) -> None:
    whole = said(fit, planted, 5)
    for rows in (np.arange(7, 8), np.arange(0, 999, 3), np.arange(5, 42)):
        part = said(fit, planted.take(rows), 5)
        assert_equal(
            part,
            PooledForecast(**{f.name: getattr(whole, f.name)[rows] for f in fields(whole)}),
        )


def test_bytes_give_the_same_fit_back(fit: PooledFit, planted: TrainingData) -> None:
    content = fit.to_bytes()
    again = PooledFit.from_bytes(content)
    assert again.to_bytes() == content
    assert again.family == fit.family
    assert (again.cutoff, again.columns) == (fit.cutoff, fit.columns)
    for horizon in HORIZONS:
        assert_equal(said(again, planted, horizon), said(fit, planted, horizon))


def test_missing_features_are_forecast_too(fit: PooledFit, planted: TrainingData) -> None:
    blank = replace(planted, features=np.full_like(planted.features, np.nan))
    found = said(fit, blank, 5)
    for field in fields(PooledForecast):
        assert np.isfinite(getattr(found, field.name)).all()


def test_nothing_after_the_cutoff_is_fitted_to(
    planted: TrainingData, cutoff: np.datetime64
) -> None:
    with pytest.raises(ValueError, match="after the cutoff"):
        fit_pooled(planted, HORIZONS, cutoff=cutoff)
    with pytest.raises(ValueError, match=r"labels \w+ \d end after the cutoff"):
        fit_pooled(planted.take(planted.day <= cutoff), HORIZONS, cutoff=cutoff)
    choices = all_of(1, planted, cutoff + 1)
    with pytest.raises(ValueError, match="families chosen at"):
        fit_pooled(planted.known_by(cutoff), HORIZONS, cutoff=cutoff, choices=choices)


def test_the_future_does_not_change_a_fit(planted: TrainingData, cutoff: np.datetime64) -> None:
    future = planted.day > cutoff
    poisoned = replace(
        planted,
        features=np.where(future[:, None], 1e9, planted.features),
        labels={
            key: (np.where(end > cutoff, -1e9, value), end)
            for key, (value, end) in planted.labels.items()
        },
    )
    choices = all_of(2, planted, cutoff)
    clean, other = (
        fit_pooled(data.known_by(cutoff), HORIZONS, cutoff=cutoff, choices=choices)
        for data in (planted, poisoned)
    )
    assert clean.to_bytes() == other.to_bytes()


def test_without_choices_every_family_is_the_simplest(
    planted: TrainingData, cutoff: np.datetime64
) -> None:
    fit = fit_pooled(planted.known_by(cutoff), HORIZONS, cutoff=cutoff)
    assert fit.family == {
        kind: dict.fromkeys(HORIZONS, families[0]) for kind, families in FAMILIES.items()
    }
    assert fit.metrics == []


def test_wrong_requests_are_refused(planted: TrainingData, cutoff: np.datetime64) -> None:
    known = planted.known_by(cutoff)
    fit = fit_pooled(known, HORIZONS, cutoff=cutoff)
    with pytest.raises(ValueError, match="no models for horizon 3"):
        said(fit, planted, 3)
    with pytest.raises(ValueError, match="fitted to 6 columns"):
        fit.predict(planted.features[:, 1:], planted.sigma, planted.drift, 1)
    with pytest.raises(ValueError, match="no labelled rows for horizon 1"):
        fit_pooled(known.take(known.day == cutoff), HORIZONS, cutoff=cutoff)
    choices = all_of(1, planted, cutoff)
    with pytest.raises(ValueError, match="other columns"):
        fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices | {"columns": ["a"]})
    choices["families"]["price"]["1"] = "oracle"
    with pytest.raises(ValueError, match="price has no family 'oracle'"):
        fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "predtrack pooled models 0", "format 'predtrack pooled models 0'"),
        (["models"], None, "'models' is not list"),
        (["cutoff"], "soon", "soon"),
        (["models", 0, "price", "shape", 3], 1e9, "not ascending"),
        (["models", 0, "price", "shape", 3], "1", "holds '1'"),
        (["models", 0, "direction", "score", "type"], "pickle", "unknown type of score 'pickle'"),
        (["models", 0, "direction", "score", "text"], "tree\nnonsense", "not a LightGBM model"),
        (["models", 0, "direction", "score", "text"], "import os", "does not begin with 'tree'"),
        (["models", 0, "volatility", "logs"], [99], "not numbers of columns"),
        (["columns"], ["signal"], "columns, not 3"),
    ],
)
def test_what_is_not_a_fit_is_refused(
    planted: TrainingData, cutoff: np.datetime64, path: list, value: object, message: str
) -> None:
    known = planted.known_by(cutoff)
    known = known.take(known.day > np.unique(known.day)[-40])
    fit = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=all_of(2, planted, cutoff))
    data = json.loads(fit.to_bytes())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        PooledFit.from_bytes(json.dumps(data).encode())


def test_what_is_not_json_is_refused() -> None:
    for content in (b"\x80\x04K\x01.", b"[]", b"not json"):
        with pytest.raises(ValueError):  # noqa: PT011  three parsers, three messages
            PooledFit.from_bytes(content)
