-- What each A/B test has to reach, given all tests of its kind and horizon; live evidence.

ALTER TABLE deployment.ab_tests
    ADD COLUMN cohort integer CHECK (cohort >= 1),
    ADD COLUMN threshold double precision NOT NULL DEFAULT 20 CHECK (threshold >= 20 AND threshold < 'Infinity'),
    ADD COLUMN n_live integer CHECK (n_live BETWEEN 0 AND n),
    ADD CONSTRAINT decided_when_over CHECK ((status = 'running') = (decided_day IS NULL)) NOT VALID;
COMMENT ON COLUMN deployment.ab_tests.cohort IS 'The week in which it began, among those in which tests of its kind and horizon did. NULL in rows of before this column.';
COMMENT ON COLUMN deployment.ab_tests.threshold IS 'e_value that promotes: 20 * cohort * (cohort + 1) * tests of the cohort; 20 in rows of before this column.';
COMMENT ON COLUMN deployment.ab_tests.n_live IS 'Of n, dates on which both sides committed their forecasts before any outcome. NULL: before this column.';
COMMENT ON COLUMN deployment.ab_tests.e_value IS 'Betting e-process that the treatment is better: promoted at threshold. Its own moment: decided_day, else as_of_day.';
COMMENT ON COLUMN deployment.ab_tests.decided_day IS 'Day of the result that decided it, or of the end of its control.';

CREATE OR REPLACE VIEW deployment.v_ab_tests AS
    SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests ORDER BY test_id, as_of_day DESC;

ALTER TABLE deployment.deployment_gates ADD COLUMN n_live integer CHECK (n_live >= 0);
COMMENT ON COLUMN deployment.deployment_gates.n_live IS 'Decision dates up to the gate of which the forecasts were committed before any outcome. NULL: before this column.';

-- As before; the row keeps what its test had to reach.
CREATE OR REPLACE FUNCTION deployment.roll_back_test() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_model text;
BEGIN
    SELECT c.model_id INTO left_model
    FROM deployment.champion_at(NEW.kind, NEW.scope, NEW.valid_from - interval '1 microsecond') c;
    INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day, success_metric,
        status, decided_day, n, mean_difference, e_value, e_against, conclusion, cohort, threshold, n_live)
    SELECT greatest(NEW.valid_day, t.as_of_day + 1), t.kind, t.scope, t.control, t.treatment, t.start_day,
           t.success_metric, 'rollback', t.decided_day, t.n, t.mean_difference, t.e_value, t.e_against,
           t.treatment || ' was rolled back: ' || NEW.reason, t.cohort, t.threshold, t.n_live
    FROM (SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests
          WHERE kind = NEW.kind AND scope = NEW.scope AND treatment = left_model
          ORDER BY test_id, as_of_day DESC) t
    WHERE t.status = 'promoted'
    ORDER BY t.start_day DESC LIMIT 1;
    RETURN NULL;
END $$;
