"""Statements about alerts: opened, seen, closed, told, silenced."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Held until the transaction ends: one evaluates and tells, others wait and then find it done.
CLOCK = Query("""
    SELECT evaluated_at, now() AS at FROM audit.alert_clock FOR UPDATE
""")
TICK = Query("UPDATE audit.alert_clock SET evaluated_at = now() RETURNING evaluated_at")
SEE = Query("""
    WITH found AS (
        SELECT * FROM unnest(:rules::text[], :subjects::text[], :severities::text[], :values::float8[],
                             :details::text[]) AS f (rule, subject, severity, value, detail)
    ), seen AS (
        UPDATE audit.alerts a
        SET last_seen = now(), severity = f.severity, value = f.value, detail = f.detail
        FROM found f WHERE a.closed_at IS NULL AND (a.rule, a.subject) = (f.rule, f.subject)
        RETURNING a.rule, a.subject
    ), opened AS (
        INSERT INTO audit.alerts (rule, subject, severity, value, detail, opened_at, last_seen)
        SELECT rule, subject, severity, value, detail, now(), now() FROM found f
        WHERE NOT EXISTS (SELECT FROM seen s WHERE (s.rule, s.subject) = (f.rule, f.subject))
        RETURNING alert_id
    ), closed AS (
        UPDATE audit.alerts a SET closed_at = now()
        WHERE a.closed_at IS NULL AND a.rule <> ALL(:unknown::text[])
          AND NOT EXISTS (SELECT FROM found f WHERE (a.rule, a.subject) = (f.rule, f.subject))
        RETURNING alert_id
    )
    SELECT (SELECT count(*) FROM opened) AS opened, (SELECT count(*) FROM seen) AS seen,
           (SELECT count(*) FROM closed) AS closed
""")
UNTOLD = Query("""
    SELECT alert_id, rule, subject, severity, detail, closed_at, notified_at, resolved_told
    FROM audit.alerts
    WHERE closed_at IS NULL OR (notified_at IS NOT NULL AND resolved_told IS NULL)
    ORDER BY rule, subject, alert_id
""")
TOLD = Query("""
    UPDATE audit.alerts SET notified_at = now()
    WHERE alert_id = ANY(:alerts) AND closed_at IS NULL RETURNING alert_id
""")
RESOLVED = Query("""
    UPDATE audit.alerts SET resolved_told = now() WHERE alert_id = ANY(:alerts) RETURNING alert_id
""")
NOTE = Query("""
    INSERT INTO audit.alert_messages (kind, status, channel, alerts, message, fault)
    VALUES (:kind, :status, :channel, :alerts, :message, nullif(:fault::text, '')) RETURNING message_id
""")
SENT_LATELY = Query("""
    SELECT count(*) FILTER (WHERE kind IN ('open', 'resolved')) AS messages,
           count(*) FILTER (WHERE kind = 'held') AS held,
           (SELECT max(recorded_at) FROM audit.alert_messages
            WHERE kind = 'heartbeat' AND status = 'sent') AS heartbeat_at
    FROM audit.alert_messages WHERE status = 'sent' AND recorded_at > now() - interval '1 hour'
""")
REPORTED = Query("""
    SELECT EXISTS (SELECT FROM audit.alert_messages
                   WHERE kind = 'report' AND status = 'sent' AND message = :title)
""")
SILENCES = Query("""
    SELECT silence_id, rule, subject, until, reason, silenced_by FROM audit.alert_silences
    WHERE until > now() ORDER BY until
""")
SILENCE = Query("""
    INSERT INTO audit.alert_silences (rule, subject, until, reason, silenced_by)
    VALUES (:rule, nullif(:subject::text, ''), now() + make_interval(mins => :minutes::integer),
            :reason, :by)
    RETURNING silence_id, until
""")
OPEN = Query("""
    SELECT alert_id, rule, subject, severity, value, detail, opened_at, last_seen, notified_at
    FROM audit.alerts WHERE closed_at IS NULL
    ORDER BY array_position(ARRAY['critical', 'warning', 'info'], severity), opened_at DESC, alert_id
    LIMIT 200
""")
HISTORY = Query("""
    SELECT rule, subject, severity, detail, opened_at, closed_at, notified_at, resolved_told
    FROM audit.alerts WHERE closed_at IS NOT NULL ORDER BY closed_at DESC, alert_id DESC LIMIT 50
""")
MESSAGES = Query("""
    SELECT recorded_at, kind, status, channel, alerts, message, fault FROM audit.alert_messages
    ORDER BY message_id DESC LIMIT 30
""")
OPEN_COUNTS = Query("""
    SELECT severity, count(*) AS alerts FROM audit.alerts WHERE closed_at IS NULL GROUP BY severity
""")
STATE = Query("""
    SELECT c.evaluated_at, m.heartbeat_at FROM audit.alert_clock c,
           (SELECT max(recorded_at) AS heartbeat_at FROM audit.alert_messages
            WHERE kind = 'heartbeat' AND status = 'sent') m
""")
