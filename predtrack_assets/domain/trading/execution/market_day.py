"""What a book sees of one day: sessions, bars as traded, corporate actions, orders asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from predtrack_assets.domain.trading.execution.orders import OrderRequest
from predtrack_assets.domain.trading.execution.slippage import Liquidity

ActionKind = Literal["split", "dividend", "delisting"]


class Session(NamedTuple):
    """One exchange's trading of a day; opens_at and known_at are aware, UTC."""

    exchange: str
    opens_at: datetime
    known_at: datetime  # the first moment at which its bars could be used


class Bar(NamedTuple):
    """Prices of a session as traded, finite and positive; volume in shares, 0 where none traded."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    session: Session


class Action(NamedTuple):
    """A corporate action as it is known now; the same symbol, ex_date and kind is a revision.

    value: split: new shares per old, a Fraction; dividend: cash a share as traded on the ex-date,
    after that day's split; delisting: cash a share paid after the last day ex_date, or None.
    ex_open: open of the ex-date as traded, None where it is not known.
    """

    symbol: str
    ex_date: date
    kind: ActionKind
    value: Fraction | Decimal | None
    ex_open: float | None = None


class Revision(NamedTuple):
    """A correction of a past day's bar, as traded: its low and high as they are known now."""

    symbol: str
    day: date
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Day:
    """The inputs of one step: everything known at 24:00 UTC of the day, and nothing later.

    bars: of the symbols that are held or ordered, at least. actions: those that became known, or
    were revised, since the day before; they may lie ahead or behind. orders: asked for after the
    day's sessions closed. jumps: symbols whose bar moved as if split, with no split known;
    confirmed: whose jump was real after all. foreign: symbols of another currency than the book's.
    revisions: past bars of which another high and low became known since the day before.
    """

    day: date
    sessions: Mapping[str, Session]
    bars: Mapping[str, Bar]
    actions: Sequence[Action] = ()
    orders: Sequence[OrderRequest] = ()
    listings: Mapping[str, str] = field(default_factory=dict)
    liquidity: Mapping[str, Liquidity] = field(default_factory=dict)
    jumps: frozenset[str] = frozenset()
    confirmed: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    revisions: Sequence[Revision] = ()

    def session_of(self, symbol: str) -> Session | None:
        """The session in which the symbol could trade on this day, None where it was closed."""
        bar = self.bars.get(symbol)
        if bar is not None:
            return bar.session
        return self.sessions.get(self.listings.get(symbol, ""))
