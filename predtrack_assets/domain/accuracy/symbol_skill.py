"""Skill of each model on each symbol over the whole record, shrunk toward its skill on all symbols.

Computed from losses summed per month: months (or several, for long horizons) are blocks that
hardly depend on each other, so their spread tells how sure a skill is, overlap included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.shrinkage import shrink_means

CELL = ["model_id", "kind", "horizon"]
MIN_BLOCKS = 6  # below, a spread of blocks says too little
SESSIONS = 21  # a month's
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("symbol", "model_id", "kind"), pl.String),
    **dict.fromkeys(("horizon", "n"), pl.Int64),
    **dict.fromkeys(("own_skill", "skill", "skill_low", "skill_high"), pl.Float64),
}


def symbol_skill(months: pl.DataFrame) -> pl.DataFrame:
    """One row per model, kind, horizon and symbol: SCHEMA, the best symbols of a cell first.

    months: CELL, symbol, month (first day), n, loss, loss_baseline. own_skill is 1 - loss / loss of
    the baseline on the symbol alone; skill its shrunken value with a 95 % interval, null where the
    record has fewer than 6 blocks.
    """
    frames = [
        _of_cell(dict(zip(CELL, key, strict=True)), part)
        for key, part in months.sort(*CELL, "symbol", "month").group_by(CELL, maintain_order=True)
    ]
    found = pl.concat([pl.DataFrame(schema=SCHEMA), *frames])
    return found.sort(*CELL, "skill", "symbol", descending=[False] * 3 + [True, False])


def best_models(skills: pl.DataFrame) -> pl.DataFrame:
    """Of each symbol, kind and horizon the model with the highest shrunken skill, with the next one."""
    on = ["symbol", "kind", "horizon"]
    ranked = skills.filter(pl.col("skill").is_not_null()).sort(
        *on, "skill", "model_id", descending=[False] * 3 + [True, False]
    )
    return ranked.group_by(on, maintain_order=True).agg(
        pl.all().first(), next_model=pl.col("model_id").get(1, null_on_oob=True),
        next_skill=pl.col("skill").get(1, null_on_oob=True),
    )  # fmt: skip


def _of_cell(key: dict[str, Any], rows: pl.DataFrame) -> pl.DataFrame:
    together = max(1, -(-2 * int(key["horizon"]) // SESSIONS))  # months a block
    month = rows["month"].dt.year() * 12 + rows["month"].dt.month()
    rows = rows.with_columns(block=(month - month.min()) // together)
    sums = [pl.col(name).sum() for name in ("n", "loss", "loss_baseline")]
    blocks = rows.group_by("symbol", "block", maintain_order=True).agg(sums)
    pool = blocks.group_by("block", maintain_order=True).agg(sums)
    symbols = blocks.group_by("symbol", maintain_order=True).agg(
        pl.col("n").sum(), "loss", "loss_baseline"
    )
    measured = [
        _ratio(np.asarray(a, np.float64), np.asarray(b, np.float64))
        for a, b in zip(symbols["loss"], symbols["loss_baseline"], strict=True)
    ]
    skills, errors = (np.array(part, np.float64) for part in zip(*measured, strict=True))
    pooled, pooled_error = _ratio(pool["loss"].to_numpy(), pool["loss_baseline"].to_numpy())
    known = np.isfinite(errors) & np.isfinite(pooled_error)
    shrunken = np.full((3, skills.size), np.nan)
    if known.any():
        found = shrink_means(skills[known], errors[known], pooled, pooled_error)
        shrunken[:, known] = found.mean, found.low, found.high
    named = dict(zip(("skill", "skill_low", "skill_high"), shrunken, strict=True))
    frame = symbols.select("symbol", "n").with_columns(
        *(pl.lit(value).alias(name) for name, value in key.items()),
        own_skill=pl.Series(skills),
        **{name: pl.Series(values) for name, values in named.items()},
    )
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    return frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _ratio(loss: Floats, baseline: Floats) -> tuple[float, float]:
    """Skill 1 - sum(loss) / sum(baseline) and its standard error from the spread of the blocks."""
    total = float(baseline.sum())
    if not total > 0:
        return float("nan"), float("nan")
    skill = 1 - float(loss.sum()) / total
    if loss.size < MIN_BLOCKS:
        return skill, float("nan")
    residual = (baseline - loss) - skill * baseline
    spread = float(np.square(residual).sum()) * loss.size / (loss.size - 1)
    return skill, float(np.sqrt(spread)) / total
