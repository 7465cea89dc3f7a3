"""When a book rebalances, and the orders that target weights become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.trading.execution.orders import OrderRequest
from predtrack_assets.domain.trading.holdings.money import ZERO


def rebalancing_days(days: Days, following: Days, first: date, rebalance: str) -> NDArray[np.bool_]:
    """Which of `days` (datetime64[D]) a book that begins on `first` decides on.

    following: the trading day after each. weekly, monthly: the last trading day of the ISO week or
    month; every book decides on its first day too, and with `once` on no other.
    """
    begins = days == np.datetime64(first)
    if rebalance == "once":
        return begins
    if rebalance == "daily":
        return days >= np.datetime64(first)
    unit, shift = ("W", 3) if rebalance == "weekly" else ("M", 0)  # numpy's weeks begin on Thursday
    step = np.timedelta64(shift, "D")
    period = (days + step).astype(f"datetime64[{unit}]")
    ends = period != (following + step).astype(f"datetime64[{unit}]")
    return begins | ends


def target_orders(
    day: date, weights: Mapping[str, Decimal], held: Iterable[str], band: Decimal
) -> tuple[OrderRequest, ...]:
    """Requests decided at 24:00 UTC of the day: what is held and not wanted goes, sorted by symbol.

    band: share of equity below which a change is left out; an exit never is.
    """
    decided = datetime.combine(day + timedelta(days=1), time(0), UTC)
    wanted = {symbol: weight for symbol, weight in weights.items() if weight}
    return tuple(
        OrderRequest(decided, symbol, None, None, wanted.get(symbol, ZERO), band=band)
        for symbol in sorted({*wanted, *held})
    )
