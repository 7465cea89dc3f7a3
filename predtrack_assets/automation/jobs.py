"""Jobs: the parts of the daily chain that schedules start and people backfill."""

from __future__ import annotations

import dagster as dg

from predtrack_assets.proofs.checks import PROOFS as PROOF_CHECKS

REFERENCE = dg.AssetSelection.assets(
    ["market", "universe_members"], ["features", "feature_sets"], ["models", "model_registry"]
)
DECISION = dg.AssetSelection.groups("market") | dg.AssetSelection.assets(
    ["features", "feature_store"], ["forecasts", "predictions"]
)
TRAINING = dg.AssetSelection.assets(["models", "pooled_models"])
SYMBOL_TRAINING = dg.AssetSelection.assets(["models", "symbol_models"])
TUNING = dg.AssetSelection.assets(["models", "optimization_results"])
BEFORE_TRAINING = dg.AssetSelection.groups("market", "features")
VALIDATION = dg.AssetSelection.assets(["forecasts", "outcomes"])
CALIBRATION = dg.AssetSelection.assets(
    ["accuracy", "day_sums"],
    ["accuracy", "calibration_summary"],
    ["accuracy", "strategy_pnl"],
    ["accuracy", "scoreboard"],
    ["accuracy", "survival_curves"],
    ["models", "prediction_scores"],
)
SYMBOLS = dg.AssetSelection.assets(
    ["accuracy", "symbol_accuracy"],
    ["accuracy", "error_distribution"],
    ["accuracy", "accuracy_correlation"],
    ["accuracy", "drift_metrics"],
)
GATES = dg.AssetSelection.groups("deployment")
TRADING = dg.AssetSelection.groups("trading")
PROOFS = dg.AssetSelection.checks(*PROOF_CHECKS)
"""Checks that take minutes: every other job leaves them to the weekly one."""

reference_job = dg.define_asset_job(
    "register_reference",
    REFERENCE,
    description="First of all, and after an upgrade: universes, feature sets and registered models.",
)
decision_job = dg.define_asset_job(
    "predict_day",
    DECISION - REFERENCE - PROOFS,
    description="Each day after its end: prices, market conditions, features and predictions.",
)
market_conditions_job = dg.define_asset_job(
    "refresh_prices",
    dg.AssetSelection.groups("market") - REFERENCE - PROOFS,
    description="When only prices are wanted, or came late: prices and market conditions of a day.",
)
validation_job = dg.define_asset_job(
    "resolve_outcomes",
    VALIDATION - PROOFS,
    description="After a day's prices: outcomes of what fell due.",
)
calibration_job = dg.define_asset_job(
    "score_calibration",
    CALIBRATION,
    description="After outcomes: sums, calibration, survival and skill as of a day.",
)
symbol_accuracy_job = dg.define_asset_job(
    "score_symbols",
    SYMBOLS,
    description="After calibration: accuracy per symbol and market regime, errors and drift as of a day.",
)
gates_job = dg.define_asset_job(
    "judge_gates",
    GATES,
    description="At the end of a week, after scores: gates, paired tests and champions.",
)
trading_job = dg.define_asset_job(
    "trade_day",
    TRADING,
    description="After a day's predictions: signals, target weights and the paper books that follow them.",
)
daily_job = dg.define_asset_job(
    "whole_day",
    dg.AssetSelection.all() - REFERENCE - PROOFS - TRAINING - SYMBOL_TRAINING - TUNING,
    description="To fill days in: everything of a day or of a range in one run, with the fits there are.",
)
tuning_job = dg.define_asset_job(
    "tune_models",
    TUNING - PROOFS,
    description="At the end of a week: search parameters, features and rules, as proposals.",
)
training_job = dg.define_asset_job(
    "fit_models",
    TRAINING - PROOFS,
    description="After a month has ended, before its next days: pooled fits through its end.",
)
symbol_training_job = dg.define_asset_job(
    "fit_symbols",
    SYMBOL_TRAINING - PROOFS,
    description="When symbols need retraining: corrections of the newest pooled fit to their own past.",
)
proof_job = dg.define_asset_job(
    "prove",
    PROOFS,
    description="At any time, for minutes: replay of what is stored, and the poisoned future of random days.",
)

JOBS = [
    reference_job,
    daily_job,
    decision_job,
    market_conditions_job,
    validation_job,
    calibration_job,
    symbol_accuracy_job,
    gates_job,
    trading_job,
    proof_job,
    training_job,
    tuning_job,
    symbol_training_job,
]
