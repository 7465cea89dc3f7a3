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
EXISTING = Query("""
    SELECT prediction_id::text AS prediction_id, symbol, kind, trading_day, horizon, confidence,
           predicted_price, q05, q10, q25, q50, q75, q90, q95, predicted_volatility, origin
    FROM forecasts.predictions
    WHERE model_id = :model_id AND trading_day BETWEEN :first AND :last AND symbol = ANY(:symbols)
      AND horizon_unit = 'session'
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
