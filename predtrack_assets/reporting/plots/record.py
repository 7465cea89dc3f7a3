"""Pictures of the whole record: skill, calibration, coverage, equity and symbols.

Each takes a Record and gives a Picture; pages, the dashboard and asset metadata show the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.reliability import Reliability, reliability
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import KINDS, titles
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.calibration import BUCKETS
from predtrack_assets.domain.statistics.effective_size import effective_sample_size
from predtrack_assets.domain.statistics.returns import drawdowns
from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.accuracy import ahead, by_model
from predtrack_assets.reporting.plots.canvas import Picture, nothing
from predtrack_assets.reporting.plots.figures import Line, Ranked
from predtrack_assets.services.accuracy.record import Record

HOLD = "buy and hold"
MODELS = 3  # lines a panel
SETTLING = 26  # weeks of a longer record that are not drawn


def record_pictures(record: Record) -> dict[str, Picture]:
    """Every picture of a record by its name, in the order that pages show them."""
    return {name: draw(record) for name, draw in PICTURES.items()}


def skill(record: Record) -> Picture:
    """Skill of every model but no_change with its interval, one panel a kind."""
    rows = record.board.rows.filter(pl.col("model_id") != "no_change")
    rows = rows.filter(pl.col("skill_vs_no_change_low").is_not_null())
    panels = {}
    for kind in KINDS.values():
        part = rows.filter(pl.col("kind") == kind.name).sort(
            pl.col("role") == "baseline", "model_id", "horizon"
        )
        names = part.select(pl.format("{} · {}", "model_id", "horizon")).to_series().to_list()
        panels[titles()[kind.name]] = Ranked(names, *_skill_bounds(part))
    what = f"Skill against no_change, whole record as of {record.board.day}"
    note = "model · sessions ahead · 95 % · green: better beyond doubt, red: worse, grey: nothing shown"
    return figures.intervals(panels, what, note)


def skill_over_time(record: Record) -> Picture:
    """Skill of the record up to each week, with the interval of the panel's first model."""
    horizon = horizon_of(record)
    rows = record.history.filter(
        pl.col("horizon") == horizon, pl.col("model_id") != "no_change", pl.col("n") > 0
    )
    weeks = rows["as_of_day"].unique().sort()
    if len(weeks) > 2 * SETTLING:  # the first weeks swing so far that nothing else would be seen
        rows = rows.filter(pl.col("as_of_day") >= weeks[SETTLING])
    panels = {
        kind.label: {
            model: _line(part, interval=place == 0)
            for place, (model, part) in enumerate(_leading(record, rows.filter(kind=kind.name)))
        }
        for kind in KINDS.values()
    }
    what = f"Skill of the record so far, {ahead(horizon)}"
    return figures.over_time(
        panels, what, "shade: 95 % of the panel's first model · rule: no skill"
    )


def calibration(record: Record) -> Picture:
    """Reliability of each event over the whole record."""
    horizon = horizon_of(record)
    rows = record.sums.filter(pl.col("scored") > 0, pl.col("horizon") == horizon)
    panels = {
        f"{kind.label} · {model}": reliability_of(part)
        for kind in KINDS.values()
        if kind.event
        for model, part in _leading(record, rows.filter(kind=kind.name))
    }
    return figures.reliability(panels, f"events {ahead(horizon)}, whole record")


def reliability_of(days: pl.DataFrame) -> Reliability:
    """The reliability diagram of one cell's sums per due day."""
    squares = float(days["squared_residual"].sum())
    n_eff = effective_sample_size(days["residual"], days["scored"], days["horizon"][0], squares)
    total = days.sum().row(0, named=True)
    rows, hits, confidence = (
        [total[f"bucket_{b}_{name}"] for b in range(BUCKETS)]
        for name in ("n", "hits", "confidence")
    )
    return reliability(rows, hits, confidence, n_eff)


def coverage(record: Record) -> Picture:
    """Share of due predictions that were validated, month by month, of all models."""
    months = (
        record.sums.group_by("kind", pl.col("due_day").dt.truncate("1mo").alias("month"))
        .agg(pl.col("due", "validated").sum())
        .filter(pl.col("due") > 0)
        .sort("kind", "month")
        .with_columns(share=pl.col("validated") / pl.col("due"))
    )
    lines = {
        KINDS[kind].label: Line(
            part["month"].to_numpy().astype("datetime64[D]"), part["share"].to_numpy()
        )
        for (kind,), part in months.group_by("kind", maintain_order=True)
    }
    if len(months) and (months["share"] == 1).all():
        return Picture("Every prediction that fell due was validated, in every month.")
    note = "validated / due, by month: what no price came for counts against it"
    return figures.over_time({"all kinds": lines}, "Coverage", note, 1.0, share=True)


def equity(record: Record) -> Picture:
    """Return of following each model that ever bought or sold, beside holding the same symbols."""
    note = "return after 10 bp of cost a position · grey: the same symbols held, without cost"
    what = f"Following each model, as of {record.board.day}"
    curves = _curves(record, _earned)
    if not curves:
        return nothing("no model has ever said BUY or SELL")
    return figures.over_time(curves, what, note, share=True, beside=HOLD)


def drawdown(record: Record) -> Picture:
    """What was lost since the highest so far, of the same curves as `equity`."""
    curves = _curves(record, lambda r: -drawdowns(r))
    if not curves:
        return nothing("no model has ever said BUY or SELL")
    what = "Drawdown of the same: loss since the highest so far"
    return figures.over_time(curves, what, "grey: the same symbols held", share=True, beside=HOLD)


def symbols(record: Record) -> Picture:
    """Skill on each symbol of the best model of each kind, shrunken, with its interval."""
    horizon = horizon_of(record)
    panels = {}
    if len(record.symbols):
        rows = record.symbols.filter(
            pl.col("horizon") == horizon,
            pl.col("skill").is_not_null(),
            ~pl.col("model_id").is_in(sorted(BASELINES)),
        )
        for kind in KINDS.values():
            for model, part in _leading(record, rows.filter(kind=kind.name))[:1]:
                part = _ends(part.sort("skill", descending=True))
                bounds = (part[f"skill{end}"].to_numpy() for end in ("", "_low", "_high"))
                panels[f"{kind.label} · {model}"] = Ranked(part["symbol"].to_list(), *bounds)
    what = f"Skill on each symbol, {ahead(horizon)}"
    return figures.intervals(panels, what, "shrunk toward the skill on all symbols · 95 %")


PICTURES: Mapping[str, Callable[[Record], Picture]] = {
    "skill": skill,
    "equity": equity,
    "drawdown": drawdown,
    "skill_over_time": skill_over_time,
    "calibration": calibration,
    "symbols": symbols,
    "coverage": coverage,
}


def horizon_of(record: Record) -> int:
    """The horizon that pictures of one horizon show: the middle one of the record."""
    horizons = sorted(set(record.board.rows["horizon"].to_list()))
    return horizons[len(horizons) // 2] if horizons else 1


def _leading(record: Record, rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Rows of one kind per model: candidates with the best skill first, then baselines; three at most."""
    board = record.board.rows.filter(
        pl.col("role") != "baseline",
        pl.col("horizon") == horizon_of(record),
        pl.col("kind").is_in(rows["kind"].unique().to_list()),
    )
    best = board.sort("skill_vs_no_change", "model_id", descending=[True, False], nulls_last=True)
    return by_model(rows, best["model_id"].to_list(), MODELS)


def _ends(rows: pl.DataFrame, most: int = 12) -> pl.DataFrame:
    """The best and the worst of many rows."""
    if len(rows) <= 2 * most:
        return rows
    return pl.concat([rows.head(most), rows.tail(most)])


def _skill_bounds(rows: pl.DataFrame) -> list[Floats]:
    names = ("", "_low", "_high")
    return [rows[f"skill_vs_no_change{n}"].cast(pl.Float64).to_numpy() for n in names]


def _line(rows: pl.DataFrame, *, interval: bool) -> Line:
    """Skills over report days."""
    rows = rows.sort("as_of_day").with_columns(pl.selectors.float().fill_null(float("nan")))
    days = rows["as_of_day"].to_numpy().astype("datetime64[D]")
    values, low, high = _skill_bounds(rows)
    return Line(days, values, low, high) if interval else Line(days, values)


def _earned(returns: Floats) -> Floats:
    """Return since the beginning (T,) of daily returns."""
    return np.asarray(np.cumprod(1 + returns) - 1, np.float64)


def _curves(record: Record, of: Callable[[Floats], Floats]) -> dict[str, dict[str, Line]]:
    """Curves per kind and horizon of the candidates that traded, then of holding the same symbols."""
    panels: dict[str, dict[str, Line]] = {}
    held: dict[str, Line] = {}
    for (model, kind, horizon), curve in sorted(
        record.equity.items(), key=lambda item: (item[0][1], item[0][2], item[0][0])
    ):
        if model in BASELINES or not curve.gross.any():
            continue
        title = f"{KINDS[kind].label} · {ahead(horizon)}"
        panels.setdefault(title, {})[model] = Line(curve.days, of(curve.strategy))
        held.setdefault(title, Line(curve.days, of(curve.hold)))
    return {
        title: {**dict(list(lines.items())[:MODELS]), HOLD: held[title]}
        for title, lines in panels.items()
    }
