"""Models, symbols, kinds and horizons that a caller names: known ones, or a sentence that helps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.warehouse.accuracy.scoreboard import ROLES
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.queries import SYMBOLS

SHOWN = 12


def known_models(transaction: Transaction, asked: Sequence[str]) -> list[str]:
    """The registered models asked for. Raises ValueError for an unknown one."""
    known = transaction.read(ROLES)["model_id"].sort().to_list()
    return [known_name("model", name, known) for name in asked]


def known_symbol(transaction: Transaction, asked: str) -> str:
    """The registered symbol asked for. Raises ValueError for an unknown one."""
    return known_name("symbol", asked, transaction.read(SYMBOLS)["symbol"].sort().to_list())


def known_kind(asked: str) -> str:
    """The prediction kind asked for. Raises ValueError for an unknown one."""
    return known_name("kind", asked, list(KINDS))


def known_horizon(asked: int, horizons: Iterable[int]) -> int:
    """The horizon asked for, among those that have a record. Raises ValueError for another one."""
    known = sorted(set(horizons))
    if asked not in known:
        listed = ", ".join(map(str, known)) or "none"
        raise ValueError(f"no prediction is {asked} sessions ahead; known are {listed}")
    return asked


def known_name(what: str, asked: str, known: Sequence[str]) -> str:
    """The name, if it is one of `known`. Raises ValueError that proposes the nearest."""
    if asked in known:
        return asked
    lower = {name.lower(): name for name in known}
    near = get_close_matches(asked.lower(), list(lower), n=1, cutoff=0.5)
    started = [name for name in known if name.lower().startswith(asked.lower())]
    meant = started[:1] or [lower[name] for name in near]
    hint = f"; did you mean {meant[0]!r}?" if meant else ""
    listed = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    raise ValueError(f"there is no {what} {asked!r}{hint} Known are: {listed or 'none'}")
