-- Schemas are the stages of the graph; table names are asset names. Prices are as traded.
-- Facts carry knowledge_time (the first moment they could have been used) and recorded_at (database clock).
-- PostgreSQL holds NaN > 0 to be true, so every number is also tested against NaN and the infinities.

CREATE SCHEMA market;
CREATE SCHEMA models;
CREATE SCHEMA forecasts;
CREATE SCHEMA accuracy;
CREATE SCHEMA deployment;

CREATE FUNCTION market.is_price(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 > 0 AND $1 < 'Infinity';
COMMENT ON FUNCTION market.is_price IS 'Positive and finite; NaN sorts above Infinity and so is refused.';

CREATE FUNCTION market.is_finite(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 > '-Infinity' AND $1 < 'Infinity';
COMMENT ON FUNCTION market.is_finite IS 'Neither NaN nor infinite.';

CREATE FUNCTION market.is_probability(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 BETWEEN 0 AND 1;
COMMENT ON FUNCTION market.is_probability IS 'Within [0, 1]; NaN is above every number and so is refused.';

-- market ---------------------------------------------------------------------------------------

CREATE TABLE market.symbols (
    symbol        text PRIMARY KEY,
    exchange      text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('stock', 'index', 'volatility', 'crypto', 'fx')),
    source        text NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE market.symbols IS 'Every symbol ever asked for; registered by the first fetch that names it.';
COMMENT ON COLUMN market.symbols.exchange IS 'Calendar on which sessions and horizons are counted (ISO MIC, 24/7 or 24/5).';

CREATE TABLE market.universe_members (
    universe      text NOT NULL,
    symbol        text NOT NULL,
    start_date    date,
    end_date      date,
    source        text NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (universe, symbol, start_date),
    CHECK (end_date >= start_date)
);
COMMENT ON TABLE market.universe_members IS 'Dated index membership: member on [start_date, end_date].';
COMMENT ON COLUMN market.universe_members.start_date IS 'NULL: unknown, so the list is biased toward survivors before the day it was drawn up.';
COMMENT ON COLUMN market.universe_members.end_date IS 'Last day of membership; NULL: still a member.';

CREATE TABLE market.market_data (
    symbol          text NOT NULL,
    trading_day     date NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision NOT NULL,
    quality         text NOT NULL,
    flag            text,
    source          text NOT NULL,
    knowledge_time  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, trading_day, knowledge_time),
    CONSTRAINT positive_finite_prices CHECK (low > 0 AND high < 'Infinity'),
    CONSTRAINT ohlc_consistent CHECK (low <= open AND low <= close AND high >= open AND high >= close),
    CONSTRAINT volume_not_negative CHECK (volume >= 0 AND volume < 'Infinity'),
    CONSTRAINT quality_explained CHECK (quality IN ('good', 'suspect') AND (quality = 'suspect') = (flag IS NOT NULL))
);
CREATE INDEX market_data_by_day ON market.market_data (trading_day);
CREATE INDEX market_data_late ON market.market_data (knowledge_time)
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (trading_day + 1)::timestamp;
COMMENT ON INDEX market.market_data_late IS 'Bars that became known after the end of their own day: they divide history into epochs.';
COMMENT ON TABLE market.market_data IS 'Daily bars as traded; every revision is a row, nothing is overwritten.';
COMMENT ON COLUMN market.market_data.trading_day IS 'Session date on the symbol''s own exchange.';
COMMENT ON COLUMN market.market_data.close IS 'As traded, in the currency of the listing; adjustment happens on read.';
COMMENT ON COLUMN market.market_data.volume IS 'Shares, as traded; 0 for indices that report none.';
COMMENT ON COLUMN market.market_data.flag IS 'Why a kept bar is suspect: jump, stale.';
COMMENT ON COLUMN market.market_data.knowledge_time IS 'Session close plus the source''s delay for a first sight; the moment it was seen for a correction.';

CREATE TABLE market.corporate_actions (
    symbol          text NOT NULL,
    ex_date         date NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('split', 'dividend')),
    value           double precision CHECK (market.is_price(value)),
    inferred        boolean NOT NULL,
    source          text NOT NULL,
    knowledge_time  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, ex_date, kind, knowledge_time)
);
COMMENT ON TABLE market.corporate_actions IS 'Splits and cash dividends, as revisions.';
COMMENT ON COLUMN market.corporate_actions.value IS 'Split: new shares per old. Dividend: cash per share as traded on the ex-date. NULL: withdrawn by the source.';
COMMENT ON COLUMN market.corporate_actions.inferred IS 'True when derived from Adj Close / Close rather than reported.';

CREATE TABLE market.fetch_log (
    fetch_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id        text NOT NULL,
    source        text NOT NULL,
    symbol        text NOT NULL,
    first_day     date NOT NULL,
    last_day      date NOT NULL CHECK (last_day >= first_day),
    status        text NOT NULL CHECK (status IN ('ok', 'empty', 'failed')),
    category      text CHECK (category IN ('DELISTED', 'RATE_LIMIT', 'TIMEOUT', 'NETWORK', 'MALFORMED', 'EMPTY')),
    attempts      integer NOT NULL,
    rows          bigint NOT NULL,
    message       text,
    fetched_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fetch_log_by_symbol ON market.fetch_log (symbol, first_day, last_day);
COMMENT ON TABLE market.fetch_log IS 'One row for each request that asked a source for a symbol, whatever came of it.';

CREATE TABLE market.quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol         text,
    trading_day    date,
    reason         text NOT NULL,
    payload        jsonb NOT NULL,
    source         text NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    payload_digest text NOT NULL GENERATED ALWAYS AS (md5(payload::text)) STORED,
    UNIQUE NULLS NOT DISTINCT (symbol, trading_day, reason, source, payload_digest)
);
COMMENT ON TABLE market.quarantine IS 'Bars that were refused, with the reason and the row as it came.';

CREATE TABLE market.market_conditions (
    trading_day       date PRIMARY KEY,
    market_regime     text NOT NULL CHECK (market_regime IN ('bull', 'bear', 'sideways', 'volatile')),
    benchmark         text NOT NULL,
    daily_return      double precision CHECK (market.is_finite(daily_return)),
    weekly_return     double precision CHECK (market.is_finite(weekly_return)),
    distance_to_ma50  double precision CHECK (market.is_finite(distance_to_ma50)),
    vix_level         double precision CHECK (market.is_price(vix_level)),
    vix_category      text CHECK (vix_category IN ('low', 'moderate', 'high', 'extreme')),
    vix_source        text CHECK (vix_source IN ('implied', 'realised')),
    market_breadth    double precision CHECK (market.is_probability(market_breadth)),
    symbols_counted   integer NOT NULL CHECK (symbols_counted >= 0),
    recorded_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE market.market_conditions IS 'The market as of each day''s close, from rows known by the end of that day.';
COMMENT ON COLUMN market.market_conditions.vix_level IS 'Percent a year: the VIX close, or the benchmark''s 21-session realised volatility where there is none.';
COMMENT ON COLUMN market.market_conditions.distance_to_ma50 IS 'close / mean of the last 50 closes - 1, of the benchmark.';
COMMENT ON COLUMN market.market_conditions.market_breadth IS 'Share of stocks above their own 50-session mean.';

-- models ---------------------------------------------------------------------------------------

CREATE TABLE models.model_registry (
    model_id         text PRIMARY KEY,
    model_name       text NOT NULL,
    version          integer NOT NULL CHECK (version >= 1),
    role             text NOT NULL CHECK (role IN ('baseline', 'candidate')),
    kinds            text[] NOT NULL,
    description      text NOT NULL,
    hyperparameters  jsonb NOT NULL DEFAULT '{}',
    trained_through  date,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_name, version)
);
COMMENT ON TABLE models.model_registry IS 'Every model version that predicts, baselines among them.';
COMMENT ON COLUMN models.model_registry.trained_through IS 'Last day of data it was fitted on; NULL: nothing is fitted, parameters are as-of statistics.';

-- forecasts ------------------------------------------------------------------------------------

CREATE FUNCTION forecasts.prediction_id(model_id text, kind text, symbol text, trading_day date, horizon smallint)
    RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN md5(model_id || '|' || kind || '|' || symbol || '|' || (trading_day - DATE '1970-01-01')::text
               || '|' || horizon::text)::uuid;
COMMENT ON FUNCTION forecasts.prediction_id IS 'The same prediction has the same identity wherever and whenever it is computed.';

CREATE TABLE forecasts.predictions (
    prediction_id    uuid NOT NULL GENERATED ALWAYS AS
        (forecasts.prediction_id(model_id, kind, symbol, trading_day, horizon)) STORED,
    model_id         text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit')),
    symbol           text NOT NULL,
    trading_day      date NOT NULL,
    as_of            timestamptz NOT NULL,
    horizon          smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    due_day          date NOT NULL CHECK (due_day > trading_day),
    event            text NOT NULL CHECK (event IN ('within_5pct', 'up', 'hit')),
    confidence       double precision NOT NULL CHECK (market.is_probability(confidence)),
    reference_price  double precision NOT NULL CHECK (market.is_price(reference_price)),
    sigma            double precision NOT NULL CHECK (market.is_price(sigma)),
    climatology      double precision NOT NULL CHECK (market.is_probability(climatology)),
    predicted_price  double precision CHECK (market.is_price(predicted_price)),
    q05              double precision CHECK (market.is_finite(q05)),
    q10              double precision CHECK (market.is_finite(q10)),
    q25              double precision CHECK (market.is_finite(q25)),
    q50              double precision CHECK (market.is_finite(q50)),
    q75              double precision CHECK (market.is_finite(q75)),
    q90              double precision CHECK (market.is_finite(q90)),
    q95              double precision CHECK (market.is_finite(q95)),
    p_within_band    double precision CHECK (market.is_probability(p_within_band)),
    target_price     double precision CHECK (market.is_price(target_price)),
    side             text CHECK (side IN ('above', 'below')),
    hit_rule         text CHECK (hit_rule IN ('touch', 'close')),
    predicted_days   double precision CHECK (predicted_days > 0 AND predicted_days < 'Infinity'),
    feature_digest   bigint NOT NULL,
    knowable_at      timestamptz NOT NULL,
    origin           text NOT NULL CHECK (origin IN ('live', 'replay')),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon),
    CONSTRAINT event_of_its_kind CHECK (
        (kind, event) IN (('price', 'within_5pct'), ('direction', 'up'), ('time_to_hit', 'hit'))),
    CONSTRAINT price_is_complete CHECK (
        kind <> 'price' OR (predicted_price IS NOT NULL AND q50 IS NOT NULL)),
    CONSTRAINT quantiles_ordered CHECK (
        q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 AND q75 <= q90 AND q90 <= q95),
    CONSTRAINT target_is_complete CHECK (
        kind <> 'time_to_hit' OR (target_price IS NOT NULL AND side IS NOT NULL AND hit_rule IS NOT NULL
            AND predicted_days IS NOT NULL AND (side = 'above') = (target_price > reference_price)))
);
CREATE INDEX predictions_by_due_day ON forecasts.predictions (due_day);
COMMENT ON TABLE forecasts.predictions IS 'The ledger: what was said, about which event, before the fact. Append-only.';
COMMENT ON COLUMN forecasts.predictions.trading_day IS 'Decision day D.';
COMMENT ON COLUMN forecasts.predictions.as_of IS '24:00 UTC of D: nothing known later was used.';
COMMENT ON COLUMN forecasts.predictions.horizon IS 'Sessions of the symbol''s exchange from D to the due day (time_to_hit: the deadline).';
COMMENT ON COLUMN forecasts.predictions.confidence IS 'Probability of the event.';
COMMENT ON COLUMN forecasts.predictions.reference_price IS 'S0: last close known at as_of, as traded on D.';
COMMENT ON COLUMN forecasts.predictions.sigma IS 'As-of EWMA (lambda 0.94) volatility of daily log returns.';
COMMENT ON COLUMN forecasts.predictions.climatology IS 'As-of base rate of the event for this symbol and horizon.';
COMMENT ON COLUMN forecasts.predictions.q50 IS 'Quantiles q05..q95 are of ln(S_T / S0).';
COMMENT ON COLUMN forecasts.predictions.predicted_days IS 'Expected sessions until the hit, given that it happens by the deadline.';
COMMENT ON COLUMN forecasts.predictions.origin IS 'live: committed before knowable_at, the first moment its outcome could be known. Otherwise replay.';

CREATE TABLE forecasts.skipped_predictions (
    model_id       text NOT NULL,
    kind           text NOT NULL,
    symbol         text NOT NULL,
    trading_day    date NOT NULL,
    horizon        smallint NOT NULL,
    reason         text NOT NULL,
    payload        jsonb NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon)
);
COMMENT ON TABLE forecasts.skipped_predictions IS 'Predictions refused at write, with the reason. Append-only.';

CREATE TABLE forecasts.outcomes (
    prediction_id    uuid NOT NULL GENERATED ALWAYS AS
        (forecasts.prediction_id(model_id, kind, symbol, trading_day, horizon)) STORED,
    model_id         text NOT NULL,
    kind             text NOT NULL,
    event            text NOT NULL,
    symbol           text NOT NULL,
    trading_day      date NOT NULL,
    horizon          smallint NOT NULL,
    due_day          date NOT NULL,
    resolved_day     date NOT NULL,
    status           text NOT NULL CHECK (status IN ('validated', 'expired')),
    confidence       double precision NOT NULL CHECK (market.is_probability(confidence)),
    occurred         boolean,
    within_band      boolean,
    actual_price     double precision CHECK (market.is_price(actual_price)),
    actual_return    double precision CHECK (market.is_finite(actual_return)),
    actual_days      smallint CHECK (actual_days >= 1),
    accuracy_pct     double precision CHECK (market.is_finite(accuracy_pct)),
    relative_error   double precision CHECK (market.is_finite(relative_error)),
    log_error        double precision CHECK (market.is_finite(log_error)),
    error_direction  text CHECK (error_direction IN ('overestimated', 'underestimated', 'exact')),
    days_error       double precision CHECK (market.is_finite(days_error)),
    error_category   text CHECK (error_category IN
        ('on_time', 'slightly_early', 'slightly_late', 'early', 'late', 'missed')),
    score             double precision CHECK (score BETWEEN 0 AND 1),
    score_no_change   double precision CHECK (score_no_change BETWEEN 0 AND 1),
    score_climatology double precision CHECK (score_climatology BETWEEN 0 AND 1),
    crps              double precision CHECK (crps >= 0 AND crps < 'Infinity'),
    crps_no_change    double precision CHECK (crps_no_change >= 0 AND crps_no_change < 'Infinity'),
    knowledge_time   timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon, knowledge_time),
    CONSTRAINT validated_has_a_result CHECK ((status = 'validated') = (occurred IS NOT NULL AND score IS NOT NULL))
);
CREATE INDEX outcomes_by_due_day ON forecasts.outcomes (due_day);
CREATE INDEX outcomes_late ON forecasts.outcomes (resolved_day) WHERE resolved_day > due_day;
COMMENT ON INDEX forecasts.outcomes_late IS 'Outcomes that became known after they fell due.';
COMMENT ON TABLE forecasts.outcomes IS 'What came of each prediction, when it was known. Append-only: a restated price gives a new revision.';
COMMENT ON COLUMN forecasts.outcomes.resolved_day IS 'Trading day at whose end the result was first known: the due day, the day of the hit, or later.';
COMMENT ON COLUMN forecasts.outcomes.actual_price IS 'Price of the result in the basis of the decision day: splits in between undone.';
COMMENT ON COLUMN forecasts.outcomes.actual_return IS 'Total return ln((S_T + dividends) / S0) from D to the result.';
COMMENT ON COLUMN forecasts.outcomes.score IS 'Brier score of the event; score_<baseline> is the baseline''s on the same row.';
COMMENT ON COLUMN forecasts.outcomes.knowledge_time IS '24:00 UTC of resolved_day.';

-- accuracy -------------------------------------------------------------------------------------

CREATE TABLE accuracy.calibration_metrics (
    model_id           text NOT NULL,
    kind               text NOT NULL,
    event              text NOT NULL,
    horizon            smallint NOT NULL,
    period             text NOT NULL CHECK (period IN ('rolling_30d', 'monthly')),
    period_start       date NOT NULL,
    period_end         date NOT NULL,
    confidence_bucket  text NOT NULL,
    bucket_low         smallint NOT NULL,
    bucket_high        smallint NOT NULL,
    prediction_count   integer NOT NULL CHECK (prediction_count > 0),
    accurate_count     integer NOT NULL CHECK (accurate_count BETWEEN 0 AND prediction_count),
    expected_accuracy  double precision NOT NULL CHECK (market.is_probability(expected_accuracy)),
    actual_accuracy    double precision NOT NULL CHECK (market.is_probability(actual_accuracy)),
    actual_low         double precision CHECK (market.is_probability(actual_low)),
    actual_high        double precision CHECK (market.is_probability(actual_high)),
    calibration_error  double precision NOT NULL CHECK (market.is_probability(calibration_error)),
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, event, horizon, bucket_low)
);
COMMENT ON TABLE accuracy.calibration_metrics IS 'Reliability per confidence bucket: mean confidence against the rate that came true.';

CREATE TABLE accuracy.calibration_summary (
    model_id               text NOT NULL,
    kind                   text NOT NULL,
    event                  text NOT NULL,
    horizon                smallint NOT NULL,
    period                 text NOT NULL CHECK (period IN ('rolling_30d', 'monthly')),
    period_start           date NOT NULL,
    period_end             date NOT NULL,
    n                      integer NOT NULL,
    n_eff                  double precision,
    due                    integer NOT NULL,
    expired                integer NOT NULL,
    coverage               double precision CHECK (market.is_probability(coverage)),
    accuracy_rate          double precision CHECK (market.is_probability(accuracy_rate)),
    accuracy_low           double precision CHECK (market.is_probability(accuracy_low)),
    accuracy_high          double precision CHECK (market.is_probability(accuracy_high)),
    mean_confidence        double precision CHECK (market.is_probability(mean_confidence)),
    ece                    double precision CHECK (market.is_probability(ece)),
    rms_calibration_error  double precision CHECK (market.is_probability(rms_calibration_error)),
    rms_calibration_upper  double precision CHECK (market.is_probability(rms_calibration_upper)),
    calibration_quality    text NOT NULL CHECK (calibration_quality IN ('good', 'moderate', 'poor', 'insufficient_data')),
    brier                  double precision,
    brier_no_change        double precision,
    brier_climatology      double precision,
    skill_vs_no_change     double precision CHECK (market.is_finite(skill_vs_no_change)),
    skill_vs_climatology   double precision CHECK (market.is_finite(skill_vs_climatology)),
    crps                   double precision,
    crps_no_change         double precision,
    crps_skill             double precision CHECK (market.is_finite(crps_skill)),
    recorded_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, event, horizon)
);
COMMENT ON TABLE accuracy.calibration_summary IS 'Accuracy, calibration and skill per model, kind and horizon, with effective sample size.';
COMMENT ON COLUMN accuracy.calibration_summary.n_eff IS 'Independent observations that n overlapping, correlated ones are worth.';
COMMENT ON COLUMN accuracy.calibration_summary.coverage IS 'validated / due.';

CREATE TABLE accuracy.symbol_accuracy (
    symbol                text NOT NULL,
    model_id              text NOT NULL,
    kind                  text NOT NULL,
    event                 text NOT NULL,
    horizon               smallint NOT NULL,
    period                text NOT NULL CHECK (period IN ('rolling_30d', 'monthly')),
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
    recorded_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, symbol, model_id, kind, event, horizon)
);
COMMENT ON TABLE accuracy.symbol_accuracy IS 'Accuracy per symbol, shrunk toward the pooled rate; rank by posterior_mean.';

CREATE TABLE accuracy.error_distribution (
    model_id           text NOT NULL,
    kind               text NOT NULL,
    horizon            smallint NOT NULL,
    period             text NOT NULL CHECK (period IN ('rolling_30d', 'monthly')),
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
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, horizon)
);
COMMENT ON TABLE accuracy.error_distribution IS 'Signed relative errors (predicted - actual) / actual: percentiles, bias, shape, outliers.';

-- deployment -----------------------------------------------------------------------------------

CREATE TABLE deployment.deployments (
    deployment_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL,
    scope          text NOT NULL,
    model_id       text NOT NULL REFERENCES models.model_registry,
    valid_from     timestamptz NOT NULL,
    gate_id        bigint NOT NULL,
    reason         text NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE deployment.deployments IS 'Champions over time; the latest row per kind and scope is the champion. Append-only.';
