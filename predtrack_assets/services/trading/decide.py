"""Writing decisions down: once decided, a day's signals and weights stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.services.trading.decision_days import SIGNALS, WEIGHTS, decision_days
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.trading import strategies as store

DAY = ["trading_day", "strategy_id"]


class Decided(NamedTuple):
    """Counts of both tables."""

    signals: Written
    weights: Written


def decide(
    transaction: Transaction, asked: Window, strategies: Sequence[Strategy], settings: Settings
) -> Decided:
    """Write the decisions of the trading days of `asked`; those that are stored stay.

    A stored day that would be decided otherwise now (a model predicted later, other code) counts
    as conflicting, and nothing is added to it.
    """
    for strategy in strategies:
        store.register_strategy(transaction, strategy)
    signals, weights = [pl.DataFrame(schema=SIGNALS)], [pl.DataFrame(schema=WEIGHTS)]
    for decision in decision_days(transaction, asked, strategies, settings):
        signals.append(decision.signal_rows)
        weights.append(decision.weight_rows)
        if decision.signals.trials:
            store.write_screen(
                transaction, decision.view.day, decision.strategy.strategy_id,
                decision.signals.trials, decision.signals.chosen,
            )  # fmt: skip
    span = {"first": asked.start, "last": asked.end}
    known = transaction.read(
        store.SIGNALS_OF, **span, strategies=[s.strategy_id for s in strategies]
    ).cast(SIGNALS)
    decided, wanted = pl.concat(signals), pl.concat(weights)
    there = known.select(DAY).unique()
    again = decided.join(there, on=DAY, how="semi")
    same = again.join(known, on=SIGNALS.names(), how="semi", nulls_equal=True)
    new = decided.join(there, on=DAY, how="anti")
    written = transaction.append(tables.TRADING_SIGNALS, new)
    written += Written(unchanged=len(same), conflicting=len(again) - len(same))
    chosen = wanted.join(there, on=DAY, how="anti")
    stored = len(wanted) - len(chosen)
    return Decided(
        written, transaction.append(tables.TARGET_WEIGHTS, chosen) + Written(unchanged=stored)
    )
