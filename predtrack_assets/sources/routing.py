"""Which source is in force, and where a symbol trades."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

import polars as pl

from predtrack_assets.clock import utc_now
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import PriceSource, SourceError


class Route(NamedTuple):
    """exchange: a name of domain.calendar; kind: stock, index, volatility, crypto or fx;
    currency: ISO 4217, None where the pattern does not tell (the symbol of a pair does)."""

    exchange: str
    kind: str
    currency: str | None


ROUTES: tuple[tuple[str, Route], ...] = (
    ("^VIX*", Route("XNYS", "volatility", None)),
    ("^AXJO", Route("XASX", "index", "AUD")),
    ("^AORD", Route("XASX", "index", "AUD")),
    ("^FTSE", Route("XLON", "index", "GBP")),
    ("^GSPTSE", Route("XTSE", "index", "CAD")),
    ("^GDAXI", Route("XETR", "index", "EUR")),
    ("^*", Route("XNYS", "index", "USD")),
    ("*=X", Route("24/5", "fx", None)),
    ("*-USD", Route("24/7", "crypto", "USD")),
    ("*.AX", Route("XASX", "stock", "AUD")),
    ("*.L", Route("XLON", "stock", "GBP")),
    ("*.TO", Route("XTSE", "stock", "CAD")),
    ("*.DE", Route("XETR", "stock", "EUR")),
    ("*", Route("XNYS", "stock", "USD")),
)
"""Patterns in order of precedence; the first that matches decides."""


def route(symbol: str) -> Route:
    """Where `symbol` trades and what it is."""
    return next(found for pattern, found in ROUTES if fnmatchcase(symbol, pattern))


def routes(symbols: Iterable[str]) -> pl.DataFrame:
    """symbol, exchange, kind, currency (all String), one row per distinct symbol, sorted."""
    unique = sorted(set(symbols))
    found = [route(symbol) for symbol in unique]
    return pl.DataFrame(
        {
            "symbol": unique,
            "exchange": [r.exchange for r in found],
            "kind": [r.kind for r in found],
            "currency": [r.currency for r in found],
        },
        schema=dict.fromkeys(("symbol", "exchange", "kind", "currency"), pl.String),
    )


def _exchange_of(symbol: str) -> str | None:
    found = route(symbol)
    return found.exchange if found else None


def make_source(settings: Settings) -> PriceSource:
    """The source that `settings.source` names. Raises SourceError when a setting is missing."""
    if settings.source == "sample":
        from predtrack_assets.sources.sample import SampleSource

        return SampleSource()
    if settings.source == "simulated":
        from predtrack_assets.sources.simulated import SimulatedSource

        return SimulatedSource(
            settings.simulated_symbols,
            settings.simulated_seed,
            benchmark=settings.benchmark,
            vix=settings.vix,
        )
    if settings.source == "file":
        from predtrack_assets.sources.file.source import FileSource

        if settings.file is None:
            raise SourceError("source 'file' needs a price file: set PREDTRACK_FILE or use --file")
        return FileSource(
            settings.file,
            split_adjusted=settings.file_prices == "split_adjusted",
            today=utc_now().date(),
            symbol=settings.file_symbol,
            exchange_of=_exchange_of,
        )
    from predtrack_assets.sources.yahoo import YahooSource

    return YahooSource.from_settings(settings)
