"""What the plots of the accuracy stage show: the latest report as of a day, of one horizon."""

from __future__ import annotations

from predtrack_assets.warehouse.queries import Query

OUTCOMES = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind)
           model_id, kind, due_day, status, confidence, occurred, relative_error
    FROM forecasts.outcomes
    WHERE due_day BETWEEN :first AND :last AND horizon = :horizon AND event IS NOT NULL
      AND knowledge_time <= :as_of
    ORDER BY trading_day, symbol, model_id, kind, knowledge_time DESC
""")

SYMBOLS = Query("""
    SELECT symbol, model_id, kind, posterior_mean, posterior_low, posterior_high
    FROM accuracy.symbol_accuracy
    WHERE period = 'rolling_30d' AND horizon = :horizon AND period_end = (
        SELECT max(period_end) FROM accuracy.symbol_accuracy
        WHERE period = 'rolling_30d' AND period_end BETWEEN :first AND :last)
    ORDER BY symbol, model_id, kind
""")

SKILL = Query("""
    SELECT model_id, kind, period_end, skill, difference_low / mean_score_baseline AS low,
           difference_high / mean_score_baseline AS high
    FROM accuracy.performance_analytics
    WHERE period = 'rolling_30d' AND baseline = 'no_change' AND horizon = :horizon
      AND period_end BETWEEN :first AND :last AND mean_score_baseline > 0
      AND (kind, score) IN (('price', 'crps'), ('direction', 'brier'), ('time_to_hit', 'brier'),
                            ('volatility', 'qlike'))
    ORDER BY model_id, kind, period_end
""")
