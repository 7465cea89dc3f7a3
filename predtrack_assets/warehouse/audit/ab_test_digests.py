"""A/B tests by digest: the rows that each transaction wrote, in its audit event and so chained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from psycopg import sql

from predtrack_assets.domain.audit.ledger.encoding import Encoding
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import remember_encoding, row_bytes

# Earlier events keep what they hold: a column added to the table later does not belong here.
TEST = Encoding(
    (
        ("as_of_day", "date"),
        ("kind", "text"),
        ("scope", "text"),
        ("control", "text"),
        ("treatment", "text"),
        ("start_day", "date"),
        ("success_metric", "text"),
        ("status", "text"),
        ("decided_day", "date"),
        ("n", "integer"),
        ("n_live", "integer"),
        ("mean_difference", "double precision"),
        ("e_value", "double precision"),
        ("e_against", "double precision"),
        ("batch", "integer"),
        ("threshold", "double precision"),
        ("conclusion", "text"),
        ("recorded_at", "timestamp with time zone"),
    )
)

# SHA-256 over SHA-256(00 || row) of what a transaction (its rows share recorded_at) wrote of a day.
_DIGESTS = sql.SQL("""
    SELECT recorded_at, as_of_day,
           encode(sha256(string_agg(sha256('\\x00'::bytea || {row}), ''::bytea
                  ORDER BY kind COLLATE "C", scope COLLATE "C", control COLLATE "C",
                           treatment COLLATE "C", start_day)), 'hex') AS digest
    FROM deployment.ab_tests GROUP BY recorded_at, as_of_day
""").format(row=row_bytes(TEST))

# The first event that says digests takes over what is there from before.
_NEW = sql.SQL("""
    SELECT recorded_at, as_of_day, digest FROM ({stored}) stored
    WHERE recorded_at = :at OR NOT EXISTS (
        SELECT FROM audit.audit_trail WHERE event_type = 'ab_test' AND payload -> 'digests' IS NOT NULL)
    ORDER BY recorded_at, as_of_day
""")
NEW = Query(_NEW.format(stored=_DIGESTS).as_string())

_RECORDED = sql.SQL("""
    WITH recorded AS (
        SELECT event_index, run.key::timestamptz AS recorded_at, day.key::date AS as_of_day,
               day.value AS digest
        FROM audit.audit_trail
        CROSS JOIN LATERAL jsonb_each(payload -> 'digests') run
        CROSS JOIN LATERAL jsonb_each_text(run.value) day
        WHERE event_type = 'ab_test' AND event_index <> ALL(:faulty::bigint[])
    ), stored AS (
        {stored}
    )
    SELECT 'A/B tests of' AS what, as_of_day::text AS id, NULL::text AS subject,
           NULL::text AS model_id,
           CASE WHEN r.event_index IS NULL THEN 'no audit event records them'
                WHEN s.digest IS NULL
                THEN 'audit event ' || r.event_index || ' records them and they are gone'
                WHEN s.digest <> r.digest THEN 'audit event ' || r.event_index || ' records others'
           END AS fault
    FROM recorded r FULL JOIN stored s USING (recorded_at, as_of_day)
    WHERE r.event_index IS NOT NULL OR EXISTS (
        SELECT FROM audit.audit_trail WHERE event_type = 'ab_test' AND payload -> 'digests' IS NOT NULL)
    ORDER BY as_of_day, r.event_index
""")
RECORDED = Query(_RECORDED.format(stored=_DIGESTS).as_string())


def digests_of_tests(transaction: Transaction) -> Mapping[str, Any]:
    """What an event must say of the tests that this transaction wrote; empty if none.

    Keys encoding (hex) and digests: SHA-256 (hex) by the moment written and the last day of the week.
    """
    digests: dict[str, dict[str, str]] = {}
    for moment, day, digest in transaction.read(NEW, at=transaction.now).iter_rows():
        digests.setdefault(moment.isoformat(), {})[str(day)] = digest
    if not digests:
        return {}
    remember_encoding(transaction, TEST)
    return {"encoding": TEST.digest.hex(), "digests": digests}


def recorded_tests(transaction: Transaction, faulty: Sequence[int] = ()) -> pl.DataFrame:
    """Tests of each transaction and week, on record or in the table, and what is wrong with them.

    faulty: indexes of audit events that do not verify and so record nothing. Columns: what, id
    (last day of the week), subject, model_id, fault (null: none).
    """
    return transaction.read(RECORDED, faulty=list(faulty))
