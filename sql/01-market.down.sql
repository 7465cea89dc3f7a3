DROP TABLE market.market_conditions,
    market.quarantine,
    market.fetch_log,
    market.corporate_actions,
    market.market_data,
    market.universe_members,
    market.symbols;
