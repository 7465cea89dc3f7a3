"""A price file as a source: bars, actions and refusals of a window."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from predtrack_assets.domain.market.actions import (
    ACTIONS,
    LOOKBACK,
    decimals_of,
    empty_actions,
    infer_actions,
    split_factor,
    unadjust,
)
from predtrack_assets.domain.market.bars import BARS, empty_rejects
from predtrack_assets.domain.market.contained_splits import splits_in_prices
from predtrack_assets.sources.base import (
    Batch,
    Revises,
    SourceError,
    group_by_rows,
    log_fetches,
    within,
)
from predtrack_assets.sources.file.rows import Spelling, learn_spelling, refused_rows, typed
from predtrack_assets.sources.file.table import Table, open_table, unreadable

_SAMPLE_ROWS = 20_000
MAX_ROWS_A_DAY = 100

T = TypeVar("T")


class FileSource:
    """Columns symbol, date, open, high, low, close, volume; optionally adj_close, split, dividend;
    under these names or those of the well-known vendors (see `columns`), Parquet or text.

    OHLC are split-adjusted (then un-adjusted by the splits that the prices contain) or as traded;
    where the close moves by a stated split on its ex-date, or clearly does not, that decides.
    `split` is new shares per old on the ex-date, `dividend` cash per share in the units of that
    day's prices; 0, 1 and missing mean none. What the file has no column for is inferred from
    adj_close, where there is one.

    A row with a cell that cannot be read is a reject, 'malformed', which names the cell; one dated
    after `today` is a 'future_day', and its action counts for nothing. One without a readable date
    belongs to no day and is reported by every fetch that could contain its symbol.

    The file may change between runs (`revises`), but not while an instance is in use.
    """

    name = "file"
    publication_delay = timedelta(0)
    exchange: str | None = None
    revises: Revises = "anything"

    def __init__(
        self,
        path: Path,
        *,
        split_adjusted: bool,
        today: date = date.max,
        symbol: str | None = None,
        exchange_of: Callable[[str], str | None] = lambda symbol: None,
    ) -> None:
        """symbol: of a file that has no column for it. exchange_of: of a symbol, where it is known;
        its sessions tell days from months, its zone the day of a moment."""
        self.path = path
        self._today = today
        self._split_adjusted = split_adjusted
        self._symbol = symbol
        self._exchange_of = exchange_of
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def symbols(self) -> list[str]:
        found = self._rows.select(pl.col("symbol").drop_nulls().unique().sort())
        return self._collect(found)["symbol"].to_list()

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        window = pl.col("trading_day").is_between(start - LOOKBACK, end)
        per_symbol = (
            self._rows.filter(window)
            .group_by("symbol")
            .agg(
                pl.len(), (pl.col("trading_day").max() - pl.col("trading_day").min()).alias("span")
            )
        )
        counts: dict[str, int] = {}
        for symbol, rows, span in self._collect(per_symbol).iter_rows():
            counts[symbol] = rows
            if rows > MAX_ROWS_A_DAY * (span.days + 1):
                raise SourceError(
                    f"{self.path} has {rows:,} rows of {symbol} for {span.days + 1} days:"
                    " daily bars have one a session"
                )
        groups = group_by_rows([(s, counts.get(s, 0)) for s in dict.fromkeys(symbols)])
        rejects = self._refused_in(symbols, start, end)
        for group in groups or [[]]:
            yield self._batch(group, rejects, start, end)
            rejects = empty_rejects()

    @cached_property
    def table(self) -> Table:
        """The rows as the file spells them, and what its columns mean. Raises SourceError."""
        return open_table(self.path, self._symbol)

    @cached_property
    def spelling(self) -> Spelling:
        """How its dates and numbers are read."""
        return self._guarded(
            lambda: learn_spelling(self.table, self.path, self._exchange_of, self._today)
        )

    @cached_property
    def refused(self) -> pl.DataFrame:
        """REJECTS of the whole file: rows that cannot be read, and days to come."""
        if self._collect(self._rows.select(pl.col("ok").all()))["ok"].all():
            return empty_rejects()
        return self._guarded(
            lambda: refused_rows(self.table, self.spelling, self._today, self.path)
        )

    @cached_property
    def row_count(self) -> int:
        """Rows of the file, readable or not."""
        return int(self._collect(self._rows.select(pl.len())).item())

    def extent(self, first: date, last: date) -> tuple[int, int, date | None, date | None]:
        """Readable rows in [first, last] and their symbols; first and last readable day of the file."""
        day = pl.col("trading_day")
        inside = _OK & day.is_between(first, last)
        found = self._rows.select(
            inside.sum().alias("rows"),
            pl.col("symbol").filter(inside).n_unique().alias("symbols"),
            day.filter(_OK).min().alias("first"),
            day.filter(_OK).max().alias("last"),
        )
        return self._collect(found).row(0)

    @cached_property
    def splits(self) -> pl.DataFrame:
        """The stated splits of the whole file, ACTIONS."""
        if not self._has("split"):
            return empty_actions()
        rows = self._rows.filter(_OK & (pl.col("split") != 1) & (pl.col("split") > 0))
        return _stated(self._collect(rows.select("symbol", "trading_day", "split")), "split")

    @cached_property
    def splits_in_prices(self) -> pl.DataFrame:
        """Those of them that the prices before are adjusted for, ACTIONS."""
        if self.splits.is_empty():
            return empty_actions()
        symbols = self.splits["symbol"].unique().to_list()
        closes = self._rows.filter(_OK & pl.col("symbol").is_in(symbols))
        return splits_in_prices(
            self._collect(closes.select("symbol", "trading_day", "close")),
            self.splits,
            otherwise=self._adjusted,
        )

    @property
    def _adjusted(self) -> bool:
        return self._split_adjusted and not self.table.columns.as_traded

    def _batch(self, group: Sequence[str], rejects: pl.DataFrame, start: date, end: date) -> Batch:
        window = pl.col("trading_day").is_between(start - LOOKBACK, end + LOOKBACK)
        rows = self._collect(self._rows.filter(window & pl.col("symbol").is_in(list(group)) & _OK))
        bars = within(rows, "trading_day", start, end).select(list(BARS))
        bars = unadjust(bars, self.splits_in_prices)
        actions = within(self._actions(rows), "ex_date", start, end)
        fetches = log_fetches(group, bars, start, end, refused=rejects["symbol"])
        return Batch(bars, actions, rejects, fetches, partial(self._told, rows))

    def _refused_in(self, symbols: Sequence[str], start: date, end: date) -> pl.DataFrame:
        """REJECTS of the window, of days to come, and of rows without a symbol or a date."""
        day = pl.col("trading_day")
        in_window = (day.is_between(start, end) | (day > self._today)).fill_null(True)
        asked = pl.col("symbol").is_in(["", *symbols])
        return self.refused.filter(in_window & asked)

    def _actions(self, rows: pl.DataFrame) -> pl.DataFrame:
        """ACTIONS that `rows` tell of, stated or inferred, in as-traded units."""
        splits = self.splits.join(rows.select("symbol").unique(), on="symbol", how="semi")
        contained = self.splits_in_prices
        dividends = _stated(rows, "dividend") if self._has("dividend") else empty_actions()
        inferred = empty_actions()
        if self._has("adj_close") and not (self._has("split") and self._has("dividend")):
            shown = splits.join(contained, on=["symbol", "ex_date", "kind"], how="anti")
            inferred = infer_actions(
                rows,
                as_traded=not self._adjusted,
                splits=shown if self._has("split") else None,
                decimals=self._decimals,
            )
            if self._has("dividend"):
                inferred = inferred.filter(pl.col("kind") == "split")
        cash = pl.concat([dividends, inferred.filter(pl.col("kind") == "dividend")])
        if not contained.is_empty():
            later = split_factor(cash.rename({"ex_date": "trading_day"}), contained)
            cash = cash.with_columns(value=pl.col("value") * later)
        found = pl.concat([splits, inferred.filter(pl.col("kind") == "split"), cash])
        return found.sort(list(ACTIONS)).unique(["symbol", "ex_date", "kind"], maintain_order=True)

    def _told(self, rows: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
        """Those of `actions` (TOLD) of which `rows` would tell: a stated kind on a day with a row, an
        inferred one where the step from the bar before could be seen."""
        of_symbols = rows.join(actions.select("symbol").unique(), on="symbol", how="semi")
        days = of_symbols.select("symbol", pl.col("trading_day").alias("ex_date")).unique()
        stepped = days.clear()
        if self._has("adj_close"):
            priced = of_symbols.filter(pl.all_horizontal(pl.col("adj_close", "close").is_finite()))
            ordered = priced.select("symbol", pl.col("trading_day").alias("ex_date")).unique()
            near = pl.col("ex_date").diff().over("symbol") <= LOOKBACK
            stepped = ordered.sort("symbol", "ex_date").filter(near)
        return pl.concat(
            actions.filter(pl.col("kind") == kind).join(
                days if self._has(kind) else stepped, on=["symbol", "ex_date"], how="semi"
            )
            for kind in ("split", "dividend")
        )

    def _has(self, column: str) -> bool:
        return column in self.table.columns.roles

    @cached_property
    def _decimals(self) -> int:
        """Decimals of adj_close, from the head of the file: the same for every window."""
        head = self._rows.select("adj_close").head(_SAMPLE_ROWS)
        return decimals_of(self._collect(head)["adj_close"])

    @cached_property
    def _rows(self) -> pl.LazyFrame:
        """symbol, trading_day, the numbers as Float64, ok (see `typed`)."""
        rows = typed(self.table, self.spelling, self._today)
        if not self.table.is_text:
            return rows
        # Text is parsed once into a temporary columnar copy, which later reads can prune.
        self._folder = tempfile.TemporaryDirectory(prefix="predtrack-")
        copy = Path(self._folder.name) / "prices.parquet"
        self._guarded(lambda: rows.sink_parquet(copy))
        return pl.scan_parquet(copy)

    def _collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        return self._guarded(lambda: rows.collect())

    def _guarded(self, read: Callable[[], T]) -> T:
        """What `read` returns; raises SourceError where Polars or the disk cannot read the file."""
        try:
            return read()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(self.path, error) from error


_OK = pl.col("ok")


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
