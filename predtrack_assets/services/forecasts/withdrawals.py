"""Withdrawals: a prediction is taken back before anything of its outcome was known, and stays.

It may be withdrawn until the session after its decision day opens: until then no price has told its
sender anything. It falls due all the same and is not validated, so it counts against coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import polars as pl

from predtrack_assets.domain.forecasts.identity import KEY, SESSION
from predtrack_assets.domain.forecasts.outcomes import WITHDRAWN
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import intake as queries

MAX_REASON = 200


def withdraw(
    transaction: Transaction, ids: Sequence[str], reason: str, owner: str
) -> list[dict[str, Any]]:
    """Withdraw predictions of an owner's models; an answer per identity, in their order.

    status: withdrawn, duplicate (it was before), or rejected with a code: prediction_unknown,
    model_of_another_owner, withdrawal_too_late. What is withdrawn is an event of the audit trail.
    Raises ValueError for a reason that is empty, too long or no plain text.
    """
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise ValueError(f"a withdrawal has a reason of 1 to {MAX_REASON} characters, in one line")
    wanted = [identity for identity in ids if _is_identity(identity)]
    found = transaction.read(queries.TO_WITHDRAW, ids=sorted(set(wanted)))
    known = {row["prediction_id"]: row for row in found.iter_rows(named=True)}
    now = transaction.now
    answers = {}
    for identity in dict.fromkeys(ids):
        row = known.get(identity.lower())
        answers[identity] = {"prediction_id": identity, **_answer(row, owner, now)}
    taken = {
        identity: known[identity.lower()]
        for identity, answer in answers.items()
        if answer["status"] == "withdrawn"
    }
    if taken:
        transaction.read(
            queries.WITHDRAW,
            ids=[row["prediction_id"] for row in taken.values()],
            untils=[withdrawable_until(row).isoformat() for row in taken.values()],
            reason=reason,
            owner=owner,
        )
        by_model: dict[str, list[str]] = {}
        for row in taken.values():
            by_model.setdefault(row["model_id"], []).append(row["prediction_id"])
        for model_id, members in by_model.items():
            payload = {"predictions": sorted(members), "reason": reason}
            record_event(transaction, "withdrawal", model_id, payload, owner)
    return list(answers.values())


def withdrawable_until(row: Mapping[str, Any]) -> datetime:
    """Until when a prediction may be withdrawn: the opening of the session after its decision day.

    Of minutes it is as_of: what follows is traded at once.
    """
    if row["horizon_unit"] != SESSION:
        return min(row["as_of"], row["earliest_resolution_time"])
    exchange = calendar(row["exchange"])
    opening = exchange.opens_utc(exchange.offset(row["trading_day"], 1))
    moment: datetime = opening.astype("datetime64[us]").item().replace(tzinfo=UTC)
    return min(moment, row["earliest_resolution_time"])


def with_withdrawn(transaction: Transaction, predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions with WITHDRAWN as the `reason` of those that were withdrawn."""
    days = predictions["trading_day"]
    withdrawn = transaction.read(queries.WITHDRAWN, first=days.min(), last=days.max())
    if withdrawn.is_empty():
        return predictions
    marked = withdrawn.select(
        *(pl.col(name).cast(predictions.schema[name]) for name in KEY),
        pl.lit(WITHDRAWN).alias("withdrawn"),
    )
    return predictions.join(marked, on=list(KEY), how="left", maintain_order="left").select(
        pl.exclude("reason", "withdrawn"), reason=pl.coalesce("withdrawn", "reason")
    )


def _is_identity(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _answer(row: Mapping[str, Any] | None, owner: str, now: datetime) -> dict[str, Any]:
    if row is None:
        return _rejected("prediction_unknown", "there is no prediction of this identity")
    if row["owner"] != owner:
        return _rejected("model_of_another_owner", f"{row['model_id']} belongs to another key")
    if row["withdrawn"]:
        return {"status": "duplicate"}
    until = withdrawable_until(row)
    if now >= until:
        return _rejected(
            "withdrawal_too_late", f"it could be withdrawn until {until:%Y-%m-%d %H:%M} UTC"
        )
    return {"status": "withdrawn", "withdrawable_until": until.isoformat()}


def _rejected(code: str, message: str) -> dict[str, Any]:
    return {"status": "rejected", "code": code, "message": message}
