"""The real sample: five US stocks and the S&P 500, 2000-03-01 to 2013-03-01, from two packages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from predtrack_assets.domain.market.actions import infer_actions
from predtrack_assets.domain.market.bars import BARS
from predtrack_assets.sources.base import Batch, Revises, SourceError, log_fetches, within

FIRST_DAY = date(2000, 3, 1)
LAST_DAY = date(2013, 3, 1)
INDEX = "^GSPC"

_LISTED = {"FB": date(2012, 5, 18)}  # before its IPO the ticker was another company's
_NAMES = {
    "Ticker": "symbol",
    "Date": "trading_day",
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Adj Close": "adj_close",
}


class SampleSource:
    """bokeh_sampledata's stocks (as traded, with Adj Close) and arch's S&P 500 index.

    Splits and dividends are inferred from Adj Close / Close over the whole sample and marked so.
    """

    name = "sample"
    publication_delay = timedelta(0)
    exchange = "XNYS"
    revises: Revises = "never"

    def symbols(self) -> list[str]:
        return sorted(self._bars["symbol"].unique())

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        wanted = pl.col("symbol").is_in(list(symbols))
        bars = within(self._bars, "trading_day", start, end).filter(wanted)
        yield Batch(
            bars=bars.select(list(BARS)),
            actions=within(self._actions, "ex_date", start, end).filter(wanted),
            fetches=log_fetches(symbols, bars, start, end),
        )

    @cached_property
    def _bars(self) -> pl.DataFrame:
        stocks = _read(_package_file("bokeh_sampledata", "_data/stocks.csv.gz"), "%Y-%m-%d")
        index = _read(_package_file("arch", "data/sp500/sp500.csv.gz"), "%m/%d/%Y")
        bars = pl.concat([stocks, index.with_columns(Ticker=pl.lit(INDEX)).select(stocks.columns)])
        listed = pl.col("symbol").replace_strict(_LISTED, default=FIRST_DAY, return_dtype=pl.Date)
        return (
            bars.rename(_NAMES)
            .filter(pl.col("trading_day").is_between(listed, LAST_DAY))
            .sort("symbol", "trading_day")
        )

    @cached_property
    def _actions(self) -> pl.DataFrame:
        return infer_actions(self._bars, as_traded=True)


def _package_file(package: str, path: str) -> Path:
    """A data file of an installed package, found without importing it."""
    spec = find_spec(package)
    found = (
        [Path(folder) / path for folder in (spec.submodule_search_locations or [])] if spec else []
    )
    file = next((f for f in found if f.is_file()), None)
    if file is None:
        raise SourceError(
            f"the sample needs {path} of {package}: pip install predtrack_assets[sample]"
        )
    return file


def _read(file: Path, date_format: str) -> pl.DataFrame:
    """Ticker where there is one, Date, and the other columns of _NAMES as Float64."""
    raw = pl.read_csv(file, infer_schema=False)
    texts = [c for c in ("Ticker",) if c in raw.columns]
    numbers = [c for c in _NAMES if c not in ("Ticker", "Date")]
    return raw.select(
        *texts,
        pl.col("Date").str.to_date(date_format),
        *(pl.col(c).cast(pl.Float64) for c in numbers),
    )
