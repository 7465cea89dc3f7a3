"""Snapshots of books: what a book needs to go on, after its last day and the last one of each year."""

from __future__ import annotations

import json
from datetime import date

from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.snapshot import state_as_plain, state_from_plain
from predtrack_assets.domain.trading.state import BookState
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.trading.books import BookConflict

_NEWEST = Query("""
    SELECT s.state::text AS state, p.equity::text AS equity, encode(p.digest, 'hex') AS digest
    FROM trading.snapshots s JOIN trading.portfolio_state p USING (book, trading_day)
    WHERE s.book = :book AND s.trading_day < :before ORDER BY s.trading_day DESC LIMIT 1
""")
_WRITE = Query("""
    INSERT INTO trading.snapshots (book, trading_day, state)
    SELECT book, trading_day, (:state)::text::jsonb FROM trading.portfolio_state
    WHERE book = :book AND trading_day = :day
    ON CONFLICT (book, trading_day) DO NOTHING RETURNING trading_day
""")
_THIN = Query("""
    DELETE FROM trading.snapshots s USING trading.portfolio_state next
    WHERE s.book = :book AND next.book = s.book
      AND next.trading_day = (SELECT min(n.trading_day) FROM trading.portfolio_state n
                              WHERE n.book = s.book AND n.trading_day > s.trading_day)
      AND date_trunc('year', s.trading_day) = date_trunc('year', next.trading_day)
    RETURNING s.trading_day
""")


def write_snapshot(transaction: Transaction, state: BookState) -> None:
    """Store a state whose day is stored; only those of the last day of all and of each year stay."""
    assert state.day is not None
    plain = json.dumps(state_as_plain(state), allow_nan=False)
    transaction.read(_WRITE, book=state.book, day=state.day, state=plain)
    transaction.read(_THIN, book=state.book)


def read_snapshot(
    transaction: Transaction, book: str, rules: ExecutionRules, before: date
) -> BookState | None:
    """The newest state of a book from before a day, None where there is none.

    Raises BookConflict where it is not what the book's own day says.
    """
    found = transaction.read(_NEWEST, book=book, before=before)
    if found.is_empty():
        return None
    text, equity, digest = found.row(0)
    state = state_from_plain(json.loads(text), rules)
    if (str(state.equity), state.digest) != (equity, digest):
        raise BookConflict(
            f"the snapshot of book {book!r} of {state.day} is not the state of that day; delete it"
            " from trading.snapshots, and the book is continued from the one before"
        )
    return state
