"""One planted fault per check: what to do to the rows, and the checks that must notice.

Statements run on the sample's history from March to December 2000 without the tables'
constraints and triggers. COPY stands for the first row of the table, once more; <AAPL_DAY> and
<REPORT> for the rows of one symbol and day, and of one report;
<DUE> for the sums of one due day; <GATES>, <WEEK> and <MONTH> for those of
a Friday, of another one, and of a month's last day; <BOOK_DAY>, <BOOK_PERIOD> and <FIRST_BUY> for
a day, its performance and the first purchase of a book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COPY = "copy"
WHERE = {
    "<AAPL_DAY>": "WHERE (symbol, trading_day) = ('AAPL', '2000-06-07')",
    "<REPORT>": "WHERE period_end = '2000-10-31'",
    "<DUE>": "WHERE known_day = '2000-10-31'",
    "<GATES>": "WHERE as_of_day = '2000-06-09'",
    "<WEEK>": "WHERE as_of_day = '2000-11-17'",
    "<BOOK_DAY>": "WHERE (book, trading_day) = ('paper:equal_weight-v1', '2000-06-07')",
    "<BOOK_PERIOD>": "WHERE (book, period_end) = ('paper:equal_weight-v1', '2000-06-07')"
    " AND period_type = 'DAY'",
    "<FIRST_BUY>": "WHERE order_id = (SELECT order_id FROM trading.fills WHERE side = 'buy'"
    " AND book = 'paper:equal_weight-v1' ORDER BY filled_at, symbol LIMIT 1)",
    "<MONTH>": "WHERE evaluated_through = '2000-10-31'",
}


@dataclass(frozen=True)
class Fault:
    """table: whose suite looks; statements: SQL or COPY; noticed: names of the checks that fail."""

    table: str
    noticed: set[str]
    statements: tuple[str, ...]
    also_unguarded: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.table}-{'+'.join(sorted(self.noticed))}"


def fault(table: str, noticed: str, *statements: str, also: tuple[str, ...] = ()) -> Fault:
    for name, text in {**WHERE, "<TABLE>": table}.items():
        statements = tuple(statement.replace(name, text) for statement in statements)
    return Fault(table, set(noticed.split()), statements, also)


# The score goes with the event, as where somebody knows what the other checks look at.
FLIP = """
    UPDATE forecasts.outcomes
    SET occurred = NOT occurred, brier = (confidence - (NOT occurred)::int) ^ 2
    <AAPL_DAY> AND kind = '<KIND>' AND resolved_day = due_day
"""

_FEATURES = [
    fault("features.feature_sets", "no_duplicate_keys", COPY),
    fault("features.feature_sets", "columns_differ",
          "UPDATE features.feature_sets SET columns[2] = columns[1]"),
    fault("features.feature_store", "no_missing_days every_bar_has_a_vector",
          "DELETE FROM features.feature_store WHERE trading_day = '2000-06-07'"),
    fault("features.feature_store", "no_duplicate_keys", COPY),
    fault("features.feature_store", "vectors_whole",
          "UPDATE features.feature_store SET vector = substr(vector, 9) <AAPL_DAY>"),
    fault("features.feature_store", "no_look_ahead",
          "UPDATE features.feature_store SET recorded_at = '2000-06-07 12:00Z' <AAPL_DAY>"),
    fault("features.feature_store", "sets_registered",
          "UPDATE features.feature_store SET feature_set = 'other-v1' <AAPL_DAY>"),
    fault("features.feature_store", "every_bar_has_a_vector",
          "DELETE FROM features.feature_store <AAPL_DAY>"),
    fault("features.feature_store", "every_vector_has_a_bar",
          "INSERT INTO features.feature_store (symbol, trading_day, feature_set, vector)"
          " SELECT 'NOBARS', trading_day, feature_set, vector FROM features.feature_store <AAPL_DAY>"),
]  # fmt: skip
_MARKET = [
    fault("market.universe_members", "no_duplicate_keys", COPY),
    fault("market.universe_members", "start_before_end",
          "UPDATE market.universe_members SET start_date = '2020-01-02', end_date = '2020-01-01'"
          " WHERE (universe, symbol) = ('ASX200', 'BHP.AX')"),
    fault("market.universe_members", "no_overlaps",
          "INSERT INTO market.universe_members (universe, symbol, start_date, source)"
          " VALUES ('ASX200', 'BHP.AX', '2020-01-01', 'test')"),
    fault("market.universe_members", "symbols_well_formed",
          "UPDATE market.universe_members SET symbol = 'B H P' WHERE symbol = 'BHP.AX'"),
    fault("market.universe_members", "has_members",
          "UPDATE market.universe_members SET end_date = '2020-01-01' WHERE universe = 'ASX200'"),
    fault("market.market_data", "no_missing_days no_gaps",
          "DELETE FROM market.market_data WHERE trading_day = '2000-06-07'"),
    fault("market.market_data", "no_duplicate_keys", COPY),
    fault("market.market_data", "finite_numbers",
          "UPDATE market.market_data SET close = 'NaN' <AAPL_DAY>"),
    fault("market.market_data", "no_look_ahead",
          "UPDATE market.market_data SET knowledge_time = '2000-06-07 12:00Z' <AAPL_DAY>"),
    fault("market.market_data", "no_look_ahead",
          "UPDATE market.market_data SET recorded_at = '2000-06-07 12:00Z' <AAPL_DAY>"),
    fault("market.market_data", "no_gaps", "DELETE FROM market.market_data <AAPL_DAY>"),
    fault("market.market_data", "symbols_registered",
          "UPDATE market.market_data SET symbol = 'ZZZ'"
          " WHERE (symbol, trading_day) = ('AAPL', '2000-12-29')"),
    fault("market.market_data", "only_sessions",
          "INSERT INTO market.market_data SELECT symbol, '2000-06-10', open, high, low, close,"
          " volume, quality, flag, source, '2000-06-11' FROM market.market_data <AAPL_DAY>"),
    fault("market.market_data", "low_to_high",
          "UPDATE market.market_data SET low = high + 1 <AAPL_DAY>"),
    fault("market.market_data", "positive_prices",
          "UPDATE market.market_data SET volume = -1 <AAPL_DAY>"),
    fault("market.market_data", "few_suspect",
          "UPDATE market.market_data SET quality = 'suspect' WHERE trading_day = '2000-06-07'"),
    fault("market.market_data", "few_quarantined",
          "INSERT INTO market.quarantine (symbol, trading_day, reason, payload, source)"
          " SELECT symbol, trading_day, 'test', '{}', source FROM market.market_data"
          " WHERE trading_day = '2000-06-07'"),
    fault("market.market_data", "few_symbols_end",
          "DELETE FROM market.market_data WHERE trading_day > '2000-12-15' AND symbol <> 'AAPL'"),
    fault("market.market_data", "every_symbol_fetched",
          "INSERT INTO market.fetch_log (run_id, source, symbol, first_day, last_day, status, attempts,"
          " rows) VALUES ('r', 's', 'AAPL', '2000-06-01', '2001-06-01', 'failed', 3, 0)"),
    fault("market.corporate_actions", "no_duplicate_keys", COPY),
    fault("market.corporate_actions", "finite_numbers",
          "UPDATE market.corporate_actions SET value = 'Infinity'"),
    fault("market.corporate_actions", "no_look_ahead",
          "UPDATE market.corporate_actions SET inferred = true, knowledge_time = ex_date"),
    fault("market.corporate_actions", "positive_values",
          "UPDATE market.corporate_actions SET value = 0"),
    fault("market.corporate_actions", "only_sessions",
          "UPDATE market.corporate_actions"
          " SET ex_date = (date_trunc('week', ex_date) + interval '5 days')::date"),
    fault("market.corporate_actions", "plausible_splits",
          "UPDATE market.corporate_actions SET kind = 'split', value = 5000"),
    fault("market.corporate_actions", "dividends_below_price",
          "UPDATE market.corporate_actions SET kind = 'dividend', value = 5000"),
    fault("market.market_conditions", "no_missing_days",
          "DELETE FROM market.market_conditions WHERE trading_day = '2000-06-07'"),
    fault("market.market_conditions", "no_duplicate_keys", COPY),
    fault("market.market_conditions", "finite_numbers",
          "UPDATE market.market_conditions SET daily_return = '-Infinity'"),
    fault("market.market_conditions", "no_look_ahead",
          "UPDATE market.market_conditions SET recorded_at = trading_day"),
    fault("market.market_conditions", "plausible_returns",
          "UPDATE market.market_conditions SET daily_return = -0.3"),
    fault("market.market_conditions", "plausible_volatility",
          "UPDATE market.market_conditions SET vix_level = 200 WHERE vix_level IS NOT NULL"),
    fault("market.market_conditions", "volatility_explained",
          "UPDATE market.market_conditions SET vix_source = NULL"),
    fault("market.market_conditions", "breadth_founded",
          "UPDATE market.market_conditions SET symbols_counted = 0"),
]  # fmt: skip

_FORECASTS = [
    fault("models.model_registry", "no_duplicate_keys", COPY),
    fault("models.model_registry", "no_look_ahead",
          "UPDATE models.model_registry SET trained_through = '2100-01-01'"),
    fault("models.model_registry", "kinds_known",
          "UPDATE models.model_registry SET kinds = '{price,oracle}'"),
    fault("models.model_registry", "models_described",
          "UPDATE models.model_registry SET description = ''"),
    fault("forecasts.predictions", "no_missing_days every_symbol_predicted",
          "DELETE FROM forecasts.predictions WHERE trading_day = '2000-10-04'"),
    fault("forecasts.predictions", "no_duplicate_keys", COPY),
    fault("forecasts.predictions", "finite_numbers",
          "UPDATE forecasts.predictions SET confidence = 'NaN' <AAPL_DAY>"),
    fault("forecasts.predictions", "no_look_ahead",
          "UPDATE forecasts.predictions SET as_of = as_of + interval '1 hour' <AAPL_DAY>"),
    fault("forecasts.predictions", "no_look_ahead",
          "UPDATE forecasts.predictions SET due_day = trading_day <AAPL_DAY>"),
    fault("forecasts.predictions", "no_look_ahead",
          "UPDATE forecasts.predictions SET origin = 'live' <AAPL_DAY>"),
    fault("forecasts.predictions", "no_look_ahead",
          "UPDATE models.model_registry SET trained_through = '2000-06-07'"),
    fault("forecasts.predictions", "reference_price_was_known",
          "UPDATE forecasts.predictions SET reference_price = reference_price + 1 <AAPL_DAY>"),
    fault("forecasts.predictions", "due_after_horizon",
          "UPDATE forecasts.predictions SET due_day = due_day + 1 <AAPL_DAY>"),
    fault("forecasts.predictions", "models_registered",
          "UPDATE forecasts.predictions SET model_id = 'ghost' <AAPL_DAY> AND model_id LIKE 'drift%'"),
    fault("forecasts.predictions", "probabilities",
          "UPDATE forecasts.predictions SET climatology = 1.5 <AAPL_DAY>"),
    fault("forecasts.predictions", "quantiles_ordered",
          "UPDATE forecasts.predictions SET q05 = q95 + 1 <AAPL_DAY>"),
    fault("forecasts.predictions", "plausible_prices",
          "UPDATE forecasts.predictions SET predicted_price = reference_price * 20 <AAPL_DAY>"),
    fault("forecasts.predictions", "every_symbol_predicted",
          "DELETE FROM forecasts.predictions WHERE (symbol, trading_day) = ('AAPL', '2000-10-04')"),
    fault("forecasts.predictions", "few_skipped",
          "INSERT INTO forecasts.skipped_predictions SELECT model_id, kind, symbol, trading_day, as_of,"
          " horizon, horizon_unit, 'test', '{}' FROM forecasts.predictions <AAPL_DAY>"),
    fault("forecasts.outcomes", "no_duplicate_keys", COPY),
    fault("forecasts.outcomes", "finite_numbers",
          "UPDATE forecasts.outcomes SET actual_return = 'NaN' <AAPL_DAY>"),
    fault("forecasts.outcomes", "no_look_ahead",
          "UPDATE forecasts.outcomes SET knowledge_time = resolved_day <AAPL_DAY>"),
    fault("forecasts.outcomes", "no_look_ahead",
          "UPDATE forecasts.outcomes SET due_day = due_day + 7 <AAPL_DAY> AND kind = 'price'",
          "UPDATE forecasts.predictions SET due_day = due_day + 7 <AAPL_DAY> AND kind = 'price'",
          also=("forecasts.predictions",)),
    fault("forecasts.outcomes", "nothing_overdue",
          "DELETE FROM forecasts.outcomes WHERE due_day = '2000-08-02'"),
    fault("forecasts.outcomes", "outcomes_of_predictions",
          "DELETE FROM forecasts.predictions <AAPL_DAY>", also=("forecasts.predictions",)),
    fault("forecasts.outcomes", "validated_has_result",
          "UPDATE forecasts.outcomes SET occurred = NULL <AAPL_DAY> AND kind = 'price'"),
    fault("forecasts.outcomes", "validated_has_result",
          "UPDATE forecasts.outcomes SET qlike = NULL <AAPL_DAY> AND kind = 'volatility'"),
    *(
        fault("forecasts.outcomes", "results_follow_from_prices", FLIP.replace("<KIND>", kind))
        for kind in ("price", "direction", "time_to_hit")
    ),
    fault("forecasts.outcomes", "results_follow_from_prices",
          "UPDATE forecasts.outcomes SET relative_error = -relative_error <AAPL_DAY>"),
    fault("forecasts.outcomes", "brier_is_squared_difference",
          "UPDATE forecasts.outcomes SET brier = brier + 0.1 <AAPL_DAY>"),
    fault("forecasts.outcomes", "few_expired",
          "UPDATE forecasts.outcomes SET status = 'expired', occurred = NULL, brier = NULL,"
          " realised_volatility = NULL, qlike = NULL"
          " WHERE due_day = '2000-08-02' AND kind <> 'time_to_hit'"),
]  # fmt: skip


def _of_every_report(table: str) -> list[Fault]:
    return [
        fault(table, "no_missing_days", "DELETE FROM <TABLE> <REPORT>"),
        fault(table, "no_duplicate_keys", COPY),
        fault(table, "no_look_ahead", "UPDATE <TABLE> SET recorded_at = period_end <REPORT>"),
        fault(
            table, "period_is_whole", "UPDATE <TABLE> SET period_start = period_start + 1 <REPORT>"
        ),
    ]


_ACCURACY = [
    fault("accuracy.day_sums", "no_missing_days", "DELETE FROM <TABLE> <DUE>"),
    fault("accuracy.day_sums", "no_duplicate_keys", COPY),
    fault("accuracy.day_sums", "no_look_ahead", "UPDATE <TABLE> SET recorded_at = known_day <DUE>"),
    fault("accuracy.day_sums", "finite_numbers", "UPDATE <TABLE> SET error_cubes = 'NaN' <DUE>"),
    fault("accuracy.day_sums", "coverage_follows_from_counts",
          "UPDATE <TABLE> SET due = validated - 1 <DUE>"),
    fault("accuracy.day_sums", "buckets_add_up",
          "UPDATE <TABLE> SET bucket_9_n = bucket_9_n + 1 <DUE>"),
    fault("accuracy.day_sums", "no_skill_in_baselines",
          "UPDATE <TABLE> SET brier_no_change_loss = brier_no_change_loss + 1 <DUE>"
          " AND model_id = 'no_change'"),
    fault("accuracy.strategy_pnl", "no_duplicate_keys", COPY),
    fault("accuracy.strategy_pnl", "finite_numbers", "UPDATE <TABLE> SET profit = 'NaN' <DUE>"
          " AND model_id = 'drift'"),
    fault("accuracy.strategy_pnl", "no_look_ahead", "UPDATE <TABLE> SET recorded_at = known_day <DUE>"),
    fault("accuracy.strategy_pnl", "exposure_follows_from_signals",
          "UPDATE <TABLE> SET gross_exposure = capital_deployed * 2 <DUE> AND model_id = 'drift'"),
    fault("accuracy.strategy_pnl", "no_profit_in_no_change",
          "UPDATE <TABLE> SET profit = 0.01 <DUE> AND model_id = 'no_change'"),
    fault("accuracy.scoreboard", "no_missing_days", "DELETE FROM <TABLE> <WEEK>"),
    fault("accuracy.scoreboard", "no_duplicate_keys", COPY),
    fault("accuracy.scoreboard", "finite_numbers", "UPDATE <TABLE> SET mean_score = 'NaN' <WEEK>"),
    fault("accuracy.scoreboard", "no_look_ahead", "UPDATE <TABLE> SET recorded_at = as_of_day <WEEK>"),
    fault("accuracy.scoreboard", "skill_in_interval",
          "UPDATE <TABLE> SET skill_vs_drift_low = skill_vs_drift + 0.1 <WEEK> AND skill_vs_drift <> 0"),
    fault("accuracy.scoreboard", "no_skill_in_no_change",
          "UPDATE <TABLE> SET skill_vs_no_change = 0.1, skill_vs_no_change_high = 0.2 <WEEK>"
          " AND model_id = 'no_change'"),
    fault("accuracy.scoreboard", "ratios_in_interval",
          "UPDATE <TABLE> SET sharpe_low = sharpe_ratio + 1 <WEEK> AND sharpe_ratio IS NOT NULL"),
    fault("accuracy.day_sums", "coverage_holds",
          "UPDATE <TABLE> SET expired = expired + validated, validated = 0, scored = NULL"
          " WHERE known_day BETWEEN '2000-10-28' AND '2000-10-31'"),
    *_of_every_report("accuracy.calibration_summary"),
    fault("accuracy.calibration_summary", "finite_numbers",
          "UPDATE accuracy.calibration_summary SET brier = 'Infinity' <REPORT>"),
    fault("accuracy.calibration_summary", "coverage_at_most_one",
          "UPDATE accuracy.calibration_summary SET due = n - 1 <REPORT>"),
    fault("accuracy.calibration_summary", "rates_in_interval",
          "UPDATE accuracy.calibration_summary SET accuracy_low = 2 <REPORT>"),
    fault("accuracy.calibration_summary", "rates_in_interval",
          "UPDATE accuracy.calibration_summary SET event_low = 2 <REPORT>"),
    fault("accuracy.calibration_summary", "corp_adds_up",
          "UPDATE accuracy.calibration_summary SET miscalibration = miscalibration + 0.1 <REPORT>"),
    fault("accuracy.calibration_summary", "no_skill_in_no_change",
          "UPDATE accuracy.calibration_summary SET skill_vs_no_change = 0.1 <REPORT>"),
    *_of_every_report("accuracy.survival_curves"),
    fault("accuracy.survival_curves", "finite_numbers",
          "UPDATE accuracy.survival_curves SET baseline_survival = 'NaN' <REPORT>"),
    fault("accuracy.survival_curves", "at_risk_follows_from_counts",
          "UPDATE accuracy.survival_curves SET hits = hits + 1 <REPORT>"),
    fault("accuracy.survival_curves", "survival_never_rises",
          "UPDATE accuracy.survival_curves SET baseline_survival = 1 <REPORT> AND session = horizon"),
    fault("accuracy.survival_curves", "survival_in_interval",
          "UPDATE accuracy.survival_curves SET n_eff = n + 1 <REPORT>"),
    *_of_every_report("accuracy.symbol_accuracy"),
    fault("accuracy.symbol_accuracy", "finite_numbers",
          "UPDATE accuracy.symbol_accuracy SET n_eff = 'NaN' <REPORT>"),
    fault("accuracy.symbol_accuracy", "rates_follow_from_counts",
          "UPDATE accuracy.symbol_accuracy SET accuracy_rate = 2 <REPORT>"),
    fault("accuracy.symbol_accuracy", "means_in_interval",
          "UPDATE accuracy.symbol_accuracy SET posterior_low = 2 <REPORT>"),
    fault("accuracy.symbol_accuracy", "symbols_registered",
          "UPDATE accuracy.symbol_accuracy SET symbol = 'ZZZ' <REPORT> AND symbol = 'AAPL'"),
    fault("accuracy.symbol_accuracy", "recommendations_add_up",
          "UPDATE accuracy.symbol_accuracy SET hold_count = hold_count + 1 <REPORT>"),
    *_of_every_report("accuracy.error_distribution"),
    fault("accuracy.error_distribution", "finite_numbers",
          "UPDATE accuracy.error_distribution SET skewness = 'NaN' <REPORT>"),
    fault("accuracy.error_distribution", "percentiles_ordered",
          "UPDATE accuracy.error_distribution SET p25_error = p90_error + 1 <REPORT>"),
    fault("accuracy.error_distribution", "counts_and_sizes_possible",
          "UPDATE accuracy.error_distribution SET outlier_count = sample_size + 1 <REPORT>"),
    *_of_every_report("accuracy.accuracy_correlation"),
    fault("accuracy.accuracy_correlation", "finite_numbers",
          "UPDATE accuracy.accuracy_correlation SET n_eff = 'NaN' <REPORT>"),
    fault("accuracy.accuracy_correlation", "contrast_follows_from_rates",
          "UPDATE accuracy.accuracy_correlation SET baseline_accuracy = 2 <REPORT>"),
    fault("accuracy.accuracy_correlation", "rates_in_interval",
          "UPDATE accuracy.accuracy_correlation SET accuracy_low = 2 <REPORT>"),
    fault("accuracy.accuracy_correlation", "few_dates_untested",
          "UPDATE accuracy.accuracy_correlation SET degrees_of_freedom = 8 <REPORT>"),
    fault("accuracy.accuracy_correlation", "regimes_against_the_rest",
          "UPDATE accuracy.accuracy_correlation SET baseline_sample_size = baseline_sample_size + 1"
          " <REPORT> AND market_regime = 'sideways'"),
]  # fmt: skip

_DRIFT = [
    fault("accuracy.drift_metrics", "no_missing_days", "DELETE FROM <TABLE> <WEEK>"),
    fault("accuracy.drift_metrics", "no_duplicate_keys", COPY),
    fault("accuracy.drift_metrics", "finite_numbers", "UPDATE <TABLE> SET value = 'NaN' <WEEK>"),
    fault("accuracy.drift_metrics", "no_look_ahead",
          "UPDATE <TABLE> SET recorded_at = '2000-11-17 12:00Z' <WEEK>"),
    fault("accuracy.drift_metrics", "only_week_ends",
          "INSERT INTO <TABLE> (as_of_day, subject, name, statistic, value, drifted, is_estimate,"
          " reference_start, reference_end, current_start, current_end, n_reference, n_current)"
          " SELECT as_of_day - 1, subject, name, statistic, value, drifted, is_estimate,"
          " reference_start, reference_end, current_start, current_end - 1, n_reference, n_current"
          " FROM <TABLE> <WEEK> AND subject = 'feature'"),
    fault("accuracy.drift_metrics", "windows_apart",
          "UPDATE <TABLE> SET reference_end = current_start <WEEK> AND subject = 'feature'"),
    fault("accuracy.drift_metrics", "estimates_decide_nothing",
          "UPDATE <TABLE> SET drifted = true <WEEK> AND is_estimate"),
]  # fmt: skip

_PERFORMANCE = [
    fault("models.prediction_scores", "no_missing_days", "DELETE FROM <TABLE> <MONTH>"),
    fault("models.prediction_scores", "no_duplicate_keys", COPY),
    fault("models.prediction_scores", "finite_numbers",
          "UPDATE <TABLE> SET mean_score = 'NaN' <MONTH>"),
    fault("models.prediction_scores", "no_look_ahead",
          "UPDATE <TABLE> SET recorded_at = evaluated_through <MONTH>"),
    fault("models.prediction_scores", "skill_follows_from_scores",
          "UPDATE <TABLE> SET skill_low = 2, skill_high = 3 <MONTH>"),
    fault("models.prediction_scores", "regimes_sum_to_all",
          "UPDATE <TABLE> SET n = n + 100000 <MONTH> AND regime <> 'all'"),
    fault("models.prediction_scores", "no_baselines",
          "UPDATE <TABLE> SET model_id = 'drift' <MONTH>"),
]  # fmt: skip

_PASS = "UPDATE deployment.deployment_gates SET gate_status = 'passed' <GATES>"
_DEPLOY = (
    "INSERT INTO deployment.deployments (kind, scope, model_id, valid_from, gate_id, deployed_by, reason)"
    " SELECT kind, scope, model_id, '2000-06-10 00:00Z', gate_id, 'automated', 'test'"
    " FROM deployment.deployment_gates <GATES> AND kind = 'price' AND model_id LIKE "
)
_GATES = ("deployment.deployment_gates",)

_DEPLOYMENT = [
    fault("deployment.deployment_gates", "no_missing_days", "DELETE FROM <TABLE> <GATES>"),
    fault("deployment.deployment_gates", "no_duplicate_keys", COPY),
    fault("deployment.deployment_gates", "finite_numbers", "UPDATE <TABLE> SET skill = 'NaN' <GATES>"),
    fault("deployment.deployment_gates", "no_look_ahead",
          "UPDATE <TABLE> SET evaluated_at = as_of_day <GATES>"),
    fault("deployment.deployment_gates", "only_week_ends",
          "INSERT INTO <TABLE> (model_id, kind, horizon, as_of_day, gate_status, trial_count, criteria,"
          " thresholds, failure_reasons) SELECT model_id, kind, horizon, as_of_day - 1, gate_status,"
          " trial_count, criteria, thresholds, failure_reasons FROM <TABLE> <GATES>"),
    fault("deployment.deployment_gates", "passed_means_every_criterion", _PASS),
    fault("deployment.deployment_gates", "failures_explained",
          "UPDATE <TABLE> SET failure_reasons = '{}' <GATES>"),
    fault("deployment.ab_tests", "no_duplicate_keys", COPY),
    fault("deployment.ab_tests", "finite_numbers", "UPDATE <TABLE> SET e_value = 'NaN' <GATES>"),
    fault("deployment.ab_tests", "no_look_ahead", "UPDATE <TABLE> SET recorded_at = as_of_day <GATES>"),
    fault("deployment.ab_tests", "status_follows_e_value", "UPDATE <TABLE> SET e_value = threshold <GATES>"),
    fault("deployment.ab_tests", "two_models", "UPDATE <TABLE> SET control = treatment <GATES>"),
    fault("deployment.deployments", "no_duplicate_keys",
          _PASS, _DEPLOY + "'filtered%'", _DEPLOY + "'filtered%'", also=_GATES),
    fault("deployment.deployments", "no_look_ahead", _PASS, _DEPLOY + "'filtered%'",
          "UPDATE <TABLE> SET recorded_at = '2000-06-01'", also=_GATES),
    fault("deployment.deployments", "passed_or_overridden", _DEPLOY + "'filtered%'"),
    fault("deployment.deployments", "no_baselines", _PASS, _DEPLOY + "'no_change'", also=_GATES),
]  # fmt: skip


_PLANTED = (
    "INSERT INTO models.training_runs (training_run_id, model_id, scope, trained_through, first_day,"
    " samples, symbols, feature_set, parameters, code_version, input_digest, dagster_run_id, status,"
    " finished_at) VALUES ('r', <OF>, '2000-03-01', 1, '{AAPL}', 'standard-v1', '{}', '1', 'd', 'x',"
    " 'succeeded', now())",
    "INSERT INTO models.model_artifacts (artifact_id, model_id, scope, trained_through, revision,"
    " training_run_id, feature_set, code_version, input_digest, artifact_uri, sha256, size_bytes,"
    " choices, chosen_through, metrics, status) VALUES ('f', <OF>, 1, 'r', 'standard-v1', '1', 'd',"
    " 'file:///nowhere.json', repeat('a', 64), 1, '{}', '2000-05-31', '{}', 'withdrawn')",
    "INSERT INTO models.trials (training_run_id, model_id, kind, horizon, family, configuration,"
    " result, finished_at) VALUES ('r', '<MODEL>', 'price', 1, 'har', '{}', '{}', now())",
)


def _fits(view: str, model: str, scope: str) -> list[Fault]:
    """Faults of fits, of which the sample's first year has none of its own."""
    of = f"'{model}', '{scope}', '2000-05-31'"
    run, fit, trial = (text.replace("<OF>", of).replace("<MODEL>", model) for text in _PLANTED)
    change = "UPDATE models.model_artifacts SET "
    also = ("models.model_artifacts",)
    return [
        fault(view, "no_duplicate_keys", run, fit, fit, also=also),
        fault(view, "no_look_ahead", run, fit, change + "recorded_at = '2000-05-31'"),
        fault(view, "no_look_ahead", run, fit, change + "chosen_through = '2000-06-30'", also=also),
        fault(view, "from_successful_runs", fit),
        fault(view, "versions_registered", run, fit, change + "feature_set = 'other-v1'"),
        fault(view, "trials_before_results", run, trial),
        fault(view, "files_as_stored", run, fit, change + "status = 'active'"),
    ]


_FITS = [
    *_fits("models.pooled_models", "pooled-v1", "*"),
    *_fits("models.symbol_models", "symbol-v1", "AAPL"),
]

_RESULTS = "models.optimization_results"
_TASK = (
    "INSERT INTO models.optimization_tasks (task_id, task_type, model_id, kind, horizon, first_day,"
    " as_of_day, configuration, max_attempts) VALUES ('t', 'hyperparameter', 'pooled-v1', 'price', 5,"
    " '2000-03-01', '<DAY>', '{}', 4)"
)
_ATTEMPT = (
    "INSERT INTO models.optimization_attempts (task_id, attempt, dagster_run_id, lease_until,"
    " finished_at, outcome) VALUES ('t', 1, 'r', now() + interval '1 hour', now(), 'succeeded')"
)
_RESULT = (
    "INSERT INTO <TABLE> (task_id, as_of_day, accepted, old_value, new_value, configurations,"
    " conclusion) VALUES ('t', '<DAY>', <ACCEPTED>, '{}', '{}', 4, 'so it is')"
)


def _tuned(
    noticed: str, *statements: str, day: str = "2000-06-09", accepted: str = "false"
) -> Fault:
    """A fault of what tuning found, of which the sample's first year has nothing."""
    said = (s.replace("<DAY>", day).replace("<ACCEPTED>", accepted) for s in statements)
    return fault(_RESULTS, noticed, *said)


_TUNING = [
    _tuned("no_duplicate_keys", _TASK, _ATTEMPT, _RESULT, _RESULT),
    _tuned("no_look_ahead", _TASK, _ATTEMPT, _RESULT, "UPDATE <TABLE> SET recorded_at = '<DAY>'"),
    _tuned("only_week_ends", _TASK, _ATTEMPT, _RESULT, day="2000-06-08"),
    _tuned("from_successful_attempts", _TASK, _RESULT),
    _tuned("accepted_has_an_event", _TASK, _ATTEMPT, _RESULT, accepted="true"),
]

_TRADING = [
    fault("trading.signals", "no_look_ahead",
          "UPDATE <TABLE> SET recorded_at = '2000-03-31 12:00Z' WHERE trading_day = '2000-03-31'"),
    fault("trading.signals", "directions_have_scores",
          "UPDATE <TABLE> SET score = NULL WHERE trading_day = '2000-03-31' AND direction = 1"),
    fault("trading.target_weights", "weights_within_equity",
          "UPDATE <TABLE> SET weight = weight * 2 WHERE trading_day = '2000-03-31'"),
    fault("trading.target_weights", "weights_follow_signals",
          "UPDATE <TABLE> SET weight = -weight WHERE trading_day = '2000-03-31'"),
    fault("trading.portfolio_state", "r1_cash",
          "UPDATE trading.journal SET cash = cash + 1 WHERE kind = 'capital'"),
    fault("trading.portfolio_state", "r2_quantity",
          "UPDATE trading.positions SET symbol = 'NONE', stale = true <BOOK_DAY> AND symbol = 'IBM'",
          also=("trading.positions",)),
    fault("trading.portfolio_state", "r3_equity", "UPDATE <TABLE> SET long = long + 1 <BOOK_DAY>"),
    fault("trading.portfolio_state", "r4_orders",
          "UPDATE trading.order_events SET event = 'cancelled' <FIRST_BUY> AND n = 0"),
    fault("trading.portfolio_state", "r5_decisions",
          "UPDATE trading.fills SET bar_known = as_of <FIRST_BUY>", also=("trading.fills",)),
    fault("trading.portfolio_state", "r6_prices",
          "UPDATE trading.fills SET raw_price = raw_price * 2 <FIRST_BUY>", also=("trading.fills",)),
    fault("trading.portfolio_state", "r7_participation",
          "UPDATE trading.books SET rules = jsonb_set(rules, '{participation}', '\"0.0000001\"')"),
    fault("trading.portfolio_state", "r8_actions",
          "UPDATE trading.journal SET ex_date = ex_date - 400 WHERE kind = 'dividend'"),
    fault("trading.portfolio_state", "r9_attribution",
          "UPDATE trading.fills SET fee = fee + 1 <FIRST_BUY>", also=("trading.fills",)),
    fault("trading.portfolio_state", "r10_result",
          "UPDATE trading.trades SET gross_pnl = gross_pnl + 1", also=("trading.trades",)),
    fault("trading.portfolio_state", "r11_digests",
          "UPDATE <TABLE> SET previous_digest = decode(repeat('ab', 32), 'hex') <BOOK_DAY>"),
    fault("trading.portfolio_state", "r12_stale", "DELETE FROM market.market_data <AAPL_DAY>"),
    fault("trading.strategy_performance", "equity_is_the_books",
          "UPDATE <TABLE> SET equity = equity + 1 <BOOK_PERIOD>"),
    fault("trading.strategy_performance", "every_day_told",
          "DELETE FROM <TABLE> <BOOK_PERIOD>"),
]  # fmt: skip

FAULTS = [
    *_MARKET, *_FEATURES, *_FITS, *_FORECASTS, *_ACCURACY, *_PERFORMANCE, *_DRIFT, *_DEPLOYMENT,
    *_TUNING, *_TRADING,
]  # fmt: skip
