"""Strategies: their versions, their signals and target weights; what was decided stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.trading.books import BookConflict, rules_json

_REGISTER = Query("""
    INSERT INTO trading.strategies (strategy_id, name, version, family, description, parameters,
        universe, allocation, rebalance, band, execution, capital, currency)
    VALUES (:strategy_id, :name, :version, :family, :description, (:parameters)::text::jsonb,
        :universe, :allocation, :rebalance, (:band)::text::numeric, (:execution)::text::jsonb,
        (:capital)::text::numeric, :currency)
    ON CONFLICT (strategy_id) DO NOTHING RETURNING strategy_id
""")
_DIFFERENT = Query("""
    SELECT array_to_string(ARRAY[
        CASE WHEN family <> :family THEN 'signals' END,
        CASE WHEN parameters <> (:parameters)::text::jsonb THEN 'parameters' END,
        CASE WHEN universe <> :universe THEN 'universe' END,
        CASE WHEN allocation <> :allocation THEN 'allocation' END,
        CASE WHEN rebalance <> :rebalance THEN 'rebalance' END,
        CASE WHEN band <> (:band)::text::numeric THEN 'band' END,
        CASE WHEN execution <> (:execution)::text::jsonb THEN 'execution' END,
        CASE WHEN capital <> (:capital)::text::numeric OR currency <> :currency THEN 'capital' END
    ], ', ') AS what FROM trading.strategies WHERE strategy_id = :strategy_id
""")
_SCREEN = Query("""
    INSERT INTO trading.screens (trading_day, strategy_id, trials, chosen)
    VALUES (:day, :strategy_id, :trials, (:chosen)::text::jsonb)
    ON CONFLICT (trading_day, strategy_id) DO NOTHING RETURNING trading_day
""")
FIRST_DECISIONS = Query("""
    SELECT strategy_id, min(trading_day) AS first FROM trading.signals GROUP BY strategy_id
""")
SIGNALS_OF = Query("""
    SELECT trading_day, strategy_id, symbol, score, direction, probability FROM trading.signals
    WHERE trading_day BETWEEN :first AND :last AND strategy_id = ANY(:strategies)
    ORDER BY trading_day, strategy_id, symbol
""")
WEIGHTS_OF = Query("""
    SELECT trading_day, strategy_id, symbol, weight::text AS weight
    FROM trading.signals s LEFT JOIN trading.target_weights w USING (trading_day, strategy_id, symbol)
    WHERE trading_day BETWEEN :first AND :last AND strategy_id = ANY(:strategies)
    ORDER BY trading_day, strategy_id, symbol
""")
FORECASTS_OF = Query("""
    SELECT trading_day, symbol, model_id, kind, horizon, confidence, q50, sigma
    FROM forecasts.predictions
    WHERE trading_day = ANY(:days::date[]) AND kind = ANY(:kinds::text[]) AND horizon = ANY(:horizons::int[])
      AND horizon_unit = 'session'
    ORDER BY trading_day, symbol, model_id, kind, horizon
""")
CHAMPIONS_OF = Query("""
    SELECT day, kind, horizon, (deployment.champion_at(kind, 'h' || horizon,
               (day + 1)::timestamp AT TIME ZONE 'UTC')).model_id AS model_id
    FROM unnest(:days::date[]) AS days (day), unnest(:kinds::text[]) AS kinds (kind),
         unnest(:horizons::int[]) AS horizons (horizon)
""")


def register_strategy(transaction: Transaction, strategy: Strategy) -> None:
    """Store a strategy version. Raises BookConflict where it is stored with other terms."""
    execution = json.loads(rules_json(strategy.rules))
    terms = {
        "strategy_id": strategy.strategy_id,
        "family": strategy.family,
        "parameters": json.dumps(dict(strategy.parameters), sort_keys=True),
        "universe": strategy.universe,
        "allocation": strategy.allocation,
        "rebalance": strategy.rebalance,
        "band": str(strategy.band),
        "execution": json.dumps(execution, sort_keys=True),
        "capital": str(strategy.capital),
        "currency": strategy.currency,
    }
    about = {
        "name": strategy.name,
        "version": strategy.version,
        "description": strategy.description,
    }
    if transaction.read(_REGISTER, **terms, **about).height:
        return
    if what := transaction.read(_DIFFERENT, **terms).item():
        raise BookConflict(
            f"strategy {strategy.strategy_id} is stored with another {what}; give it a new version"
        )


def write_screen(
    transaction: Transaction, day: date, strategy_id: str, trials: int, chosen: Sequence[str]
) -> None:
    """Store how many candidates a strategy tested on a day, and what it chose."""
    found = json.dumps(list(chosen))
    transaction.read(_SCREEN, day=day, strategy_id=strategy_id, trials=trials, chosen=found)
