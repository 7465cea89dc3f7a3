"""Which source is in force, and where a symbol trades."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from predtrack_assets.clock import utc_now
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import PriceSource, SourceError


class Route(NamedTuple):
    """exchange: a name of domain.time.calendar; asset_class: stock, fund, index, volatility, crypto, fx or
    future; currency: what prices are quoted in, ISO 4217, or GBX, ZAC, ILA for hundredths of GBP,
    ZAR, ILS, or a coin; None where it is not known."""

    exchange: str
    asset_class: str
    currency: str | None


_FOLDER = Path(__file__).parent
_FUTURES = {
    "CMES": "ES NQ YM RTY MES MNQ MYM M2K NKD EMD ZB UB ZN TN ZF ZT ZQ SR3 GE GC SI HG PL PA MGC SIL CL"
    " QM MCL NG QG RB HO BZ ZC ZS ZW ZL ZM ZO ZR KE HE LE GF DC LBR LBS 6A 6B 6C 6E 6J 6L 6M 6N 6S BTC"
    " MBT ETH MET",
    "IEPA": "CC CT KC OJ SB DX",
}
_CODES = (
    "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNH CNY COP CZK DKK EGP EUR GBP GEL HKD HUF IDR ILS INR"
    " ISK JPY KES KRW KWD KZT LKR MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RON RSD RUB SAR SEK"
    " SGD THB TRY TWD UAH USD UYU VND XAG XAU XPD XPT ZAR"
)
_CURRENCIES = frozenset(_CODES.split())
_COINS = frozenset(("BTC", "ETH", "BNB", "USDT", "USDC"))
_WHOLE = {"GBX": "GBP", "ZAC": "ZAR", "ILA": "ILS"}

_PAIR = re.compile(r"([A-Z0-9]{1,14})-([A-Z]{3,4})")
_FX = re.compile(r"([A-Z]{3})?([A-Z]{3})=X")
_FUTURE = re.compile(r"([A-Z0-9]{1,3})=F")
_SUFFIXED = re.compile(r"(\^?)([A-Z0-9&=-]+)\.([A-Z]{1,3})")
_US_FUND = re.compile(r"[A-Z]{4}X")
_US_STOCK = re.compile(r"[A-Z]{1,5}(-[A-Z]{1,2}|\.[AB])?")


def route(symbol: str) -> Route | None:
    """Where `symbol` trades and what it is, by the symbols of Yahoo; None where it does not tell.

    A suffix names the exchange (7203.T), a caret an index (^N225), a hyphen a coin in a currency
    (BTC-EUR), =X a currency (EURUSD=X), =F a future (ES=F). Letters alone are a listing in the United
    States: Yahoo has a suffix for every other country.

    >>> route("7203.T")
    Route(exchange='XTKS', asset_class='stock', currency='JPY')
    >>> route("^N22A") is None
    True
    """
    if symbol in _indices():
        return _indices()[symbol]
    if match := _SUFFIXED.fullmatch(symbol):
        return _of_suffix(*match.groups()) or _of_united_states(symbol)
    if match := _PAIR.fullmatch(symbol):
        quote = match[2]
        if quote in _CURRENCIES | _COINS:
            return Route("24/7", "crypto", quote)
    if match := _FX.fullmatch(symbol):
        base, quote = match.groups()
        known = quote in _CURRENCIES and (base is None or base in _CURRENCIES)
        return Route("24/5", "fx", quote) if known else None
    if match := _FUTURE.fullmatch(symbol):
        return next(
            (
                Route(e, "future", "USD")
                for e, roots in _FUTURES.items()
                if match[1] in roots.split()
            ),
            None,
        )
    return _of_united_states(symbol)


def routes(symbols: Iterable[str], otherwise: str | None = None) -> pl.DataFrame:
    """symbol, exchange, asset_class, currency (all String), one row per distinct symbol, sorted.

    otherwise: exchange of symbols whose name does not tell it, which are taken for stocks; without
    one their exchange, asset_class and currency are null.
    """
    unique = sorted(set(symbols))
    fallback = (otherwise, "stock" if otherwise else None, None)
    found = [route(symbol) or fallback for symbol in unique]
    return pl.DataFrame(
        [(symbol, *place) for symbol, place in zip(unique, found, strict=True)],
        schema=dict.fromkeys(("symbol", "exchange", "asset_class", "currency"), pl.String),
        orient="row",
    )


def _of_suffix(caret: str, name: str, suffix: str) -> Route | None:
    if suffix not in suffixes():
        return None
    exchange, currency = suffixes()[suffix]
    if caret:
        return Route(exchange, "index", _WHOLE.get(currency, currency))
    if exchange in _FUTURES:
        return Route(exchange, "future", currency)
    return Route(exchange, "fund" if name.startswith("0P") else "stock", currency)


def _of_united_states(symbol: str) -> Route | None:
    if _US_FUND.fullmatch(symbol):
        return Route("XNYS", "fund", "USD")
    return Route("XNYS", "stock", "USD") if _US_STOCK.fullmatch(symbol) else None


@cache
def suffixes() -> dict[str, tuple[str, str]]:
    """Suffix of a symbol to its exchange and currency."""
    rows = _table("suffixes.csv").iter_rows(named=True)
    return {row["suffix"]: (row["exchange"], row["currency"]) for row in rows}


@cache
def _indices() -> dict[str, Route]:
    return {
        symbol: Route(row["exchange"], row["asset_class"], row["currency"])
        for row in _table("indices.csv").iter_rows(named=True)
        for symbol in row["symbols"].split()
    }


def _table(name: str) -> pl.DataFrame:
    return pl.read_csv(_FOLDER / name, infer_schema=False)


def exchange_of(symbol: str) -> str | None:
    """The exchange that the name of `symbol` tells, None where it tells none."""
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
            exchange_of=exchange_of,
        )
    from predtrack_assets.sources.yahoo import YahooSource

    return YahooSource.from_settings(settings)
