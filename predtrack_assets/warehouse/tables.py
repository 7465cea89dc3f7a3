"""The tables that assets write: key, values, and how a rewrite is treated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from predtrack_assets.domain.accuracy.day_sums import SLICE, SUMS
from predtrack_assets.domain.audit.ledger.batches import BATCHES as BATCH_COLUMNS
from predtrack_assets.domain.forecasts.identity import KEY
from predtrack_assets.domain.forecasts.outcomes import OUTCOMES as OUTCOME_COLUMNS
from predtrack_assets.domain.forecasts.predict import PREDICTIONS as PREDICTION_COLUMNS


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


def _rest(columns: dict, key: tuple[str, ...], extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(c for c in columns if c not in key and c not in extra)


SYMBOLS = Table(
    "market", "symbols", ("symbol",), ("exchange", "asset_class"), ("currency", "source")
)
UNIVERSE_MEMBERS = Table(
    "market",
    "universe_members",
    ("universe", "symbol", "start_date"),
    ("end_date",),
    ("source",),
    nullable=("start_date",),
)
MARKET_DATA = Table(
    "market",
    "market_data",
    ("symbol", "trading_day"),
    ("open", "high", "low", "close", "volume", "quality", "flag"),
    ("source", "knowledge_time"),
)
CORPORATE_ACTIONS = Table(
    "market",
    "corporate_actions",
    ("symbol", "ex_date", "kind"),
    ("value", "inferred"),
    ("source", "knowledge_time"),
    day="ex_date",
)
FETCH_LOG = Table(
    "market",
    "fetch_log",
    (),
    (
        "run_id", "source", "symbol", "first_day", "last_day", "status", "category", "attempts",
        "rows", "message",
    ),
)  # fmt: skip
QUARANTINE = Table(
    "market",
    "quarantine",
    ("symbol", "trading_day", "reason", "source", "payload"),
    (),
    nullable=("symbol", "trading_day"),
)
MARKET_CONDITIONS = Table(
    "market",
    "market_conditions",
    ("trading_day",),
    (
        "market_regime", "benchmark", "daily_return", "weekly_return", "distance_to_ma50",
        "vix_level", "vix_category", "vix_source", "market_breadth", "symbols_counted",
    ),
)  # fmt: skip
FEATURE_SETS = Table(
    "features",
    "feature_sets",
    ("name", "version"),
    ("feature_set", "columns", "lookback", "as_of", "code_hash"),
)
FEATURE_STORE = Table(
    "features", "feature_store", ("symbol", "trading_day", "feature_set"), ("vector",)
)
MODEL_REGISTRY = Table(
    "models",
    "model_registry",
    ("model_id",),
    (
        "model_name", "version", "role", "kinds", "description", "hyperparameters", "scope",
        "feature_set",
    ),
    ("status",),
)  # fmt: skip
TRAINING_RUNS = Table(
    "models",
    "training_runs",
    ("training_run_id",),
    (
        "model_id", "scope", "trained_through", "first_day", "samples", "symbols", "feature_set",
        "parameters", "code_version", "input_digest", "dagster_run_id", "triggered_by", "reason",
    ),
    day="trained_through",
)  # fmt: skip
TRIALS = Table(
    "models",
    "trials",
    ("training_run_id", "kind", "horizon", "family"),
    ("model_id", "configuration"),
)
MODEL_ARTIFACTS = Table(
    "models",
    "model_artifacts",
    ("artifact_id",),
    (
        "model_id", "scope", "trained_through", "revision", "feature_set", "code_version",
        "input_digest", "artifact_uri", "sha256", "size_bytes", "choices", "chosen_through",
        "metrics",
    ),
    ("training_run_id",),
    day="trained_through",
)  # fmt: skip
POOLED_MODELS = replace(MODEL_ARTIFACTS, name="pooled_models")
SYMBOL_MODELS = replace(MODEL_ARTIFACTS, name="symbol_models")
_SKILL = ("n", "n_eff", "mean_score", "mean_score_baseline", "skill", "skill_low", "skill_high")
WALK_FORWARD_SCORES = Table(
    "models",
    "walk_forward_scores",
    ("artifact_id", "kind", "horizon", "regime"),
    ("score", "baseline", "family", *_SKILL),
)
PREDICTION_SCORES = Table(
    "models",
    "prediction_scores",
    ("evaluated_through", "model_id", "evaluation", "kind", "horizon", "regime"),
    ("score", "baseline", *_SKILL),
    day="evaluated_through",
)
FEATURE_IMPORTANCE = Table(
    "features",
    "feature_importance",
    ("trained_through", "artifact_id", "measured_by", "kind", "horizon", "feature"),
    ("model_id", "importance", "low", "high", "loss"),
    day="trained_through",
)

PREDICTIONS = Table(
    "forecasts",
    "predictions",
    KEY,
    _rest(PREDICTION_COLUMNS, KEY),
    ("origin",),
)
SKIPPED_PREDICTIONS = Table("forecasts", "skipped_predictions", KEY, (), ("reason", "payload"))
PREDICTION_BATCHES = Table("forecasts", "prediction_batches", (), tuple(BATCH_COLUMNS))
ROW_ENCODINGS = Table("audit", "row_encodings", ("encoding",), ("description",))
_RESOLUTION = ("resolved_day", "knowledge_time")
OUTCOMES = Table(
    "forecasts",
    "outcomes",
    KEY,
    _rest(OUTCOME_COLUMNS, KEY, _RESOLUTION),
    _RESOLUTION,
    day="due_day",
)

DAY_SUMS = Table(
    "accuracy",
    "day_sums",
    ("known_day", "due_day", "model_id", "kind", "horizon", *SLICE),
    ("event", *SUMS),
    day="known_day",
)
_PERIOD = ("period_end", "period")
CALIBRATION_SUMMARY = Table(
    "accuracy",
    "calibration_summary",
    (*_PERIOD, "model_id", "kind", "event", "horizon"),
    (
        "period_start", "n", "n_eff", "due", "expired", "coverage", "event_rate", "event_low",
        "event_high", "mean_confidence", "ece", "rms_calibration_error", "rms_calibration_upper",
        "calibration_quality", "brier", "brier_no_change", "brier_climatology", "skill_vs_no_change",
        "skill_vs_climatology", "crps", "crps_no_change", "crps_skill", "ece_equal_mass",
        "squared_calibration_error", "miscalibration", "discrimination", "uncertainty",
        "consistency_p_value", "accuracy_rate", "accuracy_low", "accuracy_high",
    ),
    day="period_end",
)  # fmt: skip
SYMBOL_ACCURACY = Table(
    "accuracy",
    "symbol_accuracy",
    (*_PERIOD, "symbol", "model_id", "kind", "event", "horizon"),
    (
        "period_start", "total_predictions", "accurate_predictions", "accuracy_rate", "n_eff",
        "posterior_mean", "posterior_low", "posterior_high", "threshold", "p_below_threshold",
        "avg_error_magnitude", "avg_confidence", "needs_retraining",
        "buy_count", "buy_right", "buy_accuracy", "buy_low", "buy_high",
        "sell_count", "sell_right", "sell_accuracy", "sell_low", "sell_high",
        "hold_count", "hold_right", "hold_accuracy", "hold_low", "hold_high", "band", "cost",
    ),
    day="period_end",
)  # fmt: skip
ACCURACY_CORRELATION = Table(
    "accuracy",
    "accuracy_correlation",
    (*_PERIOD, "model_id", "kind", "event", "horizon", "market_regime"),
    (
        "period_start", "sample_size", "dates", "n_eff", "accuracy_rate", "accuracy_low",
        "accuracy_high", "baseline_sample_size", "baseline_dates", "baseline_accuracy",
        "outperformance", "correlation_coefficient", "standard_error", "t_statistic",
        "degrees_of_freedom", "p_value", "conclusion",
    ),
    day="period_end",
)  # fmt: skip
_DRIFT_SUBJECT = ("subject", "name", "model_id", "kind", "horizon")
DRIFT_METRICS = Table(
    "accuracy",
    "drift_metrics",
    ("as_of_day", *_DRIFT_SUBJECT, "statistic"),
    (
        "value", "reference_value", "critical_value", "critical_value_iid", "p_value", "p_adjusted",
        "drifted", "since", "is_estimate", "reference_start", "reference_end", "current_start",
        "current_end", "n_reference", "n_current",
    ),
    day="as_of_day",
    nullable=("model_id", "kind", "horizon"),
)  # fmt: skip
DRIFT_ALERTS = Table(
    "accuracy",
    "drift_alerts",
    (),
    (
        "as_of_day", *_DRIFT_SUBJECT, "event", "severity", "statistic", "value", "critical_value",
        "p_value",
    ),
    day="as_of_day",
)  # fmt: skip
ERROR_DISTRIBUTION = Table(
    "accuracy",
    "error_distribution",
    (*_PERIOD, "model_id", "kind", "horizon"),
    (
        "period_start", "sample_size", "p10_error", "p25_error", "p50_error", "p75_error",
        "p90_error", "abs_p10", "abs_p25", "abs_p50", "abs_p75", "abs_p90", "mean_error",
        "std_error", "skewness", "outlier_count_mad", "outlier_count", "due", "coverage",
    ),
    day="period_end",
)  # fmt: skip
SURVIVAL_CURVES = Table(
    "accuracy",
    "survival_curves",
    (*_PERIOD, "model_id", "horizon", "session"),
    (
        "period_start", "n", "n_eff", "at_risk", "hits", "censored", "survival", "survival_low",
        "survival_high", "predicted_survival", "baseline_survival",
    ),
    day="period_end",
)  # fmt: skip

DEPLOYMENT_GATES = Table(
    "deployment",
    "deployment_gates",
    ("as_of_day", "model_id", "kind", "horizon", "symbol"),
    (
        "gate_status", "accuracy", "skill", "market_outperformance", "sharpe_ratio", "max_drawdown",
        "calibration_error", "psr", "deflated_sharpe", "trial_count", "criteria", "thresholds",
        "failure_reasons", "n_live",
    ),
    day="as_of_day",
    nullable=("symbol",),
)  # fmt: skip
AB_TESTS = Table(
    "deployment",
    "ab_tests",
    ("as_of_day", "kind", "scope", "control", "treatment", "start_day"),
    (
        "success_metric", "status", "decided_day", "n", "mean_difference", "e_value", "e_against",
        "conclusion", "batch", "threshold", "n_live",
    ),
    day="as_of_day",
)  # fmt: skip
DEPLOYMENTS = Table(
    "deployment",
    "deployments",
    ("kind", "scope", "valid_from"),
    ("model_id", "gate_id", "override_id", "deployed_by", "reason"),
    day="valid_day",
)
