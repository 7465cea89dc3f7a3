"""Every statement that reads, with named parameters (`:name`) that are always bound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import sql

from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.tables import Table

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


@dataclass(frozen=True)
class Query:
    """A statement with :named parameters, rewritten to PostgreSQL's $1, $2, ..."""

    source: str

    @cached_property
    def names(self) -> list[str]:
        """Parameter names in the order of their numbers."""
        return list(dict.fromkeys(_PARAMETER.findall(self.source)))

    @cached_property
    def text(self) -> str:
        """The statement with numbered parameters."""
        return _PARAMETER.sub(lambda m: f"${self.names.index(m[1]) + 1}", self.source)

    def bind(self, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """Values in order. Raises TypeError when a parameter is missing or unknown."""
        if set(parameters) != set(self.names):
            raise TypeError(f"query takes {sorted(self.names)}, got {sorted(parameters)}")
        return tuple(parameters[name] for name in self.names) or None

    def with_literals(self, parameters: dict[str, Any]) -> str:
        """The statement with the values quoted in it. Raises TypeError as `bind` does."""
        self.bind(parameters)
        return _PARAMETER.sub(lambda m: sql.Literal(parameters[m[1]]).as_string(), self.source)


def _query(template: str, table: Table) -> Query:
    names = {
        "table": sql.Identifier(table.schema, table.name),
        "day": sql.Identifier(table.day),
        "key_day": sql.Identifier(table.key_day),
    }
    return Query(sql.SQL(template).format(**names).as_string())


def is_empty_window(table: Table) -> Query:
    """Whether no row of the table lies in [first, last]."""
    return _query(
        "SELECT NOT EXISTS (SELECT FROM {table} WHERE {day} BETWEEN :first AND :last)", table
    )


def is_empty_cell(table: Table) -> Query:
    """Whether no row of the table lies in [first, last] of its key's day for any of the symbols."""
    return _query(
        "SELECT NOT EXISTS (SELECT FROM {table}"
        " WHERE symbol = ANY(:symbols) AND {key_day} BETWEEN :first AND :last)",
        table,
    )


def current_in_cells(table: Table) -> Query:
    """Key and values of the latest revisions in the temporary table `cells` (symbol, first, last).

    Without parameters, because ADBC then reads by COPY, in half the time.
    """
    names = {
        "table": sql.Identifier(table.schema, table.name),
        "day": sql.Identifier(table.day),
        "columns": sql.SQL(", ").join(map(sql.Identifier, (*table.key, *table.values))),
        "key": sql.SQL(", ").join(map(sql.Identifier, table.key)),
        "backward": sql.SQL(", ").join(
            sql.SQL("{} DESC").format(sql.Identifier(c)) for c in (*table.key, "knowledge_time")
        ),
    }
    return Query(
        sql.SQL("""
            SELECT latest.* FROM pg_temp.cells, LATERAL (
                SELECT DISTINCT ON ({key}) {columns} FROM {table}
                WHERE symbol = cells.symbol AND {day} BETWEEN cells.first AND cells.last
                ORDER BY {backward}
            ) latest
        """)
        .format(**names)
        .as_string()
    )


NOW = Query("SELECT now() AS now")

COLUMN_TYPES = Query("""
    SELECT a.attname::text AS "column", format_type(a.atttypid, NULL) AS "type"
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = :name AND a.attnum > 0 AND NOT a.attisdropped
""")

NEVER_ASKED = Query("""
    SELECT NOT EXISTS (SELECT FROM market.fetch_log
                       WHERE symbol = ANY(:symbols) AND first_day <= :last AND last_day >= :first)
""")

# A change is compared with the latest revision known at that moment. `first_key` is null in `l`
# exactly when the fact is new.
_COMPARED = """
    WITH latest AS (
        SELECT DISTINCT ON ({stage_key}) {stage_all}, t.knowledge_time AS known_at,
               t.{first_key} IS NULL AS is_new, {differs} AS differs
        FROM stage s LEFT JOIN {table} t ON {same_key} %s
        ORDER BY {stage_key}, t.knowledge_time DESC
    ), inserted AS (
        INSERT INTO {table} ({plain}, knowledge_time)
        SELECT {plain}, %s FROM latest s WHERE is_new OR (differs%s)
        RETURNING 1
    )
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new AND differs%s),
           count(*) FILTER (WHERE NOT is_new AND differs%s)
    FROM latest
"""
REVISE = _COMPARED % (
    "AND t.knowledge_time <= s.knowledge_time",
    "knowledge_time",
    " AND known_at < knowledge_time",
    " AND known_at < knowledge_time",
    " AND known_at >= knowledge_time",
)
# Asked before and not given: known only now. A failed request tells so only near its day.
_FIRST_SEEN = """CASE
    WHEN NOT is_new OR EXISTS (
        SELECT FROM market.fetch_log f
        WHERE f.symbol = s.symbol AND {stage_day} BETWEEN f.first_day AND f.last_day
          AND (f.status = 'ok' OR f.fetched_at < {stage_day} + 10))
    THEN greatest(:seen::timestamptz, knowledge_time) ELSE knowledge_time END"""
REVISE_SEEN = _COMPARED % ("", _FIRST_SEEN, "", "", " AND false")

WITHDRAW_MISSING = Query("""
    WITH gone AS (
        INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred, source, knowledge_time)
        SELECT symbol, ex_date, kind, NULL, inferred, source, :seen
        FROM market.corporate_actions_as_of(:seen) a
        WHERE symbol = ANY(:symbols) AND ex_date BETWEEN :first AND :last AND source = :source
          AND NOT EXISTS (SELECT FROM stage s
                          WHERE (s.symbol, s.ex_date, s.kind) = (a.symbol, a.ex_date, a.kind))
        RETURNING 1
    )
    SELECT count(*) FROM gone
""")

LATE_KNOWLEDGE = Query("""
    SELECT trading_day, knowledge_time FROM market.market_data
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (trading_day + 1)::timestamp
      AND knowledge_time > :after AND knowledge_time <= :until
    UNION ALL
    SELECT ex_date, knowledge_time FROM market.corporate_actions
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (ex_date + 1)::timestamp
      AND knowledge_time > :after AND knowledge_time <= :until
""")

LATE_OUTCOMES = Query("""
    SELECT DISTINCT resolved_day FROM forecasts.outcomes
    WHERE resolved_day > due_day AND resolved_day BETWEEN :first AND :last
""")

SYMBOLS = Query("SELECT symbol, exchange, kind FROM market.symbols ORDER BY symbol")

SOURCES = Query("SELECT DISTINCT source FROM market.symbols ORDER BY source")

MEMBERS = Query("""
    SELECT DISTINCT symbol FROM market.universe_members
    WHERE universe = :universe AND coalesce(start_date, '-infinity') <= :last
      AND coalesce(end_date, 'infinity') >= :first
    ORDER BY symbol
""")

LOADED_UNIVERSES = Query(
    "SELECT DISTINCT universe FROM market.universe_members WHERE source <> 'builtin'"
)

COVERED_SYMBOLS = Query("""
    SELECT symbol FROM market.fetch_log
    WHERE source = :source AND symbol = ANY(:symbols) AND status IN ('ok', 'empty')
    GROUP BY symbol
    HAVING range_agg(daterange(first_day, last_day, '[]')) @> daterange(:first, :last, '[]')
""")

LAST_CLOSES = Query("""
    SELECT DISTINCT ON (symbol) symbol, trading_day, close
    FROM market.market_data_as_of('infinity')
    WHERE symbol = ANY(:symbols) AND trading_day < :before AND trading_day >= :since
    ORDER BY symbol, trading_day DESC
""")

BARS_AS_OF = Query("""
    SELECT symbol, trading_day, open, high, low, close, volume,
           ((knowledge_time - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS known_day
    FROM market.market_data_as_of(:as_of)
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
""")

ACTIONS_AS_OF = Query("""
    SELECT symbol, ex_date, kind, value
    FROM market.corporate_actions_as_of(:as_of)
    WHERE symbol = ANY(:symbols) AND ex_date BETWEEN :first AND :last
""")

OPEN_PREDICTIONS = Query("""
    SELECT model_id, kind, event, symbol, trading_day, horizon, due_day, confidence, climatology,
           reference_price, sigma, predicted_price, q05, q10, q25, q50, q75, q90, q95,
           target_price, side, hit_rule, predicted_days, predicted_volatility
    FROM forecasts.predictions
    WHERE symbol = ANY(:symbols) AND due_day >= :due_from AND trading_day < :last
""")

OUTCOMES_AS_OF = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
           model_id, kind, event, horizon, symbol, trading_day, due_day, resolved_day, status,
           confidence, occurred, score, score_no_change, score_climatology, crps, crps_no_change,
           qlike, qlike_no_change, relative_error, abs(relative_error) AS error_magnitude
    FROM forecasts.outcomes
    WHERE due_day BETWEEN :first AND :last AND knowledge_time <= :as_of
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC
""")

DUE_COUNTS = Query("""
    SELECT model_id, kind, horizon, due_day, count(*) AS n
    FROM forecasts.predictions
    WHERE due_day BETWEEN :first AND :last
    GROUP BY model_id, kind, horizon, due_day
""")

# The tables whose rows a person counts. Identities and logs are not among them.
COUNTED_TABLES = (
    tables.MARKET_DATA,
    tables.CORPORATE_ACTIONS,
    tables.QUARANTINE,
    tables.MARKET_CONDITIONS,
    tables.MODEL_REGISTRY,
    tables.MODEL_ARTIFACTS,
    tables.PREDICTIONS,
    tables.SKIPPED_PREDICTIONS,
    tables.OUTCOMES,
    tables.CALIBRATION_METRICS,
    tables.CALIBRATION_SUMMARY,
    tables.SYMBOL_ACCURACY,
    tables.ERROR_DISTRIBUTION,
    tables.DEPLOYMENT_GATES,
    tables.AB_TESTS,
    tables.DEPLOYMENTS,
    tables.PERFORMANCE_ANALYTICS,
    tables.ACCURACY_CORRELATION,
    tables.DRIFT_METRICS,
    tables.DRIFT_ALERTS,
    tables.COVERAGE,
    tables.SURVIVAL_CURVES,
)


def row_counts() -> Query:
    """Rows of every counted table: table, rows."""
    one = 'SELECT {label} AS "table", count(*) AS rows FROM {table}'
    parts = [
        sql.SQL(one).format(
            label=sql.Literal(str(table)), table=sql.Identifier(table.schema, table.name)
        )
        for table in COUNTED_TABLES
    ]
    return Query(sql.SQL(" UNION ALL ").join(parts).as_string())


SPAN = Query("""
    SELECT min(trading_day) AS first, max(trading_day) AS last, count(DISTINCT symbol) AS symbols
    FROM market.market_data
""")

QUARANTINE_REASONS = Query("""
    SELECT reason, count(*) AS rows, count(DISTINCT symbol) AS symbols
    FROM market.quarantine GROUP BY reason ORDER BY rows DESC, reason
""")

SUSPECT_FLAGS = Query("""
    SELECT flag, count(*) AS rows, count(DISTINCT symbol) AS symbols
    FROM market.market_data_current WHERE quality = 'suspect' GROUP BY flag ORDER BY rows DESC, flag
""")

STATUS_COUNTS = Query("""
    SELECT status, count(*) AS rows FROM forecasts.prediction_status GROUP BY status ORDER BY status
""")

CHAMPIONS = Query("""
    SELECT kind, scope, model_id, valid_from, valid_until FROM deployment.champions
    ORDER BY kind, scope
""")

FORGET_UNIVERSE = Query("""
    WITH gone AS (DELETE FROM market.universe_members WHERE universe = :universe RETURNING 1)
    SELECT count(*) AS rows FROM gone
""")
