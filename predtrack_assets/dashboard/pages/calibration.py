"""Do events happen as often as their probabilities ask?"""

from __future__ import annotations

from typing import Any

import polars as pl

from predtrack_assets.dashboard import numbers, pictures
from predtrack_assets.dashboard.blocks import Cell, Column, Form, Grid, Page
from predtrack_assets.dashboard.numbers import count, number, percent
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.dashboard.scores import ORIGINS, percents, scores, sessions
from predtrack_assets.domain.models.kinds import KINDS, WITH_EVENT
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.overview import CALIBRATION

TONES = {"good": "good", "poor": "bad"}


def page(reading: Reading) -> Page:
    """Calibration of every model in its newest 30 days, and one model's reliability to date."""
    reading.only("model", "kind", "horizon", "origin")
    found = scores(reading)
    newest = reading.keep("calibration", lambda t: t.read(CALIBRATION).to_dicts())
    newest = [r for r in newest if r["kind"] in WITH_EVENT]
    cells = found.buckets
    names = cells["model_id"].unique().sort().to_list() if len(cells) else []
    horizons = cells["horizon"].unique().sort().to_list() if len(cells) else []
    kinds = {kind: KINDS[kind].label for kind in WITH_EVENT}
    settings = get_settings()
    middle = settings.horizons[len(settings.horizons) // 2]
    candidates = [r["model_id"] for r in found.skills if not r["is_baseline"]]
    kind = reading.choice("kind", "Kind", kinds, "direction")
    first = [m for m in candidates if _has(cells, m, kind.chosen)]
    model = reading.choice("model", "Model", names, first[0] if first else "")
    horizon = reading.choice(
        "horizon", "Horizon", {str(h): sessions(h) for h in horizons}, str(middle)
    )
    origin = reading.choice("origin", "Forecasts", ORIGINS, found.origin)
    rows: list[dict[str, Any]] = []
    if names:
        rows = cells.filter(
            model_id=model.chosen,
            kind=kind.chosen,
            horizon=int(horizon.chosen),
            origin=origin.chosen,
        ).to_dicts()
    return Page(
        "Calibration",
        _lead(newest),
        [
            Form([kind, horizon, model, origin]),
            _summary([r for r in newest if _is_of(r, kind.chosen, horizon.chosen)], newest),
            pictures.figure(reading, "reliability", "Reliability, last 30 days"),
            _buckets(rows, model.chosen, kind.chosen),
            pictures.figure(reading, "errors", "Errors of prices, last 30 days"),
        ],
    )


def _has(cells: pl.DataFrame, model: str, kind: str) -> bool:
    return bool(len(cells)) and not cells.filter(model_id=model, kind=kind).is_empty()


def _is_of(row: dict[str, Any], kind: str, horizon: str) -> bool:
    return row["kind"] == kind and str(row["horizon"]) == horizon


def _lead(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No forecast with a probability has been scored yet."
    qualities = [r["calibration_quality"] or "insufficient_data" for r in rows]
    judged = [s for s in qualities if s != "insufficient_data"]
    parts = [f"{judged.count(q)} {q}" for q in ("good", "moderate", "poor") if q in judged]
    rest = len(qualities) - len(judged)
    return (
        f"Of {len(qualities)} combinations of model, kind and horizon: {', '.join(parts) or 'none judged'};"
        f" {rest} with too little evidence in 30 days."
    )


def _summary(rows: list[dict[str, Any]], everything: list[dict[str, Any]]) -> Grid:
    def quality(row: Any) -> Cell:
        text = (row["calibration_quality"] or "insufficient_data").replace("_", " ")
        if text == "insufficient data":
            need = max(0.0, 100 - (row["n_eff"] or 0))
            return Cell(text, f"about {need:,.0f} effective rows more" if need else "")
        return Cell(text, f"as of {numbers.day(row['judged_on'])}", tone=TONES.get(text, ""))

    columns = [
        Column("Model", lambda r: Cell(r["model_id"], href=f"/models/{r['model_id']}")),
        Column("Of", lambda r: Cell(r["kind"].replace("_", " "), sessions(r["horizon"]))),
        Column("Quality", quality),
        Column(
            "RMS error, upper 90 %",
            lambda r: Cell(
                number(r["rms_calibration_error"]), f"at most {number(r['rms_calibration_upper'])}"
            ),
            numeric=True,
        ),
        Column("ECE", lambda r: number(r["ece"]), numeric=True),
        Column(
            "n", lambda r: Cell(count(r["total_predictions"]), f"n_eff {count(r['n_eff'])}"), True
        ),
        Column(
            "Miscalibration",
            lambda r: number(r["miscalibration"], 4),
            numeric=True,
        ),
        Column(
            "Discrimination",
            lambda r: Cell(
                number(r["discrimination"], 4), f"of uncertainty {number(r['uncertainty'], 4)}"
            ),
            numeric=True,
        ),
        Column("Covered", lambda r: percent(r["coverage"]), numeric=True),
    ]
    note = (
        "The thirty days to each model's newest due day; the CSV has every kind and horizon."
        " Brier score = miscalibration - discrimination"
        " + uncertainty. ECE is biased upward for few rows; the RMS error is not."
    )
    empty = "Nothing has been scored yet: `predtrack demo`, or wait until a forecast falls due."
    return Grid("calibration", "Calibration of each model", columns, rows, empty, note, everything)


def _buckets(rows: list[dict[str, Any]], model: str, kind: str) -> Grid:
    columns = [
        Column("Probability", lambda r: f"{r['bucket_low']} to {r['bucket_high']}{numbers.THIN}%"),
        Column("Predicted, mean", lambda r: percent(r["expected_accuracy"]), numeric=True),
        Column(
            "Occurred, 95 % interval",
            lambda r: Cell(
                percent(r["actual_accuracy"]), percents(r["actual_low"], r["actual_high"])
            ),
            numeric=True,
        ),
        Column("n", lambda r: count(r["prediction_count"]), numeric=True),
    ]
    event = KINDS[kind].event
    note = f"Event: {event}. Intervals: Wilson, on each bucket's share of n_eff."
    empty = "No row of this choice has been scored. Choose another model, kind, horizon or origin."
    return Grid(
        "buckets", f"Reliability of {model or 'a model'} to date", columns, rows, empty, note
    )
