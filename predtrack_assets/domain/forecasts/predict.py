"""Predictions of the built-in models for every symbol and decision day of a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.identity import SESSION
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.as_of_statistics import Statistics, as_of_statistics, tally
from predtrack_assets.domain.models.baselines import MODELS, Model, base_rates
from predtrack_assets.domain.models.fitted_model import FittedModel, Procedure
from predtrack_assets.domain.models.forecast import (
    QUANTILE_NAMES,
    Cells,
    Forecast,
    target_price,
)
from predtrack_assets.domain.models.kinds import KINDS, OF_THE_PATH
from predtrack_assets.domain.numerics.digest import row_digest
from predtrack_assets.domain.time.calendar import Calendar, as_of_array

EVERY_KIND = "*"  # kind, with horizon 0, of a row that says why a model says nothing of a cell

PREDICTIONS: dict[str, pl.DataType] = {
    "model_id": pl.String(),
    "kind": pl.String(),
    "symbol": pl.String(),
    "trading_day": pl.Date(),
    "as_of": pl.Datetime("us", "UTC"),
    "horizon": pl.Int16(),
    "horizon_unit": pl.String(),
    "due_day": pl.Date(),
    "due_at": pl.Datetime("us", "UTC"),
    "event": pl.String(),
    "confidence": pl.Float64(),
    "reference_price": pl.Float64(),
    "sigma": pl.Float64(),
    "climatology": pl.Float64(),
    "predicted_price": pl.Float64(),
    **{name: pl.Float64() for name in QUANTILE_NAMES},
    "p_within_band": pl.Float64(),
    "target_price": pl.Float64(),
    "side": pl.String(),
    "hit_rule": pl.String(),
    "predicted_days": pl.Float64(),
    "predicted_volatility": pl.Float64(),
    "artifact_id": pl.String(),
    "feature_digest": pl.Int64(),
    "earliest_resolution_time": pl.Datetime("us", "UTC"),
}


def predict(
    panel: Panel,
    exchange: Calendar,
    days: np.ndarray,
    horizons: tuple[int, ...],
    models: tuple[Model, ...] = MODELS,
    fitted: tuple[FittedModel, ...] = (),
) -> pl.DataFrame:
    """Every model's predictions of its kinds for the decision days `days`.

    panel: history on the exchange's sessions from `lookback(max(horizons))` sessions before
    days[0] through days[-1] (datetime64[D]), holding only rows known at the end of each day.
    Where a symbol has a bar but fewer than MIN_RETURNS returns, or does not move, each model has one
    row of EVERY_KIND and horizon 0 instead, with sigma null or 0. Where the due session lies beyond
    the exchange's calendar, due_day is null and nothing is predicted. Nothing is predicted for cells of which
    no fit of a fitted model is in force. Where the fit lacks the features of a cell, its numbers are NaN
    and the digest is null.
    Returns a frame with the columns of PREDICTIONS, one row per model, kind, symbol, day, horizon.
    """
    statistics = as_of_statistics(panel)
    asked = np.isin(panel.sessions, days)
    present, known = np.isfinite(panel.close) & asked[None, :], np.isfinite(statistics.sigma)
    rows, columns = np.nonzero(present & known)
    unknown = np.nonzero(present & ~known)
    frames = _unpredictable(panel, statistics, unknown, (*models, *fitted))
    for horizon in horizons if len(rows) else ():
        frames += _predict_horizon(
            panel, statistics, exchange, horizon, rows, columns, (*models, *fitted)
        )
    return pl.concat([pl.DataFrame(schema=PREDICTIONS), *frames])


def _unpredictable(
    panel: Panel,
    statistics: Statistics,
    at: tuple[np.ndarray, ...],
    models: tuple[Model | FittedModel, ...],
) -> list[pl.DataFrame]:
    """One row per model that would predict cells whose symbols have no volatility yet, or none."""
    still = np.isfinite(statistics.drift[at])  # enough returns, all of them zero
    sigma = pl.Series("sigma", np.where(still, 0.0, np.nan)).fill_nan(None)
    cells = _cells_of(panel, at, horizon=0).with_columns(sigma)
    return _without_prediction(cells, models, EVERY_KIND)


def _cells_of(panel: Panel, at: tuple[np.ndarray, ...], horizon: int) -> pl.DataFrame:
    """symbol, trading_day, as_of, reference_price and horizon of cells of the panel."""
    days = panel.sessions[at[1]]
    return pl.DataFrame(
        {
            "symbol": panel.symbols[at[0]],
            "trading_day": days,
            "as_of": as_of_array(days),
            "reference_price": panel.close[at],
        },
        schema_overrides={"symbol": pl.String},
    ).with_columns(horizon=pl.lit(horizon, pl.Int16), horizon_unit=pl.lit(SESSION))


def _without_prediction(
    cells: pl.DataFrame, models: tuple[Model | FittedModel, ...], kind: str | None = None
) -> list[pl.DataFrame]:
    """Rows of `cells` per model that would predict them, of `kind` or (None) each of its kinds."""
    if cells.is_empty():
        return []
    symbols = cells["symbol"].to_numpy()
    days = cells["trading_day"].to_numpy().astype("datetime64[D]")
    frames = []
    for model in models:
        own = cells
        if isinstance(model, FittedModel):
            own = cells.filter(pl.Series(model.turns(symbols, days) >= 0))
        kinds = model.procedure.kinds if isinstance(model, FittedModel) else model.kinds
        frames += [
            _conform(own.with_columns(model_id=pl.lit(model.model_id), kind=pl.lit(k)))
            for k in ((kind,) if kind else kinds)
        ]
    return frames


def _predict_horizon(
    panel: Panel,
    statistics: Statistics,
    exchange: Calendar,
    horizon: int,
    rows: np.ndarray,
    columns: np.ndarray,
    models: tuple[Model | FittedModel, ...],
) -> list[pl.DataFrame]:
    reached = ~np.isnat(exchange.offset_or_nat(panel.sessions[columns], horizon))
    beyond = (rows[~reached], columns[~reached])
    result = _without_prediction(_cells_of(panel, beyond, horizon), models)
    rows, columns = rows[reached], columns[reached]
    if not len(rows):
        return result
    unconditional, conditional = tally(panel, statistics, horizon, rows, columns)
    at = (rows, columns)
    cells = Cells(
        horizon,
        panel.close[at],
        statistics.sigma[at],
        statistics.drift[at],
        unconditional,
        conditional,
    )
    days = panel.sessions[columns]
    due = exchange.offset(days, horizon)
    common = pl.DataFrame(
        {
            "symbol": panel.symbols[rows],
            "trading_day": days,
            "as_of": as_of_array(days),
            "due_day": due,
            "reference_price": cells.price,
            "sigma": cells.sigma,
            "feature_digest": row_digest(
                cells.price,
                cells.sigma,
                cells.drift,
                statistics.momentum[at],
                statistics.reversal[at],
            ),
        },
        schema_overrides={"symbol": pl.String},
    ).with_columns(pl.lit(horizon, pl.Int16).alias("horizon"))
    common = common.with_columns(
        pl.lit(SESSION).alias("horizon_unit"),
        pl.Series("due_at", exchange.closes_utc(due)).dt.replace_time_zone("UTC"),
        pl.Series("opening", exchange.opens_utc(exchange.offset(days, 1))).dt.replace_time_zone(
            "UTC"
        ),
    )
    for model in models:
        if isinstance(model, FittedModel):
            result += _fitted_frames(common, cells, model)
        else:
            result += _frames(common, cells, model, model.forecast(cells))
    return result


def _fitted_frames(common: pl.DataFrame, cells: Cells, model: FittedModel) -> list[pl.DataFrame]:
    """Frames of the cells with a fit in force, its name and the digest of its features in them."""
    symbols = common["symbol"].to_numpy()
    days = common["trading_day"].to_numpy().astype("datetime64[D]")
    turn = model.turns(symbols, days)
    spoken = np.flatnonzero(turn >= 0)
    if not len(spoken):
        return []
    turn, vectors = turn[spoken], model.features.at(symbols[spoken], days[spoken])
    cells = replace(cells.take(spoken), features=vectors)
    digest = row_digest(cells.price, cells.sigma, cells.drift, *vectors.T)
    known = np.isfinite(vectors).any(axis=1)
    common = common[spoken].with_columns(
        pl.when(pl.Series(known)).then(pl.Series(digest)).alias("feature_digest"),
        pl.Series("artifact_id", model.artifact_ids(turn)),
    )
    return _frames(common, cells, model.procedure, model.forecast(cells, turn))


def _frames(
    common: pl.DataFrame, cells: Cells, model: Model | Procedure, forecast: Forecast
) -> list[pl.DataFrame]:
    """A frame per kind that the model predicts."""
    fields_of = _fields(cells, forecast)
    return [
        _conform(
            common.with_columns(
                pl.lit(model.model_id).alias("model_id"),
                pl.lit(kind).alias("kind"),
                pl.lit(KINDS[kind].event).alias("event"),
                pl.col("opening" if kind in OF_THE_PATH else "due_at").alias(
                    "earliest_resolution_time"
                ),
                *(pl.Series(name, values) for name, values in fields_of[kind].items()),
            )
        )
        for kind in model.kinds
    ]


def _fields(cells: Cells, forecast: Forecast) -> dict[str, dict[str, np.ndarray | None]]:
    """The columns that differ by kind."""
    rates = base_rates(cells.unconditional, forecast.side)
    quantiles = {name: forecast.quantiles[:, i] for i, name in enumerate(QUANTILE_NAMES)}
    return {
        "price": {
            "confidence": np.clip(forecast.p_within_5pct, 0, 1),
            "climatology": rates["within_5pct"],
            "predicted_price": cells.price * np.exp(forecast.quantiles[:, 3]),
            "p_within_band": np.clip(forecast.p_within_band, 0, 1),
            **quantiles,
        },
        "direction": {"confidence": np.clip(forecast.p_up, 0, 1), "climatology": rates["up"]},
        "time_to_hit": {
            "confidence": np.clip(forecast.p_hit, 0, 1),
            "climatology": rates["hit"],
            "target_price": target_price(cells, forecast.side),
            "side": np.where(forecast.side > 0, "above", "below"),
            "hit_rule": np.full(len(cells.price), "touch"),
            "predicted_days": forecast.hit_days,
        },
        "volatility": {"predicted_volatility": forecast.volatility},
    }


def _conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Exactly the columns of PREDICTIONS, absent ones null."""
    absent = [
        pl.lit(None, dtype).alias(n) for n, dtype in PREDICTIONS.items() if n not in frame.columns
    ]
    return frame.with_columns(absent).select(
        pl.col(name).cast(dtype) for name, dtype in PREDICTIONS.items()
    )
