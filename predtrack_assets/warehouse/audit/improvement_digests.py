"""Improvement events by digest: whoever writes one says so on the audit trail, and so chains it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from psycopg import sql

from predtrack_assets.domain.audit.ledger.encoding import Encoding
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import remember_encoding, row_bytes

EVENT_TYPE = "improvement"

# Earlier events keep what they hold: a column added to the table later does not belong here.
IMPROVEMENT = Encoding(
    (
        ("event_id", "bigint"),
        ("event_type", "text"),
        ("occurred_at", "timestamp with time zone"),
        ("component_type", "text"),
        ("component_id", "text"),
        ("old_value", "jsonb"),
        ("new_value", "jsonb"),
        ("trigger_reason", "text"),
        ("performance_before", "jsonb"),
        ("performance_after", "jsonb"),
        ("automated", "boolean"),
        ("approved_by", "text"),
        ("recorded_at", "timestamp with time zone"),
    )
)

_DIGESTS = sql.SQL("""
    SELECT event_id, component_id, recorded_at,
           encode(sha256('\\x00'::bytea || {row}), 'hex') AS digest
    FROM deployment.improvement_events
""").format(row=row_bytes(IMPROVEMENT))

_RECORDED_IDS = sql.SQL("""
    SELECT event_index, digest.key::bigint AS event_id, digest.value AS digest
    FROM audit.audit_trail CROSS JOIN LATERAL jsonb_each_text(payload -> 'digests') digest
    WHERE event_type = 'improvement'
""")

# The first event that says digests takes over what is there from before.
_NEW = sql.SQL("""
    WITH recorded AS MATERIALIZED ({recorded})
    SELECT event_id, digest FROM ({stored}) stored
    WHERE NOT EXISTS (SELECT FROM recorded r WHERE r.event_id = stored.event_id)
      AND (recorded_at = :at OR NOT EXISTS (SELECT FROM recorded))
    ORDER BY event_id
""")
NEW = Query(_NEW.format(recorded=_RECORDED_IDS, stored=_DIGESTS).as_string())

_RECORDED = sql.SQL("""
    WITH recorded AS MATERIALIZED (
        {recorded} AND event_index <> ALL(:faulty::bigint[])
    ), stored AS (
        {stored}
    )
    SELECT 'improvement event' AS what, event_id::text AS id, s.component_id AS subject,
           NULL::text AS model_id,
           CASE WHEN r.event_index IS NULL THEN 'no audit event records it'
                WHEN s.digest IS NULL
                THEN 'audit event ' || r.event_index || ' records it and it is gone'
                WHEN s.digest <> r.digest THEN 'audit event ' || r.event_index || ' records another'
           END AS fault
    FROM recorded r FULL JOIN stored s USING (event_id)
    WHERE r.event_index IS NOT NULL
       OR EXISTS (SELECT FROM audit.audit_trail WHERE event_type = 'improvement')
    ORDER BY event_id, r.event_index
""")
RECORDED = Query(_RECORDED.format(recorded=_RECORDED_IDS, stored=_DIGESTS).as_string())


def chain_improvements(transaction: Transaction, actor: str) -> None:
    """An audit event with the digests of the improvement events that this transaction wrote.

    None if there are none that are not on record yet. To be called by whatever writes one, also
    through a trigger.
    """
    new = transaction.read(NEW, at=transaction.now)
    if new.is_empty():
        return
    remember_encoding(transaction, IMPROVEMENT)
    digests = {str(event): digest for event, digest in new.iter_rows()}
    payload = {"encoding": IMPROVEMENT.digest.hex(), "digests": digests}
    record_event(transaction, EVENT_TYPE, "deployment.improvement_events", payload, actor)


def recorded_improvements(transaction: Transaction, faulty: Sequence[int] = ()) -> pl.DataFrame:
    """Improvement events on record or in the table, and what is wrong with each.

    faulty: indexes of audit events that do not verify and so record nothing. Columns: what, id,
    subject (the component), model_id (null), fault (null: none).
    """
    return transaction.read(RECORDED, faulty=list(faulty))
