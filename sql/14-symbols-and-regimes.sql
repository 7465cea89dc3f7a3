-- Symbols: weeks, the threshold that was asked about, and what came of BUY, SELL and HOLD.
ALTER TABLE accuracy.symbol_accuracy
    DROP CONSTRAINT symbol_accuracy_period_check,
    ADD CONSTRAINT symbol_accuracy_period_check CHECK (period IN ('weekly', 'monthly', 'rolling_30d')),
    ADD COLUMN threshold      double precision CHECK (market.is_probability(threshold)),
    ADD COLUMN buy_count      integer CHECK (buy_count >= 0),
    ADD COLUMN buy_right      integer CHECK (buy_right BETWEEN 0 AND buy_count),
    ADD COLUMN buy_accuracy   double precision CHECK (market.is_probability(buy_accuracy)),
    ADD COLUMN buy_low        double precision CHECK (market.is_probability(buy_low)),
    ADD COLUMN buy_high       double precision CHECK (market.is_probability(buy_high)),
    ADD COLUMN sell_count     integer CHECK (sell_count >= 0),
    ADD COLUMN sell_right     integer CHECK (sell_right BETWEEN 0 AND sell_count),
    ADD COLUMN sell_accuracy  double precision CHECK (market.is_probability(sell_accuracy)),
    ADD COLUMN sell_low       double precision CHECK (market.is_probability(sell_low)),
    ADD COLUMN sell_high      double precision CHECK (market.is_probability(sell_high)),
    ADD COLUMN hold_count     integer CHECK (hold_count >= 0),
    ADD COLUMN hold_right     integer CHECK (hold_right BETWEEN 0 AND hold_count),
    ADD COLUMN hold_accuracy  double precision CHECK (market.is_probability(hold_accuracy)),
    ADD COLUMN hold_low       double precision CHECK (market.is_probability(hold_low)),
    ADD COLUMN hold_high      double precision CHECK (market.is_probability(hold_high)),
    ADD COLUMN band           double precision CHECK (band >= 0 AND band < 'Infinity'),
    ADD COLUMN cost           double precision CHECK (cost >= 0 AND cost < 1),
    ADD CONSTRAINT none_given_is_no_rate CHECK (
        (buy_accuracy IS NULL) = (coalesce(buy_count, 0) = 0)
        AND (sell_accuracy IS NULL) = (coalesce(sell_count, 0) = 0)
        AND (hold_accuracy IS NULL) = (coalesce(hold_count, 0) = 0));
COMMENT ON COLUMN accuracy.symbol_accuracy.accurate_predictions IS 'Calls that came true: the event of a price; of other kinds the side that the probability made likelier.';
COMMENT ON COLUMN accuracy.symbol_accuracy.threshold IS 'Rate that p_below_threshold and needs_retraining are about.';
COMMENT ON COLUMN accuracy.symbol_accuracy.needs_retraining IS 'Below the threshold with the set probability on enough effective rows, after Benjamini-Hochberg over the symbols of the report.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_count IS 'NULL where the kind recommends nothing; 0 where no BUY was given.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_right IS 'Total log return beyond band x sigma x sqrt(horizon) + cost.';
COMMENT ON COLUMN accuracy.symbol_accuracy.sell_right IS 'Total log return beyond the same, downward.';
COMMENT ON COLUMN accuracy.symbol_accuracy.hold_right IS 'Total log return at most band x sigma x sqrt(horizon), either way.';
COMMENT ON COLUMN accuracy.symbol_accuracy.buy_low IS 'buy_low to buy_high: 95 %, Wilson, on the share of n_eff that the BUYs have.';
COMMENT ON COLUMN accuracy.symbol_accuracy.band IS 'In sigma x sqrt(horizon), sigma as stored with the prediction.';
COMMENT ON COLUMN accuracy.symbol_accuracy.cost IS 'Of a BUY or SELL, once, as a fraction of the position.';

-- Of the latest report alone: who is no longer in it, or no longer flagged there, is no candidate.
CREATE OR REPLACE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end,
           posterior_low, posterior_high, asked AS threshold, p_below_threshold,
           format('%s of %s calls of %s to %s came true (%s effective rows): shrunk toward all symbols a rate of'
                  ' %s %%, 95 %% interval %s to %s %%; below %s %% with probability %s',
                  accurate_predictions, total_predictions, period_start, period_end,
                  trim_scale(round(n_eff::numeric, 1)), round(100 * posterior_mean::numeric, 1),
                  round(100 * posterior_low::numeric, 1), round(100 * posterior_high::numeric, 1),
                  trim_scale(round(100 * asked::numeric, 2)), trunc(p_below_threshold::numeric, 4)) AS reason
    FROM (SELECT DISTINCT ON (symbol, model_id, kind, horizon) *, coalesce(threshold, 0.5) AS asked
          FROM accuracy.symbol_accuracy
          WHERE period = 'rolling_30d' AND needs_retraining
            AND period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
          ORDER BY symbol, model_id, kind, horizon, p_below_threshold DESC, event) latest;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols that the latest report (period_end) calls for retraining; one row per model, kind and horizon, gone once recovered.';

CREATE VIEW accuracy.v_recommendation_accuracy AS
    SELECT model_id, kind, horizon, period, period_start, period_end, count(DISTINCT symbol) AS symbols,
           side, sum(given) AS given, sum(came_right) AS came_right,
           sum(came_right)::double precision / nullif(sum(given), 0) AS accuracy
    FROM accuracy.symbol_accuracy,
         LATERAL (VALUES ('BUY', buy_count, buy_right), ('SELL', sell_count, sell_right),
                         ('HOLD', hold_count, hold_right)) AS r (side, given, came_right)
    WHERE given IS NOT NULL
    GROUP BY model_id, kind, horizon, period, period_start, period_end, side;
COMMENT ON VIEW accuracy.v_recommendation_accuracy IS 'BUY, SELL and HOLD of every model over all its symbols, and how many were right; no rate where none was given.';

CREATE FUNCTION accuracy.get_symbol_ranking(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, of_period text DEFAULT 'weekly',
    at_most integer DEFAULT 50)
RETURNS TABLE (rank bigint, symbol text, posterior_mean double precision, posterior_low double precision,
               posterior_high double precision, accuracy_rate double precision, total_predictions integer,
               n_eff double precision, needs_retraining boolean)
LANGUAGE sql STABLE AS $$
    SELECT row_number() OVER (ORDER BY a.posterior_mean DESC, a.symbol), a.symbol, a.posterior_mean, a.posterior_low,
           a.posterior_high, a.accuracy_rate, a.total_predictions, a.n_eff, a.needs_retraining
    FROM accuracy.symbol_accuracy a
    WHERE a.model_id = of_model AND a.kind = of_kind AND a.horizon = of_horizon AND a.period = of_period
      AND a.period_end = (SELECT max(b.period_end) FROM accuracy.symbol_accuracy b
                          WHERE b.model_id = of_model AND b.kind = of_kind AND b.horizon = of_horizon
                            AND b.period = of_period)
    ORDER BY 1 LIMIT at_most
$$;
COMMENT ON FUNCTION accuracy.get_symbol_ranking IS 'Symbols of the latest report by posterior mean: one lucky call does not outrank a record.';

-- A row per model, kind, event, horizon, period and regime; derived, so the writer may correct it.
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
    conclusion               text NOT NULL CHECK (conclusion IN
        ('insufficient_data', 'indistinguishable', 'better', 'worse')),
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
COMMENT ON COLUMN accuracy.accuracy_correlation.p_value IS 'Two-sided, Student''s t. Of the difference and, being the same hypothesis, of the correlation.';
COMMENT ON COLUMN accuracy.accuracy_correlation.degrees_of_freedom IS 'Clusters of the regime or of the others, whichever are fewer, less one.';

GRANT SELECT ON accuracy.accuracy_correlation, accuracy.v_recommendation_accuracy TO predtrack_reader, predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON accuracy.accuracy_correlation TO predtrack_writer;
GRANT ALL ON accuracy.accuracy_correlation, accuracy.v_recommendation_accuracy TO predtrack_owner;
