"""Fills that a corrected bar makes impossible: written down, never rewritten."""

from __future__ import annotations

from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.corporate_history import newest_first
from predtrack_assets.domain.trading.holdings.money import ZERO, exact_price


def note_corrections(work: Working) -> None:
    """A journal entry `correction`, without cash or shares, for each fill outside its bar's new range.

    The fill was possible by the bar that was known; whoever reads the result shall know that it was
    not by the bar that is known now. The entry's source is the fill's.
    """
    for revised in work.market.revisions:
        low, high = exact_price(revised.low), exact_price(revised.high)
        for event in newest_first(work.history.get(revised.symbol)):
            if event.day < revised.day:
                break
            if event.day > revised.day:
                continue
            if event.kind == "trade" and event.price and not low <= event.price <= high:
                work.post("correction", revised.symbol, ZERO, ZERO, event.source)
