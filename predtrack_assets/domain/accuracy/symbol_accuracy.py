"""How good a model is on each symbol, shrunk toward its rate on all symbols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    Windows,
    column,
    scored,
    table,
    windows,
)
from predtrack_assets.domain.forecasts.hits import correct_call
from predtrack_assets.domain.forecasts.recommendations import BAND, COST, advised, was_right
from predtrack_assets.domain.numerics.row_order import places
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.effective_size import wilson
from predtrack_assets.domain.statistics.multiple_testing import discoveries
from predtrack_assets.domain.statistics.shrinkage import beta_prior

SIDES = {"buy": 1, "sell": -1, "hold": 0}
ADVICE = ["actual_return", "sigma", "q50"]  # what a recommendation and its outcome follow from


@dataclass(frozen=True)
class RetrainingRule:
    """A symbol needs retraining where its rate is below `threshold` with probability >= `level`,
    on at least `min_effective` effective rows, and it survives Benjamini-Hochberg at `fdr` over
    the symbols of the same model, kind, event, horizon and report."""

    threshold: float = 0.50
    level: float = 0.95
    min_effective: float = 20.0
    fdr: float = 0.10


def symbol_accuracy(
    outcomes: pl.DataFrame,
    report_days: Days,
    period: str,
    rule: RetrainingRule = RetrainingRule(),
) -> pl.DataFrame:
    """One row per symbol, model, kind, event, horizon and window with validated outcomes.

    outcomes: the columns symbol, model_id, kind, event, horizon, due_day, status, confidence,
    occurred, error_magnitude and ADVICE; report_days: sorted datetime64[D], the windows' last days;
    period: a name in windows.PERIODS. Accurate are correct calls (forecasts/hits.py). The posterior
    is beta-binomial on effective counts, its interval 95 %. A recommendation follows from the
    prediction (recommendations.advised); its rates have Wilson's 95 % on their share of n_eff, and
    are null where none was given. Raises ValueError for an unknown period or a validated row
    without outcome or probability.
    """
    return symbol_accuracy_of(judged(outcomes), report_days, period, rule)


def judged(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Of validated outcomes as `symbol_accuracy` takes them, what is counted of them: one row each,
    by CELL, symbol and due day, with position (+1 BUY, -1 SELL, 0 HOLD) and whether it was right."""
    rows = scored(outcomes).with_columns(correct_call().alias("accurate"))
    rows = rows[np.argsort(places(rows, [*CELL, "symbol", "due_day"]), kind="stable")]
    median, p_up, sigma, horizon, gone = (
        column(rows, c) for c in ("q50", "confidence", "sigma", "horizon", "actual_return")
    )
    position = advised(rows["kind"].to_numpy(), median, p_up, sigma, horizon)
    right = was_right(position, gone, sigma, horizon)
    counted = ["confidence", "accurate", "error_magnitude"]
    return rows.select(*CELL, "symbol", "due_day", *counted).with_columns(
        pl.Series("position", position), pl.Series("right", right)
    )


def symbol_accuracy_of(
    rows: pl.DataFrame,
    report_days: Days,
    period: str,
    rule: RetrainingRule = RetrainingRule(),
) -> pl.DataFrame:
    """`symbol_accuracy` of what was `judged`, which serves every period."""
    from scipy.special import betainc, betaincinv

    view = windows(rows, [*CELL, "symbol"], report_days, period)
    pool, pool_n_eff = _pools(view, rows, report_days)
    totals, n_eff = _totals(view)
    n, hits, confidence, errors, with_error = totals
    rate = hits / n
    a, b = (prior[pool] for prior in beta_prior(rate, n_eff, pool, pool_n_eff))
    a, b = a + rate * n_eff, b + (1 - rate) * n_eff
    below = betainc(a, b, rule.threshold)
    result = {
        **view.labels(),
        "total_predictions": n.astype(np.int64),
        "accurate_predictions": hits.astype(np.int64),
        "accuracy_rate": rate,
        "n_eff": n_eff,
        "posterior_mean": a / (a + b),
        "posterior_low": betaincinv(a, b, 0.025),
        "posterior_high": betaincinv(a, b, 0.975),
        "threshold": np.full_like(below, rule.threshold),
        "p_below_threshold": below,
        "avg_error_magnitude": errors / np.where(with_error > 0, with_error, np.nan),
        "avg_confidence": confidence / n,
        "needs_retraining": _flags(below, rate, n_eff, pool, rule),
        **_recommendations(view, n_eff / n),
    }
    keys = ["symbol", *CELL]
    return table(result, [*keys, "period_end"]).select(*keys, pl.exclude(keys))


def _flags(
    below: Floats, rate: Floats, n_eff: Floats, pool: Ints, rule: RetrainingRule
) -> NDArray[np.bool_]:
    """needs_retraining (R,). Benjamini-Hochberg looks at exact binomial p-values on effective counts.

    Posterior probabilities would not do: symbols that move together support each other's prior,
    and up to 14 % of the discoveries are false where 10 % were asked for (simulated).
    """
    from scipy.special import betainc

    enough = np.flatnonzero(n_eff >= rule.min_effective)
    hits, misses = (rate * n_eff)[enough], ((1 - rate) * n_eff)[enough]
    tail = betainc(hits + 1, np.maximum(misses, 1e-9), rule.threshold)
    p_value = np.where(misses > 0, 1 - tail, 1.0)  # P(no more hits, if right at the threshold)
    flags = np.zeros(below.size, dtype=bool)
    flags[enough] = discoveries(p_value, pool[enough], rule.fdr) & (below[enough] >= rule.level)
    return flags


def _totals(view: Windows) -> tuple[Floats, Floats]:
    """Rows, hits, summed confidence, summed error, rows with an error as (5, R); n_eff (R,)."""
    y, p, error = (column(view.rows, c) for c in ("accurate", "confidence", "error_magnitude"))
    known = ~np.isnan(error)
    parts = [np.ones_like(y), y, p, np.where(known, error, 0.0), known * 1.0]
    per_date = [view.per_date(part) for part in parts]
    return view.sums(per_date), view.effective_sizes(per_date[1], per_date[0], per_date[1])


def _recommendations(view: Windows, worth: Floats) -> dict[str, pl.Series | Floats]:
    """Per side: given, right, rate and its interval (R,); worth (R,): effective rows of one row."""
    position, right = column(view.rows, "position"), view.rows["right"].to_numpy()
    given = [position == side for side in SIDES.values()]
    parts = [view.per_date(part * 1.0) for side in given for part in (side, side & right)]
    sums = view.sums(parts).reshape(len(SIDES), 2, len(view))
    recommends = np.where(sums[:, 0].sum(axis=0) > 0, 1.0, np.nan)  # a kind that recommends at all
    columns: dict[str, pl.Series | Floats] = {}
    for name, (count, came_right) in zip(SIDES, sums, strict=True):
        rate = came_right / np.where(count > 0, count, np.nan)
        low, high = wilson(rate, worth * count)
        for what, number in (("count", count), ("right", came_right)):
            whole = pl.Series(number * recommends, nan_to_null=True).cast(pl.Int64)
            columns[f"{name}_{what}"] = whole
        columns |= {f"{name}_accuracy": rate, f"{name}_low": low, f"{name}_high": high}
    return {**columns, "band": BAND * recommends, "cost": COST * recommends}


def _pools(view: Windows, rows: pl.DataFrame, report_days: Days) -> tuple[Ints, Floats]:
    """Which pool (all symbols of a cell and window) each window is of, and each pool's n_eff."""
    sums = rows.group_by(*CELL, "due_day").agg(n=pl.len(), hits=pl.col("accurate").sum())
    whole = windows(sums, CELL, report_days, view.period)
    hits, counts = (column(whole.rows, name) for name in ("hits", "n"))
    on = [*CELL, "period_end"]
    index = pl.DataFrame(whole.labels()).select(on).with_row_index("pool")
    pool = pl.DataFrame(view.labels()).select(on).join(index, on=on, maintain_order="left")
    return pool["pool"].to_numpy().astype(np.int64), whole.effective_sizes(hits, counts, hits)
