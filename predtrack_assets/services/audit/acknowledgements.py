"""Rows that nobody can remove and no batch can excuse: named by an audit event, and shown apart.

A row of another hand is never sealed, and a row that says live too late stays so: without this
`predtrack ledger verify` could not become good again. What was committed and altered, or is gone,
cannot be acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from predtrack_assets.domain.audit.ledger.comparison import FINDINGS, LATE, UNSEALED
from predtrack_assets.warehouse.audit.acknowledgements import ACKNOWLEDGED, EVENT_TYPE
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.transaction import Transaction

MIN_REASON = 10  # characters


def acknowledge(transaction: Transaction, findings: pl.DataFrame, reason: str, actor: str) -> int:
    """Record an audit event that names those of `findings` (FINDINGS) which can be; how many.

    Raises ValueError without such a finding, a reason of MIN_REASON characters, or an actor.
    """
    if len(reason.strip()) < MIN_REASON or not actor.strip():
        raise ValueError(f"it needs a name and a reason, of {MIN_REASON} characters at least")
    named = findings.filter(pl.col("fault").is_in([UNSEALED, LATE])).select(
        pl.col("prediction_id").bin.encode("hex"), "fault"
    )
    if named.is_empty():
        raise ValueError(
            "nothing can be acknowledged: only rows that were never committed or say live too late"
        )
    payload = {"reason": reason.strip(), "rows": named.to_dicts()}
    record_event(transaction, EVENT_TYPE, "forecasts.predictions", payload, actor.strip())
    return len(named)


def split(
    transaction: Transaction, findings: pl.DataFrame, faulty: Sequence[int] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Findings that stand (FINDINGS), and those acknowledged, with event_index, actor and reason.

    faulty: indexes of audit events that do not verify and so excuse nothing.
    """
    known = transaction.read(ACKNOWLEDGED, faulty=list(faulty))
    known = known.filter(pl.col("fault").is_in([UNSEALED, LATE]))
    key = ["prediction_id", "fault"]
    excused = findings.join(known, on=key, how="inner", maintain_order="left")
    stand = findings.join(known, on=key, how="anti", maintain_order="left")
    return stand.select(list(FINDINGS)), excused
