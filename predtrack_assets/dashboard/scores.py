"""Skill of every model against no_change to date, live and replays apart, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from predtrack_assets.dashboard import numbers
from predtrack_assets.dashboard.blocks import Cell, Column, bars
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.domain.accuracy.rank_intervals import rank_intervals
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import KINDS, PROPER_SCORES, SCORE_NAMES
from predtrack_assets.services.accuracy.period_reports import PeriodReport, period_report
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.accuracy.day_sums import LATEST_DUE_DAY
from predtrack_assets.warehouse.database.transaction import Transaction

ORIGINS = {
    "live": "live: written before the outcome could be known",
    "replay": "replays: recomputed as of their day",
}
TONES = {numbers.BETTER: "good", numbers.WORSE: "bad"}


@dataclass
class Scores:
    """skills: a row per kind, horizon, origin and model; last: the newest due day, None before any."""

    skills: list[dict[str, Any]] = field(default_factory=list)
    buckets: pl.DataFrame = field(default_factory=pl.DataFrame)
    coverage: pl.DataFrame = field(default_factory=pl.DataFrame)
    last: date | None = None

    def of(self, **fields: Any) -> list[dict[str, Any]]:
        """Rows whose fields are these."""
        return [r for r in self.skills if all(r[k] == v for k, v in fields.items())]

    @property
    def origin(self) -> str:
        """What to show first: live forecasts where any has been scored."""
        return "live" if self.of(origin="live") or not self.skills else "replay"


def scores(reading: Reading) -> Scores:
    """The scores to date, computed once for each version of the data."""
    return reading.keep("scores", _scores)


def _scores(transaction: Transaction) -> Scores:
    last = transaction.read(LATEST_DUE_DAY, known_by=date.max).item()
    if last is None:
        return Scores()
    report = period_report(transaction, "to_date", last, by=("origin",))
    return Scores(_skills(report), report.buckets, report.coverage, last)


def _skills(report: PeriodReport) -> list[dict[str, Any]]:
    """Rows of the proper score of each kind beside no_change, with the places they may hold."""
    proper = pl.DataFrame(list(PROPER_SCORES.items()), schema=["kind", "score"], orient="row")
    rows = report.performance.join(proper, on=["kind", "score"], how="semi").filter(
        (pl.col("baseline") == "no_change") & (pl.col("model_id") != "no_change")
    )
    scale = pl.when(pl.col("mean_score_baseline") > 0).then("mean_score_baseline")
    rows = rows.with_columns(
        skill_low=pl.col("difference_low") / scale, skill_high=pl.col("difference_high") / scale
    ).sort("kind", "horizon", "origin", "skill", descending=[False, False, False, True])
    least = get_settings().gate_min_effective
    found = []
    for _, part in rows.group_by("kind", "horizon", "origin", maintain_order=True):
        best, worst = rank_intervals(
            *(
                part[name].cast(pl.Float64).fill_null(float("nan"))
                for name in ("skill_low", "skill_high")
            )
        )
        for row, first, end in zip(part.to_dicts(), best.tolist(), worst.tolist(), strict=True):
            judged = numbers.verdict(row["skill_low"], row["skill_high"], row["n_eff"], least)
            places = {"rank_best": first, "rank_worst": end, "of": len(part)}
            found.append(
                row | places | {"verdict": judged, "is_baseline": row["model_id"] in BASELINES}
            )
    return found


def skill_columns(rows: list[dict[str, Any]]) -> list[Column]:
    """Skill with its interval on a common scale, what it shows, and on how much it rests."""
    bar = bars(rows, "skill_low", "skill", "skill_high")

    def skill(row: Any) -> Cell:
        return Cell(
            numbers.number(row["skill"], sign=True),
            interval(row["skill_low"], row["skill_high"], sign=True),
            bar=bar(row),
        )

    return [
        Column("Skill, 95 % interval", skill, numeric=True),
        Column(
            "Shown",
            lambda r: Cell(r["verdict"], f"place {places(r)}", tone=TONES.get(r["verdict"], "")),
        ),
        Column(
            "n", lambda r: Cell(numbers.count(r["n"]), f"n_eff {numbers.count(r['n_eff'])}"), True
        ),
        Column(
            "Score (lower is better)",
            lambda r: Cell(
                f"{SCORE_NAMES[r['score']]} {numbers.number(r['mean_score'], 4)}",
                f"no_change {numbers.number(r['mean_score_baseline'], 4)}",
            ),
            numeric=True,
        ),
    ]


def places(row: Any) -> str:
    """The places a model may hold: `1 to 3 of 7`."""
    best, worst, of = row["rank_best"], row["rank_worst"], row["of"]
    return f"{best} of {of}" if best == worst else f"{best} to {worst} of {of}"


def interval(low: float | None, high: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """Both ends of an interval."""
    if low is None or high is None or numbers.missing(low) or numbers.missing(high):
        return "no interval: too little evidence"
    return f"{numbers.number(low, digits, sign=sign)} to {numbers.number(high, digits, sign=sign)}"


def percents(low: float | None, high: float | None) -> str:
    """Both ends of an interval of a rate."""
    if low is None or high is None or numbers.missing(low) or numbers.missing(high):
        return "no interval: too little evidence"
    return f"{numbers.percent(low)} to {numbers.percent(high)}"


def sessions(horizon: int) -> str:
    """A horizon in words."""
    return f"{horizon} session{'' if horizon == 1 else 's'} ahead"


def kinds_of(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Kinds that rows have, in their order, with their labels."""
    there = {row["kind"] for row in rows}
    return {name: kind.label for name, kind in KINDS.items() if name in there}
