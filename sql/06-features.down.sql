DROP VIEW market.symbol_conditions;
DROP SCHEMA features CASCADE;
