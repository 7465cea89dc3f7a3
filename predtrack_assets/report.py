"""What is stored and how good it is, for people at a terminal."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console, Group, RenderableType
from rich.table import Table

from predtrack_assets.domain.calendar import as_of
from predtrack_assets.domain.calibration import calibration_summary
from predtrack_assets.domain.gates import INSUFFICIENT, PASSED
from predtrack_assets.domain.models import BASELINES
from predtrack_assets.domain.performance import performance_analytics
from predtrack_assets.warehouse import gates as decided
from predtrack_assets.warehouse import queries
from predtrack_assets.warehouse import recommendations as recommended
from predtrack_assets.warehouse.gaps import gap_report
from predtrack_assets.warehouse.origins import ORIGINS
from predtrack_assets.warehouse.registry import FITS
from predtrack_assets.warehouse.success import SUCCESS_METRICS
from predtrack_assets.warehouse.warehouse import READER, Warehouse

UNKNOWN = "-"
PROPER = {"price": "crps", "direction": "brier", "time_to_hit": "brier", "volatility": "qlike"}
"""The score of each kind that no forecaster can better by saying what it does not believe."""
GAPS_SHOWN = 40
UNMEASURED = "too few BUYs and SELLs to measure, or none"


def row_counts(warehouse: Warehouse) -> dict[str, int]:
    """Rows per table, in the order of the graph."""
    counts = dict(warehouse.read(queries.row_counts()).iter_rows())
    return {str(table): counts[str(table)] for table in queries.COUNTED_TABLES}


def overall_scores(warehouse: Warehouse) -> tuple[pl.DataFrame, pl.DataFrame]:
    """calibration_summary and performance_analytics over all outcomes to date.

    Both are empty when nothing has been validated.
    """
    span = warehouse.read(queries.SPAN).row(0, named=True)
    if span["last"] is None:
        return pl.DataFrame(), pl.DataFrame()
    window = {"first": span["first"], "last": span["last"]}
    outcomes = warehouse.read(queries.OUTCOMES_AS_OF, as_of=as_of(span["last"]), **window)
    if outcomes.is_empty():
        return pl.DataFrame(), pl.DataFrame()
    due = warehouse.read(queries.DUE_COUNTS, **window)
    today = np.array([span["last"]], "datetime64[D]")
    return (
        calibration_summary(outcomes, due, today, "to_date"),
        performance_analytics(outcomes, today, "to_date"),
    )


def storage_table(warehouse: Warehouse, before: dict[str, int] | None = None) -> RenderableType:
    """Rows per table, and how many of them are new since `before`."""
    table = Table(title="Stored", title_justify="left", box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    if before is not None:
        table.add_column("new", justify="right")
    for name, rows in row_counts(warehouse).items():
        new = [] if before is None else [f"{rows - before.get(name, 0):,}"]
        table.add_row(name, f"{rows:,}", *new)
    return table


def faults_table(warehouse: Warehouse) -> RenderableType:
    """Bars refused and bars kept but flagged, by reason."""
    table = Table(title="Data faults", title_justify="left", box=None, pad_edge=False)
    for column in ("what", "reason", "bars", "symbols"):
        table.add_column(column, justify="right" if column in ("bars", "symbols") else "left")
    for reason, rows, symbols in warehouse.read(queries.QUARANTINE_REASONS).iter_rows():
        table.add_row("quarantined", reason, f"{rows:,}", str(symbols))
    for flag, rows, symbols in warehouse.read(queries.SUSPECT_FLAGS).iter_rows():
        table.add_row("kept, suspect", flag, f"{rows:,}", str(symbols))
    return table if table.row_count else "No data faults."


def gaps_table(warehouse: Warehouse) -> RenderableType:
    """Sessions without a bar between a symbol's first and last bar, longest gaps first."""
    span = warehouse.read(queries.SPAN).row(0, named=True)
    if span["last"] is None:
        return "No market data yet."
    with warehouse.transaction(READER) as transaction:
        found = gap_report(transaction, span["first"], span["last"])
    if found.is_empty():
        return f"No gaps: {span_line(warehouse)}"
    symbols = found["symbol"].n_unique()
    title = (
        f"{counted(int(found['sessions'].sum()), 'session')} missing in {counted(len(found), 'gap')}"
        f" of {counted(symbols, 'symbol')}"
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("symbol", "exchange", "first missing", "last missing"):
        table.add_column(column)
    table.add_column("sessions", justify="right")
    for row in found.head(GAPS_SHOWN).iter_rows():
        table.add_row(*(str(value) for value in row))
    more = len(found) - GAPS_SHOWN
    return Group(table, f"... and {more:,} more, none of them longer.") if more > 0 else table


def scores_table(scores: pl.DataFrame) -> RenderableType:
    """Event rate with interval, calibration and skill per kind, horizon and model."""
    if scores.is_empty():
        return "No prediction has fallen due yet."
    table = Table(title="Scores to date", title_justify="left", box=None, pad_edge=False)
    headers = ("event", "sessions", "model", "n", "n_eff", "event rate", "95 % interval", "ECE")
    for header in (*headers, "skill vs no_change", "vs climatology"):
        left = header in ("event", "model")
        table.add_column(header, justify="left" if left else "right", no_wrap=True)
    previous = None
    for row in scores.sort("kind", "horizon", "model_id").iter_rows(named=True):
        cell = (row["event"], row["horizon"])
        if previous not in (None, cell):
            table.add_section()
        table.add_row(*(_cells(row, repeat=cell != previous)))
        previous = cell
    return table


def _cells(row: dict[str, Any], *, repeat: bool) -> list[str]:
    return [
        row["event"] if repeat else "",
        str(row["horizon"]) if repeat else "",
        row["model_id"],
        f"{row['n']:,}",
        _number(row["n_eff"], ",.0f"),
        _number(row["event_rate"], ".1%"),
        f"{_number(row['event_low'], '.1%')} .. {_number(row['event_high'], '.1%')}",
        _number(row["ece"], ".3f"),
        _number(row["skill_vs_no_change"], "+.3f"),
        _number(row["skill_vs_climatology"], "+.3f"),
    ]


def skill_table(performance: pl.DataFrame) -> RenderableType:
    """Skill of every model that is no baseline against no_change, by the proper score of its kind."""
    proper = pl.DataFrame(list(PROPER.items()), schema=["kind", "score"], orient="row")
    rows = performance.join(proper, on=["kind", "score"]).filter(
        (pl.col("baseline") == "no_change") & ~pl.col("model_id").is_in(sorted(BASELINES))
    )
    table = Table(
        title="Skill against no_change (0: nothing gained, 1: perfect)",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for header in ("kind", "score", "model"):
        table.add_column(header, no_wrap=True)
    for header in ("sessions", "n", "n_eff", "skill", "95 % interval", "shown"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows.sort("kind", "model_id", "horizon").iter_rows(named=True):
        scale = row["mean_score_baseline"]
        low, high = (_share(row[f"difference_{end}"], scale) for end in ("low", "high"))
        table.add_row(
            *(row["kind"], row["score"], row["model_id"], str(row["horizon"]), f"{row['n']:,}"),
            _number(row["n_eff"], ",.0f"),
            _number(row["skill"], "+.3f"),
            f"{_number(low, '+.3f')} .. {_number(high, '+.3f')}",
            "-" if low is None or high is None else _verdict(low, high),
        )
    return table


def _share(difference: float | None, scale: float) -> float | None:
    return None if difference is None or not scale > 0 else difference / scale


def _verdict(low: float, high: float) -> str:
    """What the interval shows of the skill."""
    return "better" if low > 0 else "worse" if high < 0 else "nothing"


def _number(value: float | None, spec: str) -> str:
    return UNKNOWN if value is None or value != value else format(value, spec)


def coverage_line(warehouse: Warehouse, scores: pl.DataFrame) -> str:
    """Every prediction in exactly one status, and the share of due ones that were validated."""
    statuses = dict(warehouse.read(queries.STATUS_COUNTS).iter_rows())
    parts = ", ".join(
        f"{statuses.get(s, 0):,} {s}" for s in ("validated", "pending", "expired", "skipped")
    )
    due, validated = (int(scores[c].sum()) if len(scores) else 0 for c in ("due", "n"))
    share = f"; {validated / due:.2%} of those due are validated" if due else ""
    return f"Predictions: {parts}{share}."


def champion_lines(warehouse: Warehouse) -> str:
    """The champion per kind and scope, or why there is none: the latest gates and A/B tests."""
    gates = warehouse.read(decided.LATEST_GATES)
    champions = {(r[0], r[1]): r for r in warehouse.read(queries.CHAMPIONS).iter_rows()}
    tests = warehouse.read(decided.LATEST_TESTS)
    lines = []
    if not champions:
        passed = (gates["gate_status"] == PASSED).any()
        why = (
            "none that passed its gate is deployed"
            if passed
            else "no model has passed a deployment gate"
        )
        lines.append(f"No champion: {why}, so none is recommended; forecasting and scoring go on.")
    own = pl.col("scope").str.contains(":")
    for (kind, scope, horizon), judged in gates.filter(~own).group_by(
        "kind", "scope", "horizon", maintain_order=True
    ):
        champion = champions.get((kind, scope))
        said = _since(champion) if champion else "no champion"
        lines.append(f"Champion for {kind}, {counted(horizon, 'session')} ahead: {said}.")
        lines += _gate_lines(judged)
        of_scope = tests.filter(
            (pl.col("kind") == kind) & (pl.col("scope") == scope) & (pl.col("n") > 0)
        )
        for test in of_scope.iter_rows(named=True):
            lines.append(
                f"  {test['treatment']} against {test['control']}: {test['status']},"
                f" e-value {test['e_value']:.3g} of {test['threshold']:,.0f} after"
                f" {counted(test['n'], 'day')}, {test['n_live'] or 0:,} live"
            )
    lines += own_lines(gates.filter(own), champions)
    return "\n".join(lines)


def _since(champion: tuple[Any, ...]) -> str:
    """Which model (kind, scope, model_id, valid_from, valid_until) is champion since when, and how."""
    _, _, model, first, until = champion
    ends = f", by manual override until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    return f"{model} since {first:%Y-%m-%d}{ends}"


def own_lines(gates: pl.DataFrame, champions: Mapping[Any, tuple[Any, ...]]) -> list[str]:
    """Symbols whose own model is champion, and how many have one in shadow."""
    lines = []
    shadow = 0
    for kind, scope, model in gates.select("kind", "scope", "model_id").iter_rows():
        champion = champions.get((kind, scope))
        if champion and champion[2] == model:
            lines.append(f"  {kind} {scope}: {_since(champion)}")
        else:
            shadow += 1
    if shadow:
        lines.append(f"  symbols' own models in shadow: {shadow:,}")
    return lines


def _gate_lines(judged: pl.DataFrame) -> list[str]:
    """The latest gate of each candidate with its reasons, and of the baselines together."""
    lines = []
    for gate in judged.filter(pl.col("role") == "candidate").iter_rows(named=True):
        status = gate["gate_status"].replace("_", " ")
        lines.append(f"  {gate['model_id']}, gate of {gate['as_of_day']}: {status}")
        lines += _reasons(gate["failure_reasons"], json.loads(gate["criteria"]))
    baselines = judged.filter(pl.col("role") == "baseline")
    passed = (baselines["gate_status"] == "passed").sum()
    if len(baselines):
        lines.append(f"  baselines: {passed} of {len(baselines)} passed")
    return lines


def _reasons(reasons: list[str], criteria: Mapping[str, Any]) -> list[str]:
    """One line for each criterion that failed, one for all that want more evidence.

    A criterion without a value has nothing to measure, however long its record is.
    """
    lines = [f"    {reason}" for reason in reasons if INSUFFICIENT not in reason]
    lacking = [reason.split()[0] for reason in reasons if INSUFFICIENT in reason]
    unmeasured = [name for name in lacking if criteria[name]["value"] is None]
    more = [name for name in lacking if name not in unmeasured]
    if more:
        lines.append(f"    not enough evidence for {', '.join(more)}")
    if unmeasured:
        lines.append(f"    not enough evidence for {', '.join(unmeasured)}: {UNMEASURED}")
    return lines


def span_line(warehouse: Warehouse) -> str:
    """What the market data cover."""
    span = warehouse.read(queries.SPAN).row(0, named=True)
    if span["last"] is None:
        return "No market data yet."
    first: date = span["first"]
    return f"{counted(span['symbols'], 'symbol')}, {first} to {span['last']}."


def fits_lines(warehouse: Warehouse) -> str:
    """Per fitted version: its fits, the days they were trained through, trials and failures."""
    lines = []
    for row in warehouse.read(FITS).iter_rows(named=True):
        if not row["fits"]:
            lines.append(f"Fits of {row['model_id']}: none.")
            continue
        extra = f", {row['failed']:,} failed" if row["failed"] else ""
        lines.append(
            f"Fits of {row['model_id']}: {row['fits']:,}, trained through {row['first']} to"
            f" {row['newest']}; {row['trials']:,} trials{extra}."
        )
    return "\n".join(lines)


def origin_line(
    warehouse: Warehouse,
    models: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
    last: date = date.max,
) -> str:
    """How many predictions were written before the fact.

    Of some models and kinds, or of all; of decision days up to `last`.
    """
    of = {"model_id": models, "kind": kinds}
    chosen = [pl.col(name).is_in(list(these)) for name, these in of.items() if these is not None]
    found = warehouse.read(ORIGINS, last=last).filter(*chosen)
    live, replay = (int(found[origin].sum()) for origin in ("live", "replay"))
    if not live + replay:
        return "No prediction is in the ledger yet."
    if not live:
        return (
            f"All {counted(replay, 'prediction')} here are replays: recomputed as of their day, not"
            " written before it."
        )
    if not replay:
        return (
            f"All {counted(live, 'prediction')} here are live: written before their outcome could be"
            " known."
        )
    return (
        f"Of {counted(live + replay, 'prediction')} here {live:,} are live, written before their"
        f" outcome could be known, and {replay:,} replays, recomputed as of their day."
    )


def success_table(warehouse: Warehouse) -> RenderableType:
    """The success metrics of the requirements; of each model's calibrations the worst."""
    judged = pl.Enum(["not", "insufficient", "holds"])
    calibration = pl.col("metric") == "calibration"
    model = pl.col("subject").str.split(" ").list.first()
    found = (
        warehouse.read(SUCCESS_METRICS)
        .with_columns(pl.when(calibration).then(model).otherwise("subject").alias("of"))
        .sort(pl.col("status").cast(judged), "value", descending=[False, True], maintain_order=True)
        .with_columns(pl.len().over("metric", "of").alias("many"))
        .unique(["metric", "of"], keep="first", maintain_order=True)
        .sort(calibration.not_(), "metric", "of")
    )
    table = Table(title="Success metrics", title_justify="left", box=None, pad_edge=False)
    for column in ("metric", "of", "target", "value", "n", "status"):
        table.add_column(column, justify="right" if column in ("target", "value", "n") else "left")
    for row in found.iter_rows(named=True):
        shape = {"calibration": ".3f", "bad_deployments": ",.0f"}.get(row["metric"], ".2%")
        worst = f", worst of {row['many']}" if row["many"] > 1 else ""
        said = (row["target"], _number(row["value"], shape), f"{row['n']:,}", row["status"])
        table.add_row(row["metric"], row["subject"] + worst, *said)
    return table


def recommendations_table(warehouse: Warehouse, day: date | None = None) -> RenderableType:
    """What the champions of a decision day recommended; without a day of the last one."""
    day = day or warehouse.read(recommended.LAST_DAY).item()
    if day is None:
        return "No prediction yet: nothing is recommended."
    if warehouse.read(recommended.CHAMPIONS_ON, day=day).is_empty():
        return f"No champion on {day}: nothing is recommended."
    found = warehouse.read(recommended.RECOMMENDATIONS, day=day)
    if found.is_empty():
        return f"The champions made no prediction on {day}: nothing is recommended."
    title = f"Recommended at the end of {day}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    numbers = ("sessions", "P(right)", "price", "median", "return after cost")
    for column in (
        "symbol",
        "kind",
        *numbers[:1],
        "",
        *numbers[1:4],
        "origin",
        "model",
        "came",
        *numbers[4:],
    ):
        table.add_column(column, justify="right" if column in numbers else "left")
    for row in found.iter_rows(named=True):
        right = {None: row["validation_status"], True: "right", False: "wrong"}[row["was_right"]]
        table.add_row(
            *(row["symbol"], row["kind"], str(row["horizon"]), row["recommendation"]),
            _number(row["confidence_score"], ".1%"),
            _number(row["current_price"], ",.2f"),
            _number(row["target_price"], ",.2f"),
            *(row["origin"], row["model_id"], right),
            _number(row["return_after_cost"], "+.2%"),
        )
    return table


def summary(warehouse: Warehouse, before: dict[str, int] | None = None) -> RenderableType:
    """The whole report."""
    scores, performance = overall_scores(warehouse)
    skills = [] if performance.is_empty() else [skill_table(performance), ""]
    return Group(
        span_line(warehouse),
        "",
        storage_table(warehouse, before),
        "",
        faults_table(warehouse),
        "",
        scores_table(scores),
        "",
        *skills,
        origin_line(warehouse),
        fits_lines(warehouse),
        coverage_line(warehouse, scores),
        champion_lines(warehouse),
        "",
        success_table(warehouse),
    )


def counted(n: int, noun: str) -> str:
    """`n` of something: 1 bar, 2,000 bars."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def wide_console() -> Console:
    """Standard output, wide enough for the scores even when it is a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=150)
