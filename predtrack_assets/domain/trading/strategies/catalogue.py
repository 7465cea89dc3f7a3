"""The strategies that come with the project; baselines first, they are always shown."""

from __future__ import annotations

from predtrack_assets.domain.trading.strategies.everything import everything
from predtrack_assets.domain.trading.strategies.machine_learning import machine_learning
from predtrack_assets.domain.trading.strategies.meta_labelling import meta_momentum
from predtrack_assets.domain.trading.strategies.momentum import momentum
from predtrack_assets.domain.trading.strategies.pairs import pairs
from predtrack_assets.domain.trading.strategies.regime import regime
from predtrack_assets.domain.trading.strategies.strategy import Strategy

BASELINES = (
    Strategy(
        "buy_and_hold", "Every symbol in equal parts, bought once.", everything, rebalance="once"
    ),
    Strategy("equal_weight", "Every symbol in equal parts, every month.", everything),
)

STRATEGIES = (
    *BASELINES,
    Strategy(
        "momentum_hrp",
        "The best two fifths by 12 months' return without the last, weighted by HRP.",
        momentum,
        allocation="hrp",
        lookback=264,
    ),
    Strategy(
        "machine_learning",
        "The best two fifths of what the pooled model predicts to rise within 21 sessions.",
        machine_learning,
        {"model": "pooled", "kind": "direction", "horizon": 21, "rule": "best"},
        rebalance="weekly",
    ),
    Strategy(
        "champion",
        "BUY signals of the champion, 5 sessions ahead; in cash while no model is champion.",
        machine_learning,
        {"model": "champion", "kind": "direction", "horizon": 5},
        allocation="inverse_volatility",
        rebalance="weekly",
    ),
    Strategy(
        "calm_market",
        "Every symbol, as far as the market is probably calm.",
        regime,
        allocation="inverse_volatility",
        rebalance="weekly",
        lookback=1_260,
    ),
    Strategy(
        "pairs",
        "Both legs of cointegrated pairs that have drifted apart; every pair tested is a trial.",
        pairs,
        rebalance="weekly",
        lookback=280,
    ),
    Strategy(
        "meta_momentum",
        "Momentum's side where past sides like it were right more often than not.",
        meta_momentum,
        allocation="by_probability",
        lookback=1_260,
    ),
)
