"""Deployments and what led to them, each against its audit event and what permitted it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from predtrack_assets.warehouse.audit.ab_test_digests import recorded_tests
from predtrack_assets.warehouse.audit.gate_digests import recorded_gates
from predtrack_assets.warehouse.audit.improvement_digests import recorded_improvements
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

# A row and an event belong together by key: the moment in force, or the override. Doubles of a key
# are numbered, so that the second of them finds no partner. Rollbacks recorded before events held
# `valid_from` belong to the last one in force by then.
DECISIONS = Query("""
    WITH events AS MATERIALIZED (
        SELECT event_index, event_type, subject, payload, actor, at
        FROM audit.audit_trail
        WHERE event_type IN ('deployment', 'rollback', 'manual_override')
          AND event_index <> ALL(:faulty::bigint[])
    ), made AS (
        SELECT d.*, kind || '/' || scope AS subject,
               CASE WHEN num_nonnulls(restores, retires) > 0 THEN 'rollback'
                    WHEN override_id IS NOT NULL THEN 'manual_override' ELSE 'deployment' END AS event_type
        FROM deployment.deployments d
    ), keyed AS (
        SELECT e.*, CASE event_type WHEN 'manual_override' THEN payload ->> 'override_id'
            ELSE subject || ' ' || extract(epoch FROM coalesce((payload ->> 'valid_from')::timestamptz, (
                SELECT max(m.valid_from) FROM made m
                WHERE m.event_type = 'rollback' AND m.subject = e.subject AND m.valid_from <= e.at)))
            END AS key
        FROM events e
    ), recorded AS (
        SELECT *, row_number() OVER (PARTITION BY event_type, key ORDER BY event_index) AS turn FROM keyed
    ), permits AS (
        SELECT m.*, o.override_id AS given, o.expires_at, o.recorded_at AS given_at, g.gate_status,
               CASE m.event_type WHEN 'manual_override' THEN m.override_id::text
                    ELSE m.subject || ' ' || extract(epoch FROM m.valid_from) END AS key,
               (g.model_id, g.kind) = (m.model_id, m.kind) AND g.scope IN (m.scope, CASE WHEN m.restores
                    IS NOT NULL THEN split_part(m.scope, ':', 1) END) AS same,
               m.valid_from >= (g.as_of_day + 1)::timestamp AT TIME ZONE 'UTC' AS known,
               EXISTS (SELECT FROM models.model_registry r
                       WHERE r.model_id = m.model_id AND r.role = 'baseline') AS baseline,
               EXISTS (SELECT FROM deployment.deployments b
                       WHERE b.deployment_id = m.restores AND b.valid_from < m.valid_from
                         AND (b.kind, b.model_id) = (m.kind, m.model_id)
                         AND b.scope IN (m.scope, split_part(m.scope, ':', 1))
                         AND (b.gate_id, b.override_id) IS NOT DISTINCT FROM (m.gate_id, m.override_id)
                      ) AS earlier,
               (SELECT c.deployment_id FROM deployment.champion_at(
                    m.kind, m.scope, m.valid_from - interval '1 microsecond') c) AS before_it,
               (SELECT b.model_id FROM deployment.deployments b
                WHERE b.deployment_id = m.retires) AS retired_model
        FROM made m
        LEFT JOIN deployment.gate_overrides o ON o.override_id = m.override_id
        LEFT JOIN deployment.deployment_gates g ON g.gate_id = coalesce(m.gate_id, o.gate_id)
    ), deployed AS (
        SELECT *, row_number() OVER (PARTITION BY event_type, key ORDER BY deployment_id) AS turn FROM permits
    ), overrides AS (
        SELECT o.*, g.kind || '/' || g.scope AS subject,
               row_number() OVER (PARTITION BY o.override_id ORDER BY o.recorded_at) AS turn
        FROM deployment.gate_overrides o LEFT JOIN deployment.deployment_gates g USING (gate_id)
    ), differences AS (
        SELECT d.*, r.event_index, r.subject AS recorded_subject, r.payload, array_to_string(ARRAY[
            CASE WHEN (r.payload ->> 'deployment_id') <> d.deployment_id::text THEN 'id' END,
            CASE WHEN d.event_type = 'rollback' AND (r.payload ->> 'to') IS DISTINCT FROM d.model_id
                   OR (r.payload ->> 'model_id') <> d.model_id THEN 'model' END,
            CASE WHEN (r.payload ->> 'retires') IS DISTINCT FROM d.retires::text
                   OR d.retires IS NOT NULL AND (r.payload ->> 'from') IS DISTINCT FROM d.retired_model
                 THEN 'champion left' END,
            CASE WHEN r.subject <> d.subject THEN 'kind or scope' END,
            CASE WHEN d.event_type <> 'rollback'
                  AND (r.payload ->> 'gate_id') IS DISTINCT FROM
                      coalesce(d.gate_id::text, (SELECT min(o.gate_id::text) FROM deployment.gate_overrides o
                                                 WHERE o.override_id = d.override_id)) THEN 'gate' END,
            CASE WHEN (r.payload ->> 'valid_from')::timestamptz <> d.valid_from THEN 'moment' END,
            CASE WHEN r.actor <> d.deployed_by THEN 'person' END,
            CASE WHEN d.recorded_at NOT BETWEEN r.at - interval '1 day' AND r.at
                 THEN 'moment of recording' END,
            CASE WHEN (r.payload ->> 'reason') IS DISTINCT FROM d.reason THEN 'reason' END], ', ') AS differs
        FROM deployed d FULL JOIN recorded r USING (event_type, key, turn)
    )
    SELECT 'deployment' AS what, coalesce(deployment_id::text, payload ->> 'deployment_id') AS id,
           coalesce(subject, recorded_subject) AS subject,
           coalesce(model_id, payload ->> 'model_id', payload ->> 'to') AS model_id,
           nullif(concat_ws('; ',
               CASE WHEN event_index IS NULL THEN 'no audit event records it' END,
               CASE WHEN deployment_id IS NULL
                    THEN 'audit event ' || event_index || ' records it and it is gone' END,
               CASE WHEN event_index IS NOT NULL AND deployment_id IS NOT NULL AND differs <> ''
                    THEN 'audit event ' || event_index || ' records another ' || differs END,
               CASE WHEN deployment_id IS NULL THEN NULL
                    WHEN retires IS NOT NULL THEN
                         CASE WHEN before_it IS DISTINCT FROM retires
                              THEN 'it retires no champion in force' END
                    WHEN gate_status IS NULL THEN 'no gate permits it'
                    WHEN same IS NOT TRUE THEN 'its gate is of another model, kind or scope'
                    WHEN known IS NOT TRUE THEN 'its gate was not known yet'
                    WHEN override_id IS NULL AND gate_status <> 'passed' THEN 'its gate is ' || gate_status
                    WHEN override_id IS NOT NULL AND (
                        given_at <= valid_from AND valid_from < expires_at AND valid_until = expires_at
                        ) IS NOT TRUE THEN 'its override was not valid then'
               END,
               CASE WHEN restores IS NOT NULL AND NOT earlier THEN 'it restores no earlier champion' END,
               CASE WHEN valid_until IS NOT NULL AND override_id IS NULL
                    THEN 'it has an end and no override' END,
               CASE WHEN baseline THEN 'a baseline is never champion' END), '') AS fault
    FROM differences
    UNION ALL
    SELECT 'override', coalesce(o.override_id::text, e.payload ->> 'override_id'),
           coalesce(o.subject, e.subject), NULL,
           CASE WHEN e.event_index IS NULL THEN 'no audit event records it'
                WHEN o.override_id IS NULL
                THEN 'audit event ' || e.event_index || ' records it and it is gone'
                WHEN (o.gate_id::text, o.reason, o.requested_by, o.approved_by, o.requested_by, o.expires_at,
                      o.subject)
                  IS DISTINCT FROM (e.payload ->> 'gate_id', e.payload ->> 'reason',
                      e.payload ->> 'requested_by', e.payload ->> 'approved_by', e.actor,
                      (e.payload ->> 'expires_at')::timestamptz, e.subject)
                  OR o.recorded_at NOT BETWEEN e.at - interval '1 day' AND e.at
                THEN 'audit event ' || e.event_index || ' records another one' END
    FROM overrides o FULL JOIN (SELECT * FROM recorded WHERE event_type = 'manual_override') e
        ON e.key = o.override_id::text AND e.turn = o.turn
    ORDER BY what, id, fault
""")


def decisions(transaction: Transaction, faulty: Sequence[int] = ()) -> pl.DataFrame:
    """Every deployment, override, improvement event, and week of gates or of A/B tests.

    In its table or on the audit trail. faulty: indexes of audit events that do not verify and so
    record nothing. Columns: what (deployment, override, gates of, A/B tests of, improvement event),
    id, subject (kind/scope or component), model_id, fault (null: none); text.
    """
    found = transaction.read(DECISIONS, faulty=list(faulty))
    found = found.sort("what", pl.col("id").cast(pl.Int64, strict=False), maintain_order=True)
    others = (recorded_gates, recorded_tests, recorded_improvements)
    return pl.concat([found, *(recorded(transaction, faulty) for recorded in others)])
