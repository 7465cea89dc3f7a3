"""`predtrack gate`, `deploy` and `champions`: what was decided about models, and by whom."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from predtrack_assets.cli.command import Home, require_schema, running_url
from predtrack_assets.clock import utc_now
from predtrack_assets.domain.deployment.gates import CRITERIA, FIGURES, Thresholds
from predtrack_assets.reporting.tables.decisions import UNMEASURED
from predtrack_assets.reporting.tables.stored import origin_line
from predtrack_assets.reporting.tables.text import wide_console
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.track_records import KINDS
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.deployment import queries

gate = typer.Typer(no_args_is_help=True, help="Deployment gates: which models passed, and why.")
deploy = typer.Typer(
    no_args_is_help=True, help="Champions that people deploy, override or roll back."
)

Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]
By = Annotated[str, typer.Option(envvar="USER", help="Who decides it.")]

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


@gate.command("show")
def show(
    gate_id: Annotated[
        str | None, typer.Argument(help="Gate id or its beginning; none: the latest of each.")
    ] = None,
    home: Home = None,
) -> None:
    """The latest gate of every model, or one gate with its criteria, bounds and thresholds."""
    warehouse = _warehouse(home)
    if gate_id is None:
        wide_console().print(_latest(warehouse))
        wide_console().print(origin_line(warehouse, kinds=KINDS))
    else:
        known = _gate(warehouse, gate_id)
        _show(known)
        behind = origin_line(warehouse, [known["model_id"]], [known["kind"]], known["as_of_day"])
        wide_console().print(behind)


def champions(
    at: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="Moment in UTC; default: now.")
    ] = None,
    home: Home = None,
) -> None:
    """The champion per kind and scope, now or at any past moment."""
    moment = at.replace(tzinfo=UTC) if at else utc_now()
    warehouse = _warehouse(home)
    found = warehouse.read(queries.CHAMPIONS_AT, at=moment)
    if found.is_empty():
        typer.echo(f"no champion at {moment:%Y-%m-%d %H:%M} UTC")
    for row in found.iter_rows(named=True):
        until = f" until {row['valid_until']:%Y-%m-%d %H:%M}" if row["valid_until"] else ""
        typer.echo(
            f"{row['kind']} {row['scope']}: {row['model_id']} since"
            f" {row['valid_from']:%Y-%m-%d %H:%M} UTC{until}, by {row['deployed_by']}:"
            f" {row['reason']}"
        )
    for row in warehouse.read(queries.RETIRED_AT, at=moment).iter_rows(named=True):
        typer.echo(
            f"{row['kind']} {row['scope']}: none{_of_its_own(row['scope'])} since"
            f" {row['valid_from']:%Y-%m-%d %H:%M} UTC, {row['model_id']} rolled back by"
            f" {row['deployed_by']}: {row['reason']}"
        )


@deploy.command("champion")
def champion(
    gate: Annotated[str, typer.Option(help="Gate id or its beginning (predtrack gate show).")],
    reason: Reason,
    by: By = "operator",
    home: Home = None,
) -> None:
    """Deploy a model that passed its latest gate, by a person's decision."""
    warehouse = _warehouse(home)
    known = _gate(warehouse, gate)
    with warehouse.transaction() as transaction:
        row = decisions.promote(transaction, gate_id=known["gate_id"], reason=reason, by=by)
    typer.echo(f"{row['kind']} {row['scope']}: {row['model_id']} from now on")


@deploy.command("override")
def override(
    gate: Annotated[str, typer.Option(help="Gate id or its beginning (predtrack gate show).")],
    reason: Reason,
    requested_by: Annotated[str, typer.Option(help="Who asks for it.")],
    approved_by: Annotated[str, typer.Option(help="Who approves: somebody else.")],
    expires: Annotated[datetime, typer.Option(formats=MOMENTS, help="End, in UTC.")],
    home: Home = None,
) -> None:
    """Deploy a model that has not passed its gate, until a day, on two people's word."""
    warehouse = _warehouse(home)
    known = _gate(warehouse, gate)
    with warehouse.transaction() as transaction:
        row = decisions.override(
            transaction,
            gate_id=known["gate_id"],
            reason=reason,
            requested_by=requested_by,
            approved_by=approved_by,
            expires_at=expires.replace(tzinfo=UTC),
        )
    typer.echo(f"{row['kind']} {row['scope']}: {row['model_id']} until {expires} UTC")


@deploy.command("rollback")
def rollback(
    kind: Annotated[str, typer.Option(help="price or direction.")],
    reason: Reason,
    scope: Annotated[
        str | None,
        typer.Option(
            help="h5 for 5 sessions, h5:IBM for IBM alone; default: the first gated horizon."
        ),
    ] = None,
    by: By = "operator",
    home: Home = None,
) -> None:
    """Return to the champion before the present one, or to none where it was the first.

    An override is revoked so before its end. A model that had passed its gate is not redeployed by
    itself.
    """
    warehouse = _warehouse(home)
    asked = scope or f"h{get_settings().gated_horizons[0]}"
    with warehouse.transaction() as transaction:
        left, restored = decisions.roll_back(
            transaction, kind=kind, scope=asked, reason=reason, by=by
        )
    now = f"{restored} again" if restored else f"no champion{_of_its_own(asked)} from now on"
    typer.echo(f"{kind} {asked}: {now}, in place of {left}")


def _of_its_own(scope: str) -> str:
    """A symbol without champion of its own has the one of all symbols, if there is one."""
    return " of its own" if ":" in scope else ""


def _warehouse(home: Path | None) -> Database:
    """The warehouse of a home whose database runs and has the newest schema."""
    if home:
        os.environ["PREDTRACK_HOME"] = str(home.resolve())
    settings = get_settings()
    require_schema(settings)
    return Database(url=running_url(settings))


def _gate(warehouse: Database, start: str) -> dict[str, Any]:
    """The gate whose id begins so; ValueError when there is none, or more than one."""
    if len(start) < 4 or not set(start.lower()) <= set("0123456789abcdef-"):
        raise ValueError("a gate id is hexadecimal; give at least its first four digits")
    found = warehouse.read(queries.GATE, start=start.lower())
    if len(found) != 1:
        raise ValueError(f"{'no' if found.is_empty() else 'more than one'} gate begins {start}")
    return found.row(0, named=True)


def _latest(warehouse: Database) -> Table | str:
    found = warehouse.read(queries.LATEST_GATES)
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


def _show(gate: dict[str, Any]) -> None:
    console = wide_console()
    console.print(
        f"{gate['model_id']}, {gate['kind']} {gate['scope']}, as of {gate['as_of_day']}:"
        f" {gate['gate_status']}"
    )
    console.print(f"gate {gate['gate_id']}, evaluated {gate['evaluated_at']:%Y-%m-%d %H:%M} UTC")
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
    console.print(table)
    if any(criteria[name]["value"] is None for name in CRITERIA):
        console.print(f"-: {UNMEASURED}.")
    psr, dsr = (
        "-" if gate[key] is None else f"{gate[key]:.3f}" for key in ("psr", "deflated_sharpe")
    )
    console.print(f"PSR {psr}, deflated Sharpe {dsr} over {gate['trial_count']} recorded trial(s).")
