"""Machine learning: what a champion, or a model that is named, predicts of each symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.recommendations import advised
from predtrack_assets.domain.trading.strategies.view import Signals, View, best

CHAMPION = "champion"


def machine_learning(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long (and short, with `short`) by a model's prediction of the day; own and brought models alike.

    model: `champion` (out of the market while there is none), a model's name, of which the newest
    version that predicted on the day counts, or a version. kind: direction or price; horizon:
    sessions. rule: `band`, the signal that recommendations follow, or `best`, the `top` (0.4) by
    median among those that are more likely to rise.
    """
    kind, horizon = str(parameters.get("kind", "direction")), int(parameters.get("horizon", 21))
    model = _model(view, str(parameters.get("model", CHAMPION)), kind, horizon)
    predicted = view.forecasts.filter(
        (pl.col("model_id") == (model or ""))
        & (pl.col("kind") == kind)
        & (pl.col("horizon") == horizon)
    )
    place = {symbol: row for row, symbol in enumerate(view.symbols.tolist())}
    predicted = predicted.filter(pl.col("symbol").is_in(list(place)))
    rows = np.array([place[symbol] for symbol in predicted["symbol"]], dtype=np.int64)
    score = np.full(view.symbols.size, np.nan)
    probability = np.full(view.symbols.size, np.nan)
    direction = np.zeros(view.symbols.size, dtype=np.int8)
    median = predicted["q50"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    confidence = predicted["confidence"].cast(pl.Float64).to_numpy()
    if kind == "direction":
        probability[rows] = confidence
    score[rows] = median if kind == "price" else confidence - 0.5
    if parameters.get("rule", "band") == "best":
        direction[best(score, float(parameters.get("top", 0.4))) & (score > 0)] = 1
    else:
        side = advised(
            predicted["kind"].to_numpy(), median, confidence, predicted["sigma"].to_numpy(),
            predicted["horizon"].cast(pl.Float64).to_numpy(),
        )  # fmt: skip
        direction[rows] = np.nan_to_num(side).astype(np.int8)
    if not parameters.get("short", False):
        direction = np.maximum(direction, 0).astype(np.int8)
    return Signals(score, direction, probability)


def _model(view: View, asked: str, kind: str, horizon: int) -> str | None:
    """The version whose predictions count on the day, None where there is none."""
    if asked == CHAMPION:
        return view.champions.get((kind, horizon))
    versions = [
        model
        for model in view.forecasts["model_id"].unique().to_list()
        if model == asked or model.rpartition("-v")[0] == asked
    ]
    return max(versions, key=lambda model: (len(model), model), default=None)
