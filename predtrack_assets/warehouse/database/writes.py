"""Statements that writes are made of: comparing, revising, withdrawing."""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.tables import Table


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


# Asked before and not given: known only now. A failed request tells so only near its day. `asked`:
# days that the whole source was asked for near them.
_FIRST_SEEN = """CASE
    WHEN NOT is_new OR {stage_day} = ANY(:asked::date[]) OR EXISTS (
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


JUDGE = Query("""
    WITH judged AS (
        UPDATE market.market_data b
        SET quality = CASE WHEN s.flag IS NULL THEN 'good' ELSE 'suspect' END, flag = s.flag
        FROM pg_temp.flags s
        WHERE b.symbol = s.symbol AND b.trading_day = s.trading_day AND b.knowledge_time = (
            SELECT max(r.knowledge_time) FROM market.market_data r
            WHERE r.symbol = s.symbol AND r.trading_day = s.trading_day)
        RETURNING 1
    )
    SELECT count(*) FROM judged
""")
