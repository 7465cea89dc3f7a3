-- Vectors as columns, and the conditions of a symbol.

CREATE FUNCTION features.value(vector bytea, place integer) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    at       constant integer := 8 * (place - 1);
    high     constant integer := get_byte(vector, at + 7);
    exponent constant integer := (high & 127) * 16 + (get_byte(vector, at + 6) >> 4);
    mantissa constant float8 := (((get_byte(vector, at + 6) & 15)::bigint << 48)
        + (get_byte(vector, at + 5)::bigint << 40) + (get_byte(vector, at + 4)::bigint << 32)
        + (get_byte(vector, at + 3)::bigint << 24) + (get_byte(vector, at + 2)::bigint << 16)
        + (get_byte(vector, at + 1)::bigint << 8) + get_byte(vector, at)) / 4503599627370496::float8;
BEGIN
    IF exponent = 2047 THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN high > 127 THEN -1 ELSE 1 END
        * CASE WHEN exponent = 0 THEN mantissa * power(2::float8, -1022)
               ELSE (1 + mantissa) * power(2::float8, exponent - 1023) END;
END $$;
COMMENT ON FUNCTION features.value IS 'The number at a place (1, 2, ...) of a vector, exactly; NULL where it is unknown.';

CREATE VIEW features.standard_v1 AS
    SELECT symbol, trading_day,
           features.value(vector, 1) AS return_1,
           features.value(vector, 2) AS return_5,
           features.value(vector, 3) AS return_10,
           features.value(vector, 4) AS return_21,
           features.value(vector, 5) AS return_63,
           features.value(vector, 6) AS return_126,
           features.value(vector, 7) AS return_252,
           features.value(vector, 8) AS volatility_5,
           features.value(vector, 9) AS volatility_10,
           features.value(vector, 10) AS volatility_21,
           features.value(vector, 11) AS volatility_63,
           features.value(vector, 12) AS volatility_126,
           features.value(vector, 13) AS volatility_252,
           features.value(vector, 14) AS ewma_volatility,
           features.value(vector, 15) AS parkinson_volatility_21,
           features.value(vector, 16) AS garman_klass_volatility_21,
           features.value(vector, 17) AS rsi_14,
           features.value(vector, 18) AS atr_14,
           features.value(vector, 19) AS ema_20,
           features.value(vector, 20) AS ema_50,
           features.value(vector, 21) AS sma_50,
           features.value(vector, 22) AS sma_200,
           features.value(vector, 23) AS bollinger_percent,
           features.value(vector, 24) AS bollinger_width,
           features.value(vector, 25) AS macd_line,
           features.value(vector, 26) AS macd_signal,
           features.value(vector, 27) AS macd_histogram,
           features.value(vector, 28) AS adx_14,
           features.value(vector, 29) AS plus_di_14,
           features.value(vector, 30) AS minus_di_14,
           features.value(vector, 31) AS stochastic_k,
           features.value(vector, 32) AS stochastic_d,
           features.value(vector, 33) AS obv_slope_21,
           features.value(vector, 34) AS volume_z_21,
           features.value(vector, 35) AS dollar_volume_21,
           features.value(vector, 36) AS gap,
           features.value(vector, 37) AS intraday_range,
           features.value(vector, 38) AS high_252,
           features.value(vector, 39) AS low_252,
           features.value(vector, 40) AS high_21,
           features.value(vector, 41) AS low_21,
           features.value(vector, 42) AS drawdown_252,
           features.value(vector, 43) AS skew_63,
           features.value(vector, 44) AS kurtosis_63,
           features.value(vector, 45) AS autocorrelation_63,
           features.value(vector, 46) AS beta_63,
           features.value(vector, 47) AS correlation_63,
           features.value(vector, 48) AS relative_strength_63,
           features.value(vector, 49) AS symbol_regime,
           features.value(vector, 50) AS symbol_regime_confidence,
           features.value(vector, 51) AS market_breadth,
           features.value(vector, 52) AS market_regime,
           features.value(vector, 53) AS vix_level,
           features.value(vector, 54) AS day_of_week,
           features.value(vector, 55) AS month_turn
    FROM features.feature_store WHERE feature_set = 'standard-v1';
COMMENT ON VIEW features.standard_v1 IS 'The feature set standard-v1 with a column per feature (docs/guide/features.md has the formulas).';

-- Document C's conditions of a symbol. Prices are in the shares of the day, as traded then.
CREATE VIEW market.symbol_conditions AS
    WITH conditions AS (
        SELECT f.symbol, f.trading_day, b.open, b.high, b.low, b.close, b.volume,
               features.value(f.vector, 18) AS atr, features.value(f.vector, 17) AS rsi,
               features.value(f.vector, 19) AS ema_20, features.value(f.vector, 20) AS ema_50,
               features.value(f.vector, 23) AS percent, features.value(f.vector, 24) AS width,
               features.value(f.vector, 25) AS macd_line, features.value(f.vector, 26) AS macd_signal,
               features.value(f.vector, 10) AS volatility, features.value(f.vector, 53) AS vix,
               features.value(f.vector, 49) AS regime, features.value(f.vector, 50) AS confidence,
               features.value(f.vector, 47) AS correlation
        FROM features.feature_store f
        CROSS JOIN LATERAL (
            SELECT * FROM market.market_data m
            WHERE m.symbol = f.symbol AND m.trading_day = f.trading_day
              AND m.knowledge_time <= (f.trading_day + 1)::timestamp AT TIME ZONE 'UTC'
            ORDER BY m.knowledge_time DESC LIMIT 1) b
        WHERE f.feature_set = 'standard-v1'
    )
    SELECT symbol, trading_day, open, high, low, close, volume,
           close * atr AS atr_14, rsi AS rsi_14,
           close * exp(-ema_20) AS ema_20, close * exp(-ema_50) AS ema_50,
           close * (1 + width / 2) / (1 + width * (percent - 0.5)) AS bb_upper,
           close * (1 - width / 2) / (1 + width * (percent - 0.5)) AS bb_lower,
           close * macd_line AS macd_line, close * macd_signal AS macd_signal,
           volatility * sqrt(252::float8) AS volatility_20d, vix,
           (ARRAY['trending_up', 'trending_down', 'ranging', 'volatile'])[regime::integer + 1] AS detected_regime,
           confidence AS regime_confidence, correlation AS spy_correlation
    FROM conditions;
COMMENT ON VIEW market.symbol_conditions IS 'Indicators and regime of every symbol and day, as known at the end of the day.';
COMMENT ON COLUMN market.symbol_conditions.volatility_20d IS 'Deviation of 21 daily log returns, a year: times sqrt(252).';
COMMENT ON COLUMN market.symbol_conditions.regime_confidence IS 'Filtered probability of detected_regime: from the symbol''s past only.';
COMMENT ON COLUMN market.symbol_conditions.spy_correlation IS 'With the benchmark, over 63 sessions.';

CREATE VIEW features.v_current_importance AS
    SELECT i.* FROM features.feature_importance i JOIN (
        SELECT DISTINCT ON (a.model_id) a.model_id, a.artifact_id
        FROM models.model_artifacts a
        WHERE a.status = 'active'
          AND EXISTS (SELECT FROM features.feature_importance m WHERE m.measured_by = a.artifact_id)
        ORDER BY a.model_id, a.trained_through DESC, a.revision DESC
    ) newest ON newest.artifact_id = i.measured_by;
COMMENT ON VIEW features.v_current_importance IS 'What the newest fit in use that measured importances found, per version.';

GRANT SELECT ON ALL TABLES IN SCHEMA features, market TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA features, market TO predtrack_owner;
