"""Features of a day: its bits depend on its own past only; formulas; what is unknown."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import talib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.features import feature_set
from predtrack_assets.domain.features.feature_set import (
    BLOCK,
    STANDARD,
    WARM_UP,
    MarketContext,
    compute_features,
    first_session,
)
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets_tests.builders.panels import XNYS, constant, random_panel

BLOCK_START = 13 * BLOCK  # of the exchange's sessions
FIRST = XNYS.sessions[BLOCK_START - WARM_UP]
SESSIONS = WARM_UP + BLOCK + 60
DAYS = XNYS.sessions[BLOCK_START + BLOCK - 40 : BLOCK_START + BLOCK + 40]  # into the next block
PRICES = ("open", "high", "low", "close")
PER_BAR = (*PRICES, "volume")


def market_of(panel: Panel, seed: int = 9) -> MarketContext:
    random = np.random.default_rng(seed)
    n = len(panel.sessions)
    return MarketContext(
        exchange=XNYS,
        benchmark_return=random.normal(0, 0.01, n),
        market_breadth=random.random(n),
        market_regime=random.integers(0, 4, n) * 1.0,
        vix_level=random.uniform(10, 40, n),
    )


def panel_of(seed: int = 0, **options: float) -> Panel:
    return random_panel(3, SESSIONS, seed, first=FIRST, **options)


def computed(panel: Panel, days: np.ndarray = DAYS) -> np.ndarray:
    return compute_features(panel, market_of(panel), days)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return (
        a.shape == b.shape
        and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
    )


def columns(panel: Panel, part: slice | np.ndarray) -> Panel:
    cut = {
        f.name: getattr(panel, f.name)[..., part]
        for f in dataclasses.fields(panel)
        if f.name != "symbols"
    }
    return dataclasses.replace(panel, **cut)


def cut_market(market: MarketContext, part: slice) -> MarketContext:
    names = ("benchmark_return", "market_breadth", "market_regime", "vix_level")
    return dataclasses.replace(market, **{name: getattr(market, name)[part] for name in names})


def feature(values: np.ndarray, name: str) -> np.ndarray:
    return values[..., STANDARD.columns.index(name)]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of()


def test_a_range_is_its_days(panel: Panel) -> None:
    together = computed(panel)
    for number, day in enumerate(DAYS):
        alone = computed(panel, DAYS[number : number + 1])
        assert same_bits(alone, together[:, number : number + 1]), day
    some = np.array([0, 3, 39, 40, 41, 79])
    assert same_bits(computed(panel, DAYS[some]), together[:, some])


def test_symbols_and_chunks_do_not_matter(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    together = computed(panel)
    for at_once in (1, 2):
        monkeypatch.setattr(feature_set, "SYMBOLS_AT_ONCE", at_once)
        assert same_bits(computed(panel), together)
    order = np.array([2, 0])
    fewer = dataclasses.replace(
        panel, **{f.name: getattr(panel, f.name)[order] for f in dataclasses.fields(panel)
                  if f.name != "sessions"}
    )  # fmt: skip
    assert same_bits(computed(fewer), together[order])


def test_more_history_does_not_matter(panel: Panel) -> None:
    market = market_of(panel)
    late = DAYS[40:]
    part = slice(BLOCK, None)
    fewer = compute_features(columns(panel, part), cut_market(market, part), late)
    assert same_bits(fewer, compute_features(panel, market, late))


@pytest.mark.parametrize("poison", ["nan", "huge", "negative", "permuted", "deleted", "splits"])
def test_the_future_does_not_matter(panel: Panel, poison: str) -> None:
    market = market_of(panel)
    honest = compute_features(panel, market, DAYS)
    random = np.random.default_rng(1)
    for number in (0, 39, 40, 79):
        at = int(np.searchsorted(panel.sessions, DAYS[number])) + 1
        order = np.concatenate([np.arange(at), at + random.permutation(SESSIONS - at)])
        value = {"nan": np.nan, "huge": 1e9, "negative": -1e9}.get(poison)
        later = np.arange(SESSIONS) >= at
        if value is not None:
            spoil = {n: np.where(later, value, getattr(panel, n)) for n in PER_BAR}
            other, world = dataclasses.replace(panel, **spoil), market
            world = dataclasses.replace(
                market, benchmark_return=np.where(later, value, market.benchmark_return)
            )
        elif poison == "splits":
            split = np.where(later, random.choice([0.1, 3.0, 7.0], panel.split.shape), panel.split)
            other, world = dataclasses.replace(panel, split=split), market
        elif poison == "permuted":
            shuffled = {n: getattr(panel, n)[:, order] for n in (*PER_BAR, "split")}
            other = dataclasses.replace(panel, **shuffled)
            world = dataclasses.replace(market, vix_level=market.vix_level[order])
        else:
            other, world = columns(panel, slice(at)), cut_market(market, slice(at))
        days = DAYS[: number + 1]
        with np.errstate(all="ignore"):
            assert same_bits(compute_features(other, world, days), honest[:, : number + 1])


def test_a_panel_that_begins_too_late_is_refused(panel: Panel) -> None:
    late = columns(panel, slice(1, None))
    with pytest.raises(ValueError, match=f"must begin on {FIRST}"):
        compute_features(late, cut_market(market_of(panel), slice(1, None)), DAYS)
    assert first_session(XNYS, DAYS[0]) == FIRST.item()
    assert first_session(XNYS, XNYS.sessions[3]) == XNYS.sessions[0].item()


def test_scale_and_shares_do_not_matter() -> None:
    plain = panel_of(3, splits=0.0, gaps=0.0)
    dollars = STANDARD.columns.index("dollar_volume_21")
    expected = computed(plain)
    bigger = {name: getattr(plain, name) * 7 for name in PRICES}
    scaled = computed(dataclasses.replace(plain, **bigger, volume=plain.volume / 7))
    np.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-8)
    assert np.isfinite(expected[..., dollars]).all()

    split = np.ones_like(plain.split)
    at = WARM_UP + BLOCK - 70
    split[:, at] = 3.0
    shares = np.where(np.arange(SESSIONS) >= at, 3.0, 1.0)
    told = {name: getattr(plain, name) / shares for name in PRICES}
    after = dataclasses.replace(plain, **told, volume=plain.volume * shares, split=split)
    np.testing.assert_allclose(computed(after), expected, rtol=1e-6, atol=1e-8)


def test_formulas_against_other_libraries() -> None:
    panel = panel_of(4, splits=0.0, gaps=0.0)
    market = market_of(panel)
    day = DAYS[-1]
    at = int(np.searchsorted(panel.sessions, day)) + 1
    values = compute_features(panel, market, DAYS[-1:])[0, 0]
    high, low, close, opened, volume = (
        getattr(panel, n)[0, :at] for n in ("high", "low", "close", "open", "volume")
    )
    returns = np.diff(np.log(close))
    quarter, world = returns[-63:], market.benchmark_return[at - 63 : at]
    expected = {
        **{f"return_{n}": np.log(close[-1] / close[-1 - n]) for n in (1, 5, 10, 21, 63, 126, 252)},
        **{f"volatility_{n}": np.std(returns[-n:], ddof=1) for n in (5, 10, 21, 63, 126, 252)},
        "parkinson_volatility_21": np.sqrt(
            np.mean(np.log(high / low)[-21:] ** 2) / (4 * np.log(2))
        ),
        "rsi_14": talib.RSI(close, 14)[-1],
        "atr_14": talib.ATR(high, low, close, 14)[-1] / close[-1],
        "ema_20": np.log(close[-1] / talib.EMA(close, 20)[-1]),
        "sma_200": np.log(close[-1] / close[-200:].mean()),
        "macd_line": talib.MACD(close)[0][-1] / close[-1],
        "adx_14": talib.ADX(high, low, close, 14)[-1],
        "bollinger_width": 4 * close[-20:].std() / close[-20:].mean(),
        "stochastic_k": talib.STOCH(high, low, close, 14, 3, 0, 3, 0)[0][-1],
        "obv_slope_21": np.diff(talib.OBV(close, volume)[-22:]).sum() / volume[-21:].sum(),
        "volume_z_21": scipy.stats.zscore(np.log(volume[-21:]))[-1],
        "dollar_volume_21": np.log((close * volume)[-21:].mean()),
        "gap": np.log(opened[-1] / close[-2]),
        "intraday_range": np.log(high[-1] / low[-1]),
        "high_252": np.log(close[-1] / high[-252:].max()),
        "low_21": np.log(close[-1] / low[-21:].min()),
        "drawdown_252": np.log(close[-1] / close[-252:].max()),
        "skew_63": scipy.stats.skew(quarter),
        "kurtosis_63": scipy.stats.kurtosis(quarter),
        "beta_63": np.cov(quarter, world)[0, 1] / np.var(world, ddof=1),
        "correlation_63": np.corrcoef(quarter, world)[0, 1],
        "relative_strength_63": quarter.sum() - world.sum(),
        "market_breadth": market.market_breadth[at - 1],
        "vix_level": market.vix_level[at - 1],
    }
    for name, number in expected.items():
        assert feature(values, name) == pytest.approx(number, rel=1e-8, abs=1e-10), name


def test_against_itself_the_benchmark_has_a_beta_of_one() -> None:
    panel = panel_of(5, splits=0.0, gaps=0.0)
    own = np.diff(np.log(panel.close[1]), prepend=np.nan)
    market = dataclasses.replace(market_of(panel), benchmark_return=own)
    values = compute_features(panel, market, DAYS)[1]
    np.testing.assert_allclose(feature(values, "beta_63"), 1)
    np.testing.assert_allclose(feature(values, "correlation_63"), 1)
    np.testing.assert_allclose(feature(values, "relative_strength_63"), 0, atol=1e-12)


def test_calendar_features() -> None:
    days = XNYS.between(date(2024, 1, 25), date(2024, 2, 7))
    start = first_session(XNYS, days[0])
    sessions = len(XNYS.between(start, date(2024, 2, 7)))
    panel = random_panel(1, sessions, gaps=0.0, first=np.datetime64(start))
    values = compute_features(panel, market_of(panel), days)[0]
    weekday = [day.item().weekday() for day in days]
    assert feature(values, "day_of_week").tolist() == weekday
    turn = {date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2), date(2024, 2, 5)}
    assert {d.item() for d in days[feature(values, "month_turn") == 1]} == turn


def test_nothing_is_known_without_a_bar_and_little_with_one(panel: Panel) -> None:
    values = computed(panel)
    absent = np.isnan(panel.close[:, np.searchsorted(panel.sessions, DAYS)])
    assert absent.any()
    assert np.array_equal(np.isnan(values).all(axis=2), absent)

    at = int(np.searchsorted(panel.sessions, DAYS[10]))
    only = np.arange(SESSIONS) == at
    lone = {name: np.where(only, getattr(panel, name), np.nan) for name in PER_BAR}
    first = computed(dataclasses.replace(panel, **lone))[:, 10]
    known = {c for c, seen in zip(STANDARD.columns, ~np.isnan(first[0]), strict=True) if seen}
    of_the_day = {"intraday_range", "market_breadth", "market_regime", "vix_level"}
    assert known == of_the_day | {"day_of_week", "month_turn"}


def test_prices_that_never_move_and_volume_that_is_not_there() -> None:
    panel = panel_of(6, gaps=0.0)
    values = computed(constant(panel, 10.0))
    for name, number in {
        "volatility_252": 0, "rsi_14": 50, "atr_14": 0, "adx_14": 0, "stochastic_d": 50,
        "bollinger_percent": 0.5, "bollinger_width": 0, "ema_50": 0, "obv_slope_21": 0,
    }.items():  # fmt: skip
        np.testing.assert_allclose(feature(values, name), number, atol=1e-12, err_msg=name)
    for name in ("skew_63", "kurtosis_63", "autocorrelation_63", "correlation_63"):
        assert np.isnan(feature(values, name)).all(), name

    silent = computed(dataclasses.replace(panel, volume=panel.volume * 0))
    for name in ("obv_slope_21", "volume_z_21", "dollar_volume_21"):
        assert np.isnan(feature(silent, name)).all(), name


RANGES = {
    "rsi_14": (0, 100), "adx_14": (0, 100), "plus_di_14": (0, 100), "minus_di_14": (0, 100),
    "stochastic_k": (0, 100), "stochastic_d": (0, 100), "obv_slope_21": (-1, 1),
    "correlation_63": (-1, 1), "high_252": (-np.inf, 0), "low_252": (0, np.inf),
    "drawdown_252": (-np.inf, 0), "volatility_21": (0, np.inf), "intraday_range": (0, np.inf),
    "symbol_regime": (0, 3), "symbol_regime_confidence": (0.25, 1), "month_turn": (0, 1),
}  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    splits=st.sampled_from([0.0, 0.05]),
    volatility=st.sampled_from([1e-7, 0.01, 0.3]),
    number=st.integers(0, len(DAYS) - 1),
)
def test_whatever_the_bars_numbers_are_in_range_and_a_day_stands_alone(
    seed: int, gaps: float, splits: float, volatility: float, number: int
) -> None:
    panel = panel_of(seed, gaps=gaps, splits=splits, volatility=volatility)
    values = computed(panel)
    assert not np.isinf(values).any()
    assert not np.signbit(values[values == 0]).any()
    for name, (low, high) in RANGES.items():
        numbers = feature(values, name)
        numbers = numbers[~np.isnan(numbers)]
        assert ((numbers >= low - 1e-9) & (numbers <= high + 1e-9)).all(), name
    at = int(np.searchsorted(panel.sessions, DAYS[number])) + 1
    cut = compute_features(
        columns(panel, slice(at)), cut_market(market_of(panel), slice(at)), DAYS[[number]]
    )
    assert same_bits(cut, values[:, [number]])


def test_no_symbols_and_no_sessions_give_nothing() -> None:
    panel = panel_of()
    none = dataclasses.replace(
        panel, **{f.name: getattr(panel, f.name)[:0] for f in dataclasses.fields(panel)
                  if f.name != "sessions"}
    )  # fmt: skip
    assert computed(none).shape == (0, len(DAYS), len(STANDARD.columns))
    saturday = np.array(["2016-01-02"], dtype="datetime64[D]")
    assert np.isnan(computed(panel, saturday)).all()


def test_the_hash_is_of_the_code_and_not_of_its_comments(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    texts = ['"""A."""\nX = 1  # one\n', '"""B."""\nX = 1\n', "X = 2\n"]
    trees = []
    for text in texts:
        module.write_text(text)
        trees.append(feature_set._code(module))
    assert trees[0] == trees[1] != trees[2]
    assert len(STANDARD.code_hash) == 64
    assert len(set(STANDARD.columns)) == len(STANDARD.columns)
