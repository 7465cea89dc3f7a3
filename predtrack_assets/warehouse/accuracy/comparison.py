"""Losses on each symbol by month, and of two models on the same predictions, as they were known."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

SYMBOL_MONTHS = Query("""
    SELECT symbol, model_id, kind, horizon, date_trunc('month', due_day::timestamp)::date AS month,
           count(*) AS n, sum(loss) AS loss, sum(loss_baseline) AS loss_baseline
    FROM accuracy.proper_losses(:first, :last, :as_of)
    WHERE loss_baseline IS NOT NULL
      AND (:horizon::integer IS NULL OR horizon = :horizon)
    GROUP BY symbol, model_id, kind, horizon, month
""")
# Touches are compared where both models speak of the same target: there no_change loses the same.
PAIRED_DAYS = Query("""
    SELECT a.kind, a.horizon, a.due_day, count(*) AS n, sum(a.loss) AS loss, sum(b.loss) AS loss_other,
           sum(a.loss_baseline) AS loss_baseline, sum((b.loss - a.loss) ^ 2) AS squares
    FROM (SELECT * FROM accuracy.proper_losses(:first, :last, :as_of) WHERE model_id = :one) a
    JOIN (SELECT * FROM accuracy.proper_losses(:first, :last, :as_of) WHERE model_id = :other) b
        USING (trading_day, symbol, kind, horizon)
    WHERE a.loss_baseline IS NOT NULL
      AND (a.kind <> 'time_to_hit' OR a.loss_baseline = b.loss_baseline)
    GROUP BY a.kind, a.horizon, a.due_day ORDER BY a.kind, a.horizon, a.due_day
""")
