"""Pages of tables and views as JSON made by the server: what the API and pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

LIMITS = Query("""
    SELECT set_config('statement_timeout', '5000', true) AS timeout,
           set_config('transaction_read_only', 'on', true) AS read_only
""")
LAST_SEALED = Query("""
    SELECT max(committed_at) AS committed_at, max(batch_index) AS batch_index
    FROM forecasts.prediction_batches
""")
LEDGER_HEAD = Query("""
    SELECT batch_index, encode(hash, 'hex') AS hash, committed_at
    FROM forecasts.prediction_batches ORDER BY batch_index DESC LIMIT 1
""")


@dataclass(frozen=True)
class View:
    """A relation that is read by pages.

    filters: parameter -> (column, type) that must be equal. order: columns, `-` before descending.
    columns: expressions other than all columns, as they stand in SQL.
    """

    relation: str
    order: tuple[str, ...]
    filters: Mapping[str, tuple[str, str]]
    columns: tuple[str, ...] = ()


MODEL = {
    "model": ("model_id", "text"),
    "kind": ("kind", "text"),
    "horizon": ("horizon", "integer"),
}
SYMBOL = {"symbol": ("symbol", "text")}

PREDICTIONS = View(
    "forecasts.predictions",
    ("-trading_day", "symbol", "model_id", "kind", "horizon"),
    {**MODEL, **SYMBOL, "day": ("trading_day", "date"), "origin": ("origin", "text")},
    (
        "prediction_id", "model_id", "kind", "symbol", "trading_day AS decision_day", "as_of",
        "horizon", "horizon_unit", "due_day", "due_at", "event", "confidence", "reference_price",
        "sigma", "climatology", "predicted_price", "q05", "q10", "q25", "q50", "q75", "q90", "q95",
        "target_price", "side", "predicted_days", "predicted_volatility", "earliest_resolution_time",
        "origin", "recorded_at", "feature_digest::text AS feature_digest",
    ),
)  # fmt: skip
MODELS = View(
    "models.model_registry",
    ("model_id",),
    {"model": ("model_id", "text"), "status": ("status", "text"), "role": ("role", "text")},
    (
        "model_id", "model_name AS name", "version", "role", "kinds", "description", "status",
        "hyperparameters ->> 'owner' AS owner", "trained_through", "recorded_at",
    ),
)  # fmt: skip
RECOMMENDATIONS = View(
    "forecasts.recommendations",
    ("kind", "horizon", "symbol"),
    {**MODEL, **SYMBOL, "day": ("trading_day", "date")},
)
ANALYTICS = {
    "calibration": View("accuracy.v_current_calibration", ("model_id", "kind", "horizon"), MODEL),
    "scoreboard": View("accuracy.v_current_performance", ("model_id", "kind", "horizon"), MODEL),
    "retraining": View("accuracy.v_retraining_candidates", ("symbol",), SYMBOL),
    "drift": View("accuracy.v_open_drift_alerts", (), {}),
    "gates": View("deployment.v_latest_gates", ("model_id", "kind"), MODEL),
    "champions": View("deployment.champions", ("kind", "scope"), {"kind": ("kind", "text")}),
    "origins": View("forecasts.v_origins", (), {}),
    "success": View("accuracy.v_success_metrics", (), {}),
    "symbols": View("accuracy.symbol_accuracy", ("-period_end", "symbol"), {**MODEL, **SYMBOL}),
    "errors": View("accuracy.error_distribution", ("-period_end", "model_id"), MODEL),
    "regimes": View("models.prediction_scores", ("-evaluated_through", "model_id"), MODEL),
}


def read_page(
    transaction: Transaction,
    view: View,
    given: Mapping[str, str],
    size: int,
    skip: int = 0,
) -> str:
    """A JSON array of at most `size` rows after the first `skip`; the transaction becomes read-only.

    Raises KeyError for a filter that the view does not have, and what the database raises for a
    value that is none of the filter's type.
    """
    transaction.read(LIMITS)
    return str(transaction.read(_query(view, given), size=size, skip=skip, **given).item())


def _query(view: View, given: Mapping[str, str]) -> Query:
    columns: list[sql.Composable] = [sql.SQL(text) for text in view.columns]
    where = [
        sql.SQL("{} = CAST(:{} AS {})").format(
            sql.Identifier(view.filters[name][0]),
            sql.SQL(name),
            sql.SQL(view.filters[name][1]),
        )
        for name in given
    ]
    order = [
        sql.SQL("{} DESC" if name.startswith("-") else "{}").format(
            sql.Identifier(name.removeprefix("-"))
        )
        for name in view.order
    ]
    names: dict[str, Any] = {
        "columns": sql.SQL(", ").join(columns) if columns else sql.SQL("*"),
        "relation": sql.Identifier(*view.relation.split(".")),
        "where": sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(where)) if where else sql.SQL(""),
        "order": sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(order)) if order else sql.SQL(""),
    }
    template = """
        SELECT coalesce(json_agg(page), '[]'::json)::text AS rows FROM (
            SELECT {columns} FROM {relation} {where} {order} LIMIT :size OFFSET :skip) page
    """
    return Query(sql.SQL(template).format(**names).as_string())
