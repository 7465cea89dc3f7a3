"""What is measured of the views: questions of a dashboard on as much as the demo stores."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

from benchmarks.lines import Line, Options, line
from benchmarks.sandbox import Sandbox
from benchmarks.views import VIEWS

NAMES = [f"view_{name}" for name in VIEWS]
LIMIT = 0.1  # seconds, document A's "queries < 100 ms"
DAYS = 2_800  # 6 symbols, 5 versions, 3 kinds, 3 horizons on each: 756,000 predictions

# day n of the benchmark, without weekends; the last is 2013-03-01, as the sample's
_DAYS = """
    CREATE TABLE bench_days AS
    SELECT row_number() OVER (ORDER BY d)::integer AS n, d::date AS day
    FROM generate_series(DATE '1990-01-01', DATE '2013-03-01', interval '1 day') d
    WHERE extract(isodow FROM d) < 6;
    DELETE FROM bench_days WHERE n <= (SELECT max(n) - {days} FROM bench_days);
    UPDATE bench_days SET n = n - (SELECT min(n) - 1 FROM bench_days);
    CREATE TABLE bench_cells AS
    SELECT 'bench-' || m AS model_id, kind, event, horizon
    FROM generate_series(1, 5) m, unnest('{{1,5,21}}'::smallint[]) horizon,
         (VALUES ('price', 'within_5pct'), ('direction', 'up'), ('time_to_hit', 'hit')) k (kind, event);
"""
_MARKET = """
    INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description, scope)
    SELECT DISTINCT model_id, model_id, 1, 'candidate', '{{price}}'::text[], 'x', 'pooled' FROM bench_cells;
    INSERT INTO market.symbols (symbol, exchange, asset_class, source)
    SELECT 'SIM' || s, 'XNYS', 'stock', 'bench' FROM generate_series(1, 6) s;
    INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,
        source, knowledge_time)
    SELECT symbol, day, 1, 1, 1, 1, 1, 'good', 'bench', (day + 1)::timestamp AT TIME ZONE 'UTC'
    FROM market.symbols, bench_days ORDER BY 1, 2;
"""
# those of the last days fall due after the last bar; what is due on that day waits for its outcome
_PREDICTIONS = """
    INSERT INTO forecasts.predictions (model_id, kind, symbol, trading_day, as_of, horizon, due_day,
        event, confidence, reference_price, sigma, climatology, predicted_price, q50, target_price,
        side, hit_rule, predicted_days, feature_digest, due_at, earliest_resolution_time, origin)
    SELECT c.model_id, c.kind, s.symbol, d.day, (d.day + 1)::timestamp AT TIME ZONE 'UTC', c.horizon,
           coalesce(e.day, d.day + c.horizon * 7 / 5 + 2), c.event, random(), 100, 0.02, 0.5,
           CASE c.kind WHEN 'price' THEN 100 END, CASE c.kind WHEN 'price' THEN 0 END,
           CASE c.kind WHEN 'time_to_hit' THEN 105 END, CASE c.kind WHEN 'time_to_hit' THEN 'above' END,
           CASE c.kind WHEN 'time_to_hit' THEN 'touch' END, CASE c.kind WHEN 'time_to_hit' THEN 1 END,
           1, (coalesce(e.day, d.day + c.horizon * 7 / 5 + 2) + 1)::timestamp AT TIME ZONE 'UTC',
           (d.day + 1)::timestamp AT TIME ZONE 'UTC', 'replay'
    FROM bench_days d CROSS JOIN bench_cells c CROSS JOIN market.symbols s
    LEFT JOIN bench_days e ON e.n = d.n + c.horizon
    ORDER BY d.n, s.symbol, c.model_id, c.kind, c.horizon;
    INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of, due_day,
        resolved_day, status, confidence, occurred, brier, knowledge_time)
    SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, due_day, 'validated',
           confidence, random() < confidence, 0.25, (due_day + 1)::timestamp AT TIME ZONE 'UTC'
    FROM forecasts.predictions WHERE due_day < (SELECT max(day) FROM bench_days)
    ORDER BY due_day, trading_day, symbol, model_id, kind, horizon;
"""
_REPORTS = """
    INSERT INTO accuracy.day_sums (known_day, due_day, model_id, kind, event, horizon, market_regime,
        origin, due, validated, expired, scored, hits, correct_calls, confidence, residual,
        squared_residual, bucket_5_n, bucket_5_hits, bucket_5_confidence, brier_no_change_n,
        brier_no_change_loss, brier_no_change_loss_baseline, brier_no_change_squares,
        brier_climatology_n, brier_climatology_loss, brier_climatology_loss_baseline,
        brier_climatology_squares)
    SELECT day, day, model_id, kind, event, horizon, 'bull', 'replay', 6, 6, 0, 6, 3, 3, 3.3, -0.3, 1.5, 6, 3,
           3.3, 6, 1.5, 1.6, 0.1, 6, 1.5, 1.6, 0.1
    FROM bench_days, bench_cells ORDER BY day, model_id, kind, horizon;
    INSERT INTO accuracy.calibration_summary (model_id, kind, event, horizon, period, period_start,
        period_end, n, n_eff, due, expired, ece, calibration_quality)
    SELECT model_id, kind, event, horizon, period, day, day, 126, 60, 126, 0, 0.1, 'insufficient_data'
    FROM bench_days, bench_cells, unnest('{{weekly,rolling_30d}}'::text[]) period
    WHERE extract(isodow FROM day) = 5
    ORDER BY period, n / 250, model_id, kind, event, horizon, day;
    INSERT INTO accuracy.symbol_accuracy (symbol, model_id, kind, event, horizon, period, period_start,
        period_end, total_predictions, accurate_predictions, accuracy_rate, n_eff, posterior_mean,
        posterior_low, posterior_high, p_below_threshold, avg_confidence, needs_retraining, buy_count,
        buy_right, buy_accuracy, sell_count, sell_right, sell_accuracy, hold_count, hold_right,
        hold_accuracy)
    SELECT symbol, model_id, c.kind, event, horizon, period, day, day, 21, 10, 0.5, 21, 0.5, 0.4, 0.6,
           0.5, 0.6, true, 7, 3, 0.4, 7, 3, 0.4, 7, 3, 0.4
    FROM bench_days, bench_cells c, market.symbols, unnest('{{monthly,rolling_30d}}'::text[]) period
    WHERE extract(isodow FROM day) = 5
    ORDER BY period, n / 250, symbol, model_id, c.kind, event, horizon, day;
    INSERT INTO deployment.deployment_gates (model_id, kind, horizon, as_of_day, gate_status, accuracy,
        trial_count, criteria, thresholds, failure_reasons)
    SELECT model_id, kind, horizon, day, 'failed', 0.5, 1,
           jsonb_build_object('text', repeat('criterion ', 100)), '{{}}', '{{x}}'
    FROM bench_days, bench_cells
    WHERE extract(isodow FROM day) = 5 AND kind = 'price' AND model_id <> 'bench-5';
    DROP TABLE bench_days, bench_cells;
"""


def view_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """One line per view, its limit being 100 ms."""
    names = [name for name in VIEWS if options.wanted(f"view_{name}")]
    if not names:
        return
    days = max(60, round(DAYS * options.scale))
    options.say(f"views: {days:,} days of 270 predictions, and the reports on them")
    database = box.database("views")
    with database.connect() as connection:
        _fill(connection, days)
        sizes = _sizes(connection)
    options.say("views: questions")
    done = database.step("views", names=names)
    for name, found in done["views"].items():
        more: Line = {"limit_unit": "s", **sizes}
        yield line(f"view_{name}", **found, limit=LIMIT, peak_mb=done["peak_mb"], **more)


def _fill(connection: psycopg.Connection, days: int) -> None:
    """Predictions, outcomes, reports and gates of so many days, written in the order of the assets."""
    for statements in (_DAYS, _MARKET, _PREDICTIONS, _REPORTS):
        text = sql.SQL(statements).format(days=sql.Literal(days))
        for statement in text.as_string(connection).split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())
    connection.execute("VACUUM (ANALYZE)")


def _sizes(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of the two largest tables."""
    tables = {"predictions": "forecasts.predictions", "reports": "accuracy.symbol_accuracy"}
    found = {}
    for name, table in tables.items():
        counted = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))
        row = connection.execute(counted).fetchone()
        found[name] = row[0] if row else 0
    return found
