"""Every statement that reads, with named parameters (`:name`) that are always bound."""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.tables import Table

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
    tables.DAY_SUMS,
    tables.STRATEGY_PNL,
    tables.SCOREBOARD,
    tables.CALIBRATION_SUMMARY,
    tables.SYMBOL_ACCURACY,
    tables.ERROR_DISTRIBUTION,
    tables.DEPLOYMENT_GATES,
    tables.AB_TESTS,
    tables.DEPLOYMENTS,
    tables.ACCURACY_CORRELATION,
    tables.DRIFT_METRICS,
    tables.DRIFT_ALERTS,
    tables.SURVIVAL_CURVES,
)


def count_rows(table: Table) -> Query:
    """How many rows a table has."""
    name = sql.Identifier(table.schema, table.name)
    return Query(sql.SQL("SELECT count(*) AS rows FROM {}").format(name).as_string())


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
