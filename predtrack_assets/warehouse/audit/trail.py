"""The audit trail: who decided what, when and why, in a chain of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from predtrack_assets.domain.audit.ledger.chain import GENESIS, Link, chain_hash
from predtrack_assets.domain.audit.ledger.encoding import Encoding, canonical_json, encode_row
from predtrack_assets.domain.audit.ledger.merkle import leaf_hash
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import encodings, remember_encoding

EVENT = Encoding(
    (
        ("event_index", "bigint"),
        ("event_type", "text"),
        ("subject", "text"),
        ("payload", "jsonb"),
        ("actor", "text"),
        ("at", "timestamp with time zone"),
    )
)

LOCK = Query("SELECT chain FROM audit.chain_locks WHERE chain = 'audit.audit_trail' FOR UPDATE")
HEAD = Query("SELECT event_index, hash FROM audit.audit_trail ORDER BY event_index DESC LIMIT 1")
# jsonb is printed in one way only: that text is what is hashed.
STAMP = Query("SELECT clock_timestamp() AS at, (:payload::jsonb)::text AS payload")
RECORD = Query("""
    INSERT INTO audit.audit_trail (event_index, event_type, subject, payload, actor, at, encoding,
                                   previous_hash, hash)
    VALUES (:event_index, :event_type, :subject, :payload::jsonb, :actor, :at, :encoding,
            :previous_hash, :hash)
    RETURNING event_index
""")
EVENTS = Query("""
    SELECT event_index, event_type, subject, payload::text AS payload, actor, at, encoding,
           previous_hash, hash
    FROM audit.audit_trail ORDER BY event_index
""")


def record_event(
    transaction: Transaction,
    event_type: str,
    subject: str,
    payload: Mapping[str, Any],
    actor: str,
) -> int:
    """Add an event to the audit trail; returns its index.

    It becomes visible with the transaction's other writes, or not at all; other transactions that
    record events wait until then. payload: what JSON can hold; NaN is refused (ValueError).
    """
    transaction.read(LOCK)
    text = json.dumps(payload, allow_nan=False)
    at, text = transaction.read(STAMP, payload=text).row(0)
    head = transaction.read(HEAD)
    index, previous = head.row(0) if len(head) else (0, GENESIS)
    event = {
        "event_index": index + 1,
        "event_type": event_type,
        "subject": subject,
        "payload": text,
        "actor": actor,
        "at": at,
    }
    root = leaf_hash(encode_row(event, EVENT))
    link = chain_hash(previous, index + 1, root, _header(EVENT.digest))
    remember_encoding(transaction, EVENT)
    hashes = {"encoding": EVENT.digest, "previous_hash": previous, "hash": link}
    return transaction.read(RECORD, **event, **hashes).item()


def trail_links(transaction: Transaction) -> list[Link]:
    """Every event as a link whose root is computed from the stored row."""
    known = encodings(transaction)
    return [
        Link(
            event["event_index"],
            event["previous_hash"],
            leaf_hash(encode_row(event, known.get(event["encoding"], EVENT))),
            _header(event["encoding"]),
            event["hash"],
        )
        for event in transaction.read(EVENTS).iter_rows(named=True)
    ]


def _header(encoding: bytes) -> bytes:
    return canonical_json({"ledger": "audit_trail", "encoding": encoding.hex()})
