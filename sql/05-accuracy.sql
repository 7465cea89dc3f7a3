-- Sums of outcomes per due day, what sums cannot give at ends of periods, survival, drift.

CREATE TABLE accuracy.day_sums (
    known_day      date NOT NULL,
    due_day        date NOT NULL CHECK (due_day <= known_day),
    model_id       text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    event          text,
    horizon        smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    market_regime  text NOT NULL CHECK (market_regime IN ('bull', 'bear', 'sideways', 'volatile', 'unknown')),
    origin         text NOT NULL CHECK (origin IN ('live', 'replay')),
    due            integer NOT NULL CHECK (due >= 0),
    validated      integer NOT NULL CHECK (validated >= 0),
    expired        integer NOT NULL CHECK (expired >= 0),
    -- Of validated rows that have an event.
    scored integer, hits integer, correct_calls integer, confidence double precision, residual double precision,
    squared_residual double precision,
    -- Per bucket of ten points of confidence, from 0 on.
    bucket_0_n integer, bucket_0_hits integer, bucket_0_confidence double precision,
    bucket_1_n integer, bucket_1_hits integer, bucket_1_confidence double precision,
    bucket_2_n integer, bucket_2_hits integer, bucket_2_confidence double precision,
    bucket_3_n integer, bucket_3_hits integer, bucket_3_confidence double precision,
    bucket_4_n integer, bucket_4_hits integer, bucket_4_confidence double precision,
    bucket_5_n integer, bucket_5_hits integer, bucket_5_confidence double precision,
    bucket_6_n integer, bucket_6_hits integer, bucket_6_confidence double precision,
    bucket_7_n integer, bucket_7_hits integer, bucket_7_confidence double precision,
    bucket_8_n integer, bucket_8_hits integer, bucket_8_confidence double precision,
    bucket_9_n integer, bucket_9_hits integer, bucket_9_confidence double precision,
    -- Per score and baseline, of the rows that have both losses.
    brier_no_change_n integer, brier_no_change_loss double precision, brier_no_change_loss_baseline double precision,
    brier_no_change_squares double precision,
    brier_climatology_n integer, brier_climatology_loss double precision, brier_climatology_loss_baseline double precision,
    brier_climatology_squares double precision,
    brier_drift_n integer, brier_drift_loss double precision, brier_drift_loss_baseline double precision,
    brier_drift_squares double precision,
    log_score_no_change_n integer, log_score_no_change_loss double precision, log_score_no_change_loss_baseline double precision,
    log_score_no_change_squares double precision,
    log_score_climatology_n integer, log_score_climatology_loss double precision, log_score_climatology_loss_baseline double precision,
    log_score_climatology_squares double precision,
    log_score_drift_n integer, log_score_drift_loss double precision, log_score_drift_loss_baseline double precision,
    log_score_drift_squares double precision,
    crps_no_change_n integer, crps_no_change_loss double precision, crps_no_change_loss_baseline double precision,
    crps_no_change_squares double precision,
    crps_drift_n integer, crps_drift_loss double precision, crps_drift_loss_baseline double precision, crps_drift_squares double precision,
    qlike_no_change_n integer, qlike_no_change_loss double precision, qlike_no_change_loss_baseline double precision,
    qlike_no_change_squares double precision,
    crps_n integer, crps_loss double precision,
    -- Powers and histogram of the signed relative errors of prices.
    errors integer, error double precision, error_squares double precision, error_cubes double precision,
    error_bin_0 integer, error_bin_1 integer, error_bin_2 integer, error_bin_3 integer, error_bin_4 integer,
    error_bin_5 integer, error_bin_6 integer, error_bin_7 integer, error_bin_8 integer, error_bin_9 integer,
    error_bin_10 integer, error_bin_11 integer, error_bin_12 integer, error_bin_13 integer, error_bin_14 integer,
    error_bin_15 integer,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, kind, horizon, due_day, market_regime, origin, known_day),
    CONSTRAINT event_of_its_kind CHECK ((kind = 'volatility') = (event IS NULL)),
    CONSTRAINT hits_are_scored CHECK (hits <= scored AND correct_calls <= scored AND scored <= validated),
    CONSTRAINT sums_are_finite CHECK (market.is_finite(
        coalesce(confidence + residual + squared_residual, 0) + coalesce(error + error_squares + error_cubes, 0)))
);
CREATE INDEX day_sums_by_due_day ON accuracy.day_sums (due_day);
CREATE INDEX day_sums_by_known_day ON accuracy.day_sums (known_day);
COMMENT ON TABLE accuracy.day_sums IS 'Sums of the outcomes of a due day per cell: what every report of a period is computed from. NULL: nothing to add up.';
COMMENT ON COLUMN accuracy.day_sums.known_day IS 'The sums are as known at its end: the due day, and each later day on which an outcome of it became known. The newest counts.';
COMMENT ON COLUMN accuracy.day_sums.market_regime IS 'Of the decision day, as known on it.';
COMMENT ON COLUMN accuracy.day_sums.origin IS 'As in forecasts.predictions.';
COMMENT ON COLUMN accuracy.day_sums.due IS 'Predictions that fell due; what is neither validated nor expired is pending.';
COMMENT ON COLUMN accuracy.day_sums.correct_calls IS 'The event of a price; of other kinds the side that the probability made likelier.';
COMMENT ON COLUMN accuracy.day_sums.residual IS 'Of occurred (1 or 0) less confidence; squared_residual is the sum of Brier scores.';
COMMENT ON COLUMN accuracy.day_sums.error_bin_0 IS 'Relative errors below -16 %; then limits at 8, 4, 2, 1, 0.5, 0.25 and 0 %, and the same upward.';

CREATE TABLE accuracy.strategy_pnl (
    known_day         date NOT NULL,
    trading_day       date NOT NULL CHECK (trading_day <= known_day),
    model_id          text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('price', 'direction')),
    horizon           smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    profit            double precision NOT NULL CHECK (market.is_finite(profit)),
    market            double precision NOT NULL CHECK (market.is_finite(market)),
    capital_deployed  double precision NOT NULL CHECK (capital_deployed > 0 AND capital_deployed < 'Infinity'),
    gross_exposure    double precision NOT NULL CHECK (gross_exposure >= 0 AND gross_exposure < 'Infinity'),
    net_exposure      double precision NOT NULL CHECK (market.is_finite(net_exposure)),
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, kind, horizon, trading_day, known_day)
);
CREATE INDEX strategy_pnl_by_known_day ON accuracy.strategy_pnl (known_day);
COMMENT ON TABLE accuracy.strategy_pnl IS 'Daily profit and loss of following every BUY and SELL of a model on paper, whether or not it is champion: a tranche of 1/horizon of the capital a day, in equal parts over the symbols.';
COMMENT ON COLUMN accuracy.strategy_pnl.known_day IS 'As known at its end: the trading day, and each later day on which a bar or action that changes it became known. The newest counts.';
COMMENT ON COLUMN accuracy.strategy_pnl.profit IS 'After 10 bp of cost a position, in tranches: divide by capital_deployed for the day''s return.';
COMMENT ON COLUMN accuracy.strategy_pnl.market IS 'Of holding the same symbols, in the same tranches, without cost: the buy and hold beside it.';
COMMENT ON COLUMN accuracy.strategy_pnl.capital_deployed IS 'Outstanding signals, HOLD included, in tranches of 1/horizon.';
COMMENT ON COLUMN accuracy.strategy_pnl.gross_exposure IS 'BUY and SELL among them.';
COMMENT ON COLUMN accuracy.strategy_pnl.net_exposure IS 'BUY less SELL.';

CREATE TABLE accuracy.scoreboard (
    as_of_day                    date NOT NULL,
    model_id                     text NOT NULL,
    kind                         text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    horizon                      smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    event                        text,
    score                        text NOT NULL CHECK (score IN ('crps', 'brier', 'qlike')),
    first_due                    date NOT NULL CHECK (first_due <= as_of_day),
    due                          integer NOT NULL CHECK (due >= 0),
    validated                    integer NOT NULL CHECK (validated >= 0),
    live                         integer NOT NULL CHECK (live BETWEEN 0 AND validated),
    n                            integer NOT NULL CHECK (n BETWEEN 0 AND validated),
    n_eff                        double precision CHECK (n_eff >= 0 AND n_eff < 'Infinity'),
    mean_score                   double precision CHECK (market.is_finite(mean_score)),
    skill_vs_no_change           double precision CHECK (market.is_finite(skill_vs_no_change)),
    skill_vs_no_change_low       double precision CHECK (market.is_finite(skill_vs_no_change_low)),
    skill_vs_no_change_high      double precision CHECK (market.is_finite(skill_vs_no_change_high)),
    skill_vs_climatology         double precision CHECK (market.is_finite(skill_vs_climatology)),
    skill_vs_climatology_low     double precision CHECK (market.is_finite(skill_vs_climatology_low)),
    skill_vs_climatology_high    double precision CHECK (market.is_finite(skill_vs_climatology_high)),
    skill_vs_drift               double precision CHECK (market.is_finite(skill_vs_drift)),
    skill_vs_drift_low           double precision CHECK (market.is_finite(skill_vs_drift_low)),
    skill_vs_drift_high          double precision CHECK (market.is_finite(skill_vs_drift_high)),
    event_rate                   double precision CHECK (market.is_probability(event_rate)),
    mean_confidence              double precision CHECK (market.is_probability(mean_confidence)),
    accuracy_rate                double precision CHECK (market.is_probability(accuracy_rate)),
    ece                          double precision CHECK (market.is_probability(ece)),
    rms_calibration_error        double precision CHECK (market.is_probability(rms_calibration_error)),
    rms_calibration_upper        double precision CHECK (market.is_probability(rms_calibration_upper)),
    calibration_quality          text CHECK (calibration_quality IN ('good', 'moderate', 'poor', 'insufficient_data')),
    sessions                     integer CHECK (sessions > 0),
    strategy_return              double precision CHECK (market.is_finite(strategy_return)),
    strategy_return_annual       double precision CHECK (market.is_finite(strategy_return_annual)),
    strategy_drawdown            double precision CHECK (market.is_probability(strategy_drawdown)),
    sharpe_ratio                 double precision CHECK (market.is_finite(sharpe_ratio)),
    sharpe_low                   double precision CHECK (market.is_finite(sharpe_low)),
    sharpe_high                  double precision CHECK (market.is_finite(sharpe_high)),
    hold_return                  double precision CHECK (market.is_finite(hold_return)),
    hold_return_annual           double precision CHECK (market.is_finite(hold_return_annual)),
    hold_drawdown                double precision CHECK (market.is_probability(hold_drawdown)),
    hold_sharpe                  double precision CHECK (market.is_finite(hold_sharpe)),
    gross_exposure               double precision CHECK (gross_exposure BETWEEN 0 AND 1.000001),
    recorded_at                  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (as_of_day, model_id, kind, horizon),
    CONSTRAINT in_its_interval CHECK (skill_vs_no_change BETWEEN skill_vs_no_change_low AND skill_vs_no_change_high)
);
COMMENT ON TABLE accuracy.scoreboard IS 'The answer at the end of each week: per model, kind and horizon the skill beside each baseline over the whole record, calibration, and what following it earned.';
COMMENT ON COLUMN accuracy.scoreboard.as_of_day IS 'Last trading day of a week: nothing known after its 24:00 UTC was used.';
COMMENT ON COLUMN accuracy.scoreboard.score IS 'The proper score of the kind, a loss: lower is better.';
COMMENT ON COLUMN accuracy.scoreboard.first_due IS 'First due day of the record.';
COMMENT ON COLUMN accuracy.scoreboard.live IS 'Of the validated ones those written before their outcome could be known; the rest are replays.';
COMMENT ON COLUMN accuracy.scoreboard.n IS 'Rows that have the losses of the model and of no_change.';
COMMENT ON COLUMN accuracy.scoreboard.n_eff IS 'Independent rows that n overlapping, correlated ones are worth, of the loss difference.';
COMMENT ON COLUMN accuracy.scoreboard.skill_vs_no_change IS '1 - loss / loss of no_change: 0 nothing gained, 1 perfect. Beyond 0 with the whole interval: shown. NULL where the kind has no such baseline.';
COMMENT ON COLUMN accuracy.scoreboard.skill_vs_no_change_low IS 'To skill_vs_no_change_high: 95 %, of the mean loss difference on n_eff.';
COMMENT ON COLUMN accuracy.scoreboard.event_rate IS 'Share of scored rows whose event occurred. Of within_5pct it speaks of its own window only: quiet and wild years differ.';
COMMENT ON COLUMN accuracy.scoreboard.ece IS 'Over ten buckets of confidence; a perfect forecaster shows more than 0.';
COMMENT ON COLUMN accuracy.scoreboard.rms_calibration_error IS 'Debiased, over the ten buckets merged to equal mass; rms_calibration_upper its one-sided 90 % bound, which the verdict goes by.';
COMMENT ON COLUMN accuracy.scoreboard.sessions IS 'On which any signal was outstanding. NULL, with all that follows, where the kind recommends nothing.';
COMMENT ON COLUMN accuracy.scoreboard.strategy_return IS 'Simple return of following every BUY and SELL after cost, over all sessions; strategy_return_annual: compound, a year.';
COMMENT ON COLUMN accuracy.scoreboard.strategy_drawdown IS 'Largest loss from a peak, a positive fraction.';
COMMENT ON COLUMN accuracy.scoreboard.sharpe_ratio IS 'A year, above PREDTRACK_RISK_FREE_RATE; sharpe_low to sharpe_high: 95 %. NULL where nothing was ever bought or sold.';
COMMENT ON COLUMN accuracy.scoreboard.hold_return IS 'Of holding the same symbols in equal parts over the same sessions, without cost.';
COMMENT ON COLUMN accuracy.scoreboard.gross_exposure IS 'Mean share of the capital in a BUY or SELL.';

CREATE TABLE accuracy.calibration_summary (
    model_id                   text NOT NULL,
    kind                       text NOT NULL,
    event                      text NOT NULL,
    horizon                    smallint NOT NULL,
    period                     text NOT NULL CHECK (period IN ('weekly', 'monthly', 'rolling_30d')),
    period_start               date NOT NULL,
    period_end                 date NOT NULL,
    n                          integer NOT NULL,
    n_eff                      double precision,
    due                        integer NOT NULL,
    expired                    integer NOT NULL,
    coverage                   double precision CHECK (market.is_probability(coverage)),
    event_rate                 double precision CHECK (market.is_probability(event_rate)),
    event_low                  double precision CHECK (market.is_probability(event_low)),
    event_high                 double precision CHECK (market.is_probability(event_high)),
    mean_confidence            double precision CHECK (market.is_probability(mean_confidence)),
    ece                        double precision CHECK (market.is_probability(ece)),
    rms_calibration_error      double precision CHECK (market.is_probability(rms_calibration_error)),
    rms_calibration_upper      double precision CHECK (market.is_probability(rms_calibration_upper)),
    calibration_quality        text NOT NULL CHECK (calibration_quality IN ('good', 'moderate', 'poor', 'insufficient_data')),
    brier                      double precision,
    brier_no_change            double precision,
    brier_climatology          double precision,
    skill_vs_no_change         double precision CHECK (market.is_finite(skill_vs_no_change)),
    skill_vs_climatology       double precision CHECK (market.is_finite(skill_vs_climatology)),
    crps                       double precision,
    crps_no_change             double precision,
    crps_skill                 double precision CHECK (market.is_finite(crps_skill)),
    ece_equal_mass             double precision CHECK (market.is_probability(ece_equal_mass)),
    squared_calibration_error  double precision CHECK (squared_calibration_error BETWEEN -1 AND 1),
    miscalibration             double precision CHECK (market.is_probability(miscalibration)),
    discrimination             double precision CHECK (market.is_probability(discrimination)),
    uncertainty                double precision CHECK (market.is_probability(uncertainty)),
    consistency_p_value        double precision CHECK (market.is_probability(consistency_p_value)),
    accuracy_rate              double precision CHECK (market.is_probability(accuracy_rate)),
    accuracy_low               double precision CHECK (market.is_probability(accuracy_low)),
    accuracy_high              double precision CHECK (market.is_probability(accuracy_high)),
    recorded_at                timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, event, horizon)
);
CREATE INDEX calibration_summary_newest ON accuracy.calibration_summary
    (model_id, kind, event, horizon, period_end) WHERE period = 'rolling_30d';
COMMENT ON TABLE accuracy.calibration_summary IS 'Calibration per model, kind and horizon at ends of weeks and months: what sums per due day cannot give, beside what they do.';
COMMENT ON COLUMN accuracy.calibration_summary.n_eff IS 'Independent observations that n overlapping, correlated ones are worth.';
COMMENT ON COLUMN accuracy.calibration_summary.coverage IS 'validated / due.';
COMMENT ON COLUMN accuracy.calibration_summary.event_rate IS 'Share of the n rows whose event occurred (of a direction: days up), between event_low and event_high: Wilson, 95 %, on n_eff.';
COMMENT ON COLUMN accuracy.calibration_summary.ece_equal_mass IS 'Over ten buckets of equally many rows, fewer where each would have less than 10 effective ones.';
COMMENT ON COLUMN accuracy.calibration_summary.squared_calibration_error IS 'Debiased (Kumar, Liang, Ma 2019), over the same buckets; may be negative. rms_calibration_error is its root, clipped at 0.';
COMMENT ON COLUMN accuracy.calibration_summary.miscalibration IS 'CORP (Dimitriadis, Gneiting, Jordan 2021): brier = miscalibration - discrimination + uncertainty.';
COMMENT ON COLUMN accuracy.calibration_summary.consistency_p_value IS 'Of the miscalibration, by consistency resampling of n_eff rows; weekly and monthly, from n_eff 100 on.';
COMMENT ON COLUMN accuracy.calibration_summary.accuracy_rate IS 'Share of correct calls among the n, as in symbol_accuracy: the event of a price, the likelier side of a direction or a touch. NULL in reports of before this column.';
COMMENT ON COLUMN accuracy.calibration_summary.accuracy_low IS 'To accuracy_high: Wilson, 95 %, on the effective size of the calls, which is not that of the events.';

CREATE TABLE accuracy.symbol_accuracy (
    symbol                text NOT NULL,
    model_id              text NOT NULL,
    kind                  text NOT NULL,
    event                 text NOT NULL,
    horizon               smallint NOT NULL,
    period                text NOT NULL CHECK (period IN ('monthly', 'rolling_30d')),
    period_start          date NOT NULL,
    period_end            date NOT NULL,
    total_predictions     integer NOT NULL CHECK (total_predictions > 0),
    accurate_predictions  integer NOT NULL CHECK (accurate_predictions BETWEEN 0 AND total_predictions),
    accuracy_rate         double precision NOT NULL CHECK (market.is_probability(accuracy_rate)),
    n_eff                 double precision NOT NULL,
    posterior_mean        double precision NOT NULL CHECK (market.is_probability(posterior_mean)),
    posterior_low         double precision NOT NULL CHECK (market.is_probability(posterior_low)),
    posterior_high        double precision NOT NULL CHECK (market.is_probability(posterior_high)),
    p_below_threshold     double precision NOT NULL CHECK (market.is_probability(p_below_threshold)),
    avg_error_magnitude   double precision,
    avg_confidence        double precision NOT NULL CHECK (market.is_probability(avg_confidence)),
    needs_retraining      boolean NOT NULL,
    threshold             double precision CHECK (market.is_probability(threshold)),
    buy_count             integer CHECK (buy_count >= 0),
    buy_right             integer CHECK (buy_right BETWEEN 0 AND buy_count),
    buy_accuracy          double precision CHECK (market.is_probability(buy_accuracy)),
    buy_low               double precision CHECK (market.is_probability(buy_low)),
    buy_high              double precision CHECK (market.is_probability(buy_high)),
    sell_count            integer CHECK (sell_count >= 0),
    sell_right            integer CHECK (sell_right BETWEEN 0 AND sell_count),
    sell_accuracy         double precision CHECK (market.is_probability(sell_accuracy)),
    sell_low              double precision CHECK (market.is_probability(sell_low)),
    sell_high             double precision CHECK (market.is_probability(sell_high)),
    hold_count            integer CHECK (hold_count >= 0),
    hold_right            integer CHECK (hold_right BETWEEN 0 AND hold_count),
    hold_accuracy         double precision CHECK (market.is_probability(hold_accuracy)),
    hold_low              double precision CHECK (market.is_probability(hold_low)),
    hold_high             double precision CHECK (market.is_probability(hold_high)),
    band                  double precision CHECK (band >= 0 AND band < 'Infinity'),
    cost                  double precision CHECK (cost >= 0 AND cost < 1),
    recorded_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, symbol, model_id, kind, event, horizon),
    CONSTRAINT none_given_is_no_rate CHECK (
        (buy_accuracy IS NULL) = (coalesce(buy_count, 0) = 0)
        AND (sell_accuracy IS NULL) = (coalesce(sell_count, 0) = 0)
        AND (hold_accuracy IS NULL) = (coalesce(hold_count, 0) = 0))
);
COMMENT ON TABLE accuracy.symbol_accuracy IS 'Accuracy per symbol, shrunk toward the pooled rate; rank by posterior_mean.';
COMMENT ON COLUMN accuracy.symbol_accuracy.accurate_predictions IS 'Correct calls: the event of a price; of other kinds the side that the probability made likelier.';
COMMENT ON COLUMN accuracy.symbol_accuracy.needs_retraining IS 'Below the threshold with the set probability on enough effective rows, after Benjamini-Hochberg over the symbols of the report.';
COMMENT ON COLUMN accuracy.symbol_accuracy.threshold IS 'Rate that p_below_threshold and needs_retraining are about.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_count IS 'NULL where the kind recommends nothing; 0 where no BUY was given.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_right IS 'Total log return beyond band x sigma x sqrt(horizon) + cost.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_low IS 'buy_low to buy_high: 95 %, Wilson, on the share of n_eff that the BUYs have.';
COMMENT ON COLUMN accuracy.symbol_accuracy.sell_right IS 'Total log return beyond the same, downward.';
COMMENT ON COLUMN accuracy.symbol_accuracy.hold_right IS 'Total log return at most band x sigma x sqrt(horizon), either way.';
COMMENT ON COLUMN accuracy.symbol_accuracy.band IS 'In sigma x sqrt(horizon), sigma as stored with the prediction.';
COMMENT ON COLUMN accuracy.symbol_accuracy.cost IS 'Of a BUY or SELL, once, as a fraction of the position.';

CREATE TABLE accuracy.error_distribution (
    model_id           text NOT NULL,
    kind               text NOT NULL,
    horizon            smallint NOT NULL,
    period             text NOT NULL CHECK (period IN ('monthly', 'rolling_30d')),
    period_start       date NOT NULL,
    period_end         date NOT NULL,
    sample_size        integer NOT NULL CHECK (sample_size > 0),
    p10_error          double precision NOT NULL,
    p25_error          double precision NOT NULL,
    p50_error          double precision NOT NULL,
    p75_error          double precision NOT NULL,
    p90_error          double precision NOT NULL,
    abs_p10            double precision NOT NULL,
    abs_p25            double precision NOT NULL,
    abs_p50            double precision NOT NULL,
    abs_p75            double precision NOT NULL,
    abs_p90            double precision NOT NULL,
    mean_error         double precision NOT NULL,
    std_error          double precision,
    skewness           double precision,
    outlier_count_mad  integer NOT NULL,
    outlier_count      integer NOT NULL,
    due                integer CHECK (due >= 0),
    coverage           double precision CHECK (market.is_probability(coverage)),
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, horizon)
);
COMMENT ON TABLE accuracy.error_distribution IS 'Signed relative errors (predicted - actual) / actual: percentiles, bias, shape, outliers.';
COMMENT ON COLUMN accuracy.error_distribution.coverage IS 'validated / due.';

CREATE TABLE accuracy.survival_curves (
    model_id            text NOT NULL,
    horizon             smallint NOT NULL,
    period              text NOT NULL CHECK (period IN ('rolling_30d', 'monthly', 'quarterly', 'yearly')),
    period_start        date NOT NULL,
    period_end          date NOT NULL,
    session             smallint NOT NULL CHECK (session BETWEEN 1 AND horizon),
    n                   integer NOT NULL CHECK (n > 0),
    n_eff               double precision NOT NULL CHECK (n_eff BETWEEN 0 AND n),
    at_risk             integer NOT NULL CHECK (at_risk BETWEEN 0 AND n),
    hits                integer NOT NULL CHECK (hits >= 0),
    censored            integer NOT NULL CHECK (censored >= 0),
    survival            double precision CHECK (market.is_probability(survival)),
    survival_low        double precision CHECK (market.is_probability(survival_low)),
    survival_high       double precision CHECK (market.is_probability(survival_high)),
    predicted_survival  double precision CHECK (market.is_probability(predicted_survival)),
    baseline_survival   double precision NOT NULL CHECK (market.is_probability(baseline_survival)),
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, horizon, session),
    CONSTRAINT ended_were_at_risk CHECK (hits + censored <= at_risk),
    CONSTRAINT predicted_at_the_deadline CHECK ((predicted_survival IS NOT NULL) = (session = horizon))
);
COMMENT ON TABLE accuracy.survival_curves IS 'P(target not touched yet) per session after the decision: Kaplan-Meier over all predictions of a window of decision days.';
COMMENT ON COLUMN accuracy.survival_curves.horizon IS 'The deadline in sessions.';
COMMENT ON COLUMN accuracy.survival_curves.n IS 'Predictions made in the window.';
COMMENT ON COLUMN accuracy.survival_curves.n_eff IS 'What those seen for a session or more are worth: from their martingale residuals over decision days.';
COMMENT ON COLUMN accuracy.survival_curves.at_risk IS 'Not hit in earlier sessions, and seen in this one.';
COMMENT ON COLUMN accuracy.survival_curves.censored IS 'Last seen in this session: pending, expired, or past the deadline.';
COMMENT ON COLUMN accuracy.survival_curves.survival IS 'NULL beyond the last session in which anything was at risk.';
COMMENT ON COLUMN accuracy.survival_curves.survival_low IS 'Greenwood on log(-log S), 95 %, variance times n / n_eff; NULL while S is 1 and where it is 0.';
COMMENT ON COLUMN accuracy.survival_curves.predicted_survival IS '1 - mean p_hit of the same predictions, which is about the deadline.';
COMMENT ON COLUMN accuracy.survival_curves.baseline_survival IS 'First passage of a driftless price with the stored sigma, mean over the same predictions.';

CREATE TABLE accuracy.accuracy_correlation (
    model_id                 text NOT NULL,
    kind                     text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit')),
    event                    text NOT NULL,
    horizon                  smallint NOT NULL,
    market_regime            text NOT NULL CHECK (market_regime IN ('bull', 'bear', 'sideways', 'volatile')),
    period                   text NOT NULL CHECK (period IN ('monthly', 'rolling_365d')),
    period_start             date NOT NULL,
    period_end               date NOT NULL,
    sample_size              integer NOT NULL CHECK (sample_size > 0),
    dates                    integer NOT NULL CHECK (dates > 0),
    n_eff                    double precision NOT NULL CHECK (market.is_finite(n_eff)),
    accuracy_rate            double precision NOT NULL CHECK (market.is_probability(accuracy_rate)),
    accuracy_low             double precision NOT NULL CHECK (market.is_probability(accuracy_low)),
    accuracy_high            double precision NOT NULL CHECK (market.is_probability(accuracy_high)),
    baseline_sample_size     integer NOT NULL CHECK (baseline_sample_size >= 0),
    baseline_dates           integer NOT NULL CHECK (baseline_dates >= 0),
    baseline_accuracy        double precision CHECK (market.is_probability(baseline_accuracy)),
    outperformance           double precision CHECK (outperformance BETWEEN -1 AND 1),
    correlation_coefficient  double precision CHECK (correlation_coefficient BETWEEN -1 AND 1),
    standard_error           double precision CHECK (standard_error > 0 AND standard_error < 'Infinity'),
    t_statistic              double precision CHECK (market.is_finite(t_statistic)),
    degrees_of_freedom       integer CHECK (degrees_of_freedom > 0),
    p_value                  double precision CHECK (market.is_probability(p_value)),
    conclusion               text NOT NULL CHECK (conclusion IN ('insufficient_data', 'indistinguishable', 'better', 'worse')),
    recorded_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, event, horizon, market_regime),
    CONSTRAINT contrast_needs_others CHECK (
        (baseline_sample_size = 0) = (baseline_accuracy IS NULL) AND (baseline_accuracy IS NULL) = (outperformance IS NULL)),
    CONSTRAINT tested_or_insufficient CHECK (
        (p_value IS NULL) = (conclusion = 'insufficient_data') AND (p_value IS NULL) = (t_statistic IS NULL)
        AND (p_value IS NULL) = (standard_error IS NULL) AND (p_value IS NULL) = (degrees_of_freedom IS NULL))
);
COMMENT ON TABLE accuracy.accuracy_correlation IS 'Accuracy in each market regime of the decision day, against all other regimes.';
COMMENT ON COLUMN accuracy.accuracy_correlation.baseline_accuracy IS 'The rate in all other regimes: the regime is not compared with a total that contains it.';
COMMENT ON COLUMN accuracy.accuracy_correlation.outperformance IS 'accuracy_rate - baseline_accuracy.';
COMMENT ON COLUMN accuracy.accuracy_correlation.correlation_coefficient IS 'Point-biserial, of being accurate with being in the regime; NULL where one of them does not vary.';
COMMENT ON COLUMN accuracy.accuracy_correlation.standard_error IS 'Of outperformance, clustered by date; by 2 x horizon successive dates where outcomes overlap.';
COMMENT ON COLUMN accuracy.accuracy_correlation.degrees_of_freedom IS 'Clusters of the regime or of the others, whichever are fewer, less one.';
COMMENT ON COLUMN accuracy.accuracy_correlation.p_value IS 'Two-sided, Student''s t. Of the difference and, being the same hypothesis, of the correlation.';

CREATE TABLE accuracy.drift_metrics (
    as_of_day           date NOT NULL,
    subject             text NOT NULL CHECK (subject IN ('feature', 'prediction', 'performance')),
    name                text NOT NULL,
    model_id            text,
    kind                text CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    horizon             smallint CHECK (horizon BETWEEN 1 AND 252),
    statistic           text NOT NULL
        CHECK (statistic IN ( 'psi', 'ks', 'js', 'missing', 'e_value', 'expected_brier', 'expected_ece')),
    value               double precision NOT NULL CHECK (value >= 0 AND value < 'Infinity'),
    reference_value     double precision CHECK (market.is_finite(reference_value)),
    critical_value      double precision CHECK (critical_value >= 0 AND critical_value < 'Infinity'),
    critical_value_iid  double precision CHECK (critical_value_iid >= 0 AND critical_value_iid < 'Infinity'),
    p_value             double precision CHECK (market.is_probability(p_value)),
    p_adjusted          double precision CHECK (market.is_probability(p_adjusted)),
    drifted             boolean NOT NULL,
    since               date,
    is_estimate         boolean NOT NULL,
    reference_start     date NOT NULL,
    reference_end       date NOT NULL CHECK (reference_end >= reference_start),
    current_start       date NOT NULL,
    current_end         date NOT NULL CHECK (current_end >= current_start),
    n_reference         integer NOT NULL CHECK (n_reference >= 0),
    n_current           integer NOT NULL CHECK (n_current >= 0),
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (as_of_day, subject, name, model_id, kind, horizon, statistic),
    CONSTRAINT adjusted_upward CHECK (p_adjusted >= p_value),
    CONSTRAINT models_have_kinds CHECK (num_nulls(model_id, kind, horizon) = CASE subject WHEN 'feature' THEN 3 ELSE 0 END),
    CONSTRAINT estimates_decide_nothing CHECK (
        is_estimate = (statistic IN ('expected_brier', 'expected_ece')) AND NOT (is_estimate AND drifted)),
    CONSTRAINT since_when_degraded CHECK ((since IS NOT NULL) = (subject = 'performance' AND drifted)),
    CONSTRAINT nothing_known_early CHECK (current_end <= as_of_day AND since <= as_of_day)
);
CREATE INDEX drift_metrics_drifted ON accuracy.drift_metrics (subject, name, as_of_day) WHERE drifted;
COMMENT ON TABLE accuracy.drift_metrics IS 'Whether features, predictions and performance are still what they were, at the end of each week. No gate reads it.';
COMMENT ON COLUMN accuracy.drift_metrics.as_of_day IS 'Last trading day of a week: nothing known after its 24:00 UTC was used.';
COMMENT ON COLUMN accuracy.drift_metrics.name IS 'The feature; what is predicted; the score that performance is measured by.';
COMMENT ON COLUMN accuracy.drift_metrics.statistic IS 'psi, js: ten bins of the reference''s deciles; ks; missing: change of the share without a value; e_value: evidence of degradation; expected_*: before outcomes are known.';
COMMENT ON COLUMN accuracy.drift_metrics.reference_value IS 'missing: the share in the reference. e_value: what the model showed in the reference. expected_*: the same, of outcomes known.';
COMMENT ON COLUMN accuracy.drift_metrics.critical_value IS 'What the statistic exceeds with the probability of the level when nothing has changed; days move together.';
COMMENT ON COLUMN accuracy.drift_metrics.critical_value_iid IS 'The same if all rows were independent, which they are not: shown beside, never used.';
COMMENT ON COLUMN accuracy.drift_metrics.p_value IS 'From the same statistic on windows of other days; e_value: 1 / the largest so far.';
COMMENT ON COLUMN accuracy.drift_metrics.p_adjusted IS 'Benjamini-Hochberg across the features (or predictions) of a report.';
COMMENT ON COLUMN accuracy.drift_metrics.since IS 'Due day whose outcomes brought the evidence of degradation to its threshold.';
COMMENT ON COLUMN accuracy.drift_metrics.is_estimate IS 'Computed before the outcomes are known, from stored probabilities: decides nothing.';
COMMENT ON COLUMN accuracy.drift_metrics.n_reference IS 'Rows in the reference; e_value: due days.';
COMMENT ON COLUMN accuracy.drift_metrics.n_current IS 'Rows in the current window; e_value: due days.';

CREATE TABLE accuracy.drift_alerts (
    drift_alert_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    as_of_day       date NOT NULL,
    subject         text NOT NULL CHECK (subject IN ('feature', 'prediction', 'performance')),
    name            text NOT NULL,
    model_id        text,
    kind            text,
    horizon         smallint,
    event           text NOT NULL CHECK (event IN ('opened', 'closed')),
    severity        text NOT NULL CHECK (severity IN ('warning', 'critical')),
    statistic       text,
    value           double precision CHECK (market.is_finite(value)),
    critical_value  double precision CHECK (market.is_finite(critical_value)),
    p_value         double precision CHECK (market.is_probability(p_value)),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT opened_for_a_reason CHECK (event = 'closed' OR num_nulls(statistic, value) = 0)
);
CREATE INDEX drift_alerts_by_subject ON accuracy.drift_alerts (subject, name, as_of_day);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accuracy.drift_alerts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE accuracy.drift_alerts IS 'When an alert opened and when it closed. Append-only: the latest word on a report day counts.';
COMMENT ON COLUMN accuracy.drift_alerts.as_of_day IS 'Report day of the first sign (opened) or of the end (closed).';
COMMENT ON COLUMN accuracy.drift_alerts.severity IS 'warning: features and predictions. critical: performance.';
COMMENT ON COLUMN accuracy.drift_alerts.statistic IS 'With value, critical_value and p_value: the drift that opened the alert.';

GRANT SELECT ON ALL TABLES IN SCHEMA accuracy TO predtrack_reader, predtrack_writer;
GRANT INSERT ON ALL TABLES IN SCHEMA accuracy TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA accuracy TO predtrack_owner;
-- Derived tables are recomputed, so the writer may also correct and remove there; facts only grow.
GRANT UPDATE, DELETE ON accuracy.day_sums, accuracy.strategy_pnl, accuracy.scoreboard, accuracy.calibration_summary,
    accuracy.symbol_accuracy, accuracy.error_distribution, accuracy.survival_curves, accuracy.accuracy_correlation, accuracy.drift_metrics TO predtrack_writer;
