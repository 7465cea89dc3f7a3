"""Files that a book is run from: prices, orders, actions. What is wrong is named with its row.

CSV or Parquet. Rows are counted as a spreadsheet does: the header is row 1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import polars as pl

from predtrack_assets.domain.time.calendar import EXCHANGES
from predtrack_assets.domain.trading.days import PRICES, DatedAction
from predtrack_assets.domain.trading.execution.market_day import Action, ActionKind
from predtrack_assets.domain.trading.execution.orders import (
    OrderKind,
    OrderRequest,
    Side,
    TimeInForce,
)
from predtrack_assets.domain.trading.holdings.corporate_actions import ratio_of
from predtrack_assets.faults import Fault

DEFAULT_EXCHANGE = "XNYS"
NUMBERS = ("open", "high", "low", "close", "volume")
PRICE_COLUMNS = ("symbol", "date", *NUMBERS)
FIRST_ROW = 2

T = TypeVar("T")


class BookFileError(Fault):
    """What is wrong with a file, in which row, and what to do."""


class PriceFile(NamedTuple):
    """PRICES, the splits and dividends among them, and what was left out."""

    prices: pl.DataFrame
    actions: list[DatedAction]
    warnings: list[str]


class OrderFile(NamedTuple):
    """Orders in the order of the file, and what of it is not read."""

    orders: list[OrderRequest]
    warnings: list[str]


def read_prices(path: Path) -> PriceFile:
    """Bars as traded: symbol, date, open, high, low, close, volume; split, dividend, exchange.

    split: new shares per old on the ex-date; dividend: cash a share on the ex-date; empty, 0 (and 1
    for a split) where there is none. exchange: XNYS where it is left out. A row without prices and
    without volume is no bar. Raises BookFileError.
    """
    texts = _texts(path, PRICE_COLUMNS)
    warnings = _unread(path, texts, {*PRICE_COLUMNS, "split", "dividend", "exchange"})
    for name in ("split", "dividend", "exchange"):
        if name not in texts.columns:
            texts = texts.with_columns(pl.lit(None, pl.String).alias(name))
    given = texts.with_row_index("row", FIRST_ROW).with_columns(
        pl.col("date").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias("day"),
        pl.col("exchange").fill_null(DEFAULT_EXCHANGE),
        *(pl.col(name).cast(pl.Float64, strict=False).alias(f"{name}_") for name in NUMBERS),
    )
    no_price = [pl.col(f"{name}_").fill_nan(None).is_null() for name in NUMBERS[:4]]
    empty = pl.all_horizontal(no_price) & (pl.col("volume_").fill_nan(0).fill_null(0) == 0)
    without = given.filter(empty).height
    if without:
        warnings.append(f"{path.name}: {without} rows without prices and volume are no bars")
    given = given.filter(~empty)
    _check_prices(path, given)
    prices = given.select(
        "symbol",
        pl.col("day").alias("date"),
        *(pl.col(f"{name}_").alias(name) for name in NUMBERS),
        "exchange",
    )
    return PriceFile(prices.select(*PRICES), _actions_of_prices(path, given), warnings)


def read_orders(path: Path, symbols: set[str]) -> OrderFile:
    """Orders: decided_at, symbol, side, quantity or weight, kind, limit, stop, tif.

    Also oco_group, reduce_only (true or false), tag. Empty kind is market, empty tif is gtc.
    symbols: those that have prices. Raises BookFileError.
    """
    texts = _texts(path, ("decided_at", "symbol"))
    names = {"decided_at", "symbol", "side", "quantity", "weight", "kind", "limit", "stop", "tif"}
    warnings = _unread(path, texts, {*names, "oco_group", "reduce_only", "tag"})
    orders = [
        _order(_Row(path, number, row), symbols)
        for number, row in enumerate(texts.iter_rows(named=True), FIRST_ROW)
    ]
    return OrderFile(orders, warnings)


def read_actions(path: Path, prices: pl.DataFrame) -> list[DatedAction]:
    """Actions: symbol, ex_date, kind (split, dividend, delisting), value, known_at.

    known_at (RFC 3339): when it became known, 00:00 UTC of the ex-date where it is empty; later
    than the ex-date, it is applied late. A second row of one symbol, ex_date and kind is a
    revision. A delisting's ex_date is the last day of trading and its value, if any, the cash paid
    a share. Raises BookFileError.
    """
    texts = _texts(path, ("symbol", "ex_date", "kind"))
    opens = {
        (s, d): o for s, d, o in prices.select("symbol", "date", "open").iter_rows()
    }  # of the ex-dates, for fractions
    found = []
    for number, values in enumerate(texts.iter_rows(named=True), FIRST_ROW):
        row = _Row(path, number, values)
        kind = row.choice("kind", get_args(ActionKind))
        ex_date = row.parsed("ex_date", date.fromisoformat, "a date like 2014-06-09")
        symbol = row.text("symbol")
        text = row.get("value")
        if text is None and kind != "delisting":
            raise row.error("value is empty; a split or a dividend has one")
        value: Fraction | Decimal | None = None
        if text is not None and kind == "split":
            value = row.parsed("value", ratio_of, "a split like 2 or 1:10")
        elif text is not None:
            value = row.number("value")
        known = datetime.combine(ex_date, time(0), UTC)
        if row.get("known_at") is not None:
            known = row.moment("known_at")
        action = Action(symbol, ex_date, kind, value, opens.get((symbol, ex_date)))
        found.append(DatedAction(action, known))
    return found


class _Row:
    """A row of texts; whatever is wrong is raised with its place."""

    def __init__(self, path: Path, number: int, values: dict[str, str | None]) -> None:
        self._path, self._number, self._values = path, number, values

    def error(self, what: str) -> BookFileError:
        return BookFileError(f"{self._path.name} row {self._number}: {what}")

    def get(self, name: str) -> str | None:
        text = self._values.get(name)
        text = None if text is None else text.strip()
        return text or None

    def text(self, name: str) -> str:
        text = self.get(name)
        if text is None:
            raise self.error(f"{name} is empty")
        return text

    def choice(self, name: str, choices: tuple[Any, ...], default: Any = None) -> Any:
        text = self.get(name)
        text = default if text is None else text.lower()
        if text not in choices:
            shown = "empty" if text is None else repr(text)
            raise self.error(f"{name} is {shown}; say {', '.join(choices)}")
        return text

    def parsed(self, name: str, parse: Callable[[str], T], like: str) -> T:
        text = self.text(name)
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(f"{name} is {text!r}, which is not {like}") from error

    def number(self, name: str) -> Decimal:
        text = self.text(name)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise self.error(f"{name} is {text!r}, which is not a number")
        return value

    def positive(self, name: str) -> Decimal | None:
        if self.get(name) is None:
            return None
        value = self.number(name)
        if value <= 0:
            raise self.error(f"{name} is {value}; it is above 0")
        return value

    def moment(self, name: str) -> datetime:
        like = "an RFC 3339 time like 2014-06-05T21:00:00Z"
        moment = self.parsed(name, datetime.fromisoformat, like)
        if moment.tzinfo is None:
            raise self.error(
                f"{name} {self.get(name)} has no time zone; write it like 2014-06-05T21:00:00Z"
            )
        return moment.astimezone(UTC)


def _order(row: _Row, symbols: set[str]) -> OrderRequest:
    symbol = row.text("symbol")
    if symbol not in symbols:
        raise row.error(f"the prices file has no {symbol!r}")
    quantity = row.positive("quantity")
    weight = None if row.get("weight") is None else row.number("weight")
    if (quantity is None) == (weight is None):
        raise row.error("give either quantity or weight")
    side: Side | None = None
    if quantity is not None or row.get("side") is not None:
        side = row.choice("side", get_args(Side))
    kind: OrderKind = row.choice("kind", get_args(OrderKind), "market")
    limit, stop = row.positive("limit"), row.positive("stop")
    for name, given, kinds in (
        ("limit", limit, ("limit", "stop_limit")),
        ("stop", stop, ("stop", "stop_limit")),
    ):
        if (given is not None) != (kind in kinds):
            needs = "needs" if given is None else "takes no"
            raise row.error(f"a {kind} order {needs} {name}")
    return OrderRequest(
        row.moment("decided_at"),
        symbol,
        side,
        quantity,
        weight,
        kind,
        limit,
        stop,
        row.choice("tif", get_args(TimeInForce), "gtc"),
        row.get("oco_group"),
        row.choice("reduce_only", ("true", "false"), "false") == "true",
        row.get("tag") or "",
    )


def _texts(path: Path, required: tuple[str, ...]) -> pl.DataFrame:
    """The file's columns as texts, so that numbers stay as they are written."""
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            frame = frame.with_columns(
                pl.col(pl.Datetime).dt.to_string("iso:strict")
                if frame.select(pl.col(pl.Datetime)).width
                else []
            ).cast(pl.String)
        else:
            frame = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=False)
    except pl.exceptions.PolarsError as error:
        raise BookFileError(f"{path}: not readable as CSV or Parquet: {error}") from error
    frame = frame.rename({name: name.strip().lower() for name in frame.columns})
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise BookFileError(
            f"{path.name}: no column {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )
    blank = pl.all().str.strip_chars().replace("", None)
    return frame.with_columns(blank)


def _unread(path: Path, frame: pl.DataFrame, known: set[str]) -> list[str]:
    unread = [name for name in frame.columns if name not in known]
    return [f"{path.name}: not read: {', '.join(unread)}"] if unread else []


def _check_prices(path: Path, given: pl.DataFrame) -> None:
    """Raises BookFileError for the first row with a fault, the plainest fault first."""

    def refuse(faulty: pl.Expr, what: Callable[[dict[str, Any]], str]) -> None:
        bad = given.filter(faulty.fill_null(True)).head(1)
        if bad.height:
            row = bad.row(0, named=True)
            raise BookFileError(f"{path.name} row {row['row']}: {what(row)}")

    refuse(pl.col("symbol").is_null(), lambda r: "symbol is empty")
    refuse(pl.col("day").is_null(), lambda r: f"date is {r['date']!r}; write 2014-06-09")
    for name in NUMBERS:
        value = pl.col(f"{name}_")
        least = value >= 0 if name == "volume" else value > 0
        refuse(~(value.is_finite() & least), _of_range(name))
    high, low = pl.col("high_").round(6), pl.col("low_").round(6)
    refuse(high < low, lambda r: f"high {r['high']} is below low {r['low']}")
    for name in ("open", "close"):
        value = pl.col(f"{name}_").round(6)
        refuse((value > high) | (value < low), _of_bar(name))
    refuse(
        ~pl.col("exchange").is_in(EXCHANGES),
        lambda r: f"exchange {r['exchange']!r} is not one of {', '.join(EXCHANGES)}",
    )
    refuse(
        pl.struct("symbol", "day").is_duplicated(),
        lambda r: f"{r['symbol']} has more than one row of {r['date']}",
    )
    refuse(
        pl.col("exchange").n_unique().over("symbol") > 1,
        lambda r: f"{r['symbol']} has more than one exchange",
    )


def _of_range(name: str) -> Callable[[dict[str, Any]], str]:
    bound = "0 or more" if name == "volume" else "above 0"
    return lambda row: f"{name} is {row[name] or 'empty'}; it is a number {bound}"


def _of_bar(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: f"{name} {row[name]} is outside low {row['low']} to high {row['high']}"


def _actions_of_prices(path: Path, given: pl.DataFrame) -> list[DatedAction]:
    """Splits and dividends of the bars, known from 00:00 UTC of their day."""
    found = []
    told = given.filter(pl.col("split").is_not_null() | pl.col("dividend").is_not_null())
    for values in told.iter_rows(named=True):
        row = _Row(path, values["row"], values)
        known = datetime.combine(values["day"], time(0), UTC)
        split, dividend = row.get("split"), row.get("dividend")
        key = values["symbol"], values["day"]
        if split is not None and split.strip("0.") != "" and split not in ("1", "1.0"):
            ratio = row.parsed("split", ratio_of, "new shares per old one, like 2 or 1:10")
            if ratio != 1:
                found.append(DatedAction(Action(*key, "split", ratio, values["open_"]), known))
        if dividend is not None and (amount := row.number("dividend")):
            if amount < 0:
                raise row.error(f"dividend is {amount}; it is 0 or more")
            found.append(DatedAction(Action(*key, "dividend", amount), known))
    return found
