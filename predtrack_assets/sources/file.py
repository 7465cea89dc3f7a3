"""A price file in standard columns, Parquet or CSV, so that people bring their own data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from predtrack_assets.domain.market.actions import (
    ACTIONS,
    LOOKBACK,
    PRICES,
    decimals_of,
    empty_actions,
    infer_actions,
    split_factor,
    unadjust,
)
from predtrack_assets.domain.market.bars import BARS, REJECTS, empty_rejects, raw_payload
from predtrack_assets.sources.base import (
    Batch,
    Revises,
    SourceError,
    group_by_rows,
    log_fetches,
    within,
)

REQUIRED = ("symbol", "date", *PRICES, "volume")
OPTIONAL = ("adj_close", "split", "dividend")

_ALIASES = {"ticker": "symbol", "stock_splits": "split", "dividends": "dividend"}
OTHER_DELIMITERS = (";", "\t", "|")
_MISSING = ["", "NA", "N/A", "null", "NULL", "None", "-"]
_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S")
_SAMPLE_ROWS = 20_000


class FileSource:
    """Columns symbol, date, open, high, low, close, volume; optionally adj_close, split, dividend.

    Names are taken whatever their case, blanks for underscores. OHLC are split-adjusted (then
    un-adjusted by the split column of the whole file; without one no split can be known and they
    stay as given, and dividends are per share in those units) or as traded. `split` is new shares
    per old on the ex-date, `dividend` cash per share in the units of that day's prices; 0, 1 and
    missing mean none. What the file does not say is inferred from adj_close, where there is one.

    A cell that cannot be read makes its row a reject, 'malformed'. One without a readable date
    belongs to no day and is reported by every fetch that could contain its symbol; so is one
    dated after `today`, which can only be wrong.

    The file may change between runs (`revises`), but not while an instance is in use.
    """

    name = "file"
    publication_delay = timedelta(0)
    exchange: str | None = None
    revises: Revises = "anything"

    def __init__(self, path: Path, *, split_adjusted: bool, today: date = date.max) -> None:
        self._path = path
        self._today = today
        self._split_adjusted = split_adjusted
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def symbols(self) -> list[str]:
        found = self._rows.select(pl.col("symbol").drop_nulls().unique().sort())
        return self._collect(found)["symbol"].to_list()

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        window = pl.col("trading_day").is_between(start - LOOKBACK, end)
        per_symbol = self._rows.filter(window).group_by("symbol").agg(pl.len())
        counts = dict(self._collect(per_symbol).iter_rows())
        groups = group_by_rows([(s, counts.get(s, 0)) for s in dict.fromkeys(symbols)])
        rejects = self._malformed(symbols, start, end)
        for group in groups or [[]]:
            yield self._batch(group, rejects, start, end)
            rejects = empty_rejects()

    def _batch(self, group: Sequence[str], rejects: pl.DataFrame, start: date, end: date) -> Batch:
        window = pl.col("trading_day").is_between(start - LOOKBACK, end)
        future = pl.col("trading_day") > self._today
        wanted = (window | future) & pl.col("symbol").is_in(list(group)) & _READABLE
        rows = self._collect(self._rows.filter(wanted).drop("payload"))
        asked = pl.col("trading_day").is_between(start, end) | future
        bars = rows.filter(asked).select(list(BARS))
        if self._split_adjusted and self._has("split"):
            bars = unadjust(bars, self._splits)
        actions = within(self._actions(rows), "ex_date", start, end)
        return Batch(bars, actions, rejects, log_fetches(group, bars, start, end))

    def _malformed(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """REJECTS of the window: unreadable cells, and rows without a symbol or a date."""
        in_window = pl.col("trading_day").is_between(start, end).fill_null(True)
        asked = pl.col("symbol").is_in(list(symbols)).fill_null(True)
        rejects = self._rows.filter(~_READABLE & in_window & asked).select(
            pl.col("symbol").fill_null(""),
            "trading_day",
            pl.lit("malformed").alias("reason"),
            "payload",
        )
        return self._collect(rejects).cast(REJECTS)

    def _actions(self, rows: pl.DataFrame) -> pl.DataFrame:
        """ACTIONS that `rows` tell of, stated or inferred, in as-traded units."""
        splits = self._splits.join(rows.select("symbol").unique(), on="symbol", how="semi")
        dividends = empty_actions()
        if self._has("dividend"):
            dividends = _stated(rows, "dividend")
        inferred = empty_actions()
        if self._has("adj_close") and not (self._has("split") and self._has("dividend")):
            inferred = infer_actions(
                rows,
                as_traded=not self._split_adjusted,
                splits=splits if self._has("split") and not self._split_adjusted else None,
                decimals=self._decimals,
            )
            if self._has("dividend"):
                inferred = inferred.filter(pl.col("kind") == "split")
        cash = pl.concat([dividends, inferred.filter(pl.col("kind") == "dividend")])
        if self._split_adjusted:
            later = split_factor(cash.rename({"ex_date": "trading_day"}), splits)
            cash = cash.with_columns(value=pl.col("value") * later)
        found = pl.concat([splits, inferred.filter(pl.col("kind") == "split"), cash])
        return found.sort(list(ACTIONS)).unique(["symbol", "ex_date", "kind"], maintain_order=True)

    def _has(self, column: str) -> bool:
        return column in self._columns

    @cached_property
    def _splits(self) -> pl.DataFrame:
        """The stated splits of the whole file, ACTIONS."""
        if not self._has("split"):
            return empty_actions()
        rows = self._rows.filter(_READABLE & (pl.col("split") != 1) & (pl.col("split") > 0))
        return _stated(self._collect(rows.select("symbol", "trading_day", "split")), "split")

    @cached_property
    def _decimals(self) -> int:
        """Decimals of adj_close, from the head of the file: the same for every window."""
        head = self._rows.select("adj_close").head(_SAMPLE_ROWS)
        return decimals_of(self._collect(head)["adj_close"])

    @cached_property
    def _columns(self) -> list[str]:
        return self._rows.collect_schema().names()

    @cached_property
    def _rows(self) -> pl.LazyFrame:
        """symbol, trading_day, the numbers as Float64, payload (see `_typed`)."""
        raw = _scan(self._path)
        if _is_parquet(self._path):
            return _typed(raw, self._path)
        # Text is parsed once into a temporary columnar copy, which later reads can prune.
        self._folder = tempfile.TemporaryDirectory(prefix="predtrack-")
        copy = Path(self._folder.name) / "prices.parquet"
        try:
            _typed(raw, self._path).sink_parquet(copy)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self._path, error) from error
        return pl.scan_parquet(copy)

    def _collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        try:
            return rows.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self._path, error) from error


_READABLE = pl.col("payload").is_null()


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _unreadable(path: Path, error: Exception) -> SourceError:
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SourceError(f"{path} cannot be read: {cause}. Give a Parquet or CSV file")


def _scan(path: Path) -> pl.LazyFrame:
    """The raw columns under their standard names. Raises SourceError."""
    if path.is_dir():
        raise SourceError(f"{path} is a directory: name one Parquet or CSV file in it")
    if not path.is_file():
        raise SourceError(f"there is no price file {path}: check PREDTRACK_FILE or --file")
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty: it needs at least the columns {', '.join(REQUIRED)}")
    try:
        if _is_parquet(path):
            raw = pl.scan_parquet(path)
        else:
            raw = pl.scan_csv(
                path,
                infer_schema=False,
                null_values=_MISSING,
                truncate_ragged_lines=True,
                encoding="utf8-lossy",
            )
        names = raw.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    standard = {name: _standard_name(name) for name in names}
    used = [c for c in (*REQUIRED, *OPTIONAL) if c in standard.values()]
    missing = [c for c in REQUIRED if c not in used]
    if missing:
        if any(names[0].count(mark) >= len(REQUIRED) - 1 for mark in OTHER_DELIMITERS):
            raise SourceError(f"{path} is not separated by commas: its first line is {names[0]!r}")
        raise SourceError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(names[:12])}. "
            f"Rename them to {', '.join(REQUIRED)} (optional: {', '.join(OPTIONAL)})"
        )
    twice = sorted(c for c in used if list(standard.values()).count(c) > 1)
    if twice:
        raise SourceError(f"{path} has more than one column {', '.join(twice)}: keep one")
    return raw.rename(standard, strict=False).select(used)


def _standard_name(name: str) -> str:
    plain = name.strip().lstrip("\ufeff").lower().replace(" ", "_")
    return _ALIASES.get(plain, plain)


def _typed(raw: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """Columns with their types; payload is the JSON of the raw row where a cell cannot be read,
    symbol or date is missing, or a split or dividend is no such thing; else null."""
    schema = raw.collect_schema()
    numbers = [c for c in schema.names() if c not in ("symbol", "date")]
    read = {c: _number(c, schema[c]) for c in numbers}
    unreadable = [
        read[c].is_null() & pl.col(c).is_not_null() for c in numbers if _is_text(schema[c])
    ]
    day = _day(schema["date"], path)
    impossible = [
        ~read[c].is_finite() | (read[c] < 0) for c in ("split", "dividend") if c in numbers
    ]
    malformed = pl.any_horizontal(
        pl.col("symbol").is_null(),
        day.is_null(),
        *unreadable,
        *(i.fill_null(False) for i in impossible),
    )
    payload = pl.when(malformed).then(raw_payload({c: c for c in schema.names()}))
    return raw.select(
        pl.col("symbol").cast(pl.String),
        day.alias("trading_day"),
        *(read[c].alias(c) for c in numbers),
        payload.alias("payload"),
    )


def _is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Categorical)


def _number(column: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars() if _is_text(dtype) else pl.col(column)
    return text if dtype == pl.Float64 else text.cast(pl.Float64, strict=False)


def _day(dtype: pl.DataType, path: Path) -> pl.Expr:
    """The date column as Date; text in any of _DATE_FORMATS or `_slashed`, else null."""
    if dtype == pl.Date:
        return pl.col("date")
    if isinstance(dtype, pl.Datetime):
        return pl.col("date").dt.date()
    if _is_text(dtype):
        text = pl.col("date").cast(pl.String).str.strip_chars()
        plain = [text.str.to_date(f, strict=False) for f in _DATE_FORMATS]
        return pl.coalesce(*plain, _slashed(text))
    raise SourceError(f"{path}: the column date is {dtype}; it needs dates or ISO 8601 text")


def _slashed(text: pl.Expr) -> pl.Expr:
    """03/12/2020 is March 12, or December 3 where other rows of the column can only be so; null
    where the column contradicts itself, as either reading would store bars under wrong days."""
    month_first = text.str.to_date("%m/%d/%Y", strict=False)
    day_first = text.str.to_date("%d/%m/%Y", strict=False)
    months_lead = (month_first.is_not_null() & day_first.is_null()).any()
    days_lead = (day_first.is_not_null() & month_first.is_null()).any()
    return (
        pl.when(months_lead & days_lead)
        .then(None)
        .when(days_lead)
        .then(day_first)
        .otherwise(month_first)
    )


def _stated(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """ACTIONS from a split or dividend column; 0, missing, and a split of 1 are none."""
    return rows.filter(
        (pl.col(kind) > 0) & ((pl.col(kind) != 1) | (pl.lit(kind) != "split"))
    ).select(
        "symbol",
        pl.col("trading_day").alias("ex_date"),
        pl.lit(kind).alias("kind"),
        pl.col(kind).alias("value"),
        pl.lit(False).alias("inferred"),
    )
