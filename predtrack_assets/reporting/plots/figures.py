"""Small pictures with one palette and labels beside the lines.

Every function returns a Picture: a PNG, or a sentence where there is too little to draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.reliability import Reliability
from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.reporting.plots.canvas import (
    COLOURS,
    INK,
    MUTED,
    Drawing,
    Picture,
    drawing,
    name_axes,
    nothing,
    set_footer,
    set_title,
    share_limits,
)

SHOWN = 6  # symbols from either end of a ranking


def reliability(panels: Mapping[str, Reliability], what: str) -> Picture:
    """Hit rate against confidence, one panel per title; bars: the 90 % consistency band."""
    panels = {title: panel for title, panel in panels.items() if panel.rows.size}
    if not panels:
        return nothing("no prediction has been validated in this window")
    with drawing(len(panels), f"Reliability of {what}") as picture:
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
            known = np.isfinite(panel.low)
            axis.vlines(
                panel.confidence[known], panel.low[known], panel.high[known],
                color=COLOURS[0], alpha=0.22, linewidth=5,
            )  # fmt: skip
            outside = (panel.rate < panel.low) | (panel.rate > panel.high)
            size = 6 + 40 * np.sqrt(panel.rows / panel.rows.sum())
            colours = np.where(outside, COLOURS[1], COLOURS[0])
            axis.scatter(panel.confidence, panel.rate, s=size, c=colours, zorder=3, linewidths=0)
            axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            set_title(axis, title, f"n = {panel.rows.sum():,}")
        name_axes(picture, "confidence", "share that occurred")
        set_footer(picture, "bars: where 90 % of calibrated rates lie · orange: outside")
    return picture.result


@dataclass(frozen=True)
class Errors:
    """counts (bins,): of signed relative errors, outer bins open; edges (bins - 1,): between them;
    mean: the bias."""

    counts: Ints
    edges: Floats
    mean: float


def error_histogram(panels: Mapping[str, Errors], what: str) -> Picture:
    """Signed relative errors as a density, one panel per title; the outer bins as wide again."""
    panels = {title: panel for title, panel in panels.items() if panel.counts.sum()}
    if not panels:
        return nothing("no price has been validated in this window")
    with drawing(len(panels), f"Errors of {what}") as picture:
        far = max(map(_reach, panels.values()))
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            reach = 2 * panel.edges[-1]
            edges = np.concatenate([[-reach], panel.edges, [reach]])
            n = panel.counts.sum()
            axis.stairs(
                panel.counts / n / np.diff(edges), edges, fill=True, color=COLOURS[0], alpha=0.75
            )
            axis.axvline(0, color=MUTED, linewidth=0.8)
            axis.axvline(panel.mean, color=COLOURS[1], linewidth=1.2)
            axis.set(xlim=(-far, far), yticks=[])
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:+.1%}" if value else "0%")
            axis.locator_params(axis="x", nbins=5)
            set_title(axis, title, f"bias {panel.mean:+.2%}, n = {n:,}")
        name_axes(picture, "(predicted - actual) / actual", "density")
        set_footer(picture, "orange: the mean")
    return picture.result


def _reach(panel: Errors) -> float:
    """How far from 0 the bins lie that hold one error in 200 or more."""
    edges = np.concatenate([[-2 * panel.edges[-1]], panel.edges, [2 * panel.edges[-1]]])
    held = panel.counts > panel.counts.sum() / 200
    return float(np.abs(edges[:-1] + edges[1:])[held].max() / 1.5)


@dataclass(frozen=True)
class Ranked:
    """Names and means with their intervals, all (n,), in any order."""

    names: Sequence[str]
    means: Floats
    lows: Floats
    highs: Floats


def ranking(panels: Mapping[str, Ranked], what: str, reference: float = 0.5) -> Picture:
    """The best and the worst rates of each panel with their intervals; a rule at `reference`."""
    panels = {title: panel for title, panel in panels.items() if len(panel.names)}
    if not panels:
        return nothing("no week with results has ended yet")
    most = min(max(len(panel.names) for panel in panels.values()), 2 * SHOWN + 1)
    height = 0.7 + 0.17 * most
    with drawing(len(panels), f"Ranking of {what}", 3.5, height, columns=2) as picture:
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            order = np.argsort(-panel.means, kind="stable")
            chosen = order
            if order.size > 2 * SHOWN:
                chosen = np.concatenate([order[:SHOWN], order[-SHOWN:]])
            _intervals(axis, panel, chosen, gap=order.size > 2 * SHOWN)
            axis.axvline(reference, color=MUTED, linewidth=0.8)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
            axis.locator_params(axis="x", nbins=4)
            set_title(axis, title, f"{order.size:,} symbols")
        name_axes(picture, "share of correct calls")
        _share_scale(picture, panels, reference)
        note = "posterior mean and 95 % interval"
        set_footer(picture, f"{note} · the best and the worst · rule: {reference:.0%}")
    return picture.result


def by_regime(panels: Mapping[str, Ranked], what: str) -> Picture:
    """Rates of each panel with their intervals, in the order given."""
    panels = {title: panel for title, panel in panels.items() if len(panel.names)}
    if not panels:
        return nothing("no month with results has ended yet")
    title = f"Accuracy by market regime of {what}"
    with drawing(len(panels), title, 3.5, height=1.5, columns=2) as picture:
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            _intervals(axis, panel, np.arange(len(panel.names)), gap=False)
            axis.set_xlim(0, 1)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
            axis.locator_params(axis="x", nbins=4)
            set_title(axis, title, "")
        name_axes(picture, "share of correct calls")
        set_footer(picture, "95 % · regime (▲ ▼ unlike the others) · its dates")
    return picture.result


def intervals(
    panels: Mapping[str, Ranked], what: str, note: str, reference: float = 0.0
) -> Picture:
    """Values of each panel with their intervals, in the order given, on one scale; a rule."""
    panels = {title: panel for title, panel in panels.items() if len(panel.names)}
    if not panels:
        return nothing("no score has an interval yet")
    most = max(len(panel.names) for panel in panels.values())
    with drawing(len(panels), what, 3.6, 0.8 + 0.17 * most, columns=2) as picture:
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            _intervals(axis, panel, np.arange(len(panel.names)), gap=False, verdict=reference)
            axis.axvline(reference, color=MUTED, linewidth=0.8)
            axis.locator_params(axis="x", nbins=5)
            set_title(axis, title, "")
        _share_scale(picture, panels, reference)
        set_footer(picture, note)
    return picture.result


def _share_scale(picture: Drawing, panels: Mapping[str, Ranked], reference: float) -> None:
    lows = [reference, *(low for panel in panels.values() for low in panel.lows)]
    highs = [reference, *(high for panel in panels.values() for high in panel.highs)]
    share_limits(picture, lows, highs)


def importance(
    names: Sequence[str], means: Floats, lows: Floats, highs: Floats, what: str, shown: int = 20
) -> Picture:
    """Feature importances with their intervals, the largest first; all (n,)."""
    if not len(names):
        return nothing("no importance has been measured")
    panel = Ranked(names, *(np.asarray(a, np.float64) for a in (means, lows, highs)))
    chosen = np.argsort(-panel.means, kind="stable")[:shown]
    height = 0.9 + 0.17 * chosen.size
    with drawing(1, f"Importance in {what}", width=5.2, height=height) as picture:
        _intervals(picture.axes[0], panel, chosen, gap=False)
        picture.axes[0].axvline(0, color=MUTED, linewidth=0.8)
        rest = len(names) - chosen.size
        set_title(picture.axes[0], "", f"and {rest} smaller ones" if rest > 0 else "")
        name_axes(picture, "loss that a permuted feature adds, as a share of the loss")
        set_footer(picture, "95 % intervals")
    return picture.result


def against_critical(
    names: Sequence[str],
    values: Floats,
    critical: Floats,
    beyond: NDArray[np.bool_],
    what: str,
    when: str,
    shown: int = 24,
) -> Picture:
    """Bars of statistics, those beyond in another colour, and each one's critical value; all (n,)."""
    if not len(names):
        return nothing("no report has a reference of three windows yet")
    chosen = np.lexsort((-values, ~beyond))[:shown]
    place = np.arange(chosen.size)
    height = 0.9 + 0.17 * chosen.size
    with drawing(1, f"Drift of features, {when}", width=5.2, height=height) as picture:
        axis = picture.axes[0]
        colours = np.where(beyond, COLOURS[1], COLOURS[0])[chosen]
        axis.barh(place, values[chosen], height=0.6, color=colours, alpha=0.75, linewidth=0)
        axis.vlines(critical[chosen], place - 0.42, place + 0.42, color=INK, linewidth=1)
        axis.set_yticks(place, [str(names[i]) for i in chosen], fontsize=6.5, color=INK)
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(chosen.size - 0.4, -0.6)
        set_title(axis, what[:1].upper() + what[1:], f"{int(beyond.sum())} of {len(names)} drifted")
        name_axes(picture, "distance from the reference period")
        note = (
            "rule: the feature's own critical value · orange: drifted when all are tested at once"
        )
        set_footer(picture, note)
    return picture.result


@dataclass(frozen=True)
class Line:
    """Values over days (T,) datetime64[D], with an interval (lows, highs) or without."""

    days: NDArray[np.datetime64]
    values: Floats
    lows: Floats | None = None
    highs: Floats | None = None


def over_time(
    panels: Mapping[str, Mapping[str, Line]],
    what: str,
    note: str,
    reference: float = 0.0,
    *,
    share: bool = False,
    beside: str | None = None,
) -> Picture:
    """Lines over days, labelled at their ends, one panel per title; a rule at `reference`.

    share: the values are fractions, shown in per cent; beside: name of a line to compare with, grey.
    """
    kept = {
        title: {name: line for name, line in lines.items() if np.isfinite(line.values).any()}
        for title, lines in panels.items()
    }
    kept = {title: lines for title, lines in kept.items() if lines}
    if not kept:
        return nothing("no score has been computed yet")
    names = list(dict.fromkeys(name for lines in kept.values() for name in lines))
    names = [name for name in names if name != beside]
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    colours |= {beside: MUTED} if beside else {}
    with drawing(len(kept), what, width=3.6, columns=2) as picture:
        for axis, (title, lines) in zip(picture.axes, kept.items(), strict=True):
            axis.axhline(reference, color=MUTED, linewidth=0.8)
            for name, line in lines.items():
                _draw_line(axis, line, colours[name])
            _limit(axis, lines, reference)
            if share:
                sign = "+" if reference == 0 else ""
                axis.yaxis.set_major_formatter(
                    lambda value, _, s=sign: f"{value:{s}.0%}" if value else "0%"
                )
            _label_ends(axis, lines, [colours[name] for name in lines])
            _date_axis(axis)
            set_title(axis, title, "")
        set_footer(picture, note)
    return picture.result


@dataclass(frozen=True)
class Survival:
    """Survival at sessions 1 .. H with its interval, and the baseline's, all (H,); the prediction
    at H; n predictions."""

    values: Floats
    lows: Floats
    highs: Floats
    baseline: Floats
    predicted: float
    n: int


def survival(panels: Mapping[str, Survival], what: str) -> Picture:
    """Steps of what was not touched yet, one panel per title, beside the baseline's curve."""
    panels = {title: panel for title, panel in panels.items() if np.isfinite(panel.values).any()}
    if not panels:
        return nothing("no prediction of a touch has been seen for a session")
    with drawing(len(panels), f"Survival of {what}") as picture:
        floor = min(float(np.nanmin([*p.lows, *p.values, p.predicted])) for p in panels.values())
        floor = np.floor(10 * min(max(floor, 0.0), 0.9)) / 10
        for axis, (title, panel) in zip(picture.axes, panels.items(), strict=True):
            sessions = np.arange(panel.values.size + 1)
            values, lows, highs, baseline = (
                np.append(1.0, a) for a in (panel.values, panel.lows, panel.highs, panel.baseline)
            )
            axis.fill_between(
                sessions, lows, highs, step="post", color=COLOURS[0], alpha=0.13, linewidth=0
            )
            axis.step(sessions, values, where="post", color=COLOURS[0], linewidth=1.2)
            axis.plot(sessions, baseline, color=MUTED, linewidth=0.8, linestyle="--")
            axis.plot(sessions[-1], panel.predicted, "o", color=COLOURS[1], markersize=3.5)
            axis.set(ylim=(floor - 0.03, 1.03), xlim=(0, sessions[-1] + 0.4))
            axis.locator_params(axis="y", nbins=4)
            axis.locator_params(axis="x", integer=True, nbins=5)
            set_title(axis, title, f"n = {panel.n:,}")
        name_axes(picture, "sessions after the decision", "share not touched yet")
        note = "dashes: first passage"
        set_footer(picture, f"{note} · shade: 95 % · dot: predicted")
    return picture.result


def walk_forward(ends: NDArray[np.datetime64], scores: Mapping[str, Floats], what: str) -> Picture:
    """Out-of-sample scores of each fold, by the fold's last day (F,), one line per model."""
    lines = {name: Line(np.asarray(ends), np.asarray(v, float)) for name, v in scores.items()}
    level = np.concatenate([np.zeros(0), *(line.values for line in lines.values())])
    reference = float(np.nanmean(level)) if np.isfinite(level).any() else 0.0
    note = "score per fold, lower is better · rule: the mean of all"
    return over_time({what: lines}, f"Walk-forward scores: {what}", note, reference)


# -- drawing -------------------------------------------------------------------------------------


def _intervals(
    axis: Any,
    panel: Ranked,
    chosen: NDArray[np.int64],
    *,
    gap: bool,
    verdict: float | None = None,
) -> None:
    """Dots with intervals from top to bottom, a gap in the middle where some are left out.

    verdict: a value; intervals wholly above it are green, wholly below red, others grey.
    """
    place = np.arange(chosen.size, dtype=float)
    if gap:
        place[SHOWN:] += 0.8
    lows, highs, means = (np.asarray(a)[chosen] for a in (panel.lows, panel.highs, panel.means))
    colours = np.full(chosen.size, COLOURS[0])
    if verdict is not None:
        colours = np.select([lows > verdict, highs < verdict], [COLOURS[2], COLOURS[4]], MUTED)
    axis.hlines(place, lows, highs, color=colours, alpha=0.35, linewidth=2.5)
    axis.scatter(means, place, s=14, c=colours, zorder=3, linewidths=0)
    axis.set_yticks(place, [str(panel.names[i]) for i in chosen], fontsize=6.5, color=INK)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(place[-1] + 0.6, -0.6)


def _draw_line(axis: Any, line: Line, colour: str) -> None:
    if line.lows is not None and line.highs is not None:
        axis.fill_between(line.days, line.lows, line.highs, color=colour, alpha=0.13, linewidth=0)
    marker = "o" if np.isfinite(line.values).sum() < 4 else ""
    axis.plot(line.days, line.values, color=colour, linewidth=1.2, marker=marker, markersize=3)


def _limit(axis: Any, lines: Mapping[str, Line], reference: float) -> None:
    """Limits from the lines and the rule: an interval of little data may be far wider."""
    values = np.concatenate([line.values for line in lines.values()])
    low, high = np.quantile(values[np.isfinite(values)], [0.01, 0.99])
    low, high = min(low, reference), max(high, reference)
    spread = max(high - low, 1e-6)
    axis.set_ylim(low - 0.35 * spread, high + 0.35 * spread)


def _label_ends(axis: Any, lines: Mapping[str, Line], colours: Sequence[str]) -> None:
    """Names at the right edge, moved apart where lines end together."""
    low, high = axis.get_ylim()
    ends = [float(line.values[np.isfinite(line.values)][-1]) for line in lines.values()]
    step = (high - low) * 0.085
    place = np.clip(ends, low, high - step)
    order = np.argsort(place, kind="stable")
    for before, after in pairwise(order):
        place[after] = max(place[after], place[before] + step)
    place -= max(place.max(initial=low) - high, 0.0)
    for name, colour, y in zip(lines, colours, place, strict=True):
        axis.annotate(
            name, (1.01, y), xycoords=("axes fraction", "data"), fontsize=6.5, color=colour,
            va="center", annotation_clip=False,
        )  # fmt: skip


def _date_axis(axis: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=5)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axis.xaxis.get_offset_text().set(fontsize=6.5, color=MUTED)
