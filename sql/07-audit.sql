-- What was committed when: Merkle batches of predictions in a chain, and the audit trail, chained the
-- same way. Byte formats: docs/guide/ledger.md. Tamper-evident, not tamper-proof: publish checkpoints.

-- A writer can neither leave a gap, nor fork the chain, nor date a link before its transaction.
CREATE FUNCTION audit.refuse_broken_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken bigint;
BEGIN
    EXECUTE format($links$
        SELECT min(link.%1$I) FROM added link LEFT JOIN %3$s previous ON previous.%1$I = link.%1$I - 1
        WHERE (%2$L = 'committed_at' AND previous.%2$I > link.%2$I) OR link.previous_hash IS DISTINCT FROM
                CASE link.%1$I WHEN 1 THEN decode(repeat('00', 32), 'hex') ELSE previous.hash END
           OR link.%2$I NOT BETWEEN now() AND clock_timestamp()
        $links$, TG_ARGV[0], TG_ARGV[1], TG_RELID::regclass) INTO broken;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION '%.%: link % does not continue the chain', TG_TABLE_SCHEMA, TG_TABLE_NAME, broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TABLE audit.row_encodings (
    encoding     bytea PRIMARY KEY,
    description  text NOT NULL,
    CONSTRAINT digest_of_description CHECK (encoding = sha256(convert_to(description, 'UTF8')))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.row_encodings
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE audit.row_encodings IS 'Which columns the leaves of a batch hold, by SHA-256 of the description. Columns added later belong to a new encoding.';

CREATE TABLE forecasts.prediction_batches (
    batch_index     bigint PRIMARY KEY CHECK (batch_index > 0),
    model_id        text NOT NULL,
    kind            text NOT NULL,
    trading_day     date NOT NULL,
    as_of           timestamptz NOT NULL,
    row_count       integer NOT NULL CHECK (row_count > 0),
    origin          text NOT NULL CHECK (origin IN ('live', 'replay')),
    encoding        bytea NOT NULL REFERENCES audit.row_encodings,
    committed_at    timestamptz NOT NULL,
    merkle_root     bytea NOT NULL CHECK (length(merkle_root) = 32),
    previous_hash   bytea NOT NULL CHECK (length(previous_hash) = 32),
    hash            bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    prediction_ids  bytea NOT NULL,
    leaves          bytea NOT NULL,
    CONSTRAINT one_leaf_per_row CHECK (
        length(leaves) = 32 * row_count AND length(prediction_ids) = 16 * row_count)
);
-- Hashes do not compress; trying takes time.
ALTER TABLE forecasts.prediction_batches ALTER prediction_ids SET STORAGE EXTERNAL,
                                         ALTER leaves SET STORAGE EXTERNAL;
CREATE INDEX prediction_batches_by_day ON forecasts.prediction_batches (trading_day, model_id, kind);
CREATE TRIGGER continues_chain AFTER INSERT ON forecasts.prediction_batches REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_broken_chain('batch_index', 'committed_at');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.prediction_batches
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE forecasts.prediction_batches IS 'The ledger''s chain: one Merkle tree per decision day, model version, kind and origin of what one transaction committed. Append-only.';
COMMENT ON COLUMN forecasts.prediction_batches.batch_index IS 'From 1 without gaps, given out under an advisory lock.';
COMMENT ON COLUMN forecasts.prediction_batches.origin IS 'live: committed before any of its outcomes could be known. Otherwise replay.';
COMMENT ON COLUMN forecasts.prediction_batches.committed_at IS 'The database''s clock when the batch was written.';
COMMENT ON COLUMN forecasts.prediction_batches.prediction_ids IS 'Identities of the rows, 16 bytes each, in the order of the leaves.';
COMMENT ON COLUMN forecasts.prediction_batches.leaves IS 'Leaf hashes, 32 bytes each; they stay when retention drops the rows.';

CREATE TABLE audit.audit_trail (
    event_index    bigint PRIMARY KEY CHECK (event_index > 0),
    event_type     text NOT NULL,
    subject        text NOT NULL,
    payload        jsonb NOT NULL,
    actor          text NOT NULL,
    at             timestamptz NOT NULL,
    encoding       bytea NOT NULL REFERENCES audit.row_encodings,
    previous_hash  bytea NOT NULL CHECK (length(previous_hash) = 32),
    hash           bytea NOT NULL UNIQUE CHECK (length(hash) = 32)
);
CREATE INDEX audit_trail_by_type ON audit.audit_trail (event_type, event_index);
CREATE TRIGGER continues_chain AFTER INSERT ON audit.audit_trail REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_broken_chain('event_index', 'at');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE audit.audit_trail IS 'Who decided what, when and why; chained like the ledger. Append-only.';
COMMENT ON COLUMN audit.audit_trail.at IS 'The database''s clock when the event was written.';

-- What an advisory lock would do, but only for those who may write: anybody may take an advisory lock, and keep it.
CREATE TABLE audit.chain_locks (
    chain  text PRIMARY KEY
);
COMMENT ON TABLE audit.chain_locks IS 'A row a chain, held FOR UPDATE by the transaction that continues it.';
INSERT INTO audit.chain_locks VALUES ('forecasts.prediction_batches'), ('audit.audit_trail');

CREATE TABLE audit.api_keys (
    key_id        text PRIMARY KEY CHECK (key_id ~ '^[0-9a-z]{8}$'),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    name          text NOT NULL CONSTRAINT name_has_1_to_64_characters CHECK (
        length(name) >= 1 AND length(name) <= 64 AND name !~ '[\x01-\x1f\x7f|]'),
    scopes        text[] NOT NULL CONSTRAINT scopes_are_known CHECK (scopes <@ ARRAY['read', 'write', 'approve', 'admin'] AND cardinality(scopes) > 0),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit.api_keys IS 'Keys of the API: of the secret only its SHA-256 is here, and it has 256 random bits.';
COMMENT ON COLUMN audit.api_keys.name IS 'Who holds it: the owner of the models registered with it.';
COMMENT ON COLUMN audit.api_keys.revoked_at IS 'From when on it opens nothing; NULL: it is valid until expires_at.';

-- Which tables committed transactions wrote to, and what each step of a backfill read when it last succeeded:
-- a step has nothing new while its snapshot saw every change of its tables. Why: docs/design/reruns.md.
CREATE TABLE audit.table_changes (
    relation  oid NOT NULL,
    xid       xid8 NOT NULL,
    PRIMARY KEY (relation, xid)
);
COMMENT ON TABLE audit.table_changes IS 'A row a table and transaction that changed rows of it, by trigger; backfills remove what every step has seen.';
COMMENT ON COLUMN audit.table_changes.relation IS 'The table, as pg_class.oid: a table made anew is another one.';
COMMENT ON COLUMN audit.table_changes.xid IS 'The transaction: pg_visible_in_snapshot tells who has seen it, late commits included.';

CREATE TABLE audit.completed_steps (
    step             text NOT NULL,
    first_partition  text NOT NULL,
    last_partition   text NOT NULL,
    version          text NOT NULL,
    snapshot         pg_snapshot NOT NULL,
    transactions     xid8[] NOT NULL,
    relations        oid[] NOT NULL,
    failed_checks    text[] NOT NULL,
    results          jsonb NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (step, first_partition, last_partition),
    CONSTRAINT partitions_in_order CHECK (first_partition <= last_partition)
);
COMMENT ON TABLE audit.completed_steps IS 'What a step of a backfill read when it last succeeded; it is left out while nothing of that has changed.';
COMMENT ON COLUMN audit.completed_steps.step IS 'The asset''s or the check''s step in Dagster.';
COMMENT ON COLUMN audit.completed_steps.first_partition IS 'First day or month of the run; empty for what has no partitions.';
COMMENT ON COLUMN audit.completed_steps.version IS 'SHA-256 of code, settings, server and what the step reads outside of the database.';
COMMENT ON COLUMN audit.completed_steps.snapshot IS 'Taken before the step read anything.';
COMMENT ON COLUMN audit.completed_steps.transactions IS 'Those of the step itself, which its snapshot could not see.';
COMMENT ON COLUMN audit.completed_steps.relations IS 'The tables that the step''s transactions held locks on: all they read or wrote.';
COMMENT ON COLUMN audit.completed_steps.failed_checks IS 'Checks that warned; of a step whose blocking check failed there is no row.';
COMMENT ON COLUMN audit.completed_steps.results IS 'What the materializations said of the run, by asset.';

-- Stable, so that it sees what the statement sees that asks it.
CREATE FUNCTION audit.has_nothing_new(audit.completed_steps) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM audit.table_changes c
        WHERE c.relation = ANY ($1.relations) AND c.xid <> ALL ($1.transactions)
          AND NOT pg_visible_in_snapshot(c.xid, $1.snapshot))
    AND NOT EXISTS (  -- a table that is gone, or whose changes nobody notes any more
        SELECT FROM unnest($1.relations) AS relation
        WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation
                          AND t.tgname = 'notes_change' AND t.tgenabled <> 'D'))
$$;
COMMENT ON FUNCTION audit.has_nothing_new IS 'Whether the step''s snapshot has seen every change of its tables but its own, those that were open then included.';

-- With the owner's rights, so that whoever may write a table need not be able to write here.
CREATE FUNCTION audit.note_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A statement that touched no row is no change. Rows of a chunk are counted as the chunk's.
    IF TG_OP <> 'TRUNCATE' AND current_setting('track_counts')::boolean
        AND pg_stat_get_xact_tuples_inserted(TG_RELID) + pg_stat_get_xact_tuples_updated(TG_RELID)
            + pg_stat_get_xact_tuples_deleted(TG_RELID) = 0
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = TG_RELID) THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit.table_changes VALUES (TG_RELID, pg_current_xact_id()) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION audit.note_change FROM PUBLIC;
COMMENT ON FUNCTION audit.note_change IS 'Notes that the transaction changes rows of a table, whoever writes them and however.';

-- On every table of a room, for steps read and write them; rows that replication brings count too.
CREATE PROCEDURE audit.note_changes_of(room regnamespace) LANGUAGE plpgsql AS $$
DECLARE
    target regclass;
BEGIN
    FOR target IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = room ORDER BY relname LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER notes_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION audit.note_change();'
            ' ALTER TABLE %1$s ENABLE ALWAYS TRIGGER notes_change', target);
    END LOOP;
END $$;
COMMENT ON PROCEDURE audit.note_changes_of IS 'Call it after tables were added to a room: until then, steps that read them always run.';
CALL audit.note_changes_of('market');
CALL audit.note_changes_of('features');
CALL audit.note_changes_of('models');
CALL audit.note_changes_of('forecasts');
CALL audit.note_changes_of('accuracy');
CALL audit.note_changes_of('deployment');

GRANT SELECT, UPDATE ON audit.chain_locks TO predtrack_writer;
GRANT SELECT ON audit.chain_locks TO predtrack_reader;
GRANT ALL ON audit.chain_locks TO predtrack_owner;
GRANT SELECT ON audit.row_encodings, audit.audit_trail, forecasts.prediction_batches
    TO predtrack_reader, predtrack_writer;
GRANT INSERT ON audit.row_encodings, audit.audit_trail, forecasts.prediction_batches TO predtrack_writer;
GRANT ALL ON audit.row_encodings, audit.audit_trail, forecasts.prediction_batches TO predtrack_owner;
GRANT SELECT, INSERT ON audit.api_keys TO predtrack_writer;
GRANT UPDATE (revoked_at) ON audit.api_keys TO predtrack_writer;
GRANT ALL ON audit.api_keys TO predtrack_owner;

-- What is wrong now, who was told, and what is silenced (docs/guide/alerts.md).
CREATE TABLE audit.alerts (
    alert_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule           text NOT NULL CHECK (rule ~ '^[a-z][a-z0-9_]{0,63}$'),
    subject        text NOT NULL,
    fingerprint    text NOT NULL GENERATED ALWAYS AS (md5(rule || '|' || subject)) STORED,
    severity       text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    value          double precision NOT NULL CHECK (market.is_finite(value)),
    detail         text NOT NULL,
    opened_at      timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    closed_at      timestamptz,
    notified_at    timestamptz,
    resolved_told  timestamptz,
    CONSTRAINT times_in_order CHECK (opened_at <= last_seen AND last_seen <= closed_at),
    CONSTRAINT resolved_after_closed CHECK (resolved_told IS NULL OR closed_at IS NOT NULL)
);
CREATE UNIQUE INDEX one_open_alert ON audit.alerts (fingerprint) WHERE closed_at IS NULL;
CREATE INDEX alerts_to_resolve ON audit.alerts (closed_at) WHERE closed_at IS NOT NULL AND resolved_told IS NULL;
COMMENT ON TABLE audit.alerts IS 'What a rule found wrong, from when until when; one open row per rule and subject.';
COMMENT ON COLUMN audit.alerts.fingerprint IS 'Of rule and subject: the same fault, however often it is seen.';
COMMENT ON COLUMN audit.alerts.notified_at IS 'When somebody was last told that it is open; NULL: nobody yet.';
COMMENT ON COLUMN audit.alerts.resolved_told IS 'When somebody was told that it is over.';

CREATE TABLE audit.alert_silences (
    silence_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL,
    subject      text,
    until        timestamptz NOT NULL CHECK (isfinite(until)),
    reason       text NOT NULL CHECK (length(trim(reason)) > 0),
    silenced_by  text NOT NULL CHECK (length(trim(silenced_by)) > 0),
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit.alert_silences IS 'Alerts that nobody is told of until a moment; they are opened and shown all the same. Append-only.';
COMMENT ON COLUMN audit.alert_silences.subject IS 'NULL: every subject of the rule.';

CREATE TABLE audit.alert_messages (
    message_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('open', 'resolved', 'held', 'heartbeat', 'test', 'report')),
    status       text NOT NULL CHECK (status IN ('sent', 'failed')),
    channel      text NOT NULL,
    alerts       integer NOT NULL CHECK (alerts >= 0),
    message      text NOT NULL,
    fault        text,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_messages_by_time ON audit.alert_messages (recorded_at);
COMMENT ON TABLE audit.alert_messages IS 'Each attempt to tell somebody: the delivery log. Append-only.';
COMMENT ON COLUMN audit.alert_messages.fault IS 'Why it failed, without any address.';

CREATE TABLE audit.alert_clock (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    evaluated_at  timestamptz
);
INSERT INTO audit.alert_clock DEFAULT VALUES;
COMMENT ON TABLE audit.alert_clock IS 'One row: when the rules were evaluated last. Held FOR UPDATE meanwhile, so that a tick is evaluated and told once.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.alert_silences
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.alert_messages
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
GRANT SELECT ON audit.alerts, audit.alert_silences, audit.alert_messages, audit.alert_clock
    TO predtrack_reader, predtrack_writer;
GRANT INSERT ON audit.alerts, audit.alert_silences, audit.alert_messages TO predtrack_writer;
GRANT UPDATE (severity, value, detail, last_seen, closed_at, notified_at, resolved_told) ON audit.alerts TO predtrack_writer;
GRANT UPDATE (evaluated_at) ON audit.alert_clock TO predtrack_writer;
GRANT ALL ON audit.alerts, audit.alert_silences, audit.alert_messages, audit.alert_clock TO predtrack_owner;
GRANT SELECT ON audit.table_changes, audit.completed_steps TO predtrack_reader, predtrack_writer;
GRANT DELETE ON audit.table_changes TO predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON audit.completed_steps TO predtrack_writer;
GRANT ALL ON audit.table_changes, audit.completed_steps TO predtrack_owner;
