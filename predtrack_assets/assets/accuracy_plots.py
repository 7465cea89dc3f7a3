"""Plots of the accuracy stage: the latest reports as of a run's last day, at the middle horizon."""

from collections.abc import Callable
from datetime import date, timedelta

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets import plots
from predtrack_assets.domain.calendar import as_of
from predtrack_assets.domain.intervals import effective_sample_size
from predtrack_assets.domain.models import BASELINES
from predtrack_assets.domain.reliability import Reliability, reliability
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import plotted
from predtrack_assets.warehouse import survival as curves
from predtrack_assets.warehouse.warehouse import Transaction

Draw = Callable[[Transaction, date], dict[str, dg.MarkdownMetadataValue]]

ROLLING = timedelta(days=29)
REPORT_AGE = timedelta(days=13)  # the last week's end is no further back
CURVE_AGE = timedelta(days=100)  # the last quarter's end is no further back
HISTORY = timedelta(days=365)
SCORES = {
    "price": "price: CRPS",
    "direction": "direction: Brier",
    "time_to_hit": "time to hit: Brier",
    "volatility": "volatility: QLIKE",
}


def reliability_plot(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """Reliability diagrams of the events of the last 30 days, per kind and model."""
    horizon, rows = _outcomes(transaction, last)
    panels = {
        f"{kind} · {model}": _reliability(part, horizon)
        for kind in SCORES
        for model, part in _by_model(rows.filter(pl.col("kind") == kind), most=3)
    }
    return {"reliability": plots.reliability(panels, f"events {_ahead(horizon)}")}


def error_plot(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """Histograms of the price errors of the last 30 days, per model."""
    horizon, rows = _outcomes(transaction, last)
    prices = rows.filter(pl.col("relative_error").is_not_null())
    errors = {model: part["relative_error"].to_numpy() for model, part in _by_model(prices, most=6)}
    return {"errors": plots.error_histogram(errors, f"prices {_ahead(horizon)}")}


def ranking_plot(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """Symbols by posterior mean at the latest end of a week, per kind, of the first model."""
    horizon = _horizon()
    rows = transaction.read(plotted.SYMBOLS, first=last - REPORT_AGE, last=last, horizon=horizon)
    panels = {
        f"{kind} · {model}": plots.Ranked(
            part["symbol"].to_list(),
            *(part[f"posterior_{name}"].to_numpy() for name in ("mean", "low", "high")),
        )
        for kind in SCORES
        for model, part in _by_model(rows.filter(pl.col("kind") == kind), most=1)
    }
    threshold = get_settings().retraining_threshold
    return {"ranking": plots.ranking(panels, f"symbols {_ahead(horizon)}", threshold)}


def skill_plot(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """Rolling skill against no_change over the last year, per kind and model."""
    horizon = _horizon()
    rows = transaction.read(plotted.SKILL, first=last - HISTORY, last=last, horizon=horizon)
    rows = rows.filter(pl.col("model_id") != "no_change")
    panels = {
        title: {
            model: _line(part, interval=place == 0)
            for place, (model, part) in enumerate(
                _by_model(rows.filter(pl.col("kind") == kind), most=4)
            )
        }
        for kind, title in SCORES.items()
    }
    note = f"skill against no_change {_ahead(horizon)}, rolling 30 days · shade: the first model's 95 %"
    return {"skill": plots.over_time(panels, "Skill over time", note)}


def survival_plot(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """Survival curves of the longest deadline, of the latest report with most predictions."""
    horizon = max(get_settings().horizons)
    span = {"first": last - CURVE_AGE, "last": last}
    rows = transaction.read(curves.CURVES, **span, horizon=horizon)
    panels = {model: _curve(part) for model, part in _by_model(rows, most=6)}
    when = f" made {rows['period_start'][0]} to {rows['period_end'][0]}" if len(rows) else ""
    return {"survival": plots.survival(panels, f"touches within {horizon} sessions{when}")}


def _curve(rows: pl.DataFrame) -> plots.Survival:
    values, lows, highs, baseline, predicted = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in (
            *("survival", "survival_low", "survival_high"),
            *("baseline_survival", "predicted_survival"),
        )
    )
    return plots.Survival(values, lows, highs, baseline, float(predicted[-1]), rows["n"][0])


def _reliability(rows: pl.DataFrame, horizon: int) -> Reliability:
    per_date = rows.group_by("due_day").agg(hits=pl.col("occurred").sum(), n=pl.len())
    per_date = per_date.sort("due_day")
    n_eff = effective_sample_size(per_date["hits"], per_date["n"], horizon)
    return reliability(rows["confidence"], rows["occurred"], n_eff)


def _line(rows: pl.DataFrame, *, interval: bool) -> plots.Line:
    days = rows["period_end"].to_numpy().astype("datetime64[D]")
    values, low, high = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("skill", "low", "high")
    )
    return plots.Line(days, values, low, high) if interval else plots.Line(days, values)


def _by_model(rows: pl.DataFrame, most: int) -> list[tuple[str, pl.DataFrame]]:
    """Rows per model, at most so many: candidates before baselines, then those with most rows."""
    parts = {str(model): part for (model,), part in rows.group_by("model_id", maintain_order=True)}
    order = sorted(parts, key=lambda model: (model in BASELINES, -len(parts[model]), model))
    return [(model, parts[model]) for model in order[:most]]


def _outcomes(transaction: Transaction, last: date) -> tuple[int, pl.DataFrame]:
    """The horizon, and the validated outcomes due in the 30 days up to `last` as known then."""
    horizon = _horizon()
    window = {"first": last - ROLLING, "last": last, "as_of": as_of(last), "horizon": horizon}
    rows = transaction.read(plotted.OUTCOMES, **window)
    return horizon, rows.filter(pl.col("status") == "validated")


def _horizon() -> int:
    horizons = get_settings().horizons
    return horizons[len(horizons) // 2]


def _ahead(horizon: int) -> str:
    return f"{horizon} session{'s' if horizon > 1 else ''} ahead"
