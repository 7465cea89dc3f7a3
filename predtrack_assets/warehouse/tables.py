"""The tables that assets write: key, values, and how a rewrite is treated.

Columns and keys are those of the records (`sql/`, records.py); what stands here is what the
catalogue cannot tell: which columns are compared, and which a later write fills in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from predtrack_assets.warehouse.records import record_of


@dataclass(frozen=True)
class Table:
    """One table: `key` identifies a row (a fact, for tables of revisions), `values` are compared.

    extra: columns that are written but never compared (where a row came from, when it was known).
    day: the column that windows are cut by. nullable: key columns in which two NULLs are equal.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    extra: tuple[str, ...] = ()
    day: str = "trading_day"
    nullable: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.values, *self.extra)

    @property
    def key_day(self) -> str:
        """The day that rows of different keys may differ in; `day` where the key has none."""
        return self.day if self.day in self.key or "trading_day" not in self.key else "trading_day"

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def table(
    schema: str,
    name: str,
    key: tuple[str, ...] | None = None,
    extra: tuple[str, ...] = (),
    later: tuple[str, ...] = (),
    **options: str | tuple[str, ...],
) -> Table:
    """The table of a record. key: unless given, the primary key without knowledge_time.

    later: columns that a later statement fills in. options: `day` and `nullable` of `Table`.
    """
    record = record_of(schema, name)
    if key is None:
        key = tuple(c for c in record.key if c in record.written and c != "knowledge_time")
    apart = {*key, *extra, *later}
    values = tuple(column for column in record.written if column not in apart)
    return Table(schema, name, key, values, extra, **options)  # type: ignore[arg-type]


SYMBOLS = table("market", "symbols", extra=("currency", "source"))
UNIVERSE_MEMBERS = table(
    "market",
    "universe_members",
    ("universe", "symbol", "start_date"),
    extra=("source",),
    nullable=("start_date",),
)
MARKET_DATA = table("market", "market_data", extra=("quality", "flag", "source", "knowledge_time"))
CORPORATE_ACTIONS = table(
    "market", "corporate_actions", extra=("source", "knowledge_time"), day="ex_date"
)
FETCH_LOG = table("market", "fetch_log")
QUARANTINE = table(
    "market",
    "quarantine",
    ("symbol", "trading_day", "reason", "source", "payload"),
    nullable=("symbol", "trading_day"),
)
MARKET_CONDITIONS = table("market", "market_conditions")
FEATURE_SETS = table("features", "feature_sets")
FEATURE_STORE = table("features", "feature_store")
MODEL_REGISTRY = table("models", "model_registry", extra=("status",), later=("trained_through",))
TRAINING_RUNS = table(
    "models",
    "training_runs",
    later=("status", "finished_at", "error_log"),
    day="trained_through",
)
TRIALS = table("models", "trials", later=("result", "finished_at", "chosen"))
MODEL_ARTIFACTS = table(
    "models",
    "model_artifacts",
    extra=("training_run_id",),
    later=("status",),
    day="trained_through",
)
POOLED_MODELS = replace(MODEL_ARTIFACTS, name="pooled_models")
SYMBOL_MODELS = replace(MODEL_ARTIFACTS, name="symbol_models")
WALK_FORWARD_SCORES = table("models", "walk_forward_scores")
PREDICTION_SCORES = table("models", "prediction_scores", day="evaluated_through")
FEATURE_IMPORTANCE = table("features", "feature_importance", day="trained_through")

PREDICTIONS = table("forecasts", "predictions", extra=("origin",))
SKIPPED_PREDICTIONS = table("forecasts", "skipped_predictions", extra=("reason", "payload"))
PREDICTION_BATCHES = table("forecasts", "prediction_batches", ())
ROW_ENCODINGS = table("audit", "row_encodings")
OUTCOMES = table("forecasts", "outcomes", extra=("resolved_day", "knowledge_time"), day="due_day")

DAY_SUMS = table("accuracy", "day_sums", day="known_day")
STRATEGY_PNL = table("accuracy", "strategy_pnl", day="known_day")
SCOREBOARD = table("accuracy", "scoreboard", day="as_of_day")
CALIBRATION_SUMMARY = table("accuracy", "calibration_summary", day="period_end")
SYMBOL_ACCURACY = table("accuracy", "symbol_accuracy", day="period_end")
ACCURACY_CORRELATION = table("accuracy", "accuracy_correlation", day="period_end")
DRIFT_METRICS = table(
    "accuracy",
    "drift_metrics",
    ("as_of_day", "subject", "name", "model_id", "kind", "horizon", "statistic"),
    day="as_of_day",
    nullable=("model_id", "kind", "horizon"),
)
DRIFT_ALERTS = table("accuracy", "drift_alerts", day="as_of_day")
ERROR_DISTRIBUTION = table("accuracy", "error_distribution", day="period_end")
SURVIVAL_CURVES = table("accuracy", "survival_curves", day="period_end")

DEPLOYMENT_GATES = table(
    "deployment",
    "deployment_gates",
    ("as_of_day", "model_id", "kind", "horizon", "symbol"),
    later=("gate_id", "scope"),
    day="as_of_day",
    nullable=("symbol",),
)
AB_TESTS = table("deployment", "ab_tests", day="as_of_day")
DEPLOYMENTS = table(
    "deployment",
    "deployments",
    ("kind", "scope", "valid_from"),
    later=("deployment_id", "restores", "retires", "valid_until"),
    day="valid_day",
)

TRADING_SIGNALS = table("trading", "signals", later=("recorded_at",))
TARGET_WEIGHTS = table("trading", "target_weights", later=("recorded_at",))
PORTFOLIO_STATE = table("trading", "portfolio_state", later=("recorded_at",))
STRATEGY_PERFORMANCE = table("trading", "strategy_performance", day="period_end")
