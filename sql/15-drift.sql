-- Drift of features, of predictions and of performance, and the alerts that come of it.

CREATE TABLE accuracy.drift_metrics (
    as_of_day           date NOT NULL,
    subject             text NOT NULL CHECK (subject IN ('feature', 'prediction', 'performance')),
    name                text NOT NULL,
    model_id            text,
    kind                text CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    horizon             smallint CHECK (horizon BETWEEN 1 AND 252),
    statistic           text NOT NULL CHECK (statistic IN (
        'psi', 'ks', 'js', 'missing', 'e_value', 'expected_brier', 'expected_ece')),
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
COMMENT ON TABLE accuracy.drift_alerts IS 'When an alert opened and when it closed. Append-only: the latest word on a report day counts.';
COMMENT ON COLUMN accuracy.drift_alerts.as_of_day IS 'Report day of the first sign (opened) or of the end (closed).';
COMMENT ON COLUMN accuracy.drift_alerts.severity IS 'warning: features and predictions. critical: performance.';
COMMENT ON COLUMN accuracy.drift_alerts.statistic IS 'With value, critical_value and p_value: the drift that opened the alert.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accuracy.drift_alerts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

CREATE FUNCTION accuracy.drift_alerts_at(at date)
RETURNS TABLE (
    subject text, name text, model_id text, kind text, horizon smallint, severity text, statistic text,
    value double precision, critical_value double precision, p_value double precision,
    opened_on date, last_seen date, closed_on date
) LANGUAGE sql STABLE AS $$
    WITH words AS (
        SELECT DISTINCT ON (a.subject, a.name, a.model_id, a.kind, a.horizon, a.as_of_day) a.*
        FROM accuracy.drift_alerts a
        WHERE a.as_of_day <= at
        ORDER BY a.subject, a.name, a.model_id, a.kind, a.horizon, a.as_of_day, a.drift_alert_id DESC
    ), turns AS (
        SELECT *, lag(event, 1, 'closed') OVER own AS before
        FROM words WINDOW own AS (PARTITION BY subject, name, model_id, kind, horizon ORDER BY as_of_day)
    ), changes AS (
        SELECT *, lead(as_of_day) OVER own AS closed_on
        FROM turns WHERE event <> before
        WINDOW own AS (PARTITION BY subject, name, model_id, kind, horizon ORDER BY as_of_day)
    )
    SELECT c.subject, c.name, c.model_id, c.kind, c.horizon, c.severity, c.statistic, c.value,
           c.critical_value, c.p_value, c.as_of_day, coalesce(seen.latest, c.as_of_day), c.closed_on
    FROM changes c
    LEFT JOIN LATERAL (
        SELECT max(m.as_of_day) AS latest FROM accuracy.drift_metrics m
        WHERE m.drifted AND (m.subject, m.name) = (c.subject, c.name)
          AND (m.model_id, m.kind, m.horizon) IS NOT DISTINCT FROM (c.model_id, c.kind, c.horizon)
          AND m.as_of_day BETWEEN c.as_of_day AND least(c.closed_on, at)
    ) seen ON true
    WHERE c.event = 'opened'
$$;
COMMENT ON FUNCTION accuracy.drift_alerts_at IS 'Alerts as they stood at the end of a day: one for each drift, however many reports saw it; open while closed_on is null.';

CREATE VIEW accuracy.v_drift_alerts AS SELECT * FROM accuracy.drift_alerts_at('infinity');
COMMENT ON VIEW accuracy.v_drift_alerts IS 'All alerts: opened_on, last_seen, and closed_on once calm.';

CREATE VIEW accuracy.v_open_drift_alerts AS
    SELECT subject, name, model_id, kind, horizon, severity, statistic, value, critical_value, p_value,
           opened_on, last_seen
    FROM accuracy.drift_alerts_at('infinity') WHERE closed_on IS NULL;
COMMENT ON VIEW accuracy.v_open_drift_alerts IS 'Drift that goes on: one row each.';

CREATE VIEW accuracy.v_degraded_models AS
    SELECT d.model_id, d.kind, d.horizon, d.name AS score, d.value AS e_value, d.since, d.as_of_day
    FROM accuracy.drift_metrics d JOIN models.model_registry r USING (model_id)
    WHERE d.statistic = 'e_value' AND d.drifted AND r.status <> 'retired'
      AND d.as_of_day = (SELECT max(as_of_day) FROM accuracy.drift_metrics);
COMMENT ON VIEW accuracy.v_degraded_models IS 'Models that do worse than they showed, beyond doubt, at the latest report: e_value reached 20 on the due day `since`.';

GRANT SELECT ON accuracy.drift_metrics, accuracy.drift_alerts, accuracy.v_drift_alerts, accuracy.v_open_drift_alerts,
    accuracy.v_degraded_models TO predtrack_reader, predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON accuracy.drift_metrics TO predtrack_writer;
GRANT INSERT ON accuracy.drift_alerts TO predtrack_writer;
GRANT ALL ON accuracy.drift_metrics, accuracy.drift_alerts, accuracy.v_drift_alerts, accuracy.v_open_drift_alerts,
    accuracy.v_degraded_models TO predtrack_owner;
