"""Does a model do worse than it showed? An e-process on its score beside the baseline's.

u_t in [-1, 1] is the relative loss difference of due day t, (model - baseline) / (model + baseline),
of the losses summed over symbols: positive where the model was worse. The sessions are cut into
spans. In each span the model is held to the one before, its reference:

    null: E[w_t | past] <= r + margin, w_t = u_t clipped to what the reference saw, r the upper
    end of the two-sided 95 % interval of the reference's mean, on its effective sample size.

Under the null the evidence is expected to be at most 1, at whatever day one looks. Models, kinds and
horizons are many, so those called degraded on a day are chosen by e-BH among all judged then. Where
e-BH rejects anything the mean of the K e-values is 20 at least, and so, if nothing has become worse,
that happens on any day of a span with probability at most 1/20 (Ville, of the mean).

Outcomes of h sessions overlap, so h interleaved processes are averaged, and stakes know only what
had fallen due at the decision (gates.md; Arnold, Henzi & Ziegel 2023). Processes that begin each
month are averaged too, so that a change late in a span is not outweighed by a good start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.diebold_mariano import mean_interval
from predtrack_assets.domain.statistics.e_process import e_process
from predtrack_assets.domain.statistics.effective_size import effective_sample_size
from predtrack_assets.domain.statistics.multiple_testing import e_bh_critical

LEVEL = 0.05  # false discovery rate
RECOVERED_AT = 1.0  # all evidence lost again
START_EVERY = 21  # sessions
CELL = ["model_id", "kind", "horizon"]


@dataclass(frozen=True)
class EProcessPath:
    """Evidence after each due day of a span: days, e_value, largest so far (T,).

    shown: mean of the reference; reference: its due days; ends: the span's last session.
    """

    days: Days
    e_value: Floats
    largest: Floats
    shown: float
    reference: Days
    ends: np.datetime64


@dataclass(frozen=True)
class Verdict:
    """What all models judged in a span say of one of them after each day (T,) that any has results.

    critical: the e-value asked for; since: the day that degradation came to light, NaT where there
    is none.
    """

    days: Days
    critical: Floats
    since: Days


def relative_differences(losses: Floats, baselines: Floats) -> Floats:
    """(model - baseline) / (model + baseline) of summed losses (T,), 0 where both are 0."""
    total = losses + baselines
    return np.divide(losses - baselines, total, out=np.zeros_like(total), where=total > 0)


def courses(
    days: Days, u: Floats, horizon: int, sessions: Days, span: int, margin: float
) -> list[EProcessPath]:
    """The evidence in each span whose reference has enough of a record.

    days: sorted due days (T,); u: relative differences (T,); sessions: all sorted trading days, cut
    into spans of so many from the first. A reference needs results on half of its sessions, for two
    horizons at least, that are not all the same.
    """
    place = np.searchsorted(sessions, days)
    found = []
    for number in np.unique(place // span):
        reference, own = place // span == number - 1, place // span == number
        shown = u[reference]
        if shown.size < max(span // 2, 2 * horizon) or np.ptp(shown) <= 1e-12:
            continue
        start = int(number) * span
        e = _evidence(u[own], place[own] - start, span, shown, horizon, margin)
        found.append(
            EProcessPath(
                days=days[own],
                e_value=e,
                largest=np.maximum.accumulate(np.maximum(e, 1.0)),
                shown=float(shown.mean()),
                reference=days[reference],
                ends=sessions[min(start + span, len(sessions)) - 1],
            )
        )
    return found


def degradation(
    losses: pl.DataFrame, report_days: Days, sessions: Days, span: int, margin: float
) -> pl.DataFrame:
    """Evidence as of each report day, per model, kind and horizon: rows of accuracy.drift_metrics.

    losses: model_id, kind, horizon, due_day, loss, loss_baseline, sums over the symbols that were
    due, known at the end of the due day. The other arguments: see `courses`.
    """
    found: dict[np.datetime64, list[tuple[dict[str, object], EProcessPath]]] = {}
    for key, part in losses.sort(*CELL, "due_day").group_by(CELL, maintain_order=True):
        cell = dict(zip(CELL, key, strict=True))
        days = part["due_day"].to_numpy().astype("datetime64[D]")
        u = relative_differences(part["loss"].to_numpy(), part["loss_baseline"].to_numpy())
        for path in courses(days, u, int(str(cell["horizon"])), sessions, span, margin):
            found.setdefault(path.ends, []).append((cell, path))
    frames = []
    for span_cells in found.values():
        verdicts = judge([path for _, path in span_cells])
        for (cell, path), verdict in zip(span_cells, verdicts, strict=True):
            inside = (report_days >= path.days[0]) & (report_days <= path.ends)
            rows = _rows(path, verdict, report_days[inside])
            labels = {**cell, "name": PROPER_SCORES[str(cell["kind"])]}
            frames.append(rows.with_columns(pl.lit(v).alias(k) for k, v in labels.items()))
    return pl.concat(frames) if frames else pl.DataFrame()


def judge(together: list[EProcessPath]) -> list[Verdict]:
    """e-BH on each day among the courses of one span that have begun by then."""
    days = np.unique(np.concatenate([path.days for path in together]))
    places = [np.searchsorted(path.days, days, side="right") - 1 for path in together]
    e = np.column_stack(
        [
            np.where(at >= 0, path.e_value[at], np.nan)
            for path, at in zip(together, places, strict=True)
        ]
    )
    critical = e_bh_critical(e, LEVEL)
    return [Verdict(days, critical, _since(own, own >= critical, days)) for own in e.T]


def _rows(path: EProcessPath, verdict: Verdict, report_days: Days) -> pl.DataFrame:
    """The course and the verdict as they stood on each report day."""
    at = np.searchsorted(path.days, report_days, side="right") - 1
    judged = np.searchsorted(verdict.days, report_days, side="right") - 1
    since = verdict.since[judged]
    ends = {"reference_start": path.reference[0], "reference_end": path.reference[-1]}
    ends |= {"current_start": path.days[0]}
    return pl.DataFrame(
        {
            "as_of_day": report_days,
            "value": path.e_value[at],
            "p_value": 1 / path.largest[at],
            "drifted": ~np.isnat(since),
            "since": since,
            "critical_value": verdict.critical[judged],
            "current_end": path.days[at],
            "n_current": at + 1,
        }
    ).with_columns(
        pl.lit("performance").alias("subject"),
        pl.lit("e_value").alias("statistic"),
        pl.lit(path.shown).alias("reference_value"),
        pl.lit(len(path.reference)).alias("n_reference"),
        *(pl.lit(day.item()).alias(name) for name, day in ends.items()),
    )


def _upper(shown: Floats, horizon: int) -> float:
    """Upper end of the 95 % interval of the mean of a reference."""
    n_eff = effective_sample_size(shown, np.ones_like(shown), horizon, float(shown @ shown))
    _, high = mean_interval(shown.mean(), shown.std(), n_eff, len(shown) / horizon)
    return float(high)


def _evidence(
    u: Floats, place: Ints, span: int, shown: Floats, horizon: int, margin: float
) -> Floats:
    """Mean e-process (T,), over its starts, that u exceeds what was shown by more than the margin."""
    centre = shown.mean()
    reach = np.abs(shown - centre).max()
    tolerated = max(_upper(shown, horizon), centre) + margin
    clipped = np.clip(u, centre - reach, centre + reach)
    d = np.clip((clipped - tolerated) / (reach + tolerated - centre), -1, 1)
    starts = np.arange(0, span, START_EVERY)[:, None]
    return e_process(np.where(place >= starts, d, 0.0), horizon).mean(axis=0)


def _since(e: Floats, reached: NDArray[np.bool_], days: Days) -> Days:
    """The day that evidence was reached, until it is down to RECOVERED_AT; else NaT."""
    at = np.arange(e.size)
    last_high = np.maximum.accumulate(np.where(reached, at, -1))
    last_low = np.maximum.accumulate(np.where(e <= RECOVERED_AT, at, -1))
    degraded = last_high > last_low
    begins = degraded & ~np.append(False, degraded[:-1])
    first = np.maximum.accumulate(np.where(begins, at, 0))
    return np.where(degraded, days[first], np.datetime64("NaT", "D"))
