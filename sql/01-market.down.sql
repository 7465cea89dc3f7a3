DROP TABLE market.market_conditions,
    market.quarantine,
    market.fetch_log,
    market.corporate_actions,
    market.intraday_bars,
    market.market_data,
    market.universe_members,
    market.symbols;
