"""The recommendation rule: how far beyond cost and band, and whose forecast, by what it earned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.forecasts.recommendations import BAND, COST, implied_median, recommend
from predtrack_assets.domain.models.learners.comparison import mean_difference
from predtrack_assets.domain.models.tuning import Proposal, Trial, draw
from predtrack_assets.domain.statistics import returns as strategy

BANDS = (0.0, 0.25, BAND, 1.0)
COSTS = (COST, 2 * COST)  # in the threshold; what is paid stays COST
SEARCHED = 0.7  # share of the days on which rules are chosen
MIN_DAYS = 252  # days on which the chosen one is judged

Rule = Mapping[str, Any]
"""band, cost and models: the median forecasts of several are averaged in equal parts."""
Daily = tuple[NDArray[np.datetime64], NDArray[np.float64]]
"""Days (T,) and the returns (T,) of following a rule, after cost."""


def rule(model_ids: Sequence[str], band: float = BAND, cost: float = COST) -> dict[str, Any]:
    """A rule as plain JSON."""
    return {"band": band, "cost": cost, "models": sorted(model_ids)}


def medians(rows: pl.DataFrame) -> pl.DataFrame:
    """model_id, symbol, trading_day, horizon, sigma, median (log return) of stored predictions.

    rows: kind, confidence, q50 beside those; a direction's median is the one that it implies.
    """
    sigma, horizon = (rows[c].cast(pl.Float64).to_numpy() for c in ("sigma", "horizon"))
    implied = implied_median(rows["confidence"].cast(pl.Float64).to_numpy(), sigma, horizon)
    median = pl.when(pl.col("kind") == "price").then("q50").otherwise(pl.Series(implied))
    names = ("model_id", "symbol", "trading_day", "horizon", "sigma")
    return rows.select(*names, median.cast(pl.Float64).alias("median"))


def advice(predictions: pl.DataFrame, chosen: Rule) -> pl.DataFrame:
    """symbol, trading_day, position (+1, 0, -1) by a rule, where all its models have spoken."""
    several = chosen["models"]
    mine = (
        predictions.filter(pl.col("model_id").is_in(several))
        .sort("trading_day", "symbol", "model_id")
        .group_by("trading_day", "symbol", maintain_order=True)
        .agg(pl.len(), pl.col("median").mean(), pl.col("sigma", "horizon").first())
        .filter(pl.col("len") == len(several))
    )
    median, sigma, horizon = (
        mine[c].cast(pl.Float64).to_numpy() for c in ("median", "sigma", "horizon")
    )
    position = recommend(median, sigma, horizon, chosen["band"], chosen["cost"])
    return mine.select("symbol", "trading_day", pl.Series("position", position, dtype=pl.Int8))


@dataclass(frozen=True)
class StrategySearch:
    """Ready to run for one kind and horizon.

    in_force: the rule that is followed now; earned: what following some rules would have returned,
    each on its own days, in one go.
    """

    kind: str
    horizon: int
    in_force: Rule
    tried: Sequence[Rule]
    earned: Callable[[Sequence[Rule]], Sequence[Daily]]

    @classmethod
    def prepare(
        cls,
        kind: str,
        horizon: int,
        in_force: Rule,
        models: Sequence[str],
        earned: Callable[[Sequence[Rule]], Sequence[Daily]],
        *,
        days: int,
        count: int,
        seed: str,
    ) -> StrategySearch | str:
        """A search among rules of `models`, or why it is too early; days: with predictions."""
        needed = int(np.ceil((MIN_DAYS + 2 * horizon) / (1 - SEARCHED)))
        if days < needed:
            return f"{days} days with predictions, {needed} needed"
        sets = [[m] for m in sorted(models)] + ([sorted(models)] if len(models) > 1 else [])
        rules = [rule(m, b, c) for m, b, c in product(sets, BANDS, COSTS)]
        new = [r for r in rules if r != dict(in_force)]
        return cls(kind, horizon, in_force, draw(new, count, f"{seed}/{kind}/{horizon}"), earned)

    @property
    def trials(self) -> list[Trial]:
        """One for each rule."""
        return [Trial(self.kind, self.horizon, {"family": "rule", **r}) for r in self.tried]

    def run(self) -> Proposal:
        """Choose by the Sharpe ratio of the earlier days; judge what the later ones earned more."""
        everybody = self.earned([self.in_force, *self.tried])
        days = everybody[0][0]
        for other, _ in everybody[1:]:
            days = np.intersect1d(days, other)
        base, *others = (r[np.searchsorted(d, days)] for d, r in everybody)
        split = round(SEARCHED * len(days))
        later = slice(split + self.horizon, None)
        if len(days[later]) < MIN_DAYS:
            message = f"{len(days[later])} common days to judge on, {MIN_DAYS} needed"
            return Proposal(
                False, self.in_force, None, {}, {}, message, [{"searched": None}] * len(others)
            )
        ratios = [float(np.nan_to_num(strategy.sharpe(r[:split]), nan=-1e9)) for r in others]
        best = int(np.argmax(ratios))
        gap = mean_difference(days[later], base[later] - others[best][later], self.horizon)
        accepted = gap.high < 0
        before, after = statistics(base[later]), statistics(others[best][later])
        return Proposal(
            accepted,
            self.in_force,
            self.tried[best],
            before,
            {**after, "days": gap.days, "more_a_day": -gap.mean, "more_low": -gap.high},
            f"{-gap.mean:+.3%} a day more on {gap.days} unseen days, 95 % bound {-gap.high:+.3%}:"
            f" {'' if accepted else 'not '}significantly better",
            [
                {"searched": None if r == -1e9 else r, "judged": i == best}
                for i, r in enumerate(ratios)
            ],
            [best] if accepted else [],
        )


def statistics(returns: NDArray[np.float64]) -> dict[str, float | None]:
    """Sharpe, annual return, drawdown and PSR(0) of daily returns; None where not defined."""
    found = {
        "sharpe_ratio": strategy.sharpe(returns),
        "annual_return": strategy.annual_return(returns),
        "max_drawdown": strategy.max_drawdown(returns),
        "probabilistic_sharpe": strategy.probabilistic_sharpe(strategy.moments(returns)),
    }
    return {name: float(v) if np.isfinite(v) else None for name, v in found.items()}
