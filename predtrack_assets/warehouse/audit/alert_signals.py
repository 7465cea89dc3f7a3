"""What alert rules look at: each signal gives a subject, a value and a detail a row."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

SIGNALS = {
    # Calendar days that a symbol's newest bar is behind the newest of its exchange.
    "symbol_days_behind": Query("""
        SELECT symbol AS subject, (exchange_last_bar - last_bar)::float8 AS value,
               format('last bar %s, the exchange has %s', last_bar, exchange_last_bar) AS detail
        FROM market.v_last_bars WHERE last_bar < exchange_last_bar
    """),
    # Hours since the source was asked last.
    "hours_since_fetch": Query("""
        SELECT 'prices' AS subject, extract(epoch FROM now() - max(fetched_at))::float8 / 3600 AS value,
               to_char(max(fetched_at) AT TIME ZONE 'UTC', '"last asked" YYYY-MM-DD HH24:MI "UTC"') AS detail
        FROM market.fetch_log HAVING max(fetched_at) IS NOT NULL
    """),
    # Share of the last run's requests that failed.
    "fetch_failed_share": Query("""
        SELECT source AS subject, avg((status = 'failed')::integer)::float8 AS value,
               format('%s of %s requests failed', count(*) FILTER (WHERE status = 'failed'), count(*))
                   AS detail
        FROM market.fetch_log
        WHERE run_id = (SELECT run_id FROM market.fetch_log ORDER BY fetch_id DESC LIMIT 1)
        GROUP BY source
    """),
    # Calendar days that decisions are behind the newest bar.
    "decision_days_behind": Query("""
        SELECT 'predictions' AS subject, (bars.day - decided.day)::float8 AS value,
               format('bars to %s, predictions to %s', bars.day, decided.day) AS detail
        FROM (SELECT max(exchange_last_bar) AS day FROM market.v_last_bars) bars,
             (SELECT max(trading_day) AS day FROM forecasts.predictions) decided
        WHERE decided.day IS NOT NULL
    """),
    # Calendar days that scores are behind the newest bar.
    "scoring_days_behind": Query("""
        SELECT 'day_sums' AS subject, (bars.day - summed.day)::float8 AS value,
               format('bars to %s, scores to %s', bars.day, summed.day) AS detail
        FROM (SELECT max(exchange_last_bar) AS day FROM market.v_last_bars) bars,
             (SELECT max(due_day) AS day FROM accuracy.day_sums) summed
        WHERE summed.day IS NOT NULL
    """),
    # Share of the last 30 due days' predictions that have expired, per model.
    "expired_share": Query("""
        SELECT model_id AS subject, sum(expired)::float8 / nullif(sum(due), 0) AS value,
               format('%s of %s due expired', sum(expired), sum(due)) AS detail
        FROM accuracy.day_sums_current
        WHERE due_day > (SELECT max(due_day) FROM accuracy.day_sums) - 30
        GROUP BY model_id HAVING sum(due) > 0
    """),
    # Models that are worse than they showed, by their e-process, and champions that fail their gate.
    "degradation": Query("""
        SELECT concat_ws(' ', model_id, kind, scope, signal) AS subject, 1.0::float8 AS value,
               message AS detail
        FROM deployment.v_degradations
    """),
    # Open drift, by severity: 1 or 2.
    "drift": Query("""
        SELECT concat_ws(' ', subject, name, model_id, kind, horizon) AS subject,
               (CASE severity WHEN 'critical' THEN 2 ELSE 1 END)::float8 AS value,
               format('%s, open since %s', statistic, opened_on) AS detail
        FROM accuracy.v_open_drift_alerts
    """),
    # Share of the rows of the last hour that were not accepted, per model, of ten rows and more.
    "refused_share": Query("""
        SELECT model_id AS subject, sum(rejected + conflicts)::float8
                   / sum(accepted + duplicates + rejected + conflicts) AS value,
               format('%s rows refused in an hour', sum(rejected + conflicts)) AS detail
        FROM forecasts.intake_batches WHERE recorded_at > now() - interval '1 hour'
        GROUP BY model_id HAVING sum(accepted + duplicates + rejected + conflicts) >= 10
    """),
    # Fits that failed within a day, per model.
    "failed_fits": Query("""
        SELECT model_id AS subject, count(*)::float8 AS value,
               format('%s failed within a day', count(*)) AS detail
        FROM models.training_runs
        WHERE status = 'failed' AND finished_at > now() - interval '1 day' GROUP BY model_id
    """),
    # Bars refused within a day, by reason.
    "refused_bars": Query("""
        SELECT reason AS subject, count(*)::float8 AS value,
               format('%s bars within a day', count(*)) AS detail
        FROM market.quarantine WHERE recorded_at > now() - interval '1 day' GROUP BY reason
    """),
}
