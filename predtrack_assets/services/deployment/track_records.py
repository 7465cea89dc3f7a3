"""The records of models as they were known: read year by year, kept as sums per day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment.track_record import (
    JUDGED,
    Cell,
    Due,
    Record,
    Returns,
    Scores,
    add_up,
    as_returns,
    measure,
    score_sums,
)
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.services.trading.signals import follow_signals
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment import queries
from predtrack_assets.warehouse.market.epochs import Epoch, market_epochs

GATED_KINDS = ("price", "direction")


def record_epochs(transaction: Transaction, days: Days, opens: date) -> list[Epoch]:
    """Epochs of `days` divided by late bars and by outcomes that replace earlier ones.

    An outcome that is merely late divides nothing: it counts from the day it was known.
    """
    if not len(days):
        return []
    span = {"first": days[0].item(), "last": days[-1].item()}
    revised = transaction.read(queries.REVISED_OUTCOMES, **span)["resolved_day"].to_numpy()
    breaks = {epoch.first for epoch in market_epochs(transaction, days, opens)}
    at = np.searchsorted(days, np.array(sorted(breaks), "datetime64[D]"))
    at = np.union1d(at, np.searchsorted(days, revised.astype("datetime64[D]")))
    inside = at[(at > 0) & (at < len(days))]
    return [Epoch(part, part[0].item()) for part in np.split(days, inside)]


def years(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Calendar years cut to [first, last]."""
    for year in range(first.year, last.year + 1):
        yield max(first, date(year, 1, 1)), min(last, date(year, 12, 31))


def predictions_with_outcomes(
    transaction: Transaction,
    epoch: Epoch,
    first: date,
    last: date,
    kinds: Sequence[str],
    horizons: Sequence[int],
    models: Sequence[str],
    symbol: str | None = None,
    live: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Predictions decided in [first, last], sorted, beside outcomes known at the epoch's end.

    symbol: of that one alone. live: of those model_id, kind and trading_day alone.
    """
    cut = {
        "first": first,
        "last": last,
        "kinds": list(kinds),
        "horizons": list(horizons),
        "models": list(models),
        "symbol": symbol,
    }
    key = ["trading_day", "symbol", "model_id", "kind", "horizon"]
    results = transaction.read(queries.RESULTS, as_of=epoch.as_of, **cut)
    predictions = transaction.read(queries.PREDICTIONS, **cut)
    if live is not None:
        predictions = predictions.join(live, on=["model_id", "kind", "trading_day"], how="semi")
    return predictions.join(results, on=key, how="left").sort(key)


def read_records(
    transaction: Transaction,
    epoch: Epoch,
    models: Sequence[str],
    horizons: Sequence[int],
    benchmark: str,
    by_symbol: Sequence[str] = (),
    live: pl.DataFrame | None = None,
) -> dict[Cell, Record]:
    """Record of each model, kind and horizon with a result, as known at the end of the epoch.

    by_symbol: those of `models` that have one for each symbol. live: model_id, kind, trading_day of
    the predictions that count, and what was refused since the first of them; None: all.
    """
    first = transaction.read(queries.PREDICTED_SPAN, last=epoch.last).item()
    if first is None or not models:
        return {}
    parts: dict[Cell, list[Scores]] = defaultdict(list)
    advice: list[pl.DataFrame] = []
    fell_due: list[pl.DataFrame] = []
    own = pl.when(pl.col("model_id").is_in(list(by_symbol))).then("symbol").alias("judged")
    day = [*JUDGED, "due_day"]
    for begin, end in years(first, epoch.last):
        span = {"first": begin, "last": end, "kinds": list(GATED_KINDS)}
        refused = transaction.read(
            queries.REFUSED, **span, horizons=list(horizons), models=list(models)
        )
        if live is not None:
            began = live.group_by("model_id", "kind").agg(
                pl.col("trading_day").min().alias("began")
            )
            refused = refused.join(began, on=["model_id", "kind"]).filter(
                pl.col("due_day") >= pl.col("began")
            )
            refused = refused.drop("began")
        fell_due.append(refused.with_columns(own).group_by(day).agg(pl.len()))
        rows = predictions_with_outcomes(
            transaction, epoch, begin, end, GATED_KINDS, horizons, models, live=live
        )
        if rows.is_empty():
            continue
        rows = measure(rows).with_columns(own)
        fell_due.append(rows.group_by(day).agg(pl.len()))
        advice.append(rows.select(*JUDGED, "symbol", "trading_day", "position"))
        scored = rows.filter(pl.col("loss_difference").is_not_null()).rename(
            {"resolved_day": "known_day"}
        )
        for key, group in scored.group_by(JUDGED, maintain_order=True):
            parts[Cell(*key)].append(score_sums(group))
    if not advice:
        return {}
    returns = returns_of(transaction, epoch, pl.concat(advice), first, benchmark)
    due = _due(pl.concat(fell_due))
    return {
        cell: Record(
            cell.model_id, cell.horizon, add_up(scores), returns[cell], due[cell], cell.symbol
        )
        for cell, scores in sorted(parts.items())
    }


def _due(counts: pl.DataFrame) -> dict[Cell, Due]:
    """What fell due per cell, from numbers (len) of some predictions by JUDGED and due_day."""
    counts = counts.group_by(*JUDGED, "due_day").agg(pl.col("len").sum()).sort("due_day")
    return {
        Cell(*key): Due(
            group["due_day"].to_numpy().astype("datetime64[D]"),
            group["len"].to_numpy().astype(np.float64),
        )
        for key, group in counts.group_by(JUDGED, maintain_order=True)
    }


def returns_of(
    transaction: Transaction, epoch: Epoch, advice: pl.DataFrame, first: date, benchmark: str
) -> dict[Cell, Returns]:
    """Daily returns of following the advice of every cell, beside those of the benchmarks.

    advice: model_id, kind, horizon, symbol, trading_day, position (+1, 0, -1); first: its oldest day.
    """
    followed = follow_signals(transaction, epoch, advice, first, epoch.last, benchmark)
    return {
        cell: as_returns(total, followed.open_[cell], followed.days, followed.index)
        for cell, total in followed.totals.items()
    }
