-- Features of every symbol and day. A vector is one bytea of little-endian float64: COPY hands it on as it is,
-- which reads five times faster than float8[] or a column each (docs/guide/features.md). NaN in it means unknown.

CREATE TABLE features.feature_sets (
    name         text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]*$'),
    version      integer NOT NULL CHECK (version >= 1),
    feature_set  text NOT NULL UNIQUE CHECK (feature_set = name || '-v' || version),
    columns      text[] NOT NULL CHECK (cardinality(columns) > 0),
    lookback     integer NOT NULL CHECK (lookback >= 0),
    as_of        text NOT NULL,
    code_hash    text NOT NULL CHECK (code_hash ~ '^[0-9a-f]{64}$'),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE features.feature_sets IS 'Versions of lists of features; what a version computes never changes.';
COMMENT ON COLUMN features.feature_sets.feature_set IS 'name-vVersion, as rows of features.feature_store name it.';
COMMENT ON COLUMN features.feature_sets.columns IS 'Names in the order of the vector.';
COMMENT ON COLUMN features.feature_sets.lookback IS 'Most sessions before a day that its features may touch.';
COMMENT ON COLUMN features.feature_sets.as_of IS 'What the features of a day may know.';
COMMENT ON COLUMN features.feature_sets.code_hash IS 'SHA-256 of the code that computes them, comments left out.';

CREATE TABLE features.feature_store (
    symbol       text NOT NULL,
    trading_day  date NOT NULL,
    feature_set  text NOT NULL,
    vector       bytea NOT NULL CHECK (octet_length(vector) > 0 AND octet_length(vector) % 8 = 0),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, trading_day, feature_set)
);
ALTER TABLE features.feature_store ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX feature_store_by_day ON features.feature_store (trading_day);
COMMENT ON TABLE features.feature_store IS 'One vector per symbol, day and feature set, from rows known at 24:00 UTC of the day.';
COMMENT ON COLUMN features.feature_store.trading_day IS 'Session on the symbol''s own exchange, on which it has a bar.';
COMMENT ON COLUMN features.feature_store.vector IS 'Little-endian float64 in the order of feature_sets.columns, NaN unknown; see features.value.';

GRANT SELECT ON ALL TABLES IN SCHEMA features TO predtrack_reader, predtrack_writer;
GRANT INSERT ON ALL TABLES IN SCHEMA features TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA features TO predtrack_owner;
GRANT UPDATE, DELETE ON features.feature_store TO predtrack_writer;
