"""What tells whether a database is in good order, each read in one pass."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

SERVER = Query("""
    SELECT current_setting('server_version') AS version, clock_timestamp() AS at,
           pg_database_size(current_database()) AS bytes,
           (SELECT count(*) FROM pg_roles
            WHERE rolname IN ('predtrack_owner', 'predtrack_writer', 'predtrack_reader')) AS roles
""")
BARS = Query("""
    SELECT max(trading_day) AS last_day, count(DISTINCT symbol) AS symbols
    FROM market.market_data
    WHERE trading_day = (SELECT max(trading_day) FROM market.market_data)
""")
REFUSED_BARS = Query("""
    SELECT count(*) AS rows, mode() WITHIN GROUP (ORDER BY reason) AS reason
    FROM market.quarantine WHERE recorded_at > :since
""")
# Fell due longer ago than an outcome may take, and nothing was decided of it.
OVERDUE = Query("""
    SELECT count(*) AS rows, min(due_day) AS first_day FROM forecasts.prediction_status
    WHERE status = 'pending' AND due_day BETWEEN :first AND :last
""")
FAILED_FITS = Query("""
    SELECT count(*) AS rows, max(model_id) AS model_id FROM models.training_runs
    WHERE status = 'failed' AND started_at > :since
""")
