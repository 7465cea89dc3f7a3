-- Blocks of a twelfth of the window, up to 63 dates: rows depend on each other beyond the overlap of their outcomes.

CREATE OR REPLACE FUNCTION accuracy.effective_sample_size(hits bigint[], counts bigint[], horizon integer)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    WITH dates AS (
        SELECT k, hit::float8 AS hit, rows::float8 AS rows
        FROM unnest(hits, counts) WITH ORDINALITY AS d (hit, rows, k)
    ), totals AS (
        SELECT sum(hit) AS s, sum(rows) AS n, count(*)::float8 AS t, greatest(horizon, 1)::float8 AS h,
               greatest(horizon, least(63, count(*) / 12), 1)::float8 AS b FROM dates
    ), deviations AS (
        SELECT k, hit - s / n * rows AS u FROM dates, totals
    ), lags AS (
        SELECT lag, (1 - lag / t) * power(1 - 1 / b, lag) + lag / t * power(1 - 1 / b, t - lag) AS weight,
               greatest(1 - lag / h, 0) * (t - lag) AS overlap, CASE WHEN lag > 0 THEN 2 ELSE 1 END AS times,
               (SELECT sum(a.u * b.u) FROM deviations a JOIN deviations b ON b.k = a.k + lag) AS product
        FROM totals, generate_series(0, t::integer - 1) AS lag
    ), variances AS (
        SELECT s - s / n * s AS iid, sum(times * weight * product) AS block, sum(times * overlap) AS expected,
               sum(times * weight * overlap) - sum(weight) * sum(times * overlap) / t AS seen, n, t, h
        FROM lags, totals GROUP BY s, n, t, h
    ), sizes AS (
        SELECT n, n / least(h, t) AS most, CASE
                   WHEN iid <= 1e-12 * n OR t < 2 THEN t / h
                   ELSE iid * n * n / (n - 1) / nullif(greatest(block * expected / seen, 0), 0)
               END AS size
        FROM variances
    )
    SELECT coalesce((SELECT least(greatest(coalesce(size, most), 1), most) FROM sizes), 0)
$$;
COMMENT ON FUNCTION accuracy.effective_sample_size IS 'n_eff of a rate from hits and rows per due day, in order: closed form of the stationary block bootstrap, as in the stored reports.';
