"""Plots of the accuracy stage: the latest reports as of a run's last day, at the middle horizon."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import Window, last_days_of
from predtrack_assets.domain.accuracy.day_sums import BIN_EDGES, ERROR_BINS, merged
from predtrack_assets.domain.accuracy.performance import performance_analytics
from predtrack_assets.domain.accuracy.reliability import Reliability, reliability
from predtrack_assets.domain.accuracy.report_windows import CELL
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import PROPER_SCORES, titles
from predtrack_assets.domain.statistics.calibration import BUCKETS
from predtrack_assets.domain.statistics.effective_size import effective_sample_size
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.accuracy import plots as plots
from predtrack_assets.warehouse.accuracy import survival as curves
from predtrack_assets.warehouse.accuracy.day_sums import read_sums
from predtrack_assets.warehouse.database.transaction import Transaction

Draw = Callable[[Transaction, date], dict[str, Picture]]

ROLLING = timedelta(days=29)
REPORT_AGE = timedelta(days=13)  # the last week's end is no further back
CURVE_AGE = timedelta(days=100)  # the last quarter's end is no further back
HISTORY = timedelta(days=365)
SCORES = titles()


def sums_plots(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Reliability, errors and skill, of the sums known at the end of a day."""
    horizon = middle_horizon()
    first = leading(transaction, last, horizon)
    sums = read_sums(transaction, last - HISTORY, last, last, horizon=horizon)
    recent = sums.filter(pl.col("due_day") >= last - ROLLING)
    what = f"{ahead(horizon)}, due {last - ROLLING} to {last}"
    return {
        "reliability": figures.reliability(_reliabilities(recent, first), f"events {what}"),
        "errors": figures.error_histogram(_errors(recent, first), f"prices {what}"),
        "skill": _skill(sums, first, last, horizon),
    }


def _reliabilities(sums: pl.DataFrame, first: dict[str, list[str]]) -> dict[str, Reliability]:
    """Of the events per kind and model."""
    rows = merged(sums, CELL).filter(pl.col("scored") > 0)
    return {
        f"{kind} · {model}": _reliability(part)
        for kind in SCORES
        for model, part in by_model(rows.filter(pl.col("kind") == kind), first[kind], most=3)
    }


def _reliability(days: pl.DataFrame) -> Reliability:
    """From one cell's sums per due day."""
    n_eff = effective_sample_size(
        days["residual"], days["scored"], days["horizon"][0], float(days["squared_residual"].sum())
    )
    total = days.sum().row(0, named=True)
    rows, hits, confidence = (
        [total[f"bucket_{b}_{name}"] for b in range(BUCKETS)]
        for name in ("n", "hits", "confidence")
    )
    return reliability(rows, hits, confidence, n_eff)


def _errors(sums: pl.DataFrame, first: dict[str, list[str]]) -> dict[str, figures.Errors]:
    """Histograms of the price errors per model."""
    rows = merged(sums, CELL).filter(pl.col("kind") == "price", pl.col("errors") > 0)
    panels = {}
    for model, part in by_model(rows, first["price"], most=6):
        total = part.sum().row(0, named=True)
        counts = np.array([total[f"error_bin_{b}"] for b in range(ERROR_BINS)], np.int64)
        panels[model] = figures.Errors(counts, BIN_EDGES, total["error"] / total["errors"])
    return panels


def _skill(sums: pl.DataFrame, first: dict[str, list[str]], last: date, horizon: int) -> Picture:
    """Skill against no_change of the 30 days up to each end of a week of the last year, and to today."""
    days = last_days_of("W", Window(last - HISTORY, last).days)
    days = np.union1d(days, np.array([last], "datetime64[D]"))
    rows = performance_analytics(sums, days, "rolling_30d").filter(
        pl.col("baseline") == "no_change",
        pl.col("model_id") != "no_change",
        pl.col("mean_score_baseline") > 0,
        pl.concat_str("kind", pl.lit(" "), "score").is_in(
            [f"{k} {s}" for k, s in PROPER_SCORES.items()]
        ),
    )
    scale = pl.col("mean_score_baseline")
    rows = rows.with_columns(
        low=pl.col("difference_low") / scale, high=pl.col("difference_high") / scale
    )
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
    return figures.over_time(panels, what, note)


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


def middle_horizon() -> int:
    """The horizon that plots show."""
    horizons = get_settings().horizons
    return horizons[len(horizons) // 2]


def ahead(horizon: int) -> str:
    """The horizon in words."""
    return f"{horizon} session{'s' if horizon > 1 else ''} ahead"
