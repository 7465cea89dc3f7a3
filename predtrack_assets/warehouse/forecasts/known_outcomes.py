"""Outcomes as they were known at a moment: the columns that a report asks for, and no others.

Rows come as they lie in the database and are put in order here: by whole numbers that is cheaper
than by the text of the key, and what has been revised then lies side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import polars as pl
from psycopg import sql

from predtrack_assets.domain.accuracy.report_windows import CELL, IDENTITY
from predtrack_assets.domain.numerics.row_order import places
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction

KEY = [*CELL, "due_day", *IDENTITY]
# Calendar days from a decision to its due day at most (CHECK due_day_fits_the_horizon). The table may
# be cut by decision day (TimescaleDB): the bound leaves its other chunks unread.
LONGEST = 252 * 3 // 2 + 14


def known_outcomes(
    transaction: Transaction,
    first: date,
    last: date,
    as_of: datetime,
    columns: Sequence[str],
    kinds: Sequence[str] | None = None,
    *,
    on_time: bool = False,
) -> pl.DataFrame:
    """The latest revisions of outcomes due in [first, last] as known at `as_of`, sorted by KEY.

    KEY and the named columns of forecasts.outcomes; text as Enum of the values that occur, in their
    order. kinds: those of one of these kinds only. on_time: as they were known at the end of their due
    day, without what came later.
    """
    query = _query(columns, kinds, on_time)
    rows = transaction.read_copied(query, first=first, last=last, as_of=as_of)
    text = [name for name, kind in rows.schema.items() if kind == pl.String]
    rows = rows.with_columns(
        rows[name].cast(pl.Enum(rows[name].unique().drop_nulls().sort())) for name in text
    )
    return _latest(rows)


def _query(columns: Sequence[str], kinds: Sequence[str] | None, on_time: bool) -> Query:
    wanted = [*KEY, *columns, "knowledge_time"]
    template = """
        SELECT {columns} FROM forecasts.outcomes
        WHERE due_day BETWEEN :first AND :last AND knowledge_time <= :as_of
          AND trading_day BETWEEN :first::date - {reach} AND :last::date
          AND horizon_unit = 'session'"""
    if on_time:
        template += " AND resolved_day <= due_day"
    if kinds is not None:
        template += " AND kind IN ({kinds})"
    return Query(
        sql.SQL(template)
        .format(
            columns=sql.SQL(", ").join(map(sql.Identifier, wanted)),
            reach=sql.Literal(LONGEST),
            kinds=sql.SQL(", ").join(map(sql.Literal, kinds or ())),
        )
        .as_string()
    )


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each key the row known last, sorted by key."""
    place = places(rows, KEY)
    order = np.argsort(place, kind="stable")
    if (np.diff(place[order]) == 0).any():
        known = rows["knowledge_time"].to_physical().to_numpy()
        order = np.lexsort((known, place))
        order = order[np.diff(place[order], append=-1) != 0]
    return rows.drop("knowledge_time")[order]
