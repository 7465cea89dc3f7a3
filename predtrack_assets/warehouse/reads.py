"""Pages of tables and views as JSON made by the server: what the API and pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
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

    filters: parameter -> (column, type) that must be equal. order: columns that are never null, `-`
    before descending; unless they are `unique`, rows alike in them follow each other as text.
    columns: expressions other than all columns, as they stand in SQL.
    """

    relation: str
    order: tuple[str, ...]
    filters: Mapping[str, tuple[str, str]]
    columns: tuple[str, ...] = ()
    unique: bool = False


@dataclass(frozen=True)
class Page:
    """A JSON array of rows as text, and the key of its last row where more rows follow."""

    rows: str
    last: str | None


MODEL = {
    "model": ("model_id", "text"),
    "kind": ("kind", "text"),
    "horizon": ("horizon", "integer"),
}
SYMBOL = {"symbol": ("symbol", "text")}

PREDICTIONS = View(
    "forecasts.predictions",
    ("-trading_day", "symbol", "model_id", "kind", "horizon", "horizon_unit", "as_of"),
    {**MODEL, **SYMBOL, "day": ("trading_day", "date"), "origin": ("origin", "text")},
    (
        "prediction_id::text AS prediction_id", "model_id", "kind", "symbol",
        "trading_day AS decision_day", "as_of", "horizon", "horizon_unit", "due_day", "due_at",
        "event", "confidence", "reference_price", "sigma", "climatology", "predicted_price",
        "q05", "q10", "q25", "q50", "q75", "q90", "q95", "target_price", "side", "predicted_days",
        "predicted_volatility", "earliest_resolution_time", "origin", "recorded_at",
        "feature_digest::text AS feature_digest",
        "EXISTS (SELECT FROM forecasts.withdrawals w WHERE w.prediction_id = t.prediction_id)"
        " AS withdrawn",
    ),
    unique=True,
)  # fmt: skip
MODELS = View(
    "models.model_registry",
    ("model_id",),
    {"model": ("model_id", "text"), "status": ("status", "text"), "role": ("role", "text")},
    (
        "model_id", "model_name AS name", "version", "role", "kinds", "description", "status",
        "hyperparameters ->> 'owner' AS owner", "trained_through", "recorded_at",
    ),
    unique=True,
)  # fmt: skip
WITHDRAWALS = View(
    "forecasts.withdrawals",
    ("-trading_day", "symbol", "model_id", "kind", "horizon", "horizon_unit", "as_of"),
    {**MODEL, **SYMBOL, "day": ("trading_day", "date")},
    (
        "prediction_id::text AS prediction_id", "model_id", "kind", "symbol",
        "trading_day AS decision_day", "horizon", "horizon_unit", "withdrawable_until", "reason",
        "withdrawn_by", "recorded_at",
    ),
    unique=True,
)  # fmt: skip
RECOMMENDATIONS = View(
    "forecasts.recommendations",
    ("-trading_day", "kind", "horizon", "symbol"),
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
    after: str | None = None,
) -> Page:
    """The first `size` rows after the key `after`, of a page before; the transaction reads only.

    Raises KeyError for a filter that the view does not have, and what the database raises for a
    value that is none of the filter's type, or a key that is none.
    """
    transaction.read(LIMITS)
    query = _query(view, given, after is not None)
    named = {**given, "size": size} | ({} if after is None else {"after": after})
    rows, last = transaction.read(query, **named).row(0)
    return Page(str(rows), last)


def export(transaction: Transaction, view: View, given: Mapping[str, str], most: int) -> pa.Table:
    """The first `most` rows as an Arrow table; the transaction reads only. Raises as read_page."""
    transaction.read(LIMITS)
    return transaction.read_arrow(_export(view, given), size=most, **given)


TYPES = {
    "as_of": "timestamptz", "trading_day": "date", "period_end": "date",
    "evaluated_through": "date", "horizon": "integer", "version": "integer",
}  # fmt: skip


def _key(view: View) -> list[tuple[sql.Composable, str, bool]]:
    """Expressions that order a view, their types, and whether they descend."""
    named = [(name.removeprefix("-"), name.startswith("-")) for name in view.order]
    key: list[tuple[sql.Composable, str, bool]] = [
        (sql.Identifier("t", name), TYPES.get(name, "text"), down) for name, down in named
    ]
    return key if view.unique else [*key, (sql.SQL("t::text"), "text", False)]


def _following(key: list[tuple[sql.Composable, str, bool]], place: int = 0) -> sql.Composable:
    """The condition of rows that come after the key :after, a JSON array."""
    expression, kind, down = key[place]
    names = {
        "column": expression,
        "value": sql.SQL("(CAST(:after AS jsonb) ->> {})::{}").format(
            sql.Literal(place), sql.SQL(kind)
        ),
        "beyond": sql.SQL("<" if down else ">"),
    }
    if place + 1 == len(key):
        return sql.SQL("{column} {beyond} {value}").format(**names)
    return sql.SQL("{column} {beyond}= {value} AND ({column} {beyond} {value} OR ({rest}))").format(
        **names, rest=_following(key, place + 1)
    )


def _parts(view: View, given: Mapping[str, str], following: bool) -> dict[str, sql.Composable]:
    key = _key(view)
    where = [
        sql.SQL("{} = CAST(:{} AS {})").format(
            sql.Identifier("t", view.filters[name][0]),
            sql.SQL(name),
            sql.SQL(view.filters[name][1]),
        )
        for name in given
    ]
    if following:
        where.append(sql.Composed([_following(key)]))
    order = [sql.SQL("{} DESC" if down else "{}").format(each) for each, _, down in key]
    columns = sql.SQL(", ").join(map(sql.SQL, view.columns)) if view.columns else sql.SQL("t.*")
    return {
        "columns": columns,
        "key": sql.SQL(", ").join(each for each, *_ in key),
        "relation": sql.Identifier(*view.relation.split(".")),
        "where": sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(where)) if where else sql.SQL(""),
        "order": sql.SQL(", ").join(order),
    }


def _query(view: View, given: Mapping[str, str], following: bool) -> Query:
    template = """
        SELECT coalesce(json_agg(row ORDER BY n) FILTER (WHERE n <= :size), '[]')::text AS rows,
               CASE WHEN count(*) > :size THEN max(key) FILTER (WHERE n = :size) END AS last
        FROM (SELECT row_number() OVER () AS n, row, key
              FROM (SELECT (SELECT r FROM (SELECT {columns}) r) AS row,
                           json_build_array({key})::text AS key
                    FROM {relation} t {where} ORDER BY {order} LIMIT :size + 1) ordered) numbered
    """
    parts = _parts(view, given, following)
    return Query(sql.SQL(template).format(**parts).as_string())


def _export(view: View, given: Mapping[str, str]) -> Query:
    template = "SELECT {columns} FROM {relation} t {where} ORDER BY {order} LIMIT :size"
    parts = _parts(view, given, following=False)
    return Query(sql.SQL(template).format(**parts).as_string())
