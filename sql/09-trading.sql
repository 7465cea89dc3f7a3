-- Paper books: what was decided, ordered, filled and posted, and what each day came to.
-- A bar that was known at the decision can never fill its order: fills carry the decision's as_of by
-- foreign key, and a trigger asks the stored bars themselves. Money in the book's currency.

CREATE SCHEMA trading;
COMMENT ON SCHEMA trading IS 'Paper books: decisions, orders, fills, journal, positions and states.';
GRANT USAGE ON SCHEMA trading TO predtrack_reader, predtrack_writer;
GRANT ALL ON SCHEMA trading TO predtrack_owner;

CREATE FUNCTION trading.is_number(numeric) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 > '-Infinity' AND $1 < 'Infinity';
COMMENT ON FUNCTION trading.is_number IS 'Finite; NaN sorts above Infinity and so is refused.';

CREATE TABLE trading.books (
    book         text PRIMARY KEY CHECK (book <> ''),
    capital      numeric(20,2) NOT NULL CHECK (trading.is_number(capital) AND capital > 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    rules        jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE trading.books IS 'One run of a strategy: paper (live) or a replay. Append-only.';
COMMENT ON COLUMN trading.books.capital IS 'Paid in on the first day, in currency.';
COMMENT ON COLUMN trading.books.rules IS 'Execution rules: profile and what differs from it.';

CREATE TABLE trading.decisions (
    book          text NOT NULL REFERENCES trading.books,
    decided_at    timestamptz NOT NULL,
    as_of         timestamptz NOT NULL,
    origin        text NOT NULL CHECK (origin IN ('live', 'replay')),
    committed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (book, decided_at),
    UNIQUE (book, decided_at, as_of),
    CONSTRAINT decided_on_what_is_known CHECK (as_of <= decided_at)
);
COMMENT ON TABLE trading.decisions IS 'Moments at which a book decided. Append-only.';
COMMENT ON COLUMN trading.decisions.as_of IS 'Nothing known later was used; 24:00 UTC of the day for daily books.';
COMMENT ON COLUMN trading.decisions.committed_at IS 'The database''s clock when it was written.';

CREATE TABLE trading.orders (
    order_id     uuid PRIMARY KEY,
    book         text NOT NULL,
    decided_at   timestamptz NOT NULL,
    as_of        timestamptz NOT NULL,
    symbol       text NOT NULL,
    n            integer NOT NULL CHECK (n >= 0),
    side         text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity     numeric(20,6) NOT NULL CHECK (trading.is_number(quantity) AND quantity >= 0),
    kind         text NOT NULL CHECK (kind IN ('market', 'limit', 'stop', 'stop_limit')),
    limit_price  numeric(20,6) CHECK (trading.is_number(limit_price) AND limit_price > 0),
    stop_price   numeric(20,6) CHECK (trading.is_number(stop_price) AND stop_price > 0),
    tif          text NOT NULL CHECK (tif IN ('opg', 'day', 'gtc')),
    oco_group    text,
    reduce_only  boolean NOT NULL,
    tag          text NOT NULL,
    not_before   date,
    UNIQUE (book, decided_at, symbol, n),
    UNIQUE (order_id, book, as_of, symbol, side),
    FOREIGN KEY (book, decided_at, as_of) REFERENCES trading.decisions (book, decided_at, as_of),
    CONSTRAINT prices_of_kind CHECK (
        (limit_price IS NOT NULL) = (kind IN ('limit', 'stop_limit'))
        AND (stop_price IS NOT NULL) = (kind IN ('stop', 'stop_limit')))
);
COMMENT ON TABLE trading.orders IS 'Orders as they were asked for; what became of them is in order_events. Append-only.';
COMMENT ON COLUMN trading.orders.order_id IS 'md5 of book, decided_at, symbol and n: equal in every rerun.';
COMMENT ON COLUMN trading.orders.n IS 'Of the orders decided at once in one symbol, from 0.';
COMMENT ON COLUMN trading.orders.quantity IS 'Shares; 0 only of an order that was rejected before it was sized.';
COMMENT ON COLUMN trading.orders.limit_price IS 'As traded on the decision day.';
COMMENT ON COLUMN trading.orders.tif IS 'opg: next open only; day: next session; gtc: until filled.';
COMMENT ON COLUMN trading.orders.reduce_only IS 'It closes a position and never opens one.';

CREATE TABLE trading.order_events (
    order_id     uuid NOT NULL REFERENCES trading.orders,
    n            integer NOT NULL CHECK (n >= 0),
    trading_day  date NOT NULL,
    event        text NOT NULL CHECK (event IN ('accepted', 'rejected', 'partially_filled', 'filled',
                                                'cancelled', 'expired', 'split_adjusted')),
    reason       text NOT NULL,
    quantity     numeric(20,6) CHECK (trading.is_number(quantity) AND quantity > 0),
    limit_price  numeric(20,6) CHECK (trading.is_number(limit_price) AND limit_price > 0),
    stop_price   numeric(20,6) CHECK (trading.is_number(stop_price) AND stop_price > 0),
    PRIMARY KEY (order_id, n)
);
CREATE INDEX order_events_by_day ON trading.order_events (trading_day);
COMMENT ON TABLE trading.order_events IS 'What happened to orders; the latest event is the state. Append-only.';
COMMENT ON COLUMN trading.order_events.quantity IS 'Shares: filled ones, or of split_adjusted the order''s new quantity.';

CREATE TABLE trading.fills (
    order_id     uuid NOT NULL,
    n            integer NOT NULL CHECK (n >= 0),
    book         text NOT NULL,
    trading_day  date NOT NULL,
    filled_at    timestamptz NOT NULL,
    symbol       text NOT NULL,
    side         text NOT NULL,
    quantity     numeric(20,6) NOT NULL CHECK (trading.is_number(quantity) AND quantity > 0),
    price        numeric(20,6) NOT NULL CHECK (trading.is_number(price) AND price > 0),
    raw_price    numeric(20,6) NOT NULL CHECK (trading.is_number(raw_price) AND raw_price > 0),
    slippage     numeric(20,2) NOT NULL CHECK (trading.is_number(slippage) AND slippage >= 0),
    amount       numeric(20,2) NOT NULL GENERATED ALWAYS AS (round(quantity * price, 2)) STORED,
    fee          numeric(20,2) NOT NULL CHECK (trading.is_number(fee) AND fee >= 0),
    as_of        timestamptz NOT NULL,
    bar_known    timestamptz NOT NULL,
    rule         text NOT NULL CHECK (rule IN ('open', 'gap', 'stop', 'limit', 'participation')),
    PRIMARY KEY (order_id, n),
    FOREIGN KEY (order_id, book, as_of, symbol, side)
        REFERENCES trading.orders (order_id, book, as_of, symbol, side),
    CONSTRAINT bar_begins_after_decision CHECK (filled_at > as_of),
    CONSTRAINT bar_unknown_at_decision CHECK (bar_known > as_of AND bar_known >= filled_at),
    CONSTRAINT slippage_is_against_us CHECK (
        CASE side WHEN 'buy' THEN price >= raw_price ELSE price <= raw_price END)
);
CREATE INDEX fills_by_day ON trading.fills (book, trading_day);
COMMENT ON TABLE trading.fills IS 'Executions; a later correction of the bar changes none. Append-only.';
COMMENT ON COLUMN trading.fills.filled_at IS 'Open of the bar: the first moment at which it can have been.';
COMMENT ON COLUMN trading.fills.price IS 'A share, as traded, after slippage.';
COMMENT ON COLUMN trading.fills.raw_price IS 'A share, as traded, of the bar.';
COMMENT ON COLUMN trading.fills.slippage IS 'Money lost to slippage.';
COMMENT ON COLUMN trading.fills.amount IS 'quantity * price, to the cent.';
COMMENT ON COLUMN trading.fills.as_of IS 'Of the decision, by foreign key through its order.';
COMMENT ON COLUMN trading.fills.bar_known IS 'Knowledge time of the bar: after as_of.';

-- Whatever bar_known says: the stored bar itself must exist, and none of it may have been known.
CREATE FUNCTION trading.refuse_known_bars() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.symbol, f.trading_day, f.as_of,
           CASE WHEN b.first_known IS NULL THEN 'is not stored'
                WHEN b.first_known <= f.as_of THEN 'was known at the decision'
                ELSE 'was known before its live decision was committed' END AS fault INTO bad
    FROM added f JOIN trading.orders o USING (order_id)
    JOIN trading.decisions d ON d.book = o.book AND d.decided_at = o.decided_at
    LEFT JOIN LATERAL (
        SELECT min(m.knowledge_time) AS first_known FROM market.market_data m
        WHERE m.symbol = f.symbol AND m.trading_day = f.trading_day) b ON true
    WHERE b.first_known IS NULL OR b.first_known <= f.as_of
       OR (d.origin = 'live' AND b.first_known <= d.committed_at)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'trading.fills: the bar of % on % %, as of %', bad.symbol, bad.trading_day,
            bad.fault, bad.as_of
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION trading.refuse_known_bars IS 'A bar that was known at the decision cannot fill it; no bar, no fill.';
CREATE TRIGGER unknown_bars AFTER INSERT ON trading.fills REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_known_bars();

CREATE TABLE trading.journal (
    book         text NOT NULL REFERENCES trading.books,
    entry_id     bigint NOT NULL CHECK (entry_id > 0),
    trading_day  date NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('capital', 'buy', 'sell', 'fee', 'dividend', 'dividend_short',
                                               'split', 'cash_in_lieu', 'interest', 'borrow', 'delisting',
                                               'correction')),
    symbol       text NOT NULL,
    cash         numeric(20,2) NOT NULL CHECK (trading.is_number(cash)),
    quantity     numeric(20,6) NOT NULL CHECK (trading.is_number(quantity)),
    source       text NOT NULL,
    ex_date      date,
    PRIMARY KEY (book, entry_id)
);
CREATE INDEX journal_by_day ON trading.journal (book, trading_day);
COMMENT ON TABLE trading.journal IS 'Every movement of cash and shares, from which both can be summed. Append-only.';
COMMENT ON COLUMN trading.journal.trading_day IS 'Applied then; for an action learned late after its ex_date.';
COMMENT ON COLUMN trading.journal.symbol IS 'Empty for capital and interest.';
COMMENT ON COLUMN trading.journal.source IS 'The fill (order:n) or the action that it comes from.';

CREATE TABLE trading.positions (
    book          text NOT NULL REFERENCES trading.books,
    trading_day   date NOT NULL,
    symbol        text NOT NULL,
    quantity      numeric(20,6) NOT NULL CHECK (trading.is_number(quantity) AND quantity <> 0),
    cost          numeric(20,2) NOT NULL CHECK (trading.is_number(cost)),
    mark          numeric(20,6) NOT NULL CHECK (trading.is_number(mark) AND mark >= 0),
    mark_day      date NOT NULL,
    stale         boolean NOT NULL,
    market_value  numeric(20,2) NOT NULL CHECK (trading.is_number(market_value)),
    unrealised    numeric(20,2) NOT NULL CHECK (trading.is_number(unrealised)),
    PRIMARY KEY (book, trading_day, symbol),
    CONSTRAINT valued_at_mark CHECK (market_value = round(quantity * mark, 2)),
    CONSTRAINT marked_by_the_day CHECK (mark_day <= trading_day AND (stale OR mark_day = trading_day))
);
COMMENT ON TABLE trading.positions IS 'Holdings at each day''s close. Derived from fills and actions.';
COMMENT ON COLUMN trading.positions.quantity IS 'Shares, negative for a short.';
COMMENT ON COLUMN trading.positions.cost IS 'Money paid for a long, received for a short, of what is held.';
COMMENT ON COLUMN trading.positions.mark IS 'Last good close a share, as traded, of mark_day.';
COMMENT ON COLUMN trading.positions.stale IS 'There was no good close on the day.';

CREATE TABLE trading.portfolio_state (
    book             text NOT NULL REFERENCES trading.books,
    trading_day      date NOT NULL,
    cash             numeric(20,2) NOT NULL CHECK (trading.is_number(cash)),
    receivable       numeric(20,2) NOT NULL CHECK (trading.is_number(receivable)),
    long             numeric(20,2) NOT NULL CHECK (trading.is_number(long) AND long >= 0),
    short            numeric(20,2) NOT NULL CHECK (trading.is_number(short) AND short <= 0),
    equity           numeric(20,2) NOT NULL CHECK (trading.is_number(equity)),
    open_orders      integer NOT NULL CHECK (open_orders >= 0),
    previous_digest  bytea NOT NULL CHECK (length(previous_digest) = 32),
    digest           bytea NOT NULL CHECK (length(digest) = 32),
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (book, trading_day),
    CONSTRAINT equity_is_its_parts CHECK (equity = cash + receivable + long + short)
);
COMMENT ON TABLE trading.portfolio_state IS 'What a book came to at each day''s close, in a chain of digests. Append-only.';
COMMENT ON COLUMN trading.portfolio_state.receivable IS 'Dividends that are owed and not paid.';
COMMENT ON COLUMN trading.portfolio_state.long IS 'Market value of the longs.';
COMMENT ON COLUMN trading.portfolio_state.short IS 'Market value of the shorts, <= 0.';
COMMENT ON COLUMN trading.portfolio_state.digest IS 'SHA-256 of the digest before and all that the day wrote.';

CREATE FUNCTION trading.refuse_broken_book() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT a.book, a.trading_day INTO bad
    FROM added a LEFT JOIN LATERAL (
        SELECT s.digest FROM trading.portfolio_state s
        WHERE s.book = a.book AND s.trading_day < a.trading_day ORDER BY s.trading_day DESC LIMIT 1) p ON true
    WHERE a.previous_digest <> coalesce(p.digest, decode(repeat('00', 32), 'hex'))
       OR EXISTS (SELECT FROM trading.portfolio_state later
                  WHERE later.book = a.book AND later.trading_day > a.trading_day
                    AND NOT EXISTS (SELECT FROM added x
                                    WHERE x.book = later.book AND x.trading_day = later.trading_day))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'trading.portfolio_state: % of % does not continue the book', bad.trading_day, bad.book
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION trading.refuse_broken_book IS 'A day continues the last one of its book.';
CREATE TRIGGER continues_book AFTER INSERT ON trading.portfolio_state REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_broken_book();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.books
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.decisions
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.orders
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.order_events
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.fills
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.journal
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.portfolio_state
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

GRANT SELECT ON ALL TABLES IN SCHEMA trading TO predtrack_reader, predtrack_writer;
GRANT INSERT ON trading.books, trading.orders, trading.order_events, trading.fills, trading.journal,
    trading.positions, trading.portfolio_state TO predtrack_writer;
-- committed_at is the database's clock: nobody writes it.
GRANT INSERT (book, decided_at, as_of, origin) ON trading.decisions TO predtrack_writer;
GRANT DELETE ON trading.positions TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA trading TO predtrack_owner;
