"""Statements of intake: models of others, rows that are there already, receipts."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

MODEL = Query("""
    SELECT model_id, kinds, status, hyperparameters ->> 'owner' AS owner FROM models.model_registry
    WHERE model_name = :name AND version = :version
""")
REGISTER = Query("""
    INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description,
                                       hyperparameters, trained_through, status)
    VALUES (:model_id, :name, :version, 'candidate', :kinds, :description,
            jsonb_build_object('owner', :owner::text, 'url', :url::text),
            CAST(:trained_through AS date), 'shadow')
    ON CONFLICT DO NOTHING RETURNING model_id
""")
EXTERNAL_MODELS = Query("""
    SELECT model_id, model_name AS name, version, kinds, description, status,
           hyperparameters ->> 'owner' AS owner, trained_through, recorded_at
    FROM models.model_registry WHERE hyperparameters ? 'owner' ORDER BY model_id
""")
# As predictions_of_model is ordered: what other models said on these days is not read.
EXISTING = Query("""
    SELECT prediction_id::text AS prediction_id, symbol, kind, trading_day, horizon, confidence,
           predicted_price, q05, q10, q25, q50, q75, q90, q95, predicted_volatility, target_price,
           predicted_days, hit_rule, origin
    FROM forecasts.predictions
    WHERE model_id = :model_id AND kind = ANY(:kinds) AND horizon = ANY(:horizons)
      AND trading_day BETWEEN :first AND :last AND horizon_unit = 'session'
""")
RECEIPT = Query("""
    INSERT INTO forecasts.intake_batches (request_id, key_id, model_id, idempotency_key, body_sha256,
                                          accepted, duplicates, conflicts, rejected, answer)
    VALUES (:request_id, :key_id, :model_id, :idempotency_key, :digest, :accepted, :duplicates,
            :conflicts, :rejected, :answer::jsonb)
    RETURNING batch_id
""")
BY_IDEMPOTENCY_KEY = Query("""
    SELECT batch_id, body_sha256, answer::text AS answer FROM forecasts.intake_batches
    WHERE coalesce(key_id, '') = coalesce(:key_id::text, '') AND idempotency_key = :idempotency_key
""")
# Two posts with one key wait for each other, so that the second finds the first one's answer.
KEY_LOCK = Query("""
    SELECT pg_advisory_xact_lock(hashtext('forecasts.intake_batches'), hashtext(:name))::text AS held
""")
RECEIPTS = Query("""
    SELECT batch_id, request_id, key_id, model_id, idempotency_key, accepted, duplicates, conflicts,
           rejected, recorded_at
    FROM forecasts.intake_batches ORDER BY batch_id DESC LIMIT :size
""")
RECEIPT_OF = Query("""
    SELECT b.batch_id, b.key_id, b.model_id, b.answer::text AS answer, b.recorded_at
    FROM forecasts.intake_batches b WHERE batch_id = :batch_id
""")
FILE = Query("SELECT report::text AS report FROM forecasts.intake_files WHERE sha256 = :digest")
REMEMBER_FILE = Query("""
    INSERT INTO forecasts.intake_files (sha256, name, size, status, report)
    VALUES (:digest, :name, :size, :status, :report::jsonb)
    ON CONFLICT DO NOTHING RETURNING name
""")
# Predictions by identity, whose they are, and whether they are withdrawn already.
TO_WITHDRAW = Query("""
    SELECT p.prediction_id::text AS prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.as_of,
           p.horizon, p.horizon_unit, p.earliest_resolution_time, s.exchange,
           r.hyperparameters ->> 'owner' AS owner, w.prediction_id IS NOT NULL AS withdrawn
    FROM forecasts.predictions p JOIN models.model_registry r USING (model_id)
    JOIN market.symbols s USING (symbol)
    LEFT JOIN forecasts.withdrawals w ON w.prediction_id = p.prediction_id
    WHERE p.prediction_id = ANY (:ids::uuid[])
""")
WITHDRAW = Query("""
    INSERT INTO forecasts.withdrawals (model_id, kind, symbol, trading_day, as_of, horizon, horizon_unit,
                                       withdrawable_until, reason, withdrawn_by)
    SELECT p.model_id, p.kind, p.symbol, p.trading_day, p.as_of, p.horizon, p.horizon_unit, asked.until,
           :reason, :owner
    FROM unnest(:ids::uuid[], :untils::timestamptz[]) AS asked (id, until)
    JOIN forecasts.predictions p ON p.prediction_id = asked.id
    RETURNING prediction_id::text AS prediction_id
""")
WITHDRAWN = Query("""
    SELECT model_id, kind, symbol, trading_day, as_of, horizon, horizon_unit FROM forecasts.withdrawals
    WHERE trading_day BETWEEN :first AND :last
""")
