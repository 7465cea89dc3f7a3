"""What the scoreboard is computed from: signals, P&L and sums as they were known; and its rows."""

from __future__ import annotations

from datetime import date

import polars as pl
from psycopg import sql

from predtrack_assets.domain.accuracy import scoreboard as domain
from predtrack_assets.domain.accuracy.day_sums import KEYS
from predtrack_assets.domain.accuracy.day_sums import SCHEMA as SUMS_SCHEMA
from predtrack_assets.domain.trading import strategy_performance as money
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

BEGINNING = date(1900, 1, 1)

HORIZONS = Query("""
    SELECT DISTINCT horizon FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND kind IN ('price', 'direction')
      AND horizon_unit = 'session' ORDER BY horizon
""")
SIGNALS = Query("""
    SELECT model_id, kind, horizon, symbol, trading_day, confidence, sigma, q50
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND kind IN ('price', 'direction')
      AND horizon = :horizon AND horizon_unit = 'session'
""")
PNL = Query("""
    SELECT known_day, trading_day, model_id, kind, horizon, profit, market, capital_deployed,
           gross_exposure, net_exposure
    FROM accuracy.strategy_pnl WHERE known_day <= :last AND trading_day >= :since
""")
ROWS = Query(
    "SELECT * FROM accuracy.scoreboard WHERE as_of_day = :day ORDER BY kind, horizon, model_id"
)
HISTORY = Query("""
    SELECT as_of_day, model_id, kind, horizon, n, skill_vs_no_change, skill_vs_no_change_low,
           skill_vs_no_change_high
    FROM accuracy.scoreboard WHERE as_of_day BETWEEN :since AND :last
    ORDER BY model_id, kind, horizon, as_of_day
""")
LAST_DAY = Query("""
    SELECT greatest((SELECT max(due_day) FROM accuracy.day_sums WHERE known_day <= :known_by),
                    (SELECT max(as_of_day) FROM accuracy.scoreboard WHERE as_of_day <= :known_by)) AS day
""")

# Champions at the end of a day.
CHAMPIONS = Query("""
    SELECT d.kind, d.scope, d.model_id, d.valid_from, d.valid_until
    FROM (SELECT DISTINCT kind, scope FROM deployment.deployments) scopes,
         LATERAL deployment.champion_at(
             scopes.kind, scopes.scope, (:day::date + 1)::timestamp AT TIME ZONE 'UTC') d
    ORDER BY d.kind, d.scope
""")
# The latest gate of each version that is judged on all symbols together, by the end of a day.
GATES = Query("""
    SELECT DISTINCT ON (kind, horizon, model_id)
           kind, horizon, model_id, as_of_day AS gate_day, gate_status,
           failure_reasons[1] AS first_failure
    FROM deployment.deployment_gates WHERE as_of_day <= :day AND symbol IS NULL
    ORDER BY kind, horizon, model_id, as_of_day DESC
""")
MODELS = Query("""
    SELECT m.model_id, m.model_name, m.version, m.role, m.status, m.kinds, m.scope, m.description,
           m.hyperparameters ->> 'owner' AS owner, b.first_day, b.last_day
    FROM models.model_registry m
    LEFT JOIN (SELECT model_id, min(trading_day) AS first_day, max(trading_day) AS last_day
               FROM forecasts.prediction_batches GROUP BY model_id) b USING (model_id)
    WHERE (:kind::text IS NULL OR :kind = ANY(m.kinds))
    ORDER BY m.role DESC, m.model_id
""")
# Whether what a stored scoreboard was computed from has been written before it.
IS_FRESH = Query("""
    SELECT (SELECT max(recorded_at) FROM accuracy.scoreboard WHERE as_of_day = :day)
        >= greatest((SELECT max(recorded_at) FROM accuracy.day_sums WHERE known_day <= :day),
                    (SELECT max(recorded_at) FROM accuracy.strategy_pnl WHERE known_day <= :day))
        AS fresh
""")
RECORDED = Query("SELECT DISTINCT horizon FROM accuracy.day_sums ORDER BY horizon")
ROLES = Query("SELECT model_id, role FROM models.model_registry")

# Per-day profiles, as in accuracy.profiles.
PNL_PROFILE = Query("""
    SELECT known_day AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (known_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(
               profit + market + capital_deployed + gross_exposure + net_exposure)) AS non_finite,
           count(*) FILTER (WHERE abs(net_exposure) > gross_exposure + 1e-9
               OR gross_exposure > capital_deployed + 1e-9) AS overexposed,
           count(*) FILTER (WHERE model_id = 'no_change' AND (profit <> 0 OR gross_exposure <> 0))
               AS idle_profit
    FROM accuracy.strategy_pnl WHERE known_day BETWEEN :first AND :last GROUP BY known_day
""")
SCOREBOARD_PROFILE = Query("""
    SELECT as_of_day AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (as_of_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(coalesce(n_eff, 0) + coalesce(mean_score, 0)
               + coalesce(skill_vs_no_change + skill_vs_no_change_low + skill_vs_no_change_high, 0)
               + coalesce(skill_vs_climatology, 0) + coalesce(skill_vs_drift, 0)
               + coalesce(strategy_return + strategy_return_annual + hold_return, 0)
               + coalesce(sharpe_ratio + sharpe_low + sharpe_high, 0))) AS non_finite,
           count(*) FILTER (WHERE n_eff > n + 1e-6
               OR NOT skill_vs_no_change BETWEEN skill_vs_no_change_low AND skill_vs_no_change_high
               OR NOT skill_vs_climatology BETWEEN skill_vs_climatology_low AND skill_vs_climatology_high
               OR NOT skill_vs_drift BETWEEN skill_vs_drift_low AND skill_vs_drift_high)
               AS outside_interval,
           count(*) FILTER (WHERE model_id = 'no_change' AND skill_vs_no_change <> 0)
               AS skilful_no_change,
           count(*) FILTER (WHERE NOT sharpe_ratio BETWEEN sharpe_low AND sharpe_high
               OR sharpe_ratio IS NOT NULL AND gross_exposure = 0) AS inconsistent
    FROM accuracy.scoreboard WHERE as_of_day BETWEEN :first AND :last GROUP BY as_of_day
""")


def read_sum_revisions(
    transaction: Transaction, last: date, since: date | None = None
) -> pl.DataFrame:
    """All revisions known at the end of `last` of the sums that a scoreboard uses: KEYS, due_day,
    known_day and domain.USED. since: of due days from then on."""
    wanted = [*KEYS, "due_day", "known_day", *domain.USED]
    template = """SELECT {columns} FROM accuracy.day_sums
        WHERE known_day <= :last AND due_day >= :since"""
    text = sql.SQL(template).format(columns=sql.SQL(", ").join(map(sql.Identifier, wanted)))
    query = Query(text.as_string())
    rows = transaction.read_copied(query, last=last, since=since or BEGINNING)
    return rows.cast({name: SUMS_SCHEMA[name] for name in (*KEYS, "due_day", *domain.USED)})


def sums_known(revisions: pl.DataFrame, day: date) -> pl.DataFrame:
    """Of each key and due day the revision that was the newest at the end of a day."""
    return _newest(revisions, [*KEYS, "due_day"], day)


def read_pnl_revisions(
    transaction: Transaction, last: date, since: date | None = None
) -> pl.DataFrame:
    """All revisions of daily P&L known at the end of `last`; since: of days from then on."""
    rows = transaction.read_copied(PNL, last=last, since=since or BEGINNING)
    return rows.cast({"horizon": pl.Int64})


def pnl_known(revisions: pl.DataFrame, day: date) -> pl.DataFrame:
    """P&L of each cell and trading day as known at the end of a day."""
    return _newest(revisions, [*money.CELL, "trading_day"], day)


def _newest(revisions: pl.DataFrame, key: list[str], day: date) -> pl.DataFrame:
    rows = revisions.filter(pl.col("known_day") <= day).sort(*key, "known_day", nulls_last=True)
    return rows.unique(key, keep="last", maintain_order=True).drop("known_day")
