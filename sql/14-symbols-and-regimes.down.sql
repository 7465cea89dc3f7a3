DROP TABLE accuracy.accuracy_correlation;
DROP FUNCTION accuracy.get_symbol_ranking(text, text, integer, text, integer);
DROP VIEW accuracy.v_recommendation_accuracy;
DROP VIEW accuracy.v_retraining_candidates;

DELETE FROM accuracy.symbol_accuracy WHERE period = 'weekly';
ALTER TABLE accuracy.symbol_accuracy
    DROP CONSTRAINT none_given_is_no_rate,
    DROP COLUMN threshold,
    DROP COLUMN buy_count, DROP COLUMN buy_right, DROP COLUMN buy_accuracy, DROP COLUMN buy_low, DROP COLUMN buy_high,
    DROP COLUMN sell_count, DROP COLUMN sell_right, DROP COLUMN sell_accuracy, DROP COLUMN sell_low, DROP COLUMN sell_high,
    DROP COLUMN hold_count, DROP COLUMN hold_right, DROP COLUMN hold_accuracy, DROP COLUMN hold_low, DROP COLUMN hold_high,
    DROP COLUMN band,
    DROP COLUMN cost,
    DROP CONSTRAINT symbol_accuracy_period_check,
    ADD CONSTRAINT symbol_accuracy_period_check CHECK (period IN ('rolling_30d', 'monthly'));

-- As in 04-views-and-functions and 05-roles.
CREATE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end
    FROM (SELECT DISTINCT ON (symbol, model_id, kind, event, horizon) *
          FROM accuracy.symbol_accuracy
          WHERE period = 'rolling_30d'
          ORDER BY symbol, model_id, kind, event, horizon, period_end DESC) latest
    WHERE needs_retraining;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols whose latest accuracy calls for retraining; one row each, gone once recovered.';
GRANT SELECT ON accuracy.v_retraining_candidates TO predtrack_reader, predtrack_writer;
GRANT ALL ON accuracy.v_retraining_candidates TO predtrack_owner;
