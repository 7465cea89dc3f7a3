"""Who is champion and why, and what the champions recommend."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table

from predtrack_assets.domain.deployment.gates import (
    CRITERIA,
    FIGURES,
    INSUFFICIENT,
    PASSED,
    Thresholds,
)
from predtrack_assets.domain.forecasts.recommendations import p_right
from predtrack_assets.domain.models.forecast import QUANTILE_NAMES
from predtrack_assets.reporting.tables.text import counted, number
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.deployment import queries as decided
from predtrack_assets.warehouse.deployment import queries as deployment_queries
from predtrack_assets.warehouse.forecasts import recommendations as recommended

SIDES = {"SELL": -1, "HOLD": 0, "BUY": 1}
UNMEASURED = "not enough trades to evaluate"


def champion_lines(warehouse: Database) -> str:
    """The champion per kind and scope, or why there is none: the latest gates and A/B tests."""
    gates = warehouse.read(decided.LATEST_GATES)
    champions = {(r[0], r[1]): r for r in warehouse.read(deployment_queries.CHAMPIONS).iter_rows()}
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
        standing = _since(champion) if champion else "no champion"
        lines.append(f"Champion for {kind}, {counted(horizon, 'session')} ahead: {standing}.")
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


def recommended_on(warehouse: Database, day: date | None = None) -> pl.DataFrame:
    """What the champions of a decision day recommended; without a day of the last one."""
    day = day or warehouse.read(recommended.LAST_DAY).item()
    return warehouse.read(recommended.RECOMMENDATIONS, day=day)


def signals_of(warehouse: Database, model: str, day: date | None = None) -> pl.DataFrame:
    """What a model would advise on a decision day, champion or not; without a day on its last one."""
    day = day or warehouse.read(recommended.LAST_DAY_OF, model=model).item()
    found = warehouse.read(recommended.SIGNALS_OF, model=model, day=day)
    return found.with_columns(trading_day=pl.lit(day, pl.Date), is_recommendation=pl.lit(False))


def signals_table(found: pl.DataFrame, model: str) -> RenderableType:
    """`signals_of` as a table, marked as what nobody recommends."""
    if found.is_empty():
        return f"{model} made no prediction of a price or direction then: nothing to advise."
    title = (
        f"{model} would advise at the end of {found['trading_day'][0]}\n"
        "Not a recommendation: only a champion's signals are one."
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("symbol", "kind", "sessions", "", "due", "correct", "return"):
        right = column in ("sessions", "return")
        table.add_column(column, justify="right" if right else "left")
    for row in found.iter_rows(named=True):
        known = {None: row["validation_status"], True: "right", False: "wrong"}[row["was_right"]]
        table.add_row(
            *(row["symbol"], row["kind"], str(row["horizon"]), row["recommendation"]),
            *(str(row["validation_date"]), known),
            number(row["actual_return"], "+.2%"),
        )
    return table


def recommendations_table(warehouse: Database, day: date | None = None) -> RenderableType:
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
    for row, p in zip(found.iter_rows(named=True), _p_right(found), strict=True):
        right = {None: row["validation_status"], True: "right", False: "wrong"}[row["was_right"]]
        table.add_row(
            *(row["symbol"], row["kind"], str(row["horizon"]), row["recommendation"]),
            number(p, ".1%"),
            number(row["current_price"], ",.2f"),
            number(row["target_price"], ",.2f"),
            *(row["origin"], row["model_id"], right),
            number(row["return_after_cost"], "+.2%"),
        )
    return table


def _p_right(found: pl.DataFrame) -> list[float]:
    """The probability that each recommendation will be right."""
    side = found["recommendation"].replace_strict(SIDES, return_dtype=pl.Float64).to_numpy()
    quantiles = found.select(pl.col(QUANTILE_NAMES).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    median, sigma, horizon = (
        found[name].cast(pl.Float64).to_numpy() for name in ("median_return", "sigma", "horizon")
    )
    return p_right(side, quantiles, median, sigma, horizon).tolist()


def latest_gates(warehouse: Database) -> RenderableType:
    """The latest gate of every model, and which criteria it did not pass."""
    found = warehouse.read(decided.LATEST_GATES)
    if found.is_empty():
        return "No gate has been evaluated yet: they are, at the end of each week."
    table = Table(box=None, pad_edge=False)
    for column in ("gate", "kind", "scope", "model", "as of", "status", "not passed"):
        table.add_column(column)
    for row in found.iter_rows(named=True):
        why = ", ".join(reason.split()[0] for reason in row["failure_reasons"])
        cells = (row["kind"], row["scope"], row["model_id"], str(row["as_of_day"]))
        table.add_row(row["gate_id"][:8], *cells, row["gate_status"], why)
    return table


def gate_table(gate: Mapping[str, Any]) -> RenderableType:
    """One gate: its criteria with bound and threshold, and what it is worth after all trials."""
    heading = (
        f"{gate['model_id']}, {gate['kind']} {gate['scope']}, as of {gate['as_of_day']}:"
        f" {gate['gate_status']}\n"
        f"gate {gate['gate_id']}, evaluated {gate['evaluated_at']:%Y-%m-%d %H:%M} UTC"
    )
    table = Table(box=None, pad_edge=False)
    level = json.loads(gate["thresholds"]).get("level", Thresholds.level)  # old gates say none
    bound = f"{100 * level:g} % bound"
    for column in ("criterion", "value", bound, "threshold", "n", "n_eff", "status"):
        table.add_column(column, justify="left" if column in ("criterion", "status") else "right")
    criteria = json.loads(gate["criteria"])
    for name in FIGURES:
        if (part := criteria.get(name)) is None:
            continue  # the gate is from before there was such a figure
        numbers = [(part[key], ",.4g") for key in ("value", "bound", "threshold")]
        numbers += [(part["n"], ",.0f"), (part["n_eff"], ",.1f")]
        cells = ("-" if x is None else f"{x:{shape}}" for x, shape in numbers)
        table.add_row(name, *cells, part["status"])
    unmeasured = any(criteria[name]["value"] is None for name in CRITERIA)
    psr, dsr = (
        "-" if gate[key] is None else f"{gate[key]:.3f}" for key in ("psr", "deflated_sharpe")
    )
    trials = f"PSR {psr}, deflated Sharpe {dsr} over {gate['trial_count']} recorded trial(s)."
    return Group(heading, table, *([f"-: {UNMEASURED}."] if unmeasured else []), trials)
