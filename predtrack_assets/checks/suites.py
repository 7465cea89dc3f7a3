"""The checks of every table: which rules hold for its profile, and which of them block."""

from predtrack_assets.checks import coverage, features, prediction_scores, regimes, scoreboard
from predtrack_assets.checks.deployment import GATE_SUITES
from predtrack_assets.checks.drift import DRIFT_SUITES
from predtrack_assets.checks.engine import profiles
from predtrack_assets.checks.engine.factory import Suite, build_check
from predtrack_assets.checks.engine.profiles import period_ends, reports
from predtrack_assets.checks.engine.rules import BETWEEN, Rule, at_most, none, structural
from predtrack_assets.checks.trading import TRADING_SUITES
from predtrack_assets.checks.tuning import TUNING_SUITES
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import profiles as accuracy_profiles

MISSING = structural(
    "day_missing", "no_missing_days", "Every trading day that must have rows has some."
)
DUPLICATES = structural("duplicates", "no_duplicate_keys", "No two rows have the same key.")
NON_FINITE = structural("non_finite", "finite_numbers", "No number is NaN or infinite.")


def look_ahead(description: str) -> Rule:
    return structural("look_ahead", "no_look_ahead", description)


REPORTS = (
    MISSING,
    DUPLICATES,
    NON_FINITE,
    look_ahead("No report was written before its last day was over."),
    none(
        "wrong_period",
        "period_is_whole",
        "Periods begin with their end's week, month, quarter or year, or 29 days before it.",
    ),
)

FITS = (
    DUPLICATES,
    look_ahead("No fit was recorded before its last day was over, or uses a later choice."),
    none(
        "unfounded", "from_successful_runs", "Every fit comes from a training run that succeeded."
    ),
    none("unregistered", "versions_registered", "Every fit is of a registered version's features."),
    none("late_trials", "trials_before_results", "Trials are recorded before their results."),
    none("damaged", "files_as_stored", "The files of the newest fits have the hashes on record."),
)

SUITES = (
    Suite(
        tables.UNIVERSE_MEMBERS,
        profiles.universe_members,
        (
            DUPLICATES,
            none("reversed", "start_before_end", "No membership ends before it begins."),
            none("overlapping", "no_overlaps", "No symbol is a member twice at the same time."),
            none("malformed", "symbols_well_formed", "Symbols are written as vendors write them."),
            Rule(
                "has_members",
                "Every universe has members today.",
                BETWEEN,
                {"column": "members", "min_value": 1},
            ),
        ),
        daily=False,
    ),
    Suite(
        tables.MARKET_DATA,
        profiles.market_data,
        (
            structural(
                "day_missing",
                "no_missing_days",
                "On no session between their first and last bars are all symbols without one.",
            ),
            DUPLICATES,
            NON_FINITE,
            look_ahead(
                "No bar was known before its session closed, or recorded before it was known."
            ),
            none(
                "missing",
                "no_gaps",
                "Symbols have a bar on every session between their first and last.",
            ),
            none(
                "unregistered",
                "symbols_registered",
                "Every bar's symbol is registered with an exchange.",
            ),
            none(
                "off_session",
                "only_sessions",
                "Every bar's day is a session of the symbol's exchange.",
            ),
            none("disordered", "low_to_high", "Open and close lie between low and high."),
            none("not_positive", "positive_prices", "Prices are positive, volume is not negative."),
            at_most(
                0.2,
                "suspect_share",
                "few_suspect",
                "But for one, at most a fifth of a day's bars is suspect.",
            ),
            at_most(
                0.2,
                "quarantined_share",
                "few_quarantined",
                "But for one, at most a fifth of a day's bars was refused.",
            ),
            at_most(
                0.2,
                "ended_share",
                "few_symbols_end",
                "But for one, at most a fifth of the symbols ends on one day.",
            ),
            none(
                "fetches_failed",
                "every_symbol_fetched",
                "The latest request for each symbol was answered.",
            ),
        ),
    ),
    Suite(
        tables.CORPORATE_ACTIONS,
        profiles.corporate_actions,
        (
            DUPLICATES,
            NON_FINITE,
            look_ahead(
                "No action was recorded before it was known, or inferred before the prices were."
            ),
            none("not_positive", "positive_values", "Splits and dividends are above zero."),
            none(
                "off_session",
                "only_sessions",
                "Every ex-date is a session of the symbol's exchange.",
            ),
            none(
                "extreme_splits",
                "plausible_splits",
                "Splits are between 1 for 1000 and 1000 for 1.",
            ),
            none(
                "dividends_above_price",
                "dividends_below_price",
                "No dividend is above the close of its ex-date.",
            ),
        ),
    ),
    Suite(
        tables.MARKET_CONDITIONS,
        profiles.market_conditions,
        (
            structural(
                "missing",
                "no_missing_days",
                "Every day whose benchmark bar was known has a condition.",
            ),
            DUPLICATES,
            NON_FINITE,
            look_ahead("No condition was written before its day was over."),
            none(
                "extreme_returns", "plausible_returns", "The benchmark moves less than 25 % a day."
            ),
            none(
                "extreme_volatility",
                "plausible_volatility",
                "Volatility is between 3 and 150 % a year.",
            ),
            none(
                "unexplained_volatility",
                "volatility_explained",
                "A volatility level has a category and a source.",
            ),
            none(
                "unfounded_breadth",
                "breadth_founded",
                "Breadth is given exactly when symbols were counted.",
            ),
        ),
    ),
    Suite(tables.FEATURE_SETS, features.feature_sets, features.FEATURE_SETS, daily=False),
    Suite(tables.FEATURE_STORE, features.feature_store, features.FEATURE_STORE),
    Suite(
        tables.MODEL_REGISTRY,
        profiles.model_registry,
        (
            DUPLICATES,
            look_ahead("No model was trained on days after it was registered."),
            none(
                "unknown_kinds",
                "kinds_known",
                "Models predict price, direction, time to a hit or volatility.",
            ),
            none(
                "undescribed",
                "models_described",
                "Every model has a description and its parameters.",
            ),
        ),
        daily=False,
    ),
    Suite(tables.POOLED_MODELS, profiles.pooled_models, FITS, daily=False),
    Suite(tables.SYMBOL_MODELS, profiles.symbol_models, FITS, daily=False),
    Suite(
        tables.PREDICTIONS,
        profiles.predictions,
        (
            structural(
                "day_missing",
                "no_missing_days",
                "Something is predicted on every day that symbols could be.",
            ),
            DUPLICATES,
            NON_FINITE,
            look_ahead(
                "Decided at 24:00 UTC of the day about a later one, by a model trained on earlier ones;"
                " 'live' only if committed before the outcome could be known."
            ),
            structural(
                "unknown_prices",
                "reference_price_was_known",
                "The reference price is a close known at as_of.",
            ),
            none(
                "wrong_due_day",
                "due_after_horizon",
                "The due day is `horizon` sessions after the decision day.",
            ),
            none(
                "unregistered", "models_registered", "Every model that predicts is in the registry."
            ),
            none("impossible_probability", "probabilities", "Probabilities lie between 0 and 1."),
            none("disordered_quantiles", "quantiles_ordered", "Quantiles do not cross."),
            none(
                "extreme_prices",
                "plausible_prices",
                "Predicted prices are within ten times the reference price.",
            ),
            none(
                "not_predicted",
                "every_symbol_predicted",
                "Every symbol with four months of bars is predicted.",
            ),
            at_most(
                0.05,
                "skipped_share",
                "few_skipped",
                "At most 5 % of a day's predictions was refused.",
            ),
        ),
    ),
    Suite(
        tables.OUTCOMES,
        profiles.outcomes,
        (
            DUPLICATES,
            NON_FINITE,
            look_ahead(
                "No outcome was known before its day was over, or before it fell due unless by a hit."
            ),
            none(
                "unresolved",
                "nothing_overdue",
                "What fell due has ended once the time to expire is over.",
            ),
            none(
                "not_predicted",
                "outcomes_of_predictions",
                "Every outcome is that of a prediction in the ledger.",
            ),
            none(
                "without_result",
                "validated_has_result",
                "Exactly the validated outcomes have a result and a score.",
            ),
            none(
                "wrong_results",
                "results_follow_from_prices",
                "Events and errors follow from the prices and days beside them and from the predictions.",
            ),
            none(
                "wrong_score",
                "brier_is_squared_difference",
                "The score is the squared difference of confidence and event.",
            ),
            at_most(
                0.05,
                "expired_share",
                "few_expired",
                "At most 5 % of what fell due on a day has expired.",
            ),
        ),
    ),
    Suite(tables.DAY_SUMS, coverage.day_sums, coverage.DAY_SUMS),
    Suite(tables.STRATEGY_PNL, scoreboard.strategy_pnl, scoreboard.STRATEGY_PNL),
    Suite(tables.SCOREBOARD, scoreboard.scoreboard, scoreboard.SCOREBOARD),
    Suite(
        tables.CALIBRATION_SUMMARY,
        reports(tables.CALIBRATION_SUMMARY, accuracy_profiles.CALIBRATION_SUMMARY, period_ends),
        (
            *REPORTS,
            none(
                "more_than_due",
                "coverage_at_most_one",
                "No more is validated or expired than fell due.",
            ),
            none(
                "outside_interval",
                "rates_in_interval",
                "Rates lie within their intervals, n_eff below n.",
            ),
            none(
                "unlike_brier",
                "corp_adds_up",
                "Miscalibration - discrimination + uncertainty is the Brier score.",
            ),
            none(
                "skilful_no_change",
                "no_skill_in_no_change",
                "The skill of no_change against itself is 0.",
            ),
        ),
    ),
    Suite(
        tables.SYMBOL_ACCURACY,
        reports(tables.SYMBOL_ACCURACY, accuracy_profiles.SYMBOL_ACCURACY, period_ends),
        (
            *REPORTS,
            none(
                "inconsistent",
                "rates_follow_from_counts",
                "Rates follow from the counts beside them.",
            ),
            none(
                "outside_interval",
                "means_in_interval",
                "Posterior means lie within their intervals.",
            ),
            none(
                "miscounted",
                "recommendations_add_up",
                "BUY, SELL and HOLD add up to all predictions, their rates follow from the counts.",
            ),
            none(
                "unregistered", "symbols_registered", "Every symbol is registered with an exchange."
            ),
        ),
    ),
    Suite(
        tables.ERROR_DISTRIBUTION,
        reports(
            tables.ERROR_DISTRIBUTION, accuracy_profiles.ERROR_DISTRIBUTION, period_ends, ("price",)
        ),
        (
            *REPORTS,
            none("disordered", "percentiles_ordered", "Percentiles do not cross."),
            none(
                "impossible",
                "counts_and_sizes_possible",
                "Sizes are not negative, outliers no more than the sample.",
            ),
        ),
    ),
    Suite(
        tables.PREDICTION_SCORES,
        prediction_scores.prediction_scores,
        prediction_scores.PREDICTION_SCORES,
    ),
    Suite(
        tables.SURVIVAL_CURVES,
        coverage.survival_curves,
        (*REPORTS, *coverage.SURVIVAL_CURVES),
    ),
    Suite(tables.ACCURACY_CORRELATION, regimes.accuracy_correlation, regimes.ACCURACY_CORRELATION),
    *DRIFT_SUITES,
    *GATE_SUITES,
    *TUNING_SUITES,
    *TRADING_SUITES,
)


CHECKS = [build_check(suite) for suite in SUITES]
