"""`predtrack gate`, `deploy` and `champions`: what was decided about models, and by whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from predtrack_assets.cli.command import MOMENT, Home, Json, plain, ready_database, show
from predtrack_assets.clock import utc_now
from predtrack_assets.settings import get_settings

if TYPE_CHECKING:
    from predtrack_assets.warehouse.database.transaction import Database

gate = typer.Typer(no_args_is_help=True, help="Deployment gates: which models passed, and why.")
deploy = typer.Typer(
    no_args_is_help=True, help="Champions that people deploy, override or roll back."
)

Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]
By = Annotated[str, typer.Option(envvar="USER", help="Who decides it.")]


@gate.command("show")
def show_gates(
    gate_id: Annotated[
        str | None, typer.Argument(help="Gate id or its beginning; none: the latest of each.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """The latest gate of every model, or one gate with its criteria, bounds and thresholds."""
    from predtrack_assets.reporting.tables.decisions import gate_table, latest_gates
    from predtrack_assets.reporting.tables.stored import origin_line
    from predtrack_assets.reporting.tables.text import wide_console
    from predtrack_assets.services.deployment.track_records import GATED_KINDS

    warehouse = ready_database(home)
    if as_json:
        from predtrack_assets.warehouse.deployment import queries

        found = [_gate(warehouse, gate_id)] if gate_id else warehouse.read(queries.LATEST_GATES)
        rows = plain(found)
        for row in rows:
            row |= {n: json.loads(row[n]) for n in ("criteria", "thresholds") if n in row}
        show(rows, lambda: "", as_json)
    elif gate_id is None:
        wide_console().print(latest_gates(warehouse))
        wide_console().print(origin_line(warehouse, kinds=GATED_KINDS))
    else:
        known = _gate(warehouse, gate_id)
        wide_console().print(gate_table(known))
        behind = origin_line(warehouse, [known["model_id"]], [known["kind"]], known["as_of_day"])
        wide_console().print(behind)


def champions(
    at: Annotated[
        datetime | None, typer.Option(**MOMENT, help="Moment in UTC; default: now.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """The champion per kind and scope, now or at any past moment."""
    from predtrack_assets.warehouse.deployment import queries

    moment = at.replace(tzinfo=UTC) if at else utc_now()
    warehouse = ready_database(home)
    found = warehouse.read(queries.CHAMPIONS_AT, at=moment)
    if as_json:
        show(found, lambda: "", as_json)
        return
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
    from predtrack_assets.services.deployment import decisions

    warehouse = ready_database(home)
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
    expires: Annotated[datetime, typer.Option(**MOMENT, help="End, in UTC.")],
    home: Home = None,
) -> None:
    """Deploy a model that has not passed its gate, until a day, with two approvers."""
    from predtrack_assets.services.deployment import decisions

    warehouse = ready_database(home)
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
    from predtrack_assets.services.deployment import decisions

    warehouse = ready_database(home)
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


def _gate(warehouse: Database, start: str) -> dict[str, Any]:
    """The gate whose id begins so; ValueError when there is none, or more than one."""
    from predtrack_assets.warehouse.deployment import queries

    if len(start) < 4 or not set(start.lower()) <= set("0123456789abcdef-"):
        raise ValueError("a gate id is hexadecimal; give at least its first four digits")
    found = warehouse.read(queries.GATE, start=start.lower())
    if len(found) != 1:
        raise ValueError(f"{'no' if found.is_empty() else 'more than one'} gate begins {start}")
    return found.row(0, named=True)
