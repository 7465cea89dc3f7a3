"""Fits take turns by day and symbol, find the features of a cell, and say nothing without them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.forecasts.coherence import refuse_incoherent
from predtrack_assets.domain.forecasts.predict import PREDICTIONS, predict
from predtrack_assets.domain.models.baselines import no_change
from predtrack_assets.domain.models.fitted_model import (
    EVERY_SYMBOL,
    POOLED,
    PROCEDURES,
    FeatureTable,
    Fit,
    FittedModel,
)
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, Cells, Forecast, cdf
from predtrack_assets_tests.builders.panels import XNYS, random_panel

NAT = np.datetime64("NaT", "D")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def fit(name: str, after: str, until: str | None = None, scope: str = EVERY_SYMBOL) -> Fit:
    end = NAT if until is None else day(until)
    return Fit(name, scope, day(after), end, no_change)


def model(*fits: Fit, features: FeatureTable | None = None) -> FittedModel:
    none = FeatureTable(np.array([], dtype=object), np.array([], "datetime64[D]"), np.zeros((0, 2)))
    return FittedModel(POOLED, fits, features or none)


def test_a_fit_speaks_after_its_last_day_until_that_of_the_next() -> None:
    fitted = model(fit("a", "2020-01-31", "2020-02-28"), fit("b", "2020-02-28"))
    days = np.array(["2020-01-31", "2020-02-03", "2020-02-28", "2020-03-02"], "datetime64[D]")
    turn = fitted.turns(np.array(["X"] * 4, dtype=object), days)
    assert turn.tolist() == [-1, 0, 0, 1]


def test_a_symbols_own_fit_goes_first_for_that_symbol_only() -> None:
    fitted = model(fit("own", "2020-01-31", scope="X"), fit("all", "2020-01-31"))
    days = np.array(["2020-02-03"] * 2, "datetime64[D]")
    assert fitted.turns(np.array(["X", "Y"], dtype=object), days).tolist() == [0, 1]


def test_features_are_those_of_the_cell_in_any_order() -> None:
    table = FeatureTable(
        np.array(["B", "A", "A"], dtype=object),
        np.array(["1965-01-04", "2020-01-02", "1965-01-04"], "datetime64[D]"),
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    )
    symbols = np.array(["A", "B", "A", "B", "C"], dtype=object)
    days = np.array(
        ["1965-01-04", "1965-01-04", "2020-01-02", "2020-01-02", "2020-01-02"], "datetime64[D]"
    )
    found = table.at(symbols, days)
    assert found[:3].tolist() == [[5.0, 6.0], [1.0, 2.0], [3.0, 4.0]]
    assert np.isnan(found[3:]).all()


def test_the_cdf_meets_its_quantiles_and_has_normal_tails() -> None:
    mean, spread = np.array([0.01, -0.2]), np.array([0.02, 0.3])
    quantiles = mean[:, None] + spread[:, None] * norm.ppf(QUANTILE_LEVELS)
    for level, x in zip(QUANTILE_LEVELS, quantiles.T, strict=True):
        assert cdf(quantiles, x) == pytest.approx([level, level], abs=1e-7)
    for z in (-4.0, -0.3, 0.0, 2.5):
        assert cdf(quantiles, mean + z * spread) == pytest.approx(norm.cdf([z, z]), abs=1e-7)
    assert np.isfinite(cdf(np.zeros((2, 7)), np.array([-1.0, 1.0]))).all()


def test_versions_read_the_features_there_are_and_predict_every_kind() -> None:
    for procedure in PROCEDURES:
        assert procedure.feature_set == STANDARD.id
        assert set(procedure.kinds) == {"price", "direction", "time_to_hit", "volatility"}


def speaking(p_up: float, median: float) -> Fit:
    """A fit that says the same of every cell."""

    def said(cells: Cells) -> Forecast:
        base = no_change(cells)
        parts = {f.name: getattr(base, f.name) for f in fields(Forecast)}
        parts["p_up"] = np.full(len(cells.price), p_up)
        parts["quantiles"] = base.quantiles + median
        return Forecast(**parts)

    return Fit("f@1", EVERY_SYMBOL, day("2000-01-01"), NAT, said)


def predictions(*fits: Fit, features: bool = True) -> pl.DataFrame:
    panel = random_panel(gaps=0.0)
    days = panel.sessions[-2:]
    symbols = np.repeat(panel.symbols, 2).astype(object)
    table = FeatureTable(
        symbols,
        np.tile(days, len(panel.symbols)),
        np.full((len(symbols), 2), 1.0 if features else np.nan),
    )
    return predict(panel, XNYS, days, (5,), (), (model(*fits, features=table),))


def test_predictions_name_their_fit_and_digest_its_features() -> None:
    frame = predictions(speaking(0.6, 0.001))
    assert frame.columns == list(PREDICTIONS)
    assert set(frame["artifact_id"]) == {"f@1"}
    assert set(frame["kind"]) == {"price", "direction", "time_to_hit", "volatility"}
    accepted, refused = refuse_incoherent(frame)
    assert refused.is_empty()
    assert accepted["feature_digest"].null_count() == 0


def test_without_features_nothing_is_said_and_the_reason_is_kept() -> None:
    accepted, refused = refuse_incoherent(predictions(speaking(0.6, 0.001), features=False))
    assert accepted.is_empty()
    assert set(refused["reason"]) == {"no_features"}
    assert len(refused)


def test_without_a_fit_in_force_there_is_no_row() -> None:
    late = Fit("f@1", EVERY_SYMBOL, day("2100-01-01"), NAT, no_change)
    assert predictions(late).is_empty()


@pytest.mark.parametrize(
    ("p_up", "median", "coherent"),
    [
        (0.6, -0.01, False),
        (0.4, 0.01, False),
        (0.51, -0.01, True),
        (0.6, 0.01, True),
        (0.6, 0.0, True),
    ],
)
def test_a_median_against_the_direction_is_refused_beyond_a_tolerance(
    p_up: float, median: float, coherent: bool
) -> None:
    accepted, refused = refuse_incoherent(predictions(speaking(p_up, median)))
    if coherent:
        assert refused.is_empty()
    else:
        assert set(refused["kind"]) == {"price", "direction"}
        assert set(refused["reason"]) == {"median_contradicts_direction"}
        assert {"time_to_hit", "volatility"} <= set(accepted["kind"])


def test_a_touch_after_its_deadline_is_refused() -> None:
    frame = predictions(speaking(0.6, 0.01)).with_columns(
        pl.when(kind="time_to_hit").then(6.0).alias("predicted_days")
    )
    _, refused = refuse_incoherent(frame)
    assert set(refused["reason"]) == {"hit_after_deadline"}
