"""Simulated predictions, as many as are asked for, that the table's rules accept."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.domain.time.calendar import as_of_array, calendar

SEED = 9
SYMBOLS, HORIZONS, MODELS = 1_000, (1, 5, 21), 4
FIRST = np.datetime64("2020-01-02")
_KINDS = {"price": "within_5pct", "direction": "up", "time_to_hit": "hit"}
_LEVELS = {
    "q05": -1.64,
    "q10": -1.28,
    "q25": -0.67,
    "q50": 0.0,
    "q75": 0.67,
    "q90": 1.28,
    "q95": 1.64,
}


def simulated_predictions(rows: int, closes: pl.DataFrame | None = None) -> pl.DataFrame:
    """`rows` predictions of the columns of tables.PREDICTIONS, day after day, origin replay.

    closes: symbol, trading_day, close of the bars there are; predictions elsewhere start anywhere.
    """
    exchange = calendar("XNYS")
    random = np.random.default_rng(SEED)
    number = np.arange(rows)
    number, horizon = np.divmod(number, len(HORIZONS))
    number, symbol = np.divmod(number, SYMBOLS)
    number, kind = np.divmod(number, len(_KINDS))
    day, model = np.divmod(number, MODELS)
    days = exchange.offset(np.full(day.max() + 1, FIRST), np.arange(day.max() + 1))[day]
    horizons = np.array(HORIZONS)[horizon]
    due = np.empty_like(days)
    for h in HORIZONS:
        due[horizons == h] = exchange.offset(days[horizons == h], h)
    symbols = np.char.mod("SIM%04d", symbol + 1)
    price = _starts(symbols, days, random.uniform(10, 500, rows), closes)
    sigma = random.uniform(0.01, 0.05, rows)
    kinds = np.array(list(_KINDS))[kind]
    is_price, is_hit = kinds == "price", kinds == "time_to_hit"

    def only(where: np.ndarray, values: np.ndarray) -> pl.Series:
        return pl.Series(values).set(pl.Series(~where), None)

    frame = pl.DataFrame(
        {
            "trading_day": days,
            "symbol": symbols,
            "model_id": np.char.add("bench-", model.astype(str)),
            "kind": kinds,
            "horizon": horizons.astype(np.int16),
            "as_of": as_of_array(days),
            "horizon_unit": np.full(rows, "session"),
            "due_day": due,
            "due_at": as_of_array(due),
            "event": np.array(list(_KINDS.values()))[kind],
            "confidence": random.uniform(size=rows),
            "reference_price": price,
            "sigma": sigma,
            "climatology": random.uniform(size=rows),
            "predicted_price": only(is_price, price),
            **{name: only(is_price, z * sigma) for name, z in _LEVELS.items()},
            "p_within_band": only(is_price, random.uniform(size=rows)),
            "target_price": only(is_hit, price * 1.05),
            "side": only(is_hit, np.full(rows, "above")),
            "hit_rule": only(is_hit, np.full(rows, "touch")),
            "predicted_days": only(is_hit, random.uniform(0.1, 1, rows) * horizons),
            "feature_digest": random.integers(-(2**63), 2**63 - 1, rows),
            "earliest_resolution_time": as_of_array(np.where(is_hit, days, due)),
            "origin": np.full(rows, "replay"),
        }
    ).with_columns(
        pl.col("trading_day", "due_day").cast(pl.Date),
        pl.col("as_of", "due_at", "earliest_resolution_time")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
    )
    absent = (pl.lit(None, t).alias(n) for n, t in PREDICTIONS.items() if n not in frame.columns)
    return frame.with_columns(absent)


def _starts(
    symbols: np.ndarray, days: np.ndarray, other: np.ndarray, closes: pl.DataFrame | None
) -> np.ndarray:
    """The close of each symbol and day, or another price (n,) where there is none."""
    if closes is None:
        return other
    rows = pl.DataFrame({"symbol": symbols, "trading_day": pl.Series(days).cast(pl.Date)})
    found = rows.join(closes, on=["symbol", "trading_day"], how="left", maintain_order="left")
    return found["close"].fill_null(pl.Series(other)).to_numpy()


def simulated_models(predictions: pl.DataFrame) -> pl.DataFrame:
    """The registry's rows of the models that predict: columns of tables.MODEL_REGISTRY."""
    return pl.DataFrame({"model_id": predictions["model_id"].unique().sort()}).with_columns(
        model_name="model_id",
        version=pl.lit(1),
        role=pl.lit("candidate"),
        kinds=pl.lit(list(_KINDS), pl.List(pl.String)),
        description=pl.lit("Simulated."),
        hyperparameters=pl.lit("{}"),
        scope=pl.lit(None, pl.String),
        feature_set=pl.lit(None, pl.String),
        status=pl.lit("live"),
    )


def simulated_symbols(predictions: pl.DataFrame) -> pl.DataFrame:
    """The symbols that are predicted: columns of tables.SYMBOLS."""
    return pl.DataFrame({"symbol": predictions["symbol"].unique().sort()}).with_columns(
        exchange=pl.lit("XNYS"),
        asset_class=pl.lit("stock"),
        currency=pl.lit("USD"),
        source=pl.lit("simulated"),
    )
