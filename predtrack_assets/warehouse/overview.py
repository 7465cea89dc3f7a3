"""What pages of the dashboard ask of every room: small answers, each from an index."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Whatever runs of the graph, deployments and overrides change leaves an event on the audit trail.
DATA_VERSION = Query("""
    SELECT concat_ws('.', (SELECT max(event_index) FROM audit.audit_trail),
                          (SELECT count(*) FROM models.model_registry)) AS version
""")
LONGER = Query("SELECT set_config('statement_timeout', :milliseconds, true) AS timeout")
LAST_FETCH = Query("SELECT max(fetch_id) AS fetch FROM market.fetch_log")
MODELS = Query("""
    SELECT model_id, model_name, version, role, kinds, description, status, scope, feature_set,
           trained_through, recorded_at, hyperparameters ->> 'owner' AS owner,
           hyperparameters ->> 'url' AS url,
           count(*) FILTER (WHERE hyperparameters ? 'owner')
               OVER (PARTITION BY hyperparameters ->> 'owner') AS versions_of_owner
    FROM models.model_registry ORDER BY role DESC, model_id
""")
INTAKE_OF_DAY = Query("""
    SELECT count(*) AS batches, coalesce(sum(accepted), 0)::bigint AS accepted,
           coalesce(sum(duplicates), 0)::bigint AS duplicates,
           coalesce(sum(conflicts), 0)::bigint AS conflicts, coalesce(sum(rejected), 0)::bigint AS rejected
    FROM forecasts.intake_batches WHERE recorded_at >= :since
""")
# Of a batch, the rows that were not accepted.
REFUSED_ROWS = Query("""
    SELECT r.row ->> 'index' AS index, r.row ->> 'status' AS status, r.row ->> 'code' AS code,
           r.row ->> 'pointer' AS pointer, r.row ->> 'message' AS message
    FROM forecasts.intake_batches b, jsonb_array_elements(b.answer -> 'rows') AS r (row)
    WHERE b.batch_id = :batch AND r.row ->> 'status' <> 'accepted'
    ORDER BY (r.row ->> 'index')::integer LIMIT 200
""")
KEY_USE = Query("""
    SELECT key_id, count(*) AS batches, sum(accepted)::bigint AS accepted,
           date_trunc('hour', max(recorded_at)) AS last_used
    FROM forecasts.intake_batches WHERE key_id IS NOT NULL GROUP BY key_id ORDER BY last_used DESC LIMIT 50
""")
WITHDRAWALS = Query("""
    SELECT prediction_id::text AS prediction_id, model_id, kind, symbol, trading_day, horizon, horizon_unit,
           reason, withdrawn_by, recorded_at
    FROM forecasts.withdrawals ORDER BY recorded_at DESC, prediction_id LIMIT 50
""")
WITHDRAWAL_OF = Query("""
    SELECT reason, withdrawn_by, recorded_at FROM forecasts.withdrawals
    WHERE prediction_id = CAST(:prediction AS uuid)
""")
FILES = Query("""
    SELECT left(encode(sha256, 'hex'), 16) AS digest, name, size, status, recorded_at
    FROM forecasts.intake_files ORDER BY recorded_at DESC, name LIMIT 50
""")
LATEST_BATCHES = Query("""
    SELECT batch_index, model_id, kind, trading_day, row_count, origin, committed_at,
           left(encode(hash, 'hex'), 16) AS hash
    FROM forecasts.prediction_batches ORDER BY batch_index DESC LIMIT 20
""")
LEDGER_SIZE = Query("""
    SELECT (SELECT max(batch_index) FROM forecasts.prediction_batches) AS batches,
           (SELECT max(event_index) FROM audit.audit_trail) AS events
""")
LATEST_EVENTS = Query("""
    SELECT event_index, event_type, subject, actor, at FROM audit.audit_trail
    ORDER BY event_index DESC LIMIT 20
""")
STATEMENT = Query("""
    SELECT p.*, o.status, o.occurred, o.actual_price, o.actual_return, o.brier, o.brier_no_change,
           o.brier_climatology, o.crps, o.crps_no_change, o.qlike, o.qlike_no_change,
           o.knowledge_time AS resolved_at, to_hex(p.feature_digest) AS digest
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.prediction_id = CAST(:prediction AS uuid)
""")
SYMBOL_REPORT = Query("""
    SELECT symbol, model_id, kind, event, horizon, total_predictions, accurate_predictions, accuracy_rate,
           n_eff, posterior_mean, posterior_low, posterior_high, needs_retraining, period_start, period_end
    FROM accuracy.symbol_accuracy
    WHERE period = 'rolling_30d' AND kind = :kind AND horizon = :horizon AND model_id = :model
      AND period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
    ORDER BY posterior_mean DESC, symbol
""")
REPORTED_CELLS = Query("""
    SELECT DISTINCT model_id, kind, horizon FROM accuracy.symbol_accuracy
    WHERE period = 'rolling_30d'
      AND period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
    ORDER BY kind, horizon, model_id
""")
LAST_DECISION_DAY = Query("SELECT max(trading_day) AS day FROM forecasts.predictions")
STATEMENTS_OF_DAY = Query("""
    SELECT p.prediction_id::text AS prediction_id, p.model_id, p.kind, p.horizon, p.horizon_unit, p.due_day,
           p.event, p.confidence, p.reference_price, p.predicted_price, p.q05, p.q95, p.predicted_volatility,
           p.origin, coalesce(o.status, 'pending') AS status, o.occurred, o.actual_price,
           o.realised_volatility
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.trading_day = :day AND p.symbol = :symbol
    ORDER BY p.kind, p.horizon, p.model_id LIMIT 400
""")
FETCHES = Query("""
    SELECT source, status, coalesce(category, '') AS category, count(*) AS requests,
           count(DISTINCT symbol) AS symbols, max(fetched_at) AS latest, max(left(message, 120)) AS example
    FROM market.fetch_log WHERE run_id = (SELECT run_id FROM market.fetch_log ORDER BY fetch_id DESC LIMIT 1)
    GROUP BY source, status, category ORDER BY requests DESC
""")
STALE_SYMBOLS = Query("""
    SELECT symbol, exchange, last_bar, exchange_last_bar - last_bar AS days_behind, exchange_last_bar
    FROM market.v_last_bars WHERE last_bar IS NULL OR last_bar < exchange_last_bar
    ORDER BY days_behind DESC NULLS FIRST, symbol LIMIT 100
""")
MARKET_NOW = Query("""
    SELECT trading_day, market_regime, benchmark, daily_return, distance_to_ma50, vix_level, vix_source,
           market_breadth, symbols_counted FROM market.v_current_market
""")
DEGRADATIONS = Query("""
    SELECT signal, model_id, kind, scope, since, message FROM deployment.v_degradations ORDER BY since
""")
OPEN_DRIFT = Query("""
    SELECT subject, name, model_id, kind, horizon, severity, statistic, value, critical_value, p_value,
           opened_on, last_seen
    FROM accuracy.v_open_drift_alerts ORDER BY opened_on DESC, subject, name
""")
CALIBRATION = Query("""
    SELECT model_id, kind, event, horizon, ece, total_predictions::bigint AS total_predictions, n_eff,
           calibration_quality, judged_on, rms_calibration_error, rms_calibration_upper, miscalibration,
           discrimination, uncertainty, coverage
    FROM accuracy.v_current_calibration
""")
DEPLOYMENTS_OF = Query("""
    SELECT kind, scope, valid_from, valid_until, deployed_by, reason FROM deployment.deployments
    WHERE model_id = :model ORDER BY valid_from DESC LIMIT 20
""")
