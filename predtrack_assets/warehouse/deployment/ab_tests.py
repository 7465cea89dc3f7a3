"""A/B tests that are stored, and which of the forecasts under them were committed in time."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Each pair ever tested, with its first beginning.
BEGUN = Query("""
    SELECT DISTINCT ON (control, treatment) control, treatment, start_day, batch, threshold
    FROM deployment.ab_tests WHERE kind = :kind AND scope = :scope
    ORDER BY control, treatment, start_day, batch
""")

FINISHED = Query("""
    SELECT control, treatment, as_of_day, status, n, decided_day, mean_difference, e_value,
           e_against, n_live
    FROM deployment.ab_tests
    WHERE kind = :kind AND scope = :scope AND status IN ('promoted', 'rejected')
    ORDER BY control, treatment, as_of_day
""")

# Tests that were running at the last look before a day.
OPEN = Query("""
    SELECT control, treatment, status, n, decided_day, mean_difference, e_value, e_against, n_live
    FROM (SELECT DISTINCT ON (control, treatment) * FROM deployment.ab_tests
          WHERE kind = :kind AND scope = :scope AND as_of_day < :first
          ORDER BY control, treatment, as_of_day DESC) latest
    WHERE status = 'running' ORDER BY control, treatment
""")

# Cohorts that there are in a kind and horizon, of all symbols and of single ones.
COHORTS = Query("""
    SELECT coalesce(max(batch), 0) AS batches FROM deployment.ab_tests
    WHERE kind = :kind AND split_part(scope, ':', 1) = :scope
""")

# Days on which all predictions of a version were committed before its outcome could be known.
LIVE_DAYS = Query("""
    SELECT model_id, kind, trading_day FROM forecasts.prediction_batches
    WHERE trading_day <= :last GROUP BY model_id, kind, trading_day
    HAVING bool_and(origin = 'live') ORDER BY model_id, kind, trading_day
""")
