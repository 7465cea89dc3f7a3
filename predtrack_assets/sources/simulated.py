"""A seeded, realistic market of any size, for benchmarks and demonstrations.

Log returns follow a one-factor model with log-AR(1) stochastic volatility (Taylor 1986), jumps,
quarterly dividends, splits that keep the printed price in a usual range, listings and delistings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.signal import lfilter

from predtrack_assets.domain.market.actions import ACTIONS
from predtrack_assets.domain.market.bars import BARS
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.time.calendar import Calendar, calendar
from predtrack_assets.sources.base import (
    BATCH_ROWS,
    Batch,
    Revises,
    SourceError,
    log_fetches,
    within,
)

ORIGIN = date(2000, 1, 3)
"""The first simulated session. Every window is cut from the path that starts here."""

_NORMALS = 8  # per symbol and day: return, volatility, open, high, low, volume, jump, jump size
_VOL_PERSISTENCE = 0.97
_VOL_OF_VOL = 0.35  # sd of log volatility in the long run
_JUMP_THRESHOLD = 3.1  # |z| beyond it, about one day in 500
_QUARTER = 63  # sessions
_SPLIT_ABOVE, _REVERSE_BELOW = 200.0, 2.0
_SPLIT_DELAY = 20  # sessions from reaching the price to the split
_AT_ORIGIN = 0.88  # share listed from the first session, the others over 5,000
_MEAN_LIFETIME = 80_000  # sessions, exponential: about 6 % delisted in 20 years
_MARKET_DRIFT, _MARKET_VOL = 0.06 / 252, 0.16 / np.sqrt(252)


@dataclass(frozen=True)
class _Market:
    """The factor, one value per session: log_return, vol (daily, log-return units), normals."""

    log_return: Floats
    vol: Floats
    normals: Floats


@dataclass(frozen=True)
class _Traits:
    """What a symbol is born with; arrays of shape (symbols, 1)."""

    beta: Floats
    vol: Floats
    price: Floats
    turnover: Floats
    dividend_yield: Floats  # per quarter, 0 for none
    quarter_offset: NDArray[np.int64]
    listed: NDArray[np.int64]  # session number
    delisted: NDArray[np.int64]


class SimulatedSource:
    """Symbols SIM0001 to SIM<n>, the index `benchmark` and the volatility index `vix`.

    Each symbol draws from its own child of the seed, keyed by its number, day after day from
    ORIGIN on: values depend neither on the window nor on how many symbols there are.
    """

    name = "simulated"
    publication_delay = timedelta(0)
    exchange = "XNYS"
    revises: Revises = "never"

    def __init__(
        self, symbols: int, seed: int, *, benchmark: str = "^GSPC", vix: str = "^VIX"
    ) -> None:
        if not 1 <= symbols <= 99_999:
            raise SourceError(f"simulated_symbols is {symbols}: it must be from 1 to 99999")
        self._count = symbols
        self._seed = seed
        self._indices = (benchmark, vix)

    def symbols(self) -> list[str]:
        return sorted([*self._numbers, *self._indices])

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        days = self._calendar.between(ORIGIN, max(end, ORIGIN))
        if end < ORIGIN:
            days = days[:0]
        wanted = list(dict.fromkeys(symbols))
        indices = [s for s in wanted if s in self._indices or s not in self._numbers]
        stocks = [s for s in wanted if s in self._numbers and s not in self._indices]
        size = max(1, BATCH_ROWS // max(len(days), 1))
        market = _market(len(days), self._seed)
        bars = self._index_bars(indices, market, days)
        yield _batch(indices, bars, pl.DataFrame(schema=ACTIONS), start, end)
        for first in range(0, len(stocks), size):
            group = stocks[first : first + size]
            yield _batch(group, *self._stock_frames(group, market, days), start, end)

    @cached_property
    def _calendar(self) -> Calendar:
        return calendar("XNYS")

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {f"SIM{number:04d}": number for number in range(1, self._count + 1)}

    def _stock_frames(
        self, group: Sequence[str], market: _Market, days: NDArray[np.datetime64]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        numbers = [self._numbers[s] for s in group]
        sessions = len(days)
        traits = _traits(numbers, self._seed)
        normals = np.empty((len(numbers), sessions, _NORMALS))
        for row, number in enumerate(numbers):
            rng = np.random.default_rng(_child(self._seed, number, 1))
            rng.standard_normal(out=normals[row])
        ohlcv, split, dividend = _paths(traits, market, normals)
        session = np.arange(sessions)
        alive = (session >= traits.listed) & (session < traits.delisted)
        bars = _frame(group, days, ohlcv, alive)
        traded = alive & (session > traits.listed)
        actions = pl.concat(
            [
                _action_frame(group, days, split, traded & (split != 1), "split"),
                _action_frame(group, days, dividend, traded & (dividend > 0), "dividend"),
            ]
        )
        return bars, actions

    def _index_bars(
        self, wanted: Sequence[str], market: _Market, days: NDArray[np.datetime64]
    ) -> pl.DataFrame:
        frames = [pl.DataFrame(schema=BARS)]
        everywhere = np.ones((1, len(days)), dtype=bool)
        benchmark, vix = self._indices
        if benchmark in wanted:
            close = 1400 * np.exp(np.cumsum(market.log_return))
            volume = np.round(1e9 * np.exp(0.2 * market.normals[:, 5]))
            frames.append(
                _frame([benchmark], days, _candles(close, market, 0.5, volume), everywhere)
            )
        if vix in wanted:
            close = 100 * np.sqrt(252) * market.vol * 1.15
            nothing = np.zeros(len(days))
            frames.append(_frame([vix], days, _candles(close, market, 4.0, nothing), everywhere))
        return pl.concat(frames)


def _child(seed: int, number: int, stream: int) -> np.random.SeedSequence:
    """The child of the seed for one symbol (0: the market) and purpose (0: traits, 1: path)."""
    return np.random.SeedSequence(seed, spawn_key=(number, stream))


def _log_volatility(shocks: Floats) -> Floats:
    """Stationary AR(1) along the last axis with sd _VOL_OF_VOL, from standard normals."""
    innovation = _VOL_OF_VOL * np.sqrt(1 - _VOL_PERSISTENCE**2)
    return lfilter([innovation], [1.0, -_VOL_PERSISTENCE], shocks, axis=-1)


def _market(sessions: int, seed: int) -> _Market:
    normals = np.random.default_rng(_child(seed, 0, 1)).standard_normal((sessions, _NORMALS))
    vol = _MARKET_VOL * np.exp(_log_volatility(normals[:, 1]))
    jump = np.where(np.abs(normals[:, 6]) > _JUMP_THRESHOLD, 0.04 * normals[:, 7], 0.0)
    return _Market(_MARKET_DRIFT + vol * normals[:, 0] + jump, vol, normals)


def _traits(numbers: Sequence[int], seed: int) -> _Traits:
    draws = np.stack([np.random.default_rng(_child(seed, n, 0)).random(9) for n in numbers])
    u = draws[:, :, np.newaxis]
    later = np.maximum(u[:, 4] - _AT_ORIGIN, 0) / (1 - _AT_ORIGIN)
    listed = np.floor(later * 5000).astype(np.int64)
    lifetime = 1 + np.floor(-np.log1p(-u[:, 5]) * _MEAN_LIFETIME).astype(np.int64)
    return _Traits(
        beta=0.4 + 1.2 * u[:, 0],
        vol=(0.12 + 0.38 * u[:, 1]) / np.sqrt(252),
        price=np.exp(np.log(8.0) + u[:, 2] * np.log(15.0)),
        turnover=np.exp(np.log(1e5) + u[:, 3] * np.log(200.0)),
        dividend_yield=np.where(u[:, 6] < 0.6, 0.002 + 0.008 * u[:, 7], 0.0),
        quarter_offset=np.floor(u[:, 8] * _QUARTER).astype(np.int64),
        listed=listed,
        delisted=listed + lifetime,
    )


def _paths(
    traits: _Traits, market: _Market, normals: Floats
) -> tuple[dict[str, Floats], Floats, Floats]:
    """(open, high, low, close, volume), split ratio (1: none), dividend (0: none); all of shape
    (symbols, sessions), as traded."""
    z = {name: normals[:, :, i] for i, name in enumerate(("r", "v", "o", "h", "l", "q", "j", "s"))}
    vol = traits.vol * np.exp(_log_volatility(z["v"]))
    jump = np.where(np.abs(z["j"]) > _JUMP_THRESHOLD, 0.1 * z["s"], 0.0)
    session = np.arange(normals.shape[1])
    ex_day = (session > 0) & ((session + traits.quarter_offset) % _QUARTER == 0)
    payout = np.where(ex_day, traits.dividend_yield, 0.0)
    returns = traits.beta * market.log_return - vol**2 / 2 + vol * z["r"] + jump
    returns[:, :1] = 0.0
    price = traits.price * np.exp(np.cumsum(returns + np.log1p(-payout), axis=1))
    shares = _shares(price)
    split = np.ones_like(shares)
    split[:, 1:] = np.round(shares[:, 1:] / shares[:, :-1], 10)
    close = price / shares
    before = np.concatenate([close[:, :1], close[:, :-1]], axis=1) / split
    dividend = np.round(payout * _to_ticks(before), 4)
    opened = before * (1 - payout) * np.exp(0.4 * vol * z["o"] + 0.5 * jump)
    high = np.maximum(opened, close) * np.exp(0.4 * vol * np.abs(z["h"]))
    low = np.minimum(opened, close) * np.exp(-0.4 * vol * np.abs(z["l"]))
    busy = 0.4 * z["q"] + 6 * np.abs(returns)
    volume = np.maximum(np.round(traits.turnover * np.exp(busy) * shares), 1.0)
    prices = {"open": opened, "high": high, "low": low, "close": close}
    return {**{k: _to_ticks(v) for k, v in prices.items()}, "volume": volume}, split, dividend


def _shares(price: Floats) -> Floats:
    """Shares per original share: doubled each time the price has doubled beyond _SPLIT_ABOVE,
    merged 1:10 each time it has lost nine tenths below _REVERSE_BELOW; both some weeks later."""
    doublings = np.ceil(np.log2(np.maximum.accumulate(price, axis=1) / _SPLIT_ABOVE))
    merges = np.ceil(np.log10(_REVERSE_BELOW / np.minimum.accumulate(price, axis=1)))
    shares = 2.0 ** np.maximum(doublings, 0) / 10.0 ** np.maximum(merges, 0)
    delayed = np.ones_like(shares)
    delayed[:, _SPLIT_DELAY:] = shares[:, :-_SPLIT_DELAY]
    return delayed


def _to_ticks(price: Floats) -> Floats:
    """Cents; hundredths of a cent below one; never 0."""
    return np.where(price >= 1, np.round(price, 2), np.maximum(np.round(price, 4), 0.0001))


def _candles(close: Floats, market: _Market, width: float, volume: Floats) -> dict[str, Floats]:
    """OHLCV of an index of shape (1, sessions) around `close`; `width` in market volatilities."""
    spread = width * market.vol
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(0.3 * spread * market.normals[:, 2])
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * np.exp(spread * np.abs(market.normals[:, 3])),
        "low": np.minimum(opened, close) * np.exp(-spread * np.abs(market.normals[:, 4])),
        "close": close,
    }
    rounded = {name: np.round(values, 2)[np.newaxis] for name, values in prices.items()}
    return {**rounded, "volume": volume[np.newaxis]}


def _keys(
    group: Sequence[str], days: NDArray[np.datetime64], mask: NDArray[np.bool_], day_column: str
) -> pl.DataFrame:
    """symbol and day of the True cells of a (symbols, sessions) mask, by symbol, then day."""
    rows, columns = np.nonzero(mask)
    names = pl.Series("symbol", list(group), dtype=pl.String)
    return pl.DataFrame(
        {"symbol": names.gather(rows), day_column: days[columns].astype("datetime64[D]")},
        schema={"symbol": pl.String, day_column: pl.Date},
    )


def _frame(
    group: Sequence[str],
    days: NDArray[np.datetime64],
    ohlcv: dict[str, Floats],
    mask: NDArray[np.bool_],
) -> pl.DataFrame:
    """BARS of the True cells."""
    values = [pl.Series(name, matrix[mask]) for name, matrix in ohlcv.items()]
    return _keys(group, days, mask, "trading_day").with_columns(values)


def _action_frame(
    group: Sequence[str],
    days: NDArray[np.datetime64],
    values: Floats,
    mask: NDArray[np.bool_],
    kind: str,
) -> pl.DataFrame:
    return _keys(group, days, mask, "ex_date").with_columns(
        kind=pl.lit(kind), value=pl.Series(values[mask]), inferred=pl.lit(False)
    )


def _batch(
    symbols: Sequence[str], bars: pl.DataFrame, actions: pl.DataFrame, start: date, end: date
) -> Batch:
    inside = within(bars, "trading_day", start, end)
    return Batch(
        bars=inside,
        actions=within(actions, "ex_date", start, end).sort("symbol", "ex_date", "kind"),
        fetches=log_fetches(symbols, inside, start, end),
    )
