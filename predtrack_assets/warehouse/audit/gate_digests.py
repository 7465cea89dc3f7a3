"""Gates by digest: what each run decided for each week, in its audit event and so chained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
from psycopg import sql

from predtrack_assets.domain.audit.ledger.encoding import Encoding
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import remember_encoding, row_bytes

GATE = Encoding(
    (
        ("gate_id", "uuid"),
        ("model_id", "text"),
        ("kind", "text"),
        ("horizon", "smallint"),
        ("symbol", "text"),
        ("scope", "text"),
        ("as_of_day", "date"),
        ("gate_status", "text"),
        ("accuracy", "double precision"),
        ("skill", "double precision"),
        ("market_outperformance", "double precision"),
        ("sharpe_ratio", "double precision"),
        ("max_drawdown", "double precision"),
        ("calibration_error", "double precision"),
        ("psr", "double precision"),
        ("deflated_sharpe", "double precision"),
        ("trial_count", "integer"),
        ("criteria", "jsonb"),
        ("thresholds", "jsonb"),
        ("reasons", "jsonb"),  # failure_reasons as a JSON array
        ("evaluated_at", "timestamp with time zone"),
        ("n_live", "integer"),
    )
)

# SHA-256 over SHA-256(00 || row) of the gates of a run (they share evaluated_at) and week, by id.
_DIGESTS = sql.SQL("""
    SELECT evaluated_at, as_of_day, string_agg(DISTINCT model_id, ', ') AS models,
           encode(sha256(string_agg(sha256('\\x00'::bytea || {row}), ''::bytea ORDER BY gate_id)),
                  'hex') AS digest
    FROM (SELECT *, to_jsonb(failure_reasons) AS reasons FROM deployment.deployment_gates) gates
    GROUP BY evaluated_at, as_of_day
""").format(row=row_bytes(GATE))

_OF_RUN = sql.SQL("""
    SELECT as_of_day, digest FROM ({stored}) stored
    WHERE evaluated_at = :at AND as_of_day BETWEEN :first AND :last ORDER BY as_of_day
""")
OF_RUN = Query(_OF_RUN.format(stored=_DIGESTS).as_string())

# Gates written before events held digests count as recorded where an event of that time covers their
# day; once an event holds digests, none without them records anything.
_RECORDED = sql.SQL("""
    WITH events AS MATERIALIZED (
        SELECT event_index, at, payload AS recorded FROM audit.audit_trail
        WHERE event_type = 'deployment_gate' AND event_index <> ALL(:faulty::bigint[])
    ), plain AS (
        SELECT at, (recorded ->> 'first')::date AS first, (recorded ->> 'last')::date AS last FROM events
        WHERE event_index < coalesce((SELECT min(event_index) FROM events
                                      WHERE recorded -> 'digests' IS NOT NULL), 9223372036854775807)
    ), recorded AS (
        SELECT event_index, (recorded ->> 'evaluated_at')::timestamptz AS evaluated_at,
               week.key::date AS as_of_day, week.value AS digest
        FROM events CROSS JOIN LATERAL jsonb_each_text(recorded -> 'digests') week
    ), stored AS (
        {stored}
    )
    SELECT 'gates of' AS what, as_of_day::text AS id, NULL::text AS subject,
           CASE WHEN r.event_index IS NULL THEN s.models END AS model_id,
           CASE WHEN r.event_index IS NULL THEN 'no audit event records them'
                WHEN s.digest IS NULL
                THEN 'audit event ' || r.event_index || ' records them and they are gone'
                WHEN s.digest <> r.digest THEN 'audit event ' || r.event_index || ' records others'
           END AS fault
    FROM recorded r FULL JOIN stored s USING (evaluated_at, as_of_day)
    WHERE r.event_index IS NOT NULL OR NOT EXISTS (
        SELECT FROM plain p WHERE s.evaluated_at <= p.at AND s.as_of_day BETWEEN p.first AND p.last)
    ORDER BY as_of_day, r.event_index
""")
RECORDED = Query(_RECORDED.format(stored=_DIGESTS).as_string())


def digests_of_run(transaction: Transaction, first: date, last: date) -> Mapping[str, Any]:
    """What an event must say of the gates that this transaction added for weeks [first, last].

    Keys evaluated_at, encoding (hex) and digests: SHA-256 (hex) by last day of the week.
    """
    remember_encoding(transaction, GATE)
    found = transaction.read(OF_RUN, at=transaction.now, first=first, last=last)
    return {
        "evaluated_at": transaction.now.isoformat(),
        "encoding": GATE.digest.hex(),
        "digests": {str(day): digest for day, digest in found.iter_rows()},
    }


def recorded_gates(transaction: Transaction, faulty: Sequence[int] = ()) -> pl.DataFrame:
    """Gates of each run and week, on record or in the table, and what is wrong with them.

    faulty: indexes of audit events that do not verify and so record nothing. Columns: what, id
    (last day of the week), subject, model_id (where nothing records them), fault (null: none).
    """
    return transaction.read(RECORDED, faulty=list(faulty))
