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
    "reference",
    REFERENCE,
    description="Universes, feature sets and registered models; run once, and after an upgrade.",
)
decision_job = dg.define_asset_job(
    "decision",
    DECISION - REFERENCE - PROOFS,
    description="Prices, market conditions, features and predictions of a day.",
)
market_conditions_job = dg.define_asset_job(
    "market_conditions",
    dg.AssetSelection.groups("market") - REFERENCE - PROOFS,
    description="Prices and market conditions of a day, with what its vendor said late.",
)
validation_job = dg.define_asset_job(
    "validation", VALIDATION - PROOFS, description="Outcomes of what fell due on a day."
)
calibration_job = dg.define_asset_job(
    "calibration", CALIBRATION, description="Calibration and skill as of a day."
)
symbol_accuracy_job = dg.define_asset_job(
    "symbol_accuracy",
    SYMBOLS,
    description="Accuracy per symbol and by market regime, and error distribution as of a day.",
)
gates_job = dg.define_asset_job(
    "gates",
    GATES,
    description="Gates, paired tests and champions.",
)
trading_job = dg.define_asset_job(
    "trading",
    TRADING,
    description="Signals, target weights and the paper books that follow them.",
)
daily_job = dg.define_asset_job(
    "daily",
    dg.AssetSelection.all() - REFERENCE - PROOFS - TRAINING - SYMBOL_TRAINING - TUNING,
    description="The whole chain of a day or of a range of days, in one run, with the fits there are.",
)
tuning_job = dg.define_asset_job(
    "tuning",
    TUNING - PROOFS,
    description="Weekly comprehensive tuning: parameters, features and rules, as proposals.",
)
training_job = dg.define_asset_job(
    "training",
    TRAINING - PROOFS,
    description="Pooled fits through the end of a month, for the days after it.",
)
symbol_training_job = dg.define_asset_job(
    "symbol_training",
    SYMBOL_TRAINING - PROOFS,
    description="Corrections of the newest pooled fit to symbols' own past.",
)
proof_job = dg.define_asset_job(
    "proof",
    PROOFS,
    description="Replay of what is stored, and the poisoned future of random days.",
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
