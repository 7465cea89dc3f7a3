"""Indicators against TA-Lib and published numbers; their seeds, gaps and flat prices."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from predtrack_assets.domain.features import indicators

ROWS = 700
WARM = 500  # rows after which another seed is forgotten


@pytest.fixture(scope="module")
def bars() -> dict[str, np.ndarray]:
    """Of one symbol; shape (ROWS,)."""
    random = np.random.default_rng(5)
    close = 40 * np.exp(np.cumsum(random.normal(0, 0.02, ROWS)))
    high = close * np.exp(np.abs(random.normal(0, 0.01, ROWS)))
    low = close * np.exp(-np.abs(random.normal(0, 0.01, ROWS)))
    volume = random.integers(1_000, 9_000, ROWS).astype(float)
    return {"high": high, "low": low, "close": close, "volume": volume}


def row(x: np.ndarray) -> np.ndarray:
    return x[None, :]


def assert_equal(mine: np.ndarray, theirs: np.ndarray, since: int = 0) -> None:
    np.testing.assert_allclose(mine[0, since:], theirs[since:], rtol=1e-10, atol=1e-9)
    assert np.isfinite(theirs[since:]).sum() > 100


def test_equal_to_talib_from_the_first_value(bars: dict[str, np.ndarray]) -> None:
    high, low, close = bars["high"], bars["low"], bars["close"]
    three = row(high), row(low), row(close)
    assert_equal(indicators.rsi(three[2]), talib.RSI(close, 14))
    assert_equal(indicators.atr(*three), talib.ATR(high, low, close, 14))
    for n in (12, 20, 50):
        assert_equal(indicators.ema(three[2], n), talib.EMA(close, n))
        assert_equal(indicators.sma(three[2], n), talib.SMA(close, n))
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    for mine, theirs in zip(indicators.bollinger(three[2]), (lower, middle, upper), strict=True):
        assert_equal(mine, theirs)
    slow, slower = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    mine_slow, mine_slower = indicators.stochastic(*three)
    assert_equal(mine_slow[:, 17:], slow[17:])  # TA-Lib begins both lines with the later one
    assert_equal(mine_slower, slower)


def test_equal_to_talib_once_its_other_seeds_are_forgotten(bars: dict[str, np.ndarray]) -> None:
    high, low, close = bars["high"], bars["low"], bars["close"]
    three = row(high), row(low), row(close)
    for mine, theirs in zip(indicators.macd(three[2]), talib.MACD(close), strict=True):
        assert_equal(mine, theirs, WARM)
    plus, minus, adx = indicators.directional(*three)
    assert_equal(plus, talib.PLUS_DI(high, low, close, 14), WARM)
    assert_equal(minus, talib.MINUS_DI(high, low, close, 14), WARM)
    assert_equal(adx, talib.ADX(high, low, close, 14), WARM)
    mine = indicators.obv(three[2], row(bars["volume"]))
    assert_equal(mine + bars["volume"][0], talib.OBV(close, bars["volume"]))


def test_rsi_of_the_published_example() -> None:
    """StockCharts ChartSchool, "Relative Strength Index"."""
    close = [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
        45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    ]  # fmt: skip
    result = indicators.rsi(row(np.array(close)))[0]
    assert np.isnan(result[:14]).all()
    assert result[14:].round(2).tolist() == [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]


def test_a_missing_bar_is_skipped(bars: dict[str, np.ndarray]) -> None:
    holes = np.arange(30, ROWS, 37)
    kept = np.setdiff1d(np.arange(ROWS), holes)
    three = [row(bars[name]).copy() for name in ("high", "low", "close")]
    without = [np.ascontiguousarray(x[:, kept]) for x in three]
    for x in three:
        x[:, holes] = np.nan
    pairs = [
        (indicators.rsi(three[2]), indicators.rsi(without[2])),
        (indicators.atr(*three), indicators.atr(*without)),
        (indicators.macd(three[2])[1], indicators.macd(without[2])[1]),
        *zip(indicators.directional(*three), indicators.directional(*without), strict=True),
    ]
    for mine, expected in pairs:
        np.testing.assert_array_equal(mine[:, kept], expected)


def test_prices_that_never_move() -> None:
    flat = np.full((1, 100), 10.0)
    assert indicators.rsi(flat)[0, -1] == 50
    assert indicators.atr(flat, flat, flat)[0, -1] == 0
    assert [x[0, -1] for x in indicators.directional(flat, flat, flat)] == [0, 0, 0]
    assert [x[0, -1] for x in indicators.stochastic(flat, flat, flat)] == [50, 50]
    assert [x[0, -1] for x in indicators.bollinger(flat)] == [10, 10, 10]
    assert indicators.obv(flat, flat)[0, -1] == 0
