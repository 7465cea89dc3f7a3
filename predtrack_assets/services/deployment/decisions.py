"""Decisions about models, each written with its event in the audit trail or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import adbc_driver_manager
import polars as pl

from predtrack_assets.services.deployment.track_records import GATED_KINDS
from predtrack_assets.warehouse.audit.ab_test_digests import digests_of_tests
from predtrack_assets.warehouse.audit.gate_digests import digests_of_run
from predtrack_assets.warehouse.audit.improvement_digests import chain_improvements
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment import queries

SYSTEM = "automated"
MOMENT = "%Y-%m-%d %H:%M"
LONGEST_OVERRIDE = timedelta(days=366)
RULES = {
    "two_people": "an override needs two people: who asks for it cannot approve it",
    "gate_overrides_reason_check": "an override needs a reason, of ten characters at least",
    "gate_overrides_requested_by_check": "an override needs the name of who asks for it",
    "gate_overrides_approved_by_check": "an override needs the name of who approves it",
    "gate_overrides_gate_id_fkey": "there is no such gate",
    "deployments_reason_check": "a deployment needs a reason",
    "deployments_deployed_by_check": "a deployment needs the name of who decides it",
}
"""What a row refused by a constraint lacks; triggers speak for themselves."""


class DecisionRefused(ValueError):
    """The database refuses a decision; the message is its reason, in a sentence."""


def deploy(
    transaction: Transaction,
    *,
    kind: str,
    scope: str,
    model_id: str,
    valid_from: datetime,
    gate_id: str | None,
    reason: str,
    by: str = SYSTEM,
) -> None:
    """Make a model that passed its gate the champion from `valid_from` (aware) on.

    Raises DecisionRefused where the database's rules forbid it.
    """
    row = {
        "kind": kind,
        "scope": scope,
        "model_id": model_id,
        "valid_from": valid_from,
        "gate_id": gate_id,
        "reason": reason,
    }
    made = _decide(transaction, queries.DEPLOY, deployed_by=by, **row).item()
    payload = {**row, "valid_from": valid_from.isoformat(), "deployment_id": made}
    record_event(transaction, "deployment", f"{kind}/{scope}", payload, by)
    chain_improvements(transaction, by)


def promote(transaction: Transaction, *, gate_id: str, reason: str, by: str) -> dict[str, Any]:
    """A person deploys a model by the gate it passed: the latest of its kind and scope.

    The gate's kind, scope, model_id. Raises DecisionRefused for an unknown gate, one that is not
    passed or not the latest, and for the champion itself.
    """
    row = _latest(transaction, gate_id)
    subject = {name: row[name] for name in ("kind", "scope", "model_id")}
    champion = transaction.read(queries.CHAMPIONS_AT, at=transaction.now).filter(**subject)
    if len(champion):
        raise DecisionRefused(f"{row['model_id']} is the champion of {row['kind']} {row['scope']}")
    now = transaction.now
    deploy(transaction, **subject, valid_from=now, gate_id=gate_id, reason=reason, by=by)
    return subject


def _latest(transaction: Transaction, gate_id: str) -> dict[str, Any]:
    """Kind, scope and model of a gate. Raises DecisionRefused where a later one of them counts."""
    found = transaction.read(queries.STANDING, gate_id=gate_id)
    if found.is_empty():
        raise DecisionRefused("there is no such gate")
    row = found.row(0, named=True)
    if row["latest_id"] != gate_id:
        raise DecisionRefused(
            f"a later gate of {row['model_id']} counts: {row['latest_id']} of {row['as_of_day']}"
        )
    return row


def override(
    transaction: Transaction,
    *,
    gate_id: str,
    reason: str,
    requested_by: str,
    approved_by: str,
    expires_at: datetime,
) -> dict[str, Any]:
    """Deploy a model whose gate was not passed, until `expires_at`; its kind, scope, model_id.

    Raises DecisionRefused for an unknown, passed or superseded gate, one person in both roles, a
    missing reason, and an expiry in the past or more than LONGEST_OVERRIDE away.
    """
    _latest(transaction, gate_id)
    if expires_at - transaction.now > LONGEST_OVERRIDE:
        raise DecisionRefused(f"an override is for {LONGEST_OVERRIDE.days} days at most")
    request: dict[str, Any] = {
        "gate_id": gate_id,
        "reason": reason,
        "requested_by": requested_by,
        "approved_by": approved_by,
    }
    permit = _decide(transaction, queries.OVERRIDE, expires_at=expires_at, **request).item()
    row = _decide(transaction, queries.DEPLOY_BY_OVERRIDE, override_id=permit).row(0, named=True)
    event = {**request, "override_id": permit, "manual": True, "expires_at": expires_at.isoformat()}
    event |= {"model_id": row["model_id"], **_made(row)}
    subject = f"{row['kind']}/{row['scope']}"
    record_event(transaction, "manual_override", subject, event, requested_by)
    chain_improvements(transaction, requested_by)
    return row


def roll_back(
    transaction: Transaction, *, kind: str, scope: str, reason: str, by: str
) -> tuple[str, str | None]:
    """Return to the champion before the present one, or to none where no earlier one is left.

    (model left, model in force again or None). An override ends by it before its expiry. Raises
    DecisionRefused for an unknown kind or scope, and when there is no champion.
    """
    _known(transaction, kind, scope)
    asked = {"kind": kind, "scope": scope, "reason": reason}
    champions = transaction.read(queries.CHAMPIONS_AT, at=transaction.now).filter(kind=kind)
    current = champions.filter(scope=scope)
    if current.is_empty():
        raise DecisionRefused(
            f"{kind} {scope} has no champion to roll back: {_why(transaction, kind, scope)}"
        )
    left = current["model_id"].item()
    barred = transaction.read(queries.ROLLED_BACK, kind=kind, scope=scope)["model_id"].to_list()
    back = _decide(transaction, queries.ROLL_BACK, by=by, barred=barred, **asked)
    if back.is_empty():
        wider = scope.split(":")[0]
        if wider != scope and left in champions.filter(scope=wider)["model_id"]:
            raise DecisionRefused(
                f"{left} is the champion of all symbols too: roll back {kind} {wider}"
            )
        back = _decide(transaction, queries.RETIRE, by=by, **asked)
    if back.is_empty():  # an override that expired since the first look
        raise DecisionRefused(f"{kind} {scope} has no champion any more")
    row = back.row(0, named=True)
    event = {**asked, "from": left, "to": row["model_id"], **_made(row)}
    if "retires" in row:
        event["retires"] = row["retires"]
    record_event(transaction, "rollback", f"{kind}/{scope}", event, by)
    chain_improvements(transaction, by)
    if ended := digests_of_tests(transaction):
        record_event(transaction, "ab_test", f"{kind}/{scope}", ended, by)
    return left, row["model_id"]


def note_thresholds(
    transaction: Transaction, thresholds: Mapping[str, float], at: datetime
) -> bool:
    """Leave a threshold_change event if these are not the thresholds last noted; whether it did."""
    text = json.dumps(thresholds, sort_keys=True)
    if not transaction.read(queries.CHANGE_THRESHOLDS, at=at, thresholds=text).item():
        return False
    record_event(transaction, "threshold_change", "gates", dict(thresholds), SYSTEM)
    chain_improvements(transaction, SYSTEM)
    return True


def note_gates(transaction: Transaction, frame: pl.DataFrame) -> None:
    """One audit event for the gates of a run that were new, with the digest of each week's.

    It says how many there are of each status too, and which passed.
    """
    counts = dict(frame.group_by("gate_status").len().sort("gate_status").iter_rows())
    passed = frame.filter(pl.col("gate_status") == "passed")
    days = frame["as_of_day"]
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    payload = {
        "first": str(first),
        "last": str(last),
        "statuses": counts,
        "passed": sorted({f"{r[0]}/{r[1]}" for r in passed.select("model_id", "kind").iter_rows()}),
        **digests_of_run(transaction, first, last),
    }
    record_event(transaction, "deployment_gate", "gates", payload, SYSTEM)


def _made(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"deployment_id": row["deployment_id"], "valid_from": row["valid_from"].isoformat()}


def _known(transaction: Transaction, kind: str, scope: str) -> None:
    """DecisionRefused where no gate can ever have been of that kind, or none was of that scope."""
    if kind not in GATED_KINDS:
        raise DecisionRefused(f"unknown kind {kind!r}: there are {' and '.join(GATED_KINDS)}")
    judged = transaction.read(queries.JUDGED_SCOPES, kind=kind)
    if judged.is_empty() or scope in judged["scope"]:
        return
    pooled = judged.filter(pl.col("symbol").is_null())["scope"].to_list()
    own = judged.drop_nulls("symbol")["scope"].to_list()
    parts = pooled + ([f"{len(own):,} of single symbols as {own[0]}"] if own else [])
    raise DecisionRefused(f"unknown scope {scope!r}: gates of {kind} are of {', '.join(parts)}")


def _why(transaction: Transaction, kind: str, scope: str) -> str:
    """What left a scope without champion."""
    found = transaction.read(queries.LAST_DEPLOYED, kind=kind, scope=scope)
    if found.is_empty():
        return "there was none yet"
    last = found.row(0, named=True)
    if last["retires"] is None:
        return f"the override of {last['model_id']} ended at {last['valid_until']:{MOMENT}} UTC"
    return (
        f"{last['model_id']} was rolled back at {last['valid_from']:{MOMENT}} UTC by"
        f" {last['deployed_by']} ({last['reason']})"
    )


def _decide(transaction: Transaction, query: Query, **parameters: Any) -> pl.DataFrame:
    with _refusals():
        return transaction.read(query, **parameters)


@contextmanager
def _refusals() -> Iterator[None]:
    """The database's refusals as sentences."""
    try:
        yield
    except adbc_driver_manager.Error as error:
        sentence = re.search(r"ERROR:\s+(.+)", str(error))
        message = sentence[1] if sentence else str(error)
        lacking = [rule for name, rule in RULES.items() if f'constraint "{name}"' in message]
        raise DecisionRefused(*(lacking or [message])) from error
