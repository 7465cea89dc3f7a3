"""What a dashboard asks of the views, beside as many rows of their tables read by primary key."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction

TURNS = 21


@dataclass(frozen=True)
class Asked:
    """A question, and the table (with its key) in which the rows that answer it are."""

    question: Query
    table: tuple[str, str]


def _asked(question: str, schema: str, table: str) -> Asked:
    return Asked(Query(question), (schema, table))


_PREDICTIONS, _REPORTS = ("forecasts", "predictions"), ("accuracy", "symbol_accuracy")
VIEWS: dict[str, Asked] = {
    "current_performance": _asked(
        "SELECT * FROM accuracy.v_current_performance", "accuracy", "day_sums"
    ),
    "current_calibration": _asked(
        "SELECT * FROM accuracy.v_current_calibration", "accuracy", "day_sums"
    ),
    "cell_performance": _asked(
        "SELECT * FROM accuracy.v_current_performance WHERE model_id = 'bench-1' AND kind = 'direction'"
        " AND horizon = 5",
        "accuracy",
        "day_sums",
    ),
    "due_queue": _asked("SELECT * FROM forecasts.v_due_queue", *_PREDICTIONS),
    "symbol_month": _asked(
        "SELECT * FROM forecasts.price_predictions WHERE symbol = 'SIM3' AND trading_day BETWEEN"
        " (SELECT max(trading_day) - 30 FROM market.market_data) AND 'infinity'",
        *_PREDICTIONS,
    ),
    "prediction_by_id": _asked(
        "SELECT * FROM forecasts.prediction_status WHERE prediction_id ="
        " (SELECT prediction_id FROM forecasts.predictions LIMIT 1)",
        *_PREDICTIONS,
    ),
    "latest_gates": _asked(
        "SELECT * FROM deployment.v_latest_gates", "deployment", "deployment_gates"
    ),
    "symbol_ranking": _asked("SELECT * FROM accuracy.get_symbol_ranking('bench-1')", *_REPORTS),
    "retraining_candidates": _asked("SELECT * FROM accuracy.v_retraining_candidates", *_REPORTS),
    "recommendation_accuracy": _asked(
        "SELECT * FROM accuracy.v_recommendation_accuracy WHERE period = 'rolling_30d' AND"
        " period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy)",
        *_REPORTS,
    ),
    "calculate_ece": _asked(
        "SELECT * FROM accuracy.calculate_ece('bench-1', known_at =>"
        " (SELECT (max(trading_day) + 1)::timestamp AT TIME ZONE 'UTC' FROM market.market_data))",
        "forecasts", "outcomes",
    ),
}  # fmt: skip

_KEY = Query("""
    SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS kind FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
    WHERE i.indisprimary AND i.indrelid = format('%I.%I', :schema, :name)::regclass
""")


def measure(names: list[str]) -> dict[str, dict[str, float]]:
    """Per view: product_s, reference_s (medians), rows and the slowest time, slowest_s."""
    with Database().transaction(READER) as transaction:
        return {name: _measure(transaction, VIEWS[name]) for name in names}


def _measure(transaction: Transaction, asked: Asked) -> dict[str, float]:
    rows = len(transaction.read(asked.question))
    lookup = _lookup(transaction, asked.table, max(rows, 1))
    taken = np.array(
        [
            [_seconds(lambda: transaction.read(asked.question)), _seconds(lookup)]
            for _ in range(TURNS)
        ]
    )
    product_s, reference_s = np.median(taken, axis=0).tolist()
    slowest = {"slowest_s": round(float(taken[:, 0].max()), 5)}
    return {"product_s": product_s, "reference_s": reference_s, "rows": rows, **slowest}


def _lookup(transaction: Transaction, table: tuple[str, str], rows: int) -> Callable[[], object]:
    """Reads so many rows of a table by the keys of rows that lie anywhere in it."""
    schema, name = table
    types = dict(transaction.read(_KEY, schema=schema, name=name).iter_rows())
    names: dict[str, sql.Composable] = {
        "table": sql.Identifier(*table),
        "rows": sql.Literal(rows),
    }
    names["key"] = sql.SQL(", ").join(map(sql.Identifier, types))
    names["texts"] = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(column)) for column in types
    )
    sampled = "SELECT {texts} FROM {table} TABLESAMPLE SYSTEM (5) REPEATABLE (7) LIMIT {rows}"
    found = transaction.read(Query(sql.SQL(sampled).format(**names).as_string()))
    names["values"] = sql.SQL(", ").join(
        sql.SQL("({})").format(
            sql.SQL(", ").join(
                sql.Literal(value) + sql.SQL("::") + sql.SQL(kind)
                for value, kind in zip(row, types.values(), strict=True)
            )
        )
        for row in found.iter_rows()
    )
    by_key = "SELECT t.* FROM (VALUES {values}) k ({key}) JOIN {table} t USING ({key})"
    query = Query(sql.SQL(by_key).format(**names).as_string())
    return lambda: transaction.read(query)


def _seconds(what: Callable[[], Any]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start
