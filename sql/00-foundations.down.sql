-- The roles stay, for other databases of the server may use them.
DROP FUNCTION forecasts.refuse_rewrite, market.is_probability, market.is_finite, market.is_price;
DROP SCHEMA audit, deployment, accuracy, forecasts, models, features, market;
