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

CREATE TABLE trading.strategies (
    strategy_id  text PRIMARY KEY CHECK (strategy_id = name || '-v' || version),
    name         text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]*$'),
    version      integer NOT NULL CHECK (version > 0),
    family       text NOT NULL CHECK (family <> ''),
    description  text NOT NULL,
    parameters   jsonb NOT NULL,
    universe     text NOT NULL,
    allocation   text NOT NULL,
    rebalance    text NOT NULL CHECK (rebalance IN ('once', 'daily', 'weekly', 'monthly')),
    band         numeric(9,6) NOT NULL CHECK (trading.is_number(band) AND band >= 0),
    execution    jsonb NOT NULL,
    capital      numeric(20,2) NOT NULL CHECK (trading.is_number(capital) AND capital > 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE trading.strategies IS 'Strategy versions; any change is a new version. Append-only.';
COMMENT ON COLUMN trading.strategies.family IS 'The function that makes the signals: its versions are trials of one idea, and counted together.';
COMMENT ON COLUMN trading.strategies.universe IS 'Index whose members are traded; empty: all stocks and funds with a bar.';
COMMENT ON COLUMN trading.strategies.band IS 'Share of equity below which a change of a position is left out; an exit never is.';
COMMENT ON COLUMN trading.strategies.execution IS 'Execution rules: what differs from the default profile.';

CREATE TABLE trading.signals (
    trading_day  date NOT NULL,
    strategy_id  text NOT NULL REFERENCES trading.strategies,
    symbol       text NOT NULL,
    score        double precision CHECK (market.is_finite(score)),
    direction    smallint NOT NULL CHECK (direction IN (-1, 0, 1)),
    probability  double precision CHECK (market.is_probability(probability)),
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (trading_day, strategy_id, symbol)
);
COMMENT ON TABLE trading.signals IS 'Signal of each strategy for each symbol on the days on which it rebalances, as of 24:00 UTC. Append-only.';
COMMENT ON COLUMN trading.signals.score IS 'In the strategy''s own unit; the higher, the more wanted. NULL: too little history.';
COMMENT ON COLUMN trading.signals.direction IS '1 long, 0 out, -1 short.';
COMMENT ON COLUMN trading.signals.probability IS 'Calibrated probability of being right, where the strategy has one.';

CREATE TABLE trading.target_weights (
    trading_day  date NOT NULL,
    strategy_id  text NOT NULL,
    symbol       text NOT NULL,
    weight       numeric(9,6) NOT NULL CHECK (trading.is_number(weight) AND abs(weight) <= 10),
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (trading_day, strategy_id, symbol),
    FOREIGN KEY (trading_day, strategy_id, symbol) REFERENCES trading.signals
);
COMMENT ON TABLE trading.target_weights IS 'Allocation over the signals of a day: signed shares of equity; what is left is cash. Append-only.';

CREATE TABLE trading.screens (
    trading_day  date NOT NULL,
    strategy_id  text NOT NULL REFERENCES trading.strategies,
    trials       integer NOT NULL CHECK (trials > 0),
    chosen       jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (trading_day, strategy_id)
);
COMMENT ON TABLE trading.screens IS 'Searches that a strategy makes for what to trade, as pairs: each candidate is a trial of its family. Append-only.';
COMMENT ON COLUMN trading.screens.trials IS 'Candidates that were tested.';

CREATE TABLE trading.books (
    book         text PRIMARY KEY CHECK (book <> ''),
    strategy_id  text REFERENCES trading.strategies,
    capital      numeric(20,2) NOT NULL CHECK (trading.is_number(capital) AND capital > 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    rules        jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE trading.books IS 'One run of a strategy: paper (live) or a replay. Append-only.';
COMMENT ON COLUMN trading.books.strategy_id IS 'What it follows; NULL: orders from elsewhere.';
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

CREATE TABLE trading.trades (
    book          text NOT NULL REFERENCES trading.books,
    trade_id      text NOT NULL,
    exit_id       text NOT NULL,
    closed        date NOT NULL,
    symbol        text NOT NULL,
    direction     text NOT NULL CHECK (direction IN ('LONG', 'SHORT')),
    quantity      numeric(20,6) NOT NULL CHECK (trading.is_number(quantity) AND quantity >= 0),
    opened        date NOT NULL CHECK (opened <= closed),
    entry_amount  numeric(20,2) NOT NULL CHECK (trading.is_number(entry_amount)),
    exit_amount   numeric(20,2) NOT NULL CHECK (trading.is_number(exit_amount)),
    gross_pnl     numeric(20,2) NOT NULL CHECK (trading.is_number(gross_pnl)),
    commission    numeric(20,2) NOT NULL CHECK (trading.is_number(commission)),
    dividends     numeric(20,2) NOT NULL CHECK (trading.is_number(dividends)),
    net_pnl       numeric(20,2) NOT NULL CHECK (trading.is_number(net_pnl)),
    mfe           numeric(20,2) NOT NULL CHECK (trading.is_number(mfe) AND mfe >= 0),
    mae           numeric(20,2) NOT NULL CHECK (trading.is_number(mae) AND mae <= 0),
    outcome_type  text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN net_pnl > 0 THEN 'WIN' WHEN net_pnl < 0 THEN 'LOSS' ELSE 'BREAKEVEN' END) STORED,
    PRIMARY KEY (book, trade_id, exit_id, closed),
    CONSTRAINT net_is_its_parts CHECK (net_pnl = gross_pnl + dividends - commission)
);
CREATE INDEX trades_by_day ON trading.trades (book, closed);
COMMENT ON TABLE trading.trades IS 'Closed lots, first in first out: what each entry and its exit earned. Append-only.';
COMMENT ON COLUMN trading.trades.trade_id IS 'What opened it: order:n of a fill, or the action.';
COMMENT ON COLUMN trading.trades.exit_id IS 'What closed it, likewise.';
COMMENT ON COLUMN trading.trades.quantity IS 'Shares of the exit: splits in between are applied. 0: a fraction paid after the holding was closed.';
COMMENT ON COLUMN trading.trades.mfe IS 'Maximum favourable excursion: the best that it stood at between entry and exit, in money.';
COMMENT ON COLUMN trading.trades.mae IS 'Maximum adverse excursion, <= 0.';

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

CREATE TABLE trading.snapshots (
    book         text NOT NULL,
    trading_day  date NOT NULL,
    state        jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (book, trading_day),
    FOREIGN KEY (book, trading_day) REFERENCES trading.portfolio_state (book, trading_day)
);
COMMENT ON TABLE trading.snapshots IS 'All that a book needs to go on: after its last day and the last one of each year. Derived.';

CREATE TABLE trading.strategy_performance (
    book                  text NOT NULL REFERENCES trading.books,
    period_type           text NOT NULL CHECK (period_type IN ('DAY', 'WEEK', 'MONTH')),
    period_start          date NOT NULL,
    period_end            date NOT NULL CHECK (period_end >= period_start),
    sessions              integer NOT NULL CHECK (sessions > 0),
    equity                numeric(20,2) NOT NULL CHECK (trading.is_number(equity)),
    period_return         double precision CHECK (market.is_finite(period_return)),
    benchmark_return      double precision CHECK (market.is_finite(benchmark_return)),
    total_trades          integer NOT NULL CHECK (total_trades >= 0),
    winning_trades        integer NOT NULL,
    losing_trades         integer NOT NULL,
    breakeven_trades      integer NOT NULL,
    gross_profit          numeric(20,2) NOT NULL CHECK (trading.is_number(gross_profit)),
    gross_loss            numeric(20,2) NOT NULL CHECK (trading.is_number(gross_loss)),
    net_pnl               numeric(20,2) NOT NULL CHECK (trading.is_number(net_pnl)),
    total_commission      numeric(20,2) NOT NULL CHECK (trading.is_number(total_commission)),
    total_slippage        numeric(20,2) NOT NULL CHECK (trading.is_number(total_slippage)),
    turnover              double precision CHECK (market.is_finite(turnover)),
    win_rate              double precision CHECK (market.is_probability(win_rate)),
    profit_factor         double precision CHECK (market.is_finite(profit_factor)),
    avg_win               double precision CHECK (market.is_finite(avg_win)),
    avg_loss              double precision CHECK (market.is_finite(avg_loss)),
    avg_trade             double precision CHECK (market.is_finite(avg_trade)),
    largest_win           double precision CHECK (market.is_finite(largest_win)),
    largest_loss          double precision CHECK (market.is_finite(largest_loss)),
    max_drawdown          double precision CHECK (market.is_finite(max_drawdown)),
    max_drawdown_sessions integer,
    sharpe_ratio          double precision CHECK (market.is_finite(sharpe_ratio)),
    sortino_ratio         double precision CHECK (market.is_finite(sortino_ratio)),
    calmar_ratio          double precision CHECK (market.is_finite(calmar_ratio)),
    recorded_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (book, period_type, period_start),
    CONSTRAINT trades_add_up CHECK (total_trades = winning_trades + losing_trades + breakeven_trades)
);
CREATE INDEX strategy_performance_by_end ON trading.strategy_performance (period_end);
COMMENT ON TABLE trading.strategy_performance IS 'Whole days, weeks and months of each book. Derived.';
COMMENT ON COLUMN trading.strategy_performance.period_end IS 'Last trading day of the period.';
COMMENT ON COLUMN trading.strategy_performance.sessions IS 'Days of the book in the period: n of the ratios.';
COMMENT ON COLUMN trading.strategy_performance.period_return IS 'Equity at the end over equity before the period, less 1.';
COMMENT ON COLUMN trading.strategy_performance.benchmark_return IS 'Of settings.benchmark over the same days, dividends included where it has any.';
COMMENT ON COLUMN trading.strategy_performance.total_trades IS 'Closed in the period.';
COMMENT ON COLUMN trading.strategy_performance.gross_loss IS '<= 0.';
COMMENT ON COLUMN trading.strategy_performance.net_pnl IS 'Of the closed trades, after commission.';
COMMENT ON COLUMN trading.strategy_performance.total_commission IS 'Of the fills of the period.';
COMMENT ON COLUMN trading.strategy_performance.total_slippage IS 'Money that the fills of the period lost to slippage.';
COMMENT ON COLUMN trading.strategy_performance.turnover IS 'Value of the fills over twice the mean equity of the period.';
COMMENT ON COLUMN trading.strategy_performance.profit_factor IS 'Gains over losses of closed trades; NULL without a loss.';
COMMENT ON COLUMN trading.strategy_performance.sharpe_ratio IS 'Annual, of the daily returns; this and the other ratios NULL below 15 sessions.';
COMMENT ON COLUMN trading.strategy_performance.max_drawdown_sessions IS 'Longest run of days below an earlier peak.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.strategies
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.signals
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.target_weights
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.screens
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.trades
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
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
    trading.positions, trading.portfolio_state, trading.trades, trading.snapshots, trading.strategies,
    trading.signals, trading.target_weights, trading.screens, trading.strategy_performance TO predtrack_writer;
-- committed_at is the database's clock: nobody writes it.
GRANT INSERT (book, decided_at, as_of, origin) ON trading.decisions TO predtrack_writer;
GRANT DELETE ON trading.positions, trading.snapshots, trading.strategy_performance TO predtrack_writer;
GRANT UPDATE ON trading.strategy_performance TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA trading TO predtrack_owner;

CALL audit.note_changes_of('trading');
