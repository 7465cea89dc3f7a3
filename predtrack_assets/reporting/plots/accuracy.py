"""Plots of the accuracy stage: the latest reports as of a run's last day, at the middle horizon."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.reliability import Reliability, reliability
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import titles
from predtrack_assets.domain.statistics.effective_size import effective_sample_size
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.figures import Picture
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.accuracy import plots as plots
from predtrack_assets.warehouse.accuracy import survival as curves
from predtrack_assets.warehouse.database.transaction import Transaction

Draw = Callable[[Transaction, date], dict[str, Picture]]

ROLLING = timedelta(days=29)
REPORT_AGE = timedelta(days=13)  # the last week's end is no further back
CURVE_AGE = timedelta(days=100)  # the last quarter's end is no further back
HISTORY = timedelta(days=365)
SCORES = titles()


def reliability_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Reliability diagrams of the events of the last 30 days, per kind and model."""
    horizon, rows = _outcomes(transaction, last)
    first = leading(transaction, last, horizon)
    panels = {
        f"{kind} · {model}": _reliability(part, horizon)
        for kind in SCORES
        for model, part in by_model(rows.filter(pl.col("kind") == kind), first[kind], most=3)
    }
    what = f"events {ahead(horizon)}, due {last - ROLLING} to {last}"
    return {"reliability": figures.reliability(panels, what)}


def error_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Histograms of the price errors of the last 30 days, per model."""
    horizon, rows = _outcomes(transaction, last)
    prices = rows.filter(pl.col("relative_error").is_not_null())
    first = leading(transaction, last, horizon)["price"]
    parts = by_model(prices, first, most=6)
    errors = {model: part["relative_error"].to_numpy() for model, part in parts}
    what = f"prices {ahead(horizon)}, due {last - ROLLING} to {last}"
    return {"errors": figures.error_histogram(errors, what)}


def ranking_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Symbols by posterior mean at the latest end of a week, per kind, of two models at most."""
    horizon = middle_horizon()
    first = leading(transaction, last, horizon)
    rows = transaction.read(plots.SYMBOLS, first=last - REPORT_AGE, last=last, horizon=horizon)
    panels = {
        f"{kind} · {model}": figures.Ranked(
            part["symbol"].to_list(),
            *(part[f"posterior_{name}"].to_numpy() for name in ("mean", "low", "high")),
        )
        for kind in SCORES
        for model, part in by_model(rows.filter(pl.col("kind") == kind), first[kind], most=2)
    }
    threshold = get_settings().retraining_threshold
    what = f"symbols {ahead(horizon)}, 30 days as of {last}"
    return {"ranking": figures.ranking(panels, what, threshold)}


def skill_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Rolling skill against no_change over the last year, per kind and model."""
    horizon = middle_horizon()
    first = leading(transaction, last, horizon)
    rows = transaction.read(plots.SKILL, first=last - HISTORY, last=last, horizon=horizon)
    rows = rows.filter(pl.col("model_id") != "no_change")
    panels = {
        title: {
            model: _line(part, interval=place == 0)
            for place, (model, part) in enumerate(
                by_model(rows.filter(pl.col("kind") == kind), first[kind], most=4)
            )
        }
        for kind, title in SCORES.items()
    }
    what = f"Skill against no_change {ahead(horizon)}, as of {last}"
    note = "1 - loss / loss of no_change, rolling 30 days · shade: 95 % of the panel's first model"
    return {"skill": figures.over_time(panels, what, note)}


def survival_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Survival curves of the longest deadline, of the latest report with most predictions."""
    horizon = max(get_settings().horizons)
    span = {"first": last - CURVE_AGE, "last": last}
    rows = transaction.read(curves.CURVES, **span, horizon=horizon)
    first = leading(transaction, last, horizon)["time_to_hit"]
    panels = {model: _curve(part) for model, part in by_model(rows, first, most=6)}
    when = f", made {rows['period_start'][0]} to {rows['period_end'][0]}" if len(rows) else ""
    return {"survival": figures.survival(panels, f"touches within {horizon} sessions{when}")}


def _curve(rows: pl.DataFrame) -> figures.Survival:
    values, lows, highs, baseline, predicted = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in (
            *("survival", "survival_low", "survival_high"),
            *("baseline_survival", "predicted_survival"),
        )
    )
    return figures.Survival(values, lows, highs, baseline, float(predicted[-1]), rows["n"][0])


def _reliability(rows: pl.DataFrame, horizon: int) -> Reliability:
    residual = pl.col("occurred").cast(pl.Float64) - pl.col("confidence")
    residuals = rows.select("due_day", residual=residual)
    per_date = residuals.group_by("due_day").agg(pl.col("residual").sum(), n=pl.len())
    per_date = per_date.sort("due_day")
    squares = float(residuals["residual"].pow(2).sum())
    n_eff = effective_sample_size(per_date["residual"], per_date["n"], horizon, squares)
    return reliability(rows["confidence"], rows["occurred"], n_eff)


def _line(rows: pl.DataFrame, *, interval: bool) -> figures.Line:
    days = rows["period_end"].to_numpy().astype("datetime64[D]")
    values, low, high = (
        rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("skill", "low", "high")
    )
    return figures.Line(days, values, low, high) if interval else figures.Line(days, values)


def leading(transaction: Transaction, last: date, horizon: int) -> dict[str, list[str]]:
    """Of each kind the champion as of a day, then the fitted versions, the newest first."""
    asked = {"last": last, "as_of": as_of(last), "horizon": str(horizon)}
    rows = transaction.read(plots.LEADING, **asked)
    return {kind: rows.filter(kind=kind)["model_id"].to_list() for kind in SCORES}


def by_model(rows: pl.DataFrame, first: Sequence[str], most: int) -> list[tuple[str, pl.DataFrame]]:
    """Rows per model, at most so many models: `first` in their order, then other candidates, then
    baselines; among those the models with most rows before the others."""
    parts = {str(model): part for (model,), part in rows.group_by("model_id", maintain_order=True)}
    named = [model for model in first if model in parts]
    rest = sorted(parts.keys() - set(named), key=lambda m: (m in BASELINES, -len(parts[m]), m))
    return [(model, parts[model]) for model in [*named, *rest][:most]]


def _outcomes(transaction: Transaction, last: date) -> tuple[int, pl.DataFrame]:
    """The horizon, and the validated outcomes due in the 30 days up to `last` as known then."""
    horizon = middle_horizon()
    window = {"first": last - ROLLING, "last": last, "as_of": as_of(last), "horizon": horizon}
    rows = transaction.read(plots.OUTCOMES, **window)
    return horizon, rows.filter(pl.col("status") == "validated")


def middle_horizon() -> int:
    """The horizon that plots show."""
    horizons = get_settings().horizons
    return horizons[len(horizons) // 2]


def ahead(horizon: int) -> str:
    """The horizon in words."""
    return f"{horizon} session{'s' if horizon > 1 else ''} ahead"
