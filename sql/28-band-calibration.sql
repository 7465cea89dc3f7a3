-- The second event of a price, scaled by volatility: calibration of p_within_band, month by month.

CREATE FUNCTION accuracy.band_calibration(of_model text, known_at timestamptz DEFAULT now())
RETURNS TABLE (model_id text, horizon smallint, period_start date, n bigint, n_eff double precision,
               mean_confidence double precision, event_rate double precision, event_low double precision,
               event_high double precision, ece double precision, brier double precision,
               brier_no_change double precision, skill_vs_no_change double precision)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    WITH outcomes AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol, o.horizon)
               o.trading_day, o.symbol, o.horizon, o.due_day, o.status, o.within_band::integer AS y
        FROM forecasts.outcomes o
        WHERE o.model_id = of_model AND o.kind = 'price' AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.horizon, o.knowledge_time DESC
    ), scored AS (
        SELECT o.horizon, date_trunc('month', o.due_day)::date AS month, o.due_day, o.y,
               p.p_within_band AS p, b.p_within_band AS p_no_change
        FROM outcomes o
        JOIN forecasts.predictions p
            ON (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon)
             = (o.trading_day, o.symbol, of_model, 'price', o.horizon)
        LEFT JOIN forecasts.predictions b
            ON (b.trading_day, b.symbol, b.model_id, b.kind, b.horizon)
             = (o.trading_day, o.symbol, 'no_change', 'price', o.horizon)
        WHERE o.status = 'validated' AND o.y IS NOT NULL AND p.p_within_band IS NOT NULL
    ), worth AS (
        SELECT d.horizon, d.month,
               accuracy.effective_sample_size(
                   array_agg(d.hits ORDER BY d.due_day), array_agg(d.rows ORDER BY d.due_day), d.horizon) AS n_eff
        FROM (SELECT s.horizon, s.month, s.due_day, sum(s.y) AS hits, count(*) AS rows
              FROM scored s GROUP BY s.horizon, s.month, s.due_day) d
        GROUP BY d.horizon, d.month
    ), gaps AS (
        SELECT g.horizon, g.month, sum(abs(g.gap)) AS gap
        FROM (SELECT s.horizon, s.month, sum(s.p) - sum(s.y) AS gap FROM scored s
              GROUP BY s.horizon, s.month,
                       width_bucket(s.p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])) g
        GROUP BY g.horizon, g.month
    ), months AS (
        SELECT s.horizon, s.month, count(*) AS n, avg(s.p) AS said, avg(s.y::float8) AS rate,
               avg((s.p - s.y) ^ 2) AS brier,
               avg((s.p - s.y) ^ 2) FILTER (WHERE s.p_no_change IS NOT NULL) AS brier_beside,
               avg((s.p_no_change - s.y) ^ 2) AS no_change
        FROM scored s GROUP BY s.horizon, s.month
    )
    SELECT of_model, m.horizon, m.month, m.n, w.n_eff, m.said, m.rate, bounds.low, bounds.high, g.gap / m.n, m.brier,
           m.no_change, 1 - m.brier_beside / nullif(m.no_change, 0)
    FROM months m
    JOIN worth w USING (horizon, month)
    JOIN gaps g USING (horizon, month)
    CROSS JOIN LATERAL accuracy.wilson(m.rate, w.n_eff) bounds
    ORDER BY m.horizon, m.month
$$;
COMMENT ON FUNCTION accuracy.band_calibration IS 'How well p_within_band (the price ends within sigma sqrt(h) of the forecast median) of one model was calibrated, by month of the due day, from outcomes as they were known at a moment. Raises for an unknown model.';
