-- Predictions and outcomes. A writer reads the names of constraints, so each name states its rule
-- (docs/guide/predictions.md). AT TIME ZONE INTERVAL '0' is UTC without looking a zone up.

-- Each field with its length before it, so that no two predictions join to the same bytes. decode() gives the bytes
-- of a text whose backslashes are doubled; convert_to() is not immutable, and a function that has it is not inlined,
-- which takes three times as long for every row that is written.
CREATE FUNCTION forecasts.prediction_id(
    model_id text, kind text, symbol text, as_of timestamptz, horizon smallint, horizon_unit text)
    RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN encode(substring(sha256(
        int4send(octet_length(model_id)) || decode(replace(model_id, '\', '\\'), 'escape')
        || int4send(octet_length(kind)) || decode(replace(kind, '\', '\\'), 'escape')
        || int4send(octet_length(symbol)) || decode(replace(symbol, '\', '\\'), 'escape')
        || timestamptz_send(as_of) || int2send(horizon)
        || int4send(octet_length(horizon_unit)) || decode(replace(horizon_unit, '\', '\\'), 'escape')) FOR 16), 'hex')::uuid;
COMMENT ON FUNCTION forecasts.prediction_id IS 'The same prediction has the same identity wherever and whenever it is computed: 16 bytes of SHA-256 (domain/forecasts/identity.py computes the same).';

CREATE TABLE forecasts.predictions (
    prediction_id         uuid NOT NULL
        GENERATED ALWAYS AS (forecasts.prediction_id(model_id, kind, symbol, as_of, horizon, horizon_unit)) STORED,
    model_id              text NOT NULL,
    kind                  text NOT NULL
        CONSTRAINT kind_is_known CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    symbol                text NOT NULL,
    trading_day           date NOT NULL,
    as_of                 timestamptz NOT NULL,
    horizon               smallint NOT NULL,
    horizon_unit          text NOT NULL DEFAULT 'session'
        CONSTRAINT horizon_unit_is_session_or_minute CHECK (horizon_unit IN ('session', 'minute')),
    due_day               date NOT NULL,
    due_at                timestamptz NOT NULL,
    event                 text CHECK (event IN ('within_5pct', 'up', 'hit')),
    confidence            double precision CONSTRAINT confidence_is_0_to_1 CHECK (market.is_probability(confidence)),
    reference_price       double precision NOT NULL
        CONSTRAINT reference_price_is_positive CHECK (market.is_price(reference_price)),
    sigma                 double precision NOT NULL CONSTRAINT sigma_is_positive CHECK (market.is_price(sigma)),
    climatology           double precision CONSTRAINT climatology_is_0_to_1 CHECK (market.is_probability(climatology)),
    predicted_price       double precision CONSTRAINT predicted_price_is_positive CHECK (market.is_price(predicted_price)),
    q05                   double precision CONSTRAINT q05_is_within_20 CHECK (q05 BETWEEN -20 AND 20),
    q10                   double precision CONSTRAINT q10_is_within_20 CHECK (q10 BETWEEN -20 AND 20),
    q25                   double precision CONSTRAINT q25_is_within_20 CHECK (q25 BETWEEN -20 AND 20),
    q50                   double precision CONSTRAINT q50_is_within_20 CHECK (q50 BETWEEN -20 AND 20),
    q75                   double precision CONSTRAINT q75_is_within_20 CHECK (q75 BETWEEN -20 AND 20),
    q90                   double precision CONSTRAINT q90_is_within_20 CHECK (q90 BETWEEN -20 AND 20),
    q95                   double precision CONSTRAINT q95_is_within_20 CHECK (q95 BETWEEN -20 AND 20),
    p_within_band         double precision CONSTRAINT p_within_band_is_0_to_1 CHECK (market.is_probability(p_within_band)),
    target_price          double precision CONSTRAINT target_price_is_positive CHECK (market.is_price(target_price)),
    side                  text CONSTRAINT side_is_above_or_below CHECK (side IN ('above', 'below')),
    hit_rule              text CONSTRAINT hit_rule_is_touch_or_close CHECK (hit_rule IN ('touch', 'close')),
    predicted_days        double precision
        CONSTRAINT predicted_days_is_positive CHECK (predicted_days > 0 AND predicted_days < 'Infinity'),
    feature_digest        bigint NOT NULL,
    earliest_resolution_time           timestamptz NOT NULL,
    origin                text NOT NULL CONSTRAINT origin_is_live_or_replay CHECK (origin IN ('live', 'replay')),
    predicted_volatility  double precision
        CONSTRAINT predicted_volatility_is_positive CHECK (market.is_price(predicted_volatility)),
    artifact_id           text,
    recorded_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon, horizon_unit, as_of),
    CONSTRAINT price_is_complete CHECK (
        kind <> 'price' OR (predicted_price IS NOT NULL AND q50 IS NOT NULL)),
    CONSTRAINT only_a_price_has_a_price_and_quantiles CHECK (
        kind = 'price' OR num_nonnulls(predicted_price, q05, q10, q25, q50, q75, q90, q95, p_within_band) = 0),
    CONSTRAINT predicted_price_is_the_median CHECK (
        abs(predicted_price - reference_price * exp(least(greatest(q50, -20), 20))) <= 1e-9 * predicted_price),
    -- greatest() passes over NULL, so that quantiles on both sides of one that is not given are compared too.
    CONSTRAINT quantiles_are_in_order CHECK (
        q05 <= q10 AND greatest(q05, q10) <= q25 AND greatest(q05, q10, q25) <= q50
        AND greatest(q05, q10, q25, q50) <= q75 AND greatest(q05, q10, q25, q50, q75) <= q90
        AND greatest(q05, q10, q25, q50, q75, q90) <= q95),
    CONSTRAINT target_is_complete_and_on_its_side CHECK (
        kind <> 'time_to_hit' OR (target_price IS NOT NULL AND side IS NOT NULL AND hit_rule IS NOT NULL
            AND predicted_days IS NOT NULL AND (side = 'above') = (target_price > reference_price))),
    CONSTRAINT only_a_time_to_hit_has_a_target CHECK (
        kind = 'time_to_hit' OR num_nonnulls(target_price, side, hit_rule, predicted_days) = 0),
    CONSTRAINT predicted_days_is_within_the_horizon CHECK (predicted_days <= horizon),
    CONSTRAINT event_of_its_kind CHECK (CASE kind
        WHEN 'volatility' THEN event IS NULL
        ELSE event IS NOT NULL
            AND (kind = 'price' AND event = 'within_5pct' OR kind = 'direction' AND event = 'up'
                 OR kind = 'time_to_hit' AND event = 'hit') END),
    CONSTRAINT probability_of_its_event CHECK (
        (event IS NULL) = (confidence IS NULL) AND (event IS NULL) = (climatology IS NULL)),
    CONSTRAINT volatility_is_complete CHECK (
        (kind = 'volatility') = (predicted_volatility IS NOT NULL)),
    CONSTRAINT horizon_is_1_to_252_sessions_or_1_to_1440_minutes CHECK (
        horizon BETWEEN 1 AND CASE horizon_unit WHEN 'session' THEN 252 ELSE 1440 END),
    CONSTRAINT as_of_is_24_00_utc_of_the_trading_day_or_within_it CHECK (CASE horizon_unit
        WHEN 'session' THEN as_of AT TIME ZONE INTERVAL '0' = trading_day + 1
        ELSE as_of AT TIME ZONE INTERVAL '0' > trading_day AND as_of AT TIME ZONE INTERVAL '0' <= trading_day + 1 END),
    -- No exchange closed for longer than a week, five days in seven are sessions: a fortnight on top is generous.
    CONSTRAINT due_day_fits_the_horizon CHECK (CASE horizon_unit
        WHEN 'session' THEN due_day - trading_day BETWEEN horizon AND horizon * 3 / 2 + 14
        ELSE due_day - trading_day BETWEEN 0 AND 1 END),
    CONSTRAINT due_at_is_within_the_due_day CHECK (
        due_at AT TIME ZONE INTERVAL '0' > due_day AND due_at AT TIME ZONE INTERVAL '0' <= due_day + 1),
    CONSTRAINT due_at_is_that_many_minutes_after_as_of CHECK (
        horizon_unit <> 'minute' OR due_at - as_of = horizon * INTERVAL '1 minute'),
    -- A close can be known on the due day, a touch or a range from the first session on.
    CONSTRAINT earliest_resolution_time_is_by_due_at CHECK (
        earliest_resolution_time AT TIME ZONE INTERVAL '0' >= trading_day AND earliest_resolution_time <= due_at),
    CONSTRAINT earliest_resolution_time_of_a_path_is_the_next_opening CHECK (
        kind IN ('price', 'direction') OR earliest_resolution_time AT TIME ZONE INTERVAL '0' <= trading_day + 15),
    CONSTRAINT model_id_has_1_to_100_characters CHECK (length(model_id) BETWEEN 1 AND 100),
    CONSTRAINT symbol_has_1_to_32_characters_and_no_space CHECK (
        length(symbol) >= 1 AND length(symbol) <= 32 AND strpos(symbol, ' ') = 0),
    CONSTRAINT names_have_no_bar_and_no_control_character CHECK (
        model_id !~ '[\x01-\x1f\x7f|]' AND symbol !~ '[\x01-\x1f\x7f|]'),
    CONSTRAINT artifact_id_has_at_most_200_characters CHECK (length(artifact_id) <= 200),
    CONSTRAINT live_is_recorded_before_its_earliest_resolution CHECK (origin = 'replay' OR recorded_at < earliest_resolution_time)
);
CREATE INDEX predictions_by_due_day ON forecasts.predictions (due_day);
CREATE INDEX predictions_by_recording ON forecasts.predictions (recorded_at);
CREATE INDEX predictions_of_minutes ON forecasts.predictions (due_day, symbol) WHERE horizon_unit = 'minute';
CREATE INDEX predictions_of_model ON forecasts.predictions (model_id, kind, horizon, trading_day DESC, symbol);
CREATE INDEX predictions_by_id ON forecasts.predictions (prediction_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.predictions
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.predictions IS 'The ledger: every prediction and its event, written before the fact. Append-only.';
COMMENT ON COLUMN forecasts.predictions.trading_day IS 'Decision day D: the UTC day that ends at or after as_of.';
COMMENT ON COLUMN forecasts.predictions.as_of IS 'Moment of decision: nothing known later was used. Of sessions 24:00 UTC of D, of minutes the end of a bar.';
COMMENT ON COLUMN forecasts.predictions.horizon IS 'Sessions of the symbol''s exchange from D to the due day, or minutes from as_of to due_at (time_to_hit: the deadline).';
COMMENT ON COLUMN forecasts.predictions.due_day IS 'The session that falls due; of minutes the UTC day that ends at or after due_at.';
COMMENT ON COLUMN forecasts.predictions.due_at IS 'The moment predicted: the close of the due day''s session, or as_of and the minutes.';
COMMENT ON COLUMN forecasts.predictions.confidence IS 'Probability of the event.';
COMMENT ON COLUMN forecasts.predictions.reference_price IS 'S0: close of D known at as_of, as traded. Another one is not scored.';
COMMENT ON COLUMN forecasts.predictions.sigma IS 'As-of EWMA (lambda 0.94) volatility of daily log returns.';
COMMENT ON COLUMN forecasts.predictions.climatology IS 'As-of base rate of the event for this symbol and horizon.';
COMMENT ON COLUMN forecasts.predictions.q50 IS 'Quantiles q05..q95 are of ln(S_T / S0).';
COMMENT ON COLUMN forecasts.predictions.predicted_days IS 'Expected sessions until the hit, given that it happens by the deadline.';
COMMENT ON COLUMN forecasts.predictions.earliest_resolution_time IS 'First moment the outcome could be known: close of the due day, or of a touch or a volatility the opening of the session after D. Sealing takes the earlier of this and the calendar''s.';
COMMENT ON COLUMN forecasts.predictions.origin IS 'As the writer states it; live only if recorded before earliest_resolution_time. Proven is the origin of its batch in forecasts.prediction_batches.';
COMMENT ON COLUMN forecasts.predictions.predicted_volatility IS 'Expected standard deviation of the daily log returns over (D, T].';
COMMENT ON COLUMN forecasts.predictions.artifact_id IS 'The fit that predicted it (models.model_artifacts); NULL for models of which nothing is fitted.';

CREATE TABLE forecasts.skipped_predictions (
    model_id      text NOT NULL,
    kind          text NOT NULL,
    symbol        text NOT NULL,
    trading_day   date NOT NULL,
    as_of         timestamptz NOT NULL,
    horizon       smallint NOT NULL,
    horizon_unit  text NOT NULL DEFAULT 'session' CHECK (horizon_unit IN ('session', 'minute')),
    reason        text NOT NULL,
    payload       jsonb NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon, horizon_unit, as_of)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.skipped_predictions
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.skipped_predictions IS 'Predictions refused at write, with the reason. Append-only.';
COMMENT ON COLUMN forecasts.skipped_predictions.kind IS '*: of all kinds and horizons (horizon 0), as where a symbol has too little history.';
COMMENT ON COLUMN forecasts.skipped_predictions.horizon IS 'Sessions; 0 where kind is *.';

CREATE TABLE forecasts.outcomes (
    prediction_id        uuid NOT NULL
        GENERATED ALWAYS AS (forecasts.prediction_id(model_id, kind, symbol, as_of, horizon, horizon_unit)) STORED,
    model_id             text NOT NULL,
    kind                 text NOT NULL,
    event                text,
    symbol               text NOT NULL,
    trading_day          date NOT NULL,
    as_of                timestamptz NOT NULL,
    horizon              smallint NOT NULL,
    horizon_unit         text NOT NULL DEFAULT 'session' CHECK (horizon_unit IN ('session', 'minute')),
    due_day              date NOT NULL,
    resolved_day         date NOT NULL,
    status               text NOT NULL CHECK (status IN ('validated', 'expired')),
    confidence           double precision CHECK (market.is_probability(confidence)),
    occurred             boolean,
    within_band          boolean,
    actual_price         double precision CHECK (market.is_price(actual_price)),
    actual_return        double precision CHECK (market.is_finite(actual_return)),
    actual_days          smallint CHECK (actual_days >= 1),
    accuracy_pct         double precision CHECK (market.is_finite(accuracy_pct)),
    relative_error       double precision CHECK (market.is_finite(relative_error)),
    log_error            double precision CHECK (market.is_finite(log_error)),
    error_direction      text CHECK (error_direction IN ('overestimated', 'underestimated', 'exact')),
    days_error           double precision CHECK (market.is_finite(days_error)),
    error_category       text
        CHECK (error_category IN ('on_time', 'slightly_early', 'slightly_late', 'early', 'late', 'missed')),
    brier                double precision CHECK (brier BETWEEN 0 AND 1),
    brier_no_change      double precision CHECK (brier_no_change BETWEEN 0 AND 1),
    brier_climatology    double precision CHECK (brier_climatology BETWEEN 0 AND 1),
    crps                 double precision CHECK (crps >= 0 AND crps < 'Infinity'),
    crps_no_change       double precision CHECK (crps_no_change >= 0 AND crps_no_change < 'Infinity'),
    knowledge_time       timestamptz NOT NULL,
    realised_volatility  double precision CHECK (realised_volatility >= 0 AND realised_volatility < 'Infinity'),
    qlike                double precision CHECK (qlike >= 0 AND qlike < 'Infinity'),
    qlike_no_change      double precision CHECK (qlike_no_change >= 0 AND qlike_no_change < 'Infinity'),
    reason               text,
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trading_day, symbol, model_id, kind, horizon, horizon_unit, as_of, knowledge_time),
    CONSTRAINT validated_has_a_result CHECK (CASE kind
        WHEN 'volatility' THEN occurred IS NULL AND brier IS NULL
            AND (status = 'validated') = (realised_volatility IS NOT NULL AND qlike IS NOT NULL)
        ELSE (status = 'validated') = (occurred IS NOT NULL AND brier IS NOT NULL) END),
    CONSTRAINT probability_of_its_event CHECK (
        (kind = 'volatility') = (event IS NULL) AND (event IS NULL) = (confidence IS NULL)),
    CONSTRAINT due_day_fits_the_horizon CHECK (CASE horizon_unit
        WHEN 'session' THEN due_day - trading_day BETWEEN horizon AND horizon * 3 / 2 + 14
        ELSE due_day - trading_day BETWEEN 0 AND 1 END),
    CONSTRAINT reason_of_what_has_no_result CHECK (
        reason IS NULL OR (status = 'expired' AND reason IN ('reference_price_is_not_the_close',
            'due_day_is_not_the_horizons', 'loss_is_not_finite', 'not_written_by_the_run_of_its_model',
            'withdrawn_before_anything_was_known')))
);
CREATE INDEX outcomes_by_due_day ON forecasts.outcomes (due_day);
CREATE INDEX outcomes_late ON forecasts.outcomes (resolved_day) WHERE resolved_day > due_day;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.outcomes IS 'The outcome of each prediction and when it was known. Append-only: a restated price gives a new revision.';
COMMENT ON COLUMN forecasts.outcomes.resolved_day IS 'Trading day at whose end the result was first known: the due day, the day of the hit, or later.';
COMMENT ON COLUMN forecasts.outcomes.actual_price IS 'Price of the result in the basis of the decision day: splits in between undone.';
COMMENT ON COLUMN forecasts.outcomes.actual_return IS 'Total return ln((S_T + dividends) / S0) from D to the result.';
COMMENT ON COLUMN forecasts.outcomes.brier IS 'Brier score of the event; brier_<baseline> is the baseline''s on the same row.';
COMMENT ON COLUMN forecasts.outcomes.knowledge_time IS '24:00 UTC of resolved_day; of minutes the moment the bar that ends at due_at was known, or 24:00 UTC of an expired one.';
COMMENT ON COLUMN forecasts.outcomes.realised_volatility IS 'sqrt(mean of squared daily log returns over (D, T]), splits undone.';
COMMENT ON COLUMN forecasts.outcomes.qlike IS 'x - ln x - 1, x = (realised / predicted)^2; qlike_no_change takes sigma as the prediction.';
COMMENT ON COLUMN forecasts.outcomes.reason IS 'Why an expired one has no loss (docs/guide/predictions.md). NULL: no price came.';
COMMENT ON INDEX forecasts.outcomes_late IS 'Outcomes that became known after they fell due.';

CREATE TABLE forecasts.withdrawals (
    prediction_id       uuid PRIMARY KEY
        GENERATED ALWAYS AS (forecasts.prediction_id(model_id, kind, symbol, as_of, horizon, horizon_unit)) STORED,
    model_id            text NOT NULL,
    kind                text NOT NULL,
    symbol              text NOT NULL,
    trading_day         date NOT NULL,
    as_of               timestamptz NOT NULL,
    horizon             smallint NOT NULL,
    horizon_unit        text NOT NULL DEFAULT 'session',
    withdrawable_until  timestamptz NOT NULL,
    reason              text NOT NULL
        CONSTRAINT reason_has_1_to_200_characters CHECK (
            length(reason) >= 1 AND length(reason) <= 200 AND reason !~ '[\x01-\x1f\x7f]'),
    withdrawn_by        text NOT NULL,
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT withdrawn_before_anything_was_known CHECK (recorded_at < withdrawable_until)
);
CREATE INDEX withdrawals_by_day ON forecasts.withdrawals (trading_day);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.withdrawals
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
-- Only what stands in the ledger can be withdrawn, and not once its outcome could be known.
CREATE FUNCTION forecasts.refuse_late_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of)
            = (NEW.trading_day, NEW.symbol, NEW.model_id, NEW.kind, NEW.horizon, NEW.horizon_unit, NEW.as_of)
          AND NEW.withdrawable_until <= p.earliest_resolution_time AND now() < NEW.withdrawable_until)
    THEN
        RAISE EXCEPTION 'forecasts.withdrawals: there is no such prediction, or its outcome could be known'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_time BEFORE INSERT ON forecasts.withdrawals
    FOR EACH ROW EXECUTE FUNCTION forecasts.refuse_late_withdrawal();
COMMENT ON TABLE forecasts.withdrawals IS 'Predictions that their owners took back before the next session opened. They stay, fall due, and are not validated. Append-only.';
COMMENT ON COLUMN forecasts.withdrawals.withdrawable_until IS 'Opening of the session after the decision day: later nothing can be withdrawn.';
COMMENT ON COLUMN forecasts.withdrawals.withdrawn_by IS 'The owner of the model: name of the key, or of the command line''s user.';

CREATE TABLE forecasts.intake_batches (
    batch_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id       text NOT NULL,
    key_id           text,
    model_id         text NOT NULL,
    idempotency_key  text CONSTRAINT idempotency_key_has_1_to_255_characters CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    body_sha256      bytea NOT NULL CHECK (length(body_sha256) = 32),
    accepted         integer NOT NULL CHECK (accepted >= 0),
    duplicates       integer NOT NULL CHECK (duplicates >= 0),
    conflicts        integer NOT NULL CHECK (conflicts >= 0),
    rejected         integer NOT NULL CHECK (rejected >= 0),
    answer           jsonb NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT now()
);
-- Up to megabytes that are written once and hardly ever read: compressing them takes longer than storing them.
ALTER TABLE forecasts.intake_batches ALTER answer SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX intake_batches_by_key ON forecasts.intake_batches (coalesce(key_id, ''), idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.intake_batches
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.intake_batches IS 'Batches of external writers and the answer to each row: the receipt. Append-only.';
COMMENT ON COLUMN forecasts.intake_batches.key_id IS 'The key it was sent with (audit.api_keys); NULL: the command line.';
COMMENT ON COLUMN forecasts.intake_batches.idempotency_key IS 'The sender''s name for the batch: sent again, it gets the same answer.';
COMMENT ON COLUMN forecasts.intake_batches.body_sha256 IS 'SHA-256 of the body: the same key with another body is refused.';
COMMENT ON COLUMN forecasts.intake_batches.answer IS 'Per row: status, code, prediction_id, origin, moments.';

CREATE TABLE forecasts.intake_files (
    sha256       bytea PRIMARY KEY CHECK (length(sha256) = 32),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    size         bigint NOT NULL CHECK (size >= 0),
    status       text NOT NULL CONSTRAINT status_is_done_or_rejected CHECK (status IN ('done', 'rejected')),
    report       jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.intake_files
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.intake_files IS 'Files that were taken from the drop folder, by their content: none is taken twice. Append-only.';
COMMENT ON COLUMN forecasts.intake_files.report IS 'As it lies beside the file: counts, batches, refused rows with their codes.';

GRANT SELECT ON ALL TABLES IN SCHEMA forecasts TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA forecasts TO predtrack_owner;
-- When a row was written is the database's to say.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('GRANT INSERT (%s) ON %s TO predtrack_writer',
                      string_agg(quote_ident(attname), ', ' ORDER BY attnum), attrelid::regclass)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'forecasts'::regnamespace AND relkind = 'r' AND attnum > 0
          AND attgenerated = '' AND attidentity = '' AND attname NOT IN ('recorded_at')
        GROUP BY attrelid
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
