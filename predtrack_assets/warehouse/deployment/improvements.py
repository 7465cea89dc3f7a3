"""Improvement events that are written by the application, and the notifications of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from predtrack_assets.warehouse.audit.improvement_digests import chain_improvements
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

BACKOFF_MINUTES = 5  # after the first failed notification, doubled by each one more
MAX_NOTIFICATIONS = 6  # attempts after which an event is left alone

PARAMS_OPTIMIZED = Query("""
    INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
        old_value, new_value, trigger_reason, performance_before, performance_after, automated)
    VALUES ('params_optimized', :at, :component_type, :component_id, :old_value::text::jsonb,
            :new_value::text::jsonb, :reason, :before::text::jsonb, :after::text::jsonb, true)
    RETURNING event_id
""")

# Overrides in force until they ended that left no champion: from then on nothing is recommended.
STRATEGIES_DISABLED = Query("""
    WITH disabled AS (
        INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type,
            component_id, old_value, trigger_reason, performance_before, automated)
        SELECT 'strategy_disabled', d.valid_until, 'strategy', 'recommendations/' || d.kind || '/' || d.scope,
               jsonb_build_object('model_id', d.model_id),
               'the override has expired and no champion was before it: nothing is recommended',
               g.criteria, true
        FROM deployment.deployments d
        JOIN deployment.gate_overrides o USING (override_id)
        JOIN deployment.deployment_gates g ON g.gate_id = o.gate_id
        WHERE d.valid_until <= :at
          AND EXISTS (SELECT FROM deployment.champion_at(
              d.kind, d.scope, d.valid_until - interval '1 microsecond') last
              WHERE last.deployment_id = d.deployment_id)
          AND NOT EXISTS (SELECT FROM deployment.champion_at(d.kind, d.scope, d.valid_until))
          AND NOT EXISTS (SELECT FROM deployment.champion_at(
              d.kind, split_part(d.scope, ':', 1), d.valid_until))
          AND NOT EXISTS (SELECT FROM deployment.improvement_events e
                          WHERE e.event_type = 'strategy_disabled' AND e.occurred_at = d.valid_until
                            AND e.component_id = 'recommendations/' || d.kind || '/' || d.scope)
        RETURNING event_id
    )
    SELECT count(*) AS disabled FROM disabled
""")

LOCK = Query(
    "SELECT pg_advisory_xact_lock(hashtext('deployment.event_notifications'))::text AS held"
)

# Not sent, and no attempt too recent: the wait doubles with each failure.
DUE = Query("""
    SELECT e.event_id, e.event_type, e.occurred_at, e.component_type, e.component_id,
           e.old_value::text AS old_value, e.new_value::text AS new_value, e.trigger_reason,
           e.automated, e.approved_by, n.attempts
    FROM deployment.improvement_events e
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS attempts, max(recorded_at) AS latest,
               count(*) FILTER (WHERE status = 'sent') AS sent
        FROM deployment.event_notifications a WHERE a.event_id = e.event_id) n
    WHERE n.sent = 0 AND n.attempts < :most AND (:event_id = 0 OR e.event_id = :event_id)
      AND (n.attempts = 0 OR n.latest + make_interval(mins => :backoff::int)
           * (2 ^ (n.attempts - 1)) <= clock_timestamp())
    ORDER BY e.event_id LIMIT :limit
""")

NOTIFIED = Query("""
    INSERT INTO deployment.event_notifications (event_id, status, channel, message, recorded_at)
    VALUES (:event_id, :status, :channel, nullif(:message::text, ''), clock_timestamp())
    RETURNING status
""")


@dataclass(frozen=True)
class Optimized:
    """Parameters that proved better. component_type: model, strategy or feature; values: JSON."""

    component_type: str
    component_id: str
    old_value: Mapping[str, Any]
    new_value: Mapping[str, Any]
    reason: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def note_optimized(transaction: Transaction, found: Optimized, at: datetime) -> int:
    """Leave a params_optimized event, for notification too; its id."""
    texts = {
        name: json.dumps(getattr(found, name), sort_keys=True)
        for name in ("old_value", "new_value", "before", "after")
    }
    event_id = transaction.read(
        PARAMS_OPTIMIZED,
        at=at,
        component_type=found.component_type,
        component_id=found.component_id,
        reason=found.reason,
        **texts,
    ).item()
    chain_improvements(transaction, "automated")
    return event_id


def note_disabled(transaction: Transaction, at: datetime) -> int:
    """Leave a strategy_disabled event for each override that ended by `at` and left no champion.

    Each is noted once; the number of new ones.
    """
    disabled = transaction.read(STRATEGIES_DISABLED, at=at).item()
    chain_improvements(transaction, "automated")
    return disabled


def due_notifications(transaction: Transaction, limit: int, event_id: int = 0) -> pl.DataFrame:
    """Events of which nobody has been told and that may be tried now, oldest first.

    event_id: only that one. Locks the notifications until the transaction ends, so that of two
    dispatchers one waits and then finds what the other sent.
    """
    transaction.read(LOCK)
    return transaction.read(
        DUE, limit=limit, event_id=event_id, most=MAX_NOTIFICATIONS, backoff=BACKOFF_MINUTES
    )


def note_notification(
    transaction: Transaction, event_id: int, status: str, channel: str, message: str = ""
) -> None:
    """Write down an attempt to tell somebody: status `sent` or `failed`."""
    transaction.read(NOTIFIED, event_id=event_id, status=status, channel=channel, message=message)
