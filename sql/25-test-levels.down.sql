CREATE OR REPLACE FUNCTION deployment.roll_back_test() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_model text;
BEGIN
    SELECT c.model_id INTO left_model
    FROM deployment.champion_at(NEW.kind, NEW.scope, NEW.valid_from - interval '1 microsecond') c;
    INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day, success_metric,
        status, decided_day, n, mean_difference, e_value, e_against, conclusion)
    SELECT greatest(NEW.valid_day, t.as_of_day + 1), t.kind, t.scope, t.control, t.treatment, t.start_day,
           t.success_metric, 'rollback', t.decided_day, t.n, t.mean_difference, t.e_value, t.e_against,
           t.treatment || ' was rolled back: ' || NEW.reason
    FROM (SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests
          WHERE kind = NEW.kind AND scope = NEW.scope AND treatment = left_model
          ORDER BY test_id, as_of_day DESC) t
    WHERE t.status = 'promoted'
    ORDER BY t.start_day DESC LIMIT 1;
    RETURN NULL;
END $$;

ALTER TABLE deployment.deployment_gates DROP COLUMN n_live;

-- A view cannot lose columns; the older one is made anew.
DROP VIEW deployment.v_ab_tests;
ALTER TABLE deployment.ab_tests DROP CONSTRAINT decided_when_over, DROP COLUMN cohort, DROP COLUMN threshold,
    DROP COLUMN n_live;
COMMENT ON COLUMN deployment.ab_tests.e_value IS 'Betting e-process that the treatment is better: promoted at 20. Its own moment: decided_day, else as_of_day.';
COMMENT ON COLUMN deployment.ab_tests.decided_day IS NULL;
CREATE VIEW deployment.v_ab_tests AS
    SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests ORDER BY test_id, as_of_day DESC;
COMMENT ON VIEW deployment.v_ab_tests IS 'The latest state of each A/B test.';
GRANT SELECT ON deployment.v_ab_tests TO predtrack_reader, predtrack_writer;
GRANT ALL ON deployment.v_ab_tests TO predtrack_owner;
