"""Numbers for monitoring, each from an index or a small table; labels from fixed sets only."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# name (without predtrack_), label's value or nothing, number.
GAUGES = Query("""
    SELECT 'last_sealed_timestamp_seconds' AS name, '' AS label,
           extract(epoch FROM max(committed_at))::float8 AS value
    FROM (SELECT committed_at FROM forecasts.prediction_batches ORDER BY batch_index DESC LIMIT 1) b
    UNION ALL
    SELECT 'last_bar_timestamp_seconds', '', extract(epoch FROM max(exchange_last_bar))::float8
    FROM market.v_last_bars
    UNION ALL
    SELECT 'last_decision_timestamp_seconds', '', extract(epoch FROM max(trading_day))::float8
    FROM forecasts.predictions
    UNION ALL
    SELECT 'last_scored_timestamp_seconds', '', extract(epoch FROM max(due_day))::float8
    FROM accuracy.day_sums
    UNION ALL
    SELECT 'last_fetch_timestamp_seconds', '', extract(epoch FROM max(fetched_at))::float8
    FROM (SELECT fetched_at FROM market.fetch_log ORDER BY fetch_id DESC LIMIT 1) f
    UNION ALL
    SELECT 'alerts_evaluated_timestamp_seconds', '', extract(epoch FROM evaluated_at)::float8
    FROM audit.alert_clock
    UNION ALL
    SELECT 'open_alerts', s.severity,
           (SELECT count(*) FROM audit.alerts a WHERE a.closed_at IS NULL AND a.severity = s.severity)::float8
    FROM (VALUES ('info'), ('warning'), ('critical')) s (severity)
    UNION ALL
    SELECT 'alert_messages_failed_last_day', '', count(*)::float8 FROM audit.alert_messages
    WHERE status = 'failed' AND recorded_at > now() - interval '1 day'
    UNION ALL
    SELECT 'champions', k.kind, (SELECT count(*) FROM deployment.champions c WHERE c.kind = k.kind)::float8
    FROM (VALUES ('price'), ('direction')) k (kind)
    UNION ALL
    SELECT 'models', s.status,
           (SELECT count(*) FROM models.model_registry m WHERE m.status = s.status)::float8
    FROM (VALUES ('live'), ('shadow'), ('retired')) s (status)
    UNION ALL
    SELECT 'failed_fits_last_day', '', count(*)::float8 FROM models.training_runs
    WHERE status = 'failed' AND finished_at > now() - interval '1 day'
    UNION ALL
    SELECT 'pending_due_predictions', '', coalesce(sum(due - validated - expired), 0)::float8
    FROM accuracy.day_sums_current WHERE due_day > (SELECT max(due_day) FROM accuracy.day_sums) - 30
    UNION ALL
    SELECT 'intake_rows_last_hour', l.result, l.rows FROM (
        SELECT coalesce(sum(accepted), 0)::float8 AS accepted,
               coalesce(sum(duplicates), 0)::float8 AS duplicate,
               coalesce(sum(conflicts), 0)::float8 AS conflict,
               coalesce(sum(rejected), 0)::float8 AS rejected
        FROM forecasts.intake_batches
        WHERE batch_id > (SELECT max(batch_id) FROM forecasts.intake_batches) - 10000
          AND recorded_at > now() - interval '1 hour') b,
        LATERAL (VALUES ('accepted', accepted), ('duplicate', duplicate), ('conflict', conflict),
                        ('rejected', rejected)) l (result, rows)
    UNION ALL
    SELECT 'audit_events', '', coalesce(max(event_index), 0)::float8 FROM audit.audit_trail
    UNION ALL
    SELECT 'sealed_batches', '', coalesce(max(batch_index), 0)::float8 FROM forecasts.prediction_batches
""")
