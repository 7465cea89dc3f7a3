"""Reads and writes of retraining: who needs it, what was fitted and why, and what has become worse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import polars as pl

from predtrack_assets.warehouse.audit.improvement_digests import chain_improvements
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

OPERATOR = "operator"

# The worst cell of each symbol that is flagged, with the newest fit of its own. spared: why such a
# fit would not help, else null; a symbol is spared when all its cells are.
FLAGGED = Query("""
    SELECT DISTINCT ON (symbol) c.symbol, c.model_id, c.kind, c.event, c.horizon, c.posterior_mean,
           c.period_end AS report_day, c.reason, f.fitted_through, c.spared,
           c.symbol || '@' || c.model_id || '@' || c.period_end AS run_key
    FROM (SELECT *, CASE WHEN EXISTS (
              SELECT FROM accuracy.symbol_accuracy o
              WHERE o.period = 'rolling_30d' AND o.model_id = :fitted_as
                AND (o.period_end, o.symbol, o.kind, o.event, o.horizon)
                  = (v.period_end, v.symbol, v.kind, v.event, v.horizon)
                AND NOT o.needs_retraining)
              THEN 'its own model is not flagged' END AS spared
          FROM accuracy.v_retraining_candidates v) c
    LEFT JOIN (SELECT scope AS symbol, max(trained_through) AS fitted_through
               FROM models.model_artifacts WHERE model_id = :fitted_as GROUP BY scope) f USING (symbol)
    ORDER BY symbol, c.spared IS NOT NULL, c.posterior_mean, c.model_id, c.kind, c.event, c.horizon
""")

POOLED_FIT_BY = Query("""
    SELECT artifact_id, artifact_uri, sha256, trained_through FROM models.model_artifacts
    WHERE model_id = :model_id AND scope = '*' AND status = 'active' AND trained_through <= :through
    ORDER BY trained_through DESC, revision DESC LIMIT 1
""")

# The fit in force for the symbol before: its own fit, else that of all symbols.
NOTE_RETRAINED = Query("""
    INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
        old_value, new_value, trigger_reason, performance_before, automated, approved_by)
    SELECT 'retrain', now(), 'model', f.model_id || ':' || f.scope,
           (SELECT jsonb_build_object('artifact_id', o.artifact_id) FROM models.model_artifacts o
            WHERE o.artifact_id <> f.artifact_id AND o.status = 'active'
              AND o.trained_through <= f.trained_through
              AND (o.model_id = f.model_id AND o.scope = f.scope OR o.scope = '*')
            ORDER BY o.scope = '*', o.trained_through DESC, o.revision DESC LIMIT 1),
           jsonb_build_object('artifact_id', f.artifact_id, 'trained_through', f.trained_through),
           :reason,
           accuracy.symbol_performance(f.scope, (
               SELECT max(a.period_end) FROM accuracy.symbol_accuracy a
               WHERE a.period = 'rolling_30d' AND a.symbol = f.scope AND a.period_end <= f.trained_through)),
           :triggered_by <> 'manual', CASE WHEN :triggered_by = 'manual' THEN :operator END
    FROM models.model_artifacts f WHERE f.artifact_id = :artifact_id
    RETURNING old_value ->> 'artifact_id' AS old_artifact
""")

# One event for each beginning of each signal, however often it is looked at.
NOTE_DEGRADED = Query("""
    INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
        new_value, trigger_reason, automated)
    SELECT 'degradation', now(), 'model', d.model_id || ' ' || d.kind || '/' || d.scope,
           jsonb_build_object('signal', d.signal, 'since', d.since), d.message, true
    FROM deployment.v_degradations d
    WHERE NOT EXISTS (
        SELECT FROM deployment.improvement_events e
        WHERE e.event_type = 'degradation' AND e.component_type = 'model'
          AND e.component_id = d.model_id || ' ' || d.kind || '/' || d.scope
          AND e.new_value = jsonb_build_object('signal', d.signal, 'since', d.since))
    ORDER BY d.signal, d.model_id, d.kind, d.scope
    RETURNING event_id, component_id, new_value::text AS signal, trigger_reason AS message
""")

DEGRADATIONS = Query("SELECT count(*) AS open FROM deployment.v_degradations")

LOCK = Query("SELECT pg_advisory_xact_lock(hashtext('deployment.v_degradations'))::text AS held")


@dataclass(frozen=True)
class Cause:
    """What made somebody fit. triggered_by: sensor, schedule, backfill or manual."""

    triggered_by: str = "manual"
    reason: str = "asked for by hand"


BY_HAND = Cause()


@dataclass(frozen=True)
class PooledFit:
    """A stored fit of all symbols, to be corrected."""

    artifact_id: str
    artifact_uri: str
    sha256: str
    trained_through: date


def pooled_fit(transaction: Transaction, model_id: str, through: date) -> PooledFit | None:
    """The newest active fit of all symbols that used nothing after `through`."""
    found = transaction.read(POOLED_FIT_BY, model_id=model_id, through=through)
    return PooledFit(*found.row(0)) if len(found) else None


def note_retrained(transaction: Transaction, artifact_id: str, cause: Cause) -> None:
    """Leave a retrain event, and its audit event, for a symbol's new fit."""
    parameters = {"triggered_by": cause.triggered_by, "reason": cause.reason}
    noted = transaction.read(
        NOTE_RETRAINED, artifact_id=artifact_id, operator=OPERATOR, **parameters
    )
    payload = {"from": noted["old_artifact"].item(), "to": artifact_id, **parameters}
    actor = "automated" if cause.triggered_by != "manual" else OPERATOR
    record_event(transaction, "retrain", artifact_id, payload, actor)
    chain_improvements(transaction, actor)


def note_degraded(transaction: Transaction) -> pl.DataFrame:
    """Leave an event, and its audit event, for each degradation not noted yet: component_id, message."""
    transaction.read(LOCK)
    new = transaction.read(NOTE_DEGRADED)
    for component, signal, message in new.select("component_id", "signal", "message").iter_rows():
        payload = {**json.loads(signal), "message": message}
        record_event(transaction, "degradation", component, payload, "automated")
    chain_improvements(transaction, "automated")
    return new.select("component_id", "message")
