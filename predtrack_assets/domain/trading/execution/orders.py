"""Orders: what is asked for, what was accepted, and what happened to it."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from predtrack_assets.domain.trading.holdings.money import ZERO

Side = Literal["buy", "sell"]
OrderKind = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["opg", "day", "gtc"]
EventKind = Literal[
    "accepted", "rejected", "partially_filled", "filled", "cancelled", "expired", "split_adjusted"
]
FINAL = frozenset({"rejected", "filled", "cancelled", "expired"})


class OrderRequest(NamedTuple):
    """An order as it is asked for: either a quantity with a side, or a target weight.

    decided_at: aware, UTC; nothing known later served the decision. weight: share of equity that
    the symbol shall have afterwards, negative for a short; the side then follows from it.
    reduce_only: it closes a position and never opens one; without a position it waits.
    not_before: first day whose bar may fill it. band: share of equity below which a change toward a
    weight is left out, unless it is an exit.
    """

    decided_at: datetime
    symbol: str
    side: Side | None
    quantity: Decimal | None
    weight: Decimal | None = None
    kind: OrderKind = "market"
    limit: Decimal | None = None
    stop: Decimal | None = None
    tif: TimeInForce = "gtc"
    oco_group: str | None = None
    reduce_only: bool = False
    tag: str = ""
    not_before: date | None = None
    band: Decimal = ZERO


class Order(NamedTuple):
    """An order with its terms as they are now: a split changes quantity, limit and stop."""

    order_id: str  # hex of 128 bits
    n: int  # of the orders decided at once in one symbol
    decided_at: datetime
    symbol: str
    side: Side
    quantity: Decimal
    kind: OrderKind
    limit: Decimal | None
    stop: Decimal | None
    tif: TimeInForce
    oco_group: str | None
    reduce_only: bool
    tag: str
    not_before: date | None


class OpenOrder(NamedTuple):
    """An order that is not final yet."""

    order: Order
    filled: Decimal = ZERO
    triggered: bool = False  # a stop whose price was reached
    events: int = 1
    fills: int = 0


class OrderEvent(NamedTuple):
    """What happened to an order on a day; quantity, limit and stop of `split_adjusted` are new."""

    order_id: str
    n: int
    trading_day: date
    event: EventKind
    reason: str = ""
    quantity: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None


class Fill(NamedTuple):
    """An execution. price is after slippage, raw_price the bar's; amount and fee in cents."""

    order_id: str
    n: int
    trading_day: date
    filled_at: datetime  # the open of the bar, the first moment at which it can have been
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    raw_price: Decimal
    slippage: Decimal  # money, >= 0 against us
    amount: Decimal
    fee: Decimal
    as_of: datetime  # of the decision
    bar_known: datetime  # knowledge time of the bar
    rule: str


def order_id_of(book: str, decided_at: datetime, symbol: str, n: int) -> str:
    """The same order has the same id in every rerun: md5 of what identifies it, 32 hex digits."""
    text = f"{book}|{decided_at.isoformat()}|{symbol}|{n}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
