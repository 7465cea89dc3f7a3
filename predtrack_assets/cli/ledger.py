"""The commands `predtrack ledger` and `predtrack claim`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from predtrack_assets.cli.command import DAY, Home, ready_database
from predtrack_assets.settings import get_settings
from predtrack_assets.stores.ledger_key import KEY_FILE, private_key

ledger = typer.Typer(
    no_args_is_help=True,
    help="What was committed when: a tamper-evident record of every prediction. It proves something "
    "against the operator from the first checkpoint that was published elsewhere.",
)
claim = typer.Typer(no_args_is_help=True, help="Figures that somebody stated, computed again.")

FAILED = 1
SHOWN = 20  # findings

JsonFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON file.")]
CheckpointFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A checkpoint to lead to.")
]
PublicKey = Annotated[
    str | None, typer.Option(help="Hex of the Ed25519 key that must have signed the checkpoint.")
]


@ledger.command("verify")
def ledger_verify(home: Home = None) -> None:
    """Check every link, tree, row, audit event and decision. Ends 1 on a fault."""
    from rich.console import Console
    from rich.progress import Progress

    from predtrack_assets.services.audit.verification import Verdict, verify
    from predtrack_assets.warehouse.database.transaction import READER

    warehouse = ready_database(home)
    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks = {what: bars.add_task(what, total=None) for what in ("batches", "rows")}
        with warehouse.transaction(READER) as transaction:
            verdict: Verdict = verify(
                transaction,
                lambda what, done, total: bars.update(tasks[what], completed=done, total=total),
            )
    for finding in verdict.findings.head(SHOWN).iter_rows(named=True):
        typer.echo(_sentence(finding))
    if len(verdict.findings) > SHOWN:
        typer.echo(f"... and {len(verdict.findings) - SHOWN:,} more findings")
    for index, fault in verdict.event_faults[:SHOWN]:
        typer.echo(f"audit event {index} {fault}")
    for decided in verdict.decision_faults[:SHOWN]:
        typer.echo(_decision_sentence(decided))
    if len(verdict.decision_faults) > SHOWN:
        typer.echo(f"... and {len(verdict.decision_faults) - SHOWN:,} more decisions")
    for event, actor, reason, rows in (
        verdict.acknowledged.group_by("event_index", "actor", "reason")
        .len()
        .sort("event_index")
        .rows()
        if len(verdict.acknowledged)
        else ()
    ):
        typer.echo(f"apart: {rows:,} rows that {actor} acknowledged, audit event {event}: {reason}")
    if not verdict.batches and verdict.good:
        typer.echo("the ledger is empty: no prediction has been committed yet")
    pruned = f", of {verdict.pruned:,} only the hashes are kept" if verdict.pruned else ""
    typer.echo(
        f"verified {verdict.batches_good:,} of {verdict.batches:,} batches,"
        f" {verdict.rows_good + verdict.pruned:,} of {verdict.rows:,} rows{pruned},"
        f" {verdict.events_good:,} of {verdict.events:,} audit events,"
        f" {verdict.decisions_good:,} of {verdict.decisions:,} decisions"
    )
    sys.exit(0 if verdict.good else FAILED)


@ledger.command("acknowledge")
def ledger_acknowledge(
    reason: Annotated[str, typer.Option(help="Why these rows are there; stays on record.")],
    by: Annotated[str, typer.Option(help="Who says so.")],
    home: Home = None,
) -> None:
    """Name rows that can never become good in an audit event, so that `verify` shows them apart.

    Those are rows that no batch holds, and rows that say live too late. An altered row stays a fault.
    """
    from predtrack_assets.services.audit.acknowledgements import acknowledge
    from predtrack_assets.services.audit.verification import verify
    from predtrack_assets.warehouse.database.transaction import READER

    warehouse = ready_database(home)
    with warehouse.transaction(READER) as transaction:
        findings = verify(transaction).findings
    with warehouse.transaction() as transaction:
        rows = acknowledge(transaction, findings, reason, by)
    typer.echo(f"acknowledged {rows:,} rows; `predtrack ledger verify` shows them apart")


@ledger.command("seal")
def ledger_seal(home: Home = None) -> None:
    """Commit to the predictions that no batch holds yet, as those written by your own SQL."""
    from predtrack_assets.warehouse.forecasts.ledger import seal

    with ready_database(home).transaction() as transaction:
        sealed = seal(transaction)
    typer.echo(str(sealed))


@ledger.command("prove")
def ledger_prove(
    prediction_id: Annotated[UUID, typer.Argument(help="forecasts.predictions.prediction_id")],
    checkpoint: CheckpointFile = None,
    home: Home = None,
) -> None:
    """Print the proof (JSON) that a prediction was committed as it stands; see check-proof."""
    from predtrack_assets.domain.audit.ledger.checkpoint import check_signature
    from predtrack_assets.services.audit.inclusion_proofs import prove
    from predtrack_assets.warehouse.database.transaction import READER

    head = None if checkpoint is None else _json(checkpoint)
    if head is not None:
        check_signature(head)
    with ready_database(home).transaction(READER) as transaction:
        typer.echo(json.dumps(prove(transaction, prediction_id, head), indent=1))


@ledger.command("check-proof")
def ledger_check_proof(file: JsonFile, public_key: PublicKey = None) -> None:
    """Check a proof without the database. Ends 1 when it proves nothing."""
    from predtrack_assets.domain.audit.ledger.proof import check_proof

    proof = _json(file)
    check_proof(proof, _key(public_key))
    header, head = proof["header"], proof.get("checkpoint")
    typer.echo(
        f"the row is {proof['position'] + 1} of {header['row_count']} of batch"
        f" {proof['batch_index']}, {header['origin']}, committed at {header['committed_at']} for"
        f" decisions of {header['trading_day']}; the batch's hash is {proof['hash']}"
    )
    if head is None:
        typer.echo("no checkpoint: compare that hash with one you got from elsewhere")
        return
    typer.echo(f"the batch is in the checkpoint signed at {head['signed_at']}")
    if public_key is None:
        typer.echo(f"by the key {head['public_key']}: compare it, or give --public-key")


@ledger.command("checkpoint")
def ledger_checkpoint(
    verify: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check this old checkpoint instead."),
    ] = None,
    public_key: PublicKey = None,
    home: Home = None,
) -> None:
    """Print a signed tree head to publish elsewhere, or check an old one against the ledger.

    The key lies in the home and is made at the first use.
    """
    from predtrack_assets.domain.audit.ledger.checkpoint import check_signature, public_key_of
    from predtrack_assets.services.audit.inclusion_proofs import check_against, checkpoint
    from predtrack_assets.warehouse.database.transaction import READER

    warehouse = ready_database(home)
    if verify is None:
        key = private_key(get_settings().home / KEY_FILE)
        typer.echo(f"public key: {public_key_of(key).hex()}", err=True)
        with warehouse.transaction(READER) as transaction:
            typer.echo(json.dumps(checkpoint(transaction, key), indent=1))
        return
    old = _json(verify)
    own = get_settings().home / KEY_FILE
    trusted = _key(public_key) or (public_key_of(private_key(own)) if own.exists() else None)
    check_signature(old, trusted)
    with warehouse.transaction(READER) as transaction:
        batches, events = check_against(transaction, old)
    typer.echo(
        f"the ledger continues the checkpoint of {old['signed_at']}: {old['batches']:,} batches and"
        f" {old['events']:,} audit events as signed, {batches:,} and {events:,} added since"
    )
    if trusted is None:
        typer.echo(f"signed by the key {old['public_key']}: compare it, or give --public-key")


@claim.command("verify")
def claim_verify(
    metric: Annotated[
        str,
        typer.Option(
            help="brier, accuracy_rate (share of right calls), event_rate (share whose event came"
            " true), ece, skill_vs_no_change, ..."
        ),
    ],
    model: Annotated[str, typer.Option(help="Model id, with its version.")],
    as_of: Annotated[datetime, typer.Option(**DAY, help="Last day of the period.")],
    value: Annotated[str, typer.Option(help="What was claimed, to as many decimals as it was.")],
    kind: Annotated[str, typer.Option(help="price, direction or time_to_hit.")] = "price",
    horizon: Annotated[int, typer.Option(help="Sessions.")] = 1,
    period: Annotated[
        str,
        typer.Option(
            help="daily, weekly, monthly, quarterly, yearly, rolling_30d, rolling_365d or to_date."
        ),
    ] = "rolling_30d",
    home: Home = None,
) -> None:
    """Recompute a past figure from outcomes that were known at the end of that day.

    Ends 1 on a mismatch: to the decimals of the claim, the figure is another, or there is none.
    """
    from predtrack_assets.clock import utc_now
    from predtrack_assets.domain.audit.claims import Claim, matches
    from predtrack_assets.domain.time import calendar
    from predtrack_assets.services.audit.claims import recompute
    from predtrack_assets.warehouse.database.transaction import READER

    stated = Claim(metric, model, kind, horizon, as_of.date(), period)
    if calendar.as_of(stated.as_of) > utc_now():
        raise ValueError(
            f"--as-of {stated.as_of} is not over yet: a claim is about what was known at the end of a"
            " day, 24:00 UTC"
        )
    with ready_database(home).transaction(READER) as transaction:
        found = recompute(transaction, stated)
    match = matches(value, found.value)
    if found.value is None:
        typer.echo(
            f"MISMATCH: claimed {value}, and there is nothing to compute it from:"
            f" {found.predictions:,} {kind} predictions of {model!r}, {horizon} sessions ahead, fell"
            f" due in {period} to {stated.as_of}, with {found.outcomes:,} outcomes known at its end"
        )
        sys.exit(FAILED)
    typer.echo(
        f"{'match' if match else 'MISMATCH'}: claimed {value}, recomputed {found.value!r} from"
        f" {found.outcomes:,} outcomes known at the end of {stated.as_of}; of the"
        f" {found.predictions:,} predictions that fell due {found.live:,} are live, the others replay"
        + (f", {found.unsealed:,} of them never sealed" if found.unsealed else "")
    )
    sys.exit(0 if match else FAILED)


def _sentence(finding: dict[str, Any]) -> str:
    """A finding as a line."""
    batch = f"batch {finding['batch_index']}" if finding["batch_index"] is not None else "no batch"
    if finding["prediction_id"] is None:
        return f"{batch} {finding['fault']}"
    row = UUID(bytes=finding["prediction_id"])
    return f"{batch}: prediction {row} of {finding['trading_day']} {finding['fault']}"


def _decision_sentence(decided: dict[str, Any]) -> str:
    named = " ".join(decided[k] for k in ("what", "id", "subject", "model_id") if decided[k])
    return f"{named}: {decided['fault']}"


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no JSON object")
    return content


def _key(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f"a public key is hexadecimal, not {text!r}") from error
