CREATE OR REPLACE FUNCTION accuracy.calculate_ece(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, lookback_days integer DEFAULT 30,
    known_at timestamptz DEFAULT now())
RETURNS TABLE (ece double precision, total_predictions bigint, n_eff double precision,
               rms_calibration_error double precision, rms_calibration_upper double precision,
               calibration_quality text)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    WITH span AS (
        SELECT ((known_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS last
    ), known AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol) o.due_day, o.status, o.confidence AS p, o.occurred::integer AS y
        FROM forecasts.outcomes o, span
        WHERE o.model_id = of_model AND o.kind = of_kind AND o.horizon = of_horizon AND o.event IS NOT NULL
          AND o.due_day BETWEEN last - (lookback_days - 1) AND last AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.knowledge_time DESC
    ), rows AS MATERIALIZED (
        SELECT due_day, p, y FROM known WHERE status = 'validated'
    ), per_date AS (
        SELECT due_day, sum(y) AS hits, count(*) AS rows FROM rows GROUP BY due_day
    ), sizes AS MATERIALIZED (
        SELECT coalesce(sum(rows), 0)::float8 AS n,
               accuracy.effective_sample_size(array_agg(hits ORDER BY due_day), array_agg(rows ORDER BY due_day),
                                              of_horizon) AS worth
        FROM per_date
    ), bucket_errors AS (
        SELECT abs(sum(p) - sum(y)) AS error FROM rows
        GROUP BY width_bucket(p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])
    ), ordered AS (  -- last_tie: place from 0 of the last row of the same probability
        SELECT p, y, count(*) OVER (ORDER BY p) - 1 AS last_tie FROM rows
    ), buckets AS (  -- of equal mass: a boundary within ties moves before all of them
        SELECT count(*)::float8 AS m, avg(y::float8) AS rate, avg(p) AS said
        FROM ordered, sizes
        GROUP BY (SELECT count(*) FROM generate_series(1, least(greatest(floor(worth / 10), 1), 10)::integer - 1) AS b
                  WHERE b * n::bigint / least(greatest(floor(worth / 10), 1), 10)::bigint <= last_tie)
    ), measured AS (
        SELECT m / n AS weight, m * worth / n AS effective, rate, said FROM buckets, sizes
    ), moments AS (
        SELECT sum(weight * ((rate - said) ^ 2 - rate * (1 - rate) / greatest(effective - 1, 1))) AS squared,
               sum(weight ^ 2 * variance) AS a, sum((weight * variance) ^ 2) AS c, 1.2815515655446004::float8 ^ 2 AS z2
        FROM measured, LATERAL (SELECT (rate * effective + 2) / (effective + 4) AS smooth) s,
             LATERAL (SELECT smooth * (1 - smooth) / effective AS variance) v
    ), bound AS (
        SELECT sqrt(greatest(squared, 0)) AS rms, sqrt(least(centre + sqrt(
                   centre ^ 2 - greatest(squared, 0) ^ 2 + 2 * c * z2), 1)) AS upper
        FROM moments, LATERAL (SELECT greatest(squared, 0) + 2 * a * z2 AS centre) m
        WHERE squared IS NOT NULL
    )
    SELECT (SELECT sum(error) / n FROM bucket_errors), n::bigint, worth, rms, upper,
           CASE WHEN worth >= 100 THEN
               CASE WHEN upper < 0.05 THEN 'good' WHEN upper < 0.10 THEN 'moderate' ELSE 'poor' END
           ELSE 'insufficient_data' END
    FROM sizes LEFT JOIN bound ON true
$$;

DROP FUNCTION accuracy.effective_sample_size(double precision[], bigint[], integer, double precision);
