"""Typed rows of a price file: a trading day and numbers, or the cell that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from predtrack_assets.domain.market.bars import REJECTS
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.file.columns import NUMBERS
from predtrack_assets.sources.file.dates import (
    ORDERS,
    Reading,
    Triple,
    day_of,
    decide_order,
    read_date,
    readings,
)
from predtrack_assets.sources.file.numbers import (
    MISSING,
    STYLES,
    Style,
    decide_style,
    read_number,
    value_of,
)
from predtrack_assets.sources.file.table import ROW, SURPLUS, Table

MAX_REFUSED = 1_000_000
_STOOQ_SUFFIXES = {"US": "", "UK": ".L", "JP": ".T"}
_GROUPED = r"^\d{1,3}(\.\d{3})+$"

_POINT = "has a decimal point"

ExchangeOf = Callable[[str], str | None]


@dataclass
class Spelling:
    """How the cells of a file are to be read, decided from all of it.

    days: each text of the date column with its reading; None: the column holds dates or times.
    orders: of its triples of numbers, see `decide_order`; style: of its numbers.
    odd: role to the cells that are no plain numbers, with their values.
    plain_symbols: whether symbols are taken as they stand.
    """

    days: dict[str, Reading | None] | None = None
    orders: tuple[str, ...] = ()
    style: Style | None = None
    plain_symbols: bool = False
    odd: dict[str, dict[str, float | None]] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)  # of the symbols whose dates are moments

    def day(self, text: str, zone: str | None) -> date | None:
        """The trading day that a text of the date column means for a symbol of a time zone."""
        reading = (self.days or {}).get(text)
        if isinstance(reading, Triple):
            possible = readings(reading, self.orders)
            return possible.pop() if len(possible) == 1 else None
        local = _local(zone) if zone else None
        return None if reading is None else day_of(reading, local)

    def described(self, role: str) -> str:
        """How the cells of a role are read, where it is not plain."""
        if role == "date" and self.days is not None:
            return ", ".join(self._date_spellings())
        if self.style == "comma" and role in NUMBERS:
            return "decimal comma"
        read = [value for value in self.odd.get(role, {}).values() if value is not None]
        return "thousands separators or units" if read else ""

    def _date_spellings(self) -> Iterator[str]:
        kinds = {type(reading) for reading in (self.days or {}).values()}
        if Triple in kinds:
            orders = " or ".join(ORDERS[order] for order in self.orders)
            decided = {0: "in orders that contradict each other", 1: orders}
            yield decided.get(len(self.orders), f"{orders}: not decided")
        if datetime in kinds:
            yield "moments, read where the symbol trades"
        if type(None) in kinds:
            yield "some are no dates"

    @property
    def has_moments(self) -> bool:
        """Whether some text of the date column is a moment."""
        return any(isinstance(reading, datetime) for reading in (self.days or {}).values())


@lru_cache
def _local(zone: str) -> Callable[[datetime], date]:
    place = ZoneInfo(zone)
    return lambda moment: moment.astimezone(place).date()


def learn_spelling(table: Table, path: Path, exchange_of: ExchangeOf, today: date) -> Spelling:
    """Look once at every symbol, every date and every odd number of the file."""
    schema = table.rows.collect_schema()
    dtype = schema["date"]
    spelled = _is_text(dtype) or dtype.is_integer()
    if not spelled and (not dtype.is_temporal() or isinstance(dtype, pl.Time | pl.Duration)):
        raise SourceError(f"{path}: the column date is {dtype}; it needs dates or ISO 8601 text")
    texts = [c for c in NUMBERS if _is_text(schema.get(c))]
    looks = [
        pl.col(c).cast(pl.String).unique().drop_nulls() for c in ("symbol", "date")[: 1 + spelled]
    ]
    looks += [pl.col(c).filter(_odd(c)).unique() for c in texts]
    found = table.rows.select(
        *(look.implode() for look in looks), _has_decimal_point(texts)
    ).collect()
    distinct: dict[str, list[str]] = {c: found[c][0].to_list() for c in found.columns[:-1]}
    spelling = Spelling()
    if spelled:
        spelling.days = {text: read_date(text) for text in distinct["date"]}
        spelling.orders = _orders(table, spelling.days, exchange_of, today)
    symbols = distinct["symbol"]
    spelling.plain_symbols = not table.columns.stooq and not any(
        not s or "\0" in s for s in symbols
    )
    if spelling.has_moments or getattr(dtype, "time_zone", None):
        exchanges = {symbol: exchange_of(symbol) for symbol in symbols}
        spelling.zones = {
            s: calendar(exchange).zone for s, exchange in exchanges.items() if exchange
        }
    every = {text.strip() for c in texts for text in distinct[c]}
    spelling.style = decide_style(every, points_are_decimal=bool(found[_POINT][0]))
    spelling.odd = {c: {t: value_of(t, spelling.style) for t in distinct[c]} for c in texts}
    return spelling


def _has_decimal_point(columns: Sequence[str]) -> pl.Expr:
    """Whether a plain number has a point that separates no thousands."""
    cells = [
        (~_odd(c) & text.str.contains(".", literal=True) & ~text.str.contains(_GROUPED)).any()
        for c in columns
        for text in [_stripped(c)]
    ]
    return pl.any_horizontal(*cells, pl.lit(False)).alias(_POINT)


def _orders(
    table: Table, days: dict[str, Reading | None], exchange_of: ExchangeOf, today: date
) -> tuple[str, ...]:
    triples = {reading: text for text, reading in days.items() if isinstance(reading, Triple)}
    orders = decide_order(dict.fromkeys(triples, ()), lambda *_: True) if triples else ()
    if len(orders) < 2:
        return orders
    pairs = table.rows.select(pl.col("symbol", "date").cast(pl.String)).unique().drop_nulls()
    beside: dict[Triple, set[str]] = {triple: set() for triple in triples}
    for symbol, text in pairs.collect().iter_rows():
        reading, exchange = days[text], exchange_of(symbol)
        if isinstance(reading, Triple) and exchange:
            beside[reading].add(exchange)

    def is_session(exchange: str, day: date) -> bool:
        return day <= today and bool(calendar(exchange).is_session(day))

    return decide_order(beside, is_session)


def _marked(table: Table, spelling: Spelling, today: date) -> pl.LazyFrame:
    """The table's rows with `=symbol`, `=trading_day` and `=` before each number as read, and ok:
    whether every cell could be read and the day is no day to come."""
    schema = table.rows.collect_schema()
    numbers = [c for c in NUMBERS if c in schema]
    read = {c: _number(c, schema[c], spelling) for c in numbers}
    faults = [
        read[c].is_null() & pl.col(c).is_not_null() & ~_stripped(c).is_in(MISSING)
        for c in numbers
        if _is_text(schema[c])
    ]
    faults += [
        (~read[c].is_finite() | (read[c] < 0)).fill_null(False)
        for c in ("split", "dividend")
        if c in numbers
    ]
    if table.is_text:
        faults.append(pl.col(SURPLUS).is_not_null())
    symbol = pl.col("symbol").cast(pl.String)
    if not spelling.plain_symbols:
        symbol = _symbol(symbol, stooq=table.columns.stooq)
    day = _day(schema["date"], spelling)
    faults += [symbol.is_null(), day.is_null(), (day > today).fill_null(False)]
    return table.rows.with_columns(
        symbol.alias("=symbol"),
        day.alias("=trading_day"),
        *(read[c].alias(f"={c}") for c in numbers),
        (~pl.any_horizontal(faults)).alias("ok"),
    )


def typed(table: Table, spelling: Spelling, today: date) -> pl.LazyFrame:
    """symbol, trading_day, the numbers as Float64, ok: whether the row could be read."""
    marked = _marked(table, spelling, today)
    read = [name for name in marked.collect_schema() if name.startswith("=")]
    return marked.select(*(pl.col(name).alias(name[1:]) for name in read), "ok")


def refused_rows(table: Table, spelling: Spelling, today: date, path: Path) -> pl.DataFrame:
    """REJECTS of the rows that are not `ok`; the payload's `cell` names the first cell at fault.

    Raises SourceError beyond MAX_REFUSED of them: such a file is something else.
    """
    refused = _marked(table, spelling, today).filter(~pl.col("ok")).head(MAX_REFUSED + 1)
    raw = [*table.rows.collect_schema()]
    rows = refused.select("=symbol", "=trading_day", pl.col(raw).cast(pl.String)).collect()
    if rows.height > MAX_REFUSED:
        raise SourceError(
            f"{path}: more than {MAX_REFUSED:,} rows cannot be read, from row {rows[ROW][0]} on"
        )
    return pl.DataFrame(
        [_reject(cells, spelling, table) for cells in rows.iter_rows(named=True)],
        schema=REJECTS,
        orient="row",
    )


def _reject(
    cells: dict[str, Any], spelling: Spelling, table: Table
) -> tuple[str, date | None, str, str]:
    symbol, day, row = (cells.pop(name) for name in ("=symbol", "=trading_day", ROW))
    reason, fault = "malformed", _fault(cells, symbol, spelling, table)
    if fault is None:
        reason, fault = "future_day", f"date: {cells['date']!r} is a day to come"
    payload = {k: v for k, v in cells.items() if k != SURPLUS} | {"cell": f"row {row}, {fault}"}
    text = json.dumps(payload, ensure_ascii=False).replace("\\u0000", "\u2400")
    return (symbol or "", day, reason, text)


def _fault(
    cells: dict[str, str | None], symbol: str | None, spelling: Spelling, table: Table
) -> str | None:
    """The first cell of a row that cannot be read, and why; None where all can."""
    surplus = cells.get(SURPLUS)
    if surplus is not None:
        width = len(table.columns.names)
        return f"more fields than the header's {width}, from {surplus!r} on"
    if symbol is None:
        return "symbol: missing"
    if fault := _date_fault(cells["date"], symbol, spelling):
        return f"date: {fault}"
    for column in NUMBERS:
        text = cells.get(column)
        if text is None or text.strip() in MISSING:
            continue
        value = spelling.odd.get(column, {}).get(text, _plain(text))
        if value is None:
            return f"{column}: {text!r} {_number_fault(text)}"
        if column in ("split", "dividend") and not 0 <= value < float("inf"):
            return f"{column}: {text!r} is no {column}"
    return None


def _number_fault(text: str) -> str:
    values = {v for style in STYLES if (v := read_number(text, style)) is not None}
    if not values:
        return "is no number"
    return (
        f"can be {' or '.join(f'{v:g}' for v in sorted(values))}, and the file does not tell which"
    )


def _date_fault(text: str | None, symbol: str, spelling: Spelling) -> str | None:
    if text is None:
        return "missing"
    if spelling.days is None or spelling.day(text, spelling.zones.get(symbol)) is not None:
        return None
    reading = spelling.days.get(text)
    if isinstance(reading, datetime):
        return f"{text!r} is a moment, and the time zone of {symbol} is not known"
    if isinstance(reading, Triple) and (possible := readings(reading, ORDERS)):
        days = " or ".join(f"{day:%Y-%m-%d}" for day in sorted(possible))
        return f"{text!r} can be {days}, and the file does not tell which"
    return f"{text!r} is no date"


def _is_text(dtype: pl.DataType | None) -> bool:
    return dtype in (pl.String, pl.Categorical)


def _stripped(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars()


def _plain(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None


def _odd(column: str) -> pl.Expr:
    text = _stripped(column)
    return (text.cast(pl.Float64, strict=False).is_null() & ~text.is_in(MISSING)).fill_null(False)


def _number(column: str, dtype: pl.DataType, spelling: Spelling) -> pl.Expr:
    if not _is_text(dtype):
        return pl.col(column).cast(pl.Float64, strict=False)
    text = _stripped(column)
    if spelling.style == "comma":  # what looks plain has points between thousands
        text = text.str.replace_all(".", "", literal=True)
    plain = text.cast(pl.Float64, strict=False)
    known = {t: v for t, v in spelling.odd.get(column, {}).items() if v is not None}
    if not known:
        return plain
    values = (
        pl.col(column)
        .cast(pl.String)
        .replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Float64)
    )
    return pl.when(_odd(column)).then(values).otherwise(plain)


def _symbol(text: pl.Expr, *, stooq: bool) -> pl.Expr:
    text = text.str.replace_all("\0", "\u2400", literal=True)
    if stooq:
        text = text.str.to_uppercase()
        for theirs, ours in _STOOQ_SUFFIXES.items():
            text = text.str.replace(rf"\.{theirs}$", ours)
    return pl.when(text != "").then(text)


def _day(dtype: pl.DataType, spelling: Spelling) -> pl.Expr:
    column = pl.col("date")
    if dtype == pl.Date:
        return column
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return column.dt.date()
    if isinstance(dtype, pl.Datetime):
        own = pl.when(column.dt.time() == pl.time(0)).then(column.dt.date())
        return pl.coalesce(
            own, *_by_zone(spelling, lambda z: column.dt.convert_time_zone(z).dt.date())
        )
    text = column.cast(pl.String)

    def in_zone(zone: str | None) -> pl.Expr:
        days = {t: d for t in (spelling.days or {}) if (d := spelling.day(t, zone))}
        return text.replace_strict(
            list(days), list(days.values()), default=None, return_dtype=pl.Date
        )

    return pl.coalesce(in_zone(None), *_by_zone(spelling, in_zone))


def _by_zone(spelling: Spelling, read: Callable[[str], pl.Expr]) -> list[pl.Expr]:
    """The reading of the date for the symbols of each time zone."""
    return [
        pl.when(pl.col("symbol").is_in([s for s, z in spelling.zones.items() if z == zone])).then(
            read(zone)
        )
        for zone in sorted(set(spelling.zones.values()))
    ]
