"""Audit events that name findings of the ledger which can never become good again."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

EVENT_TYPE = "ledger_exception"

ACKNOWLEDGED = Query("""
    SELECT DISTINCT ON (named ->> 'prediction_id', named ->> 'fault')
           decode(named ->> 'prediction_id', 'hex') AS prediction_id, named ->> 'fault' AS fault,
           event_index, actor, payload ->> 'reason' AS reason
    FROM audit.audit_trail CROSS JOIN LATERAL jsonb_array_elements(payload -> 'rows') AS named
    WHERE event_type = 'ledger_exception' AND event_index <> ALL(:faulty::bigint[])
    ORDER BY named ->> 'prediction_id', named ->> 'fault', event_index
""")
