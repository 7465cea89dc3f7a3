"""Replay: what is stored, computed anew from what was known on its day, and compared bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.domain.models import MODELS
from predtrack_assets.domain.parity import Parity, compare
from predtrack_assets.partitions import Window
from predtrack_assets.proofs.stages import PREDICTED, STAGES, Stage
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import proofs
from predtrack_assets.warehouse.warehouse import READER, Transaction, Warehouse

ROWS_AT_ONCE = 400_000
DAYS_AT_ONCE = 125
SHOWN = 20

Progress = Callable[[str], None]


def replay(
    warehouse: Warehouse,
    settings: Settings,
    first: date,
    last: date,
    sample: int | None = None,
    seed: int = 0,
    stages: tuple[Stage, ...] = STAGES,
    progress: Progress = lambda _: None,
) -> dict[Stage, Parity]:
    """Parity of every stored row of `stages` that lies in [first, last].

    sample: so many random days instead, each computed alone, from rows with knowledge_time <=
    as_of of just that day. Without it days are computed in runs of up to DAYS_AT_ONCE.
    """
    result = {}
    for stage in stages:
        parity = Parity()
        for asked, done, number in _windows(warehouse, stage, first, last, sample, seed):
            with warehouse.transaction(READER) as transaction:
                parity += _replay(transaction, stage, asked, settings, SHOWN)
            parity.mismatches = parity.mismatches[:SHOWN]
            progress(
                f"{stage.table}: {done} of {number} {'days' if sample else 'runs of days'},"
                f" {parity.equal.total():,} of {parity.compared.total():,} rows equal"
            )
        result[stage] = parity
    return result


def _windows(
    warehouse: Warehouse, stage: Stage, first: date, last: date, sample: int | None, seed: int
) -> Iterator[tuple[Window, int, int]]:
    """Windows that together hold the days with stored rows, or the sampled ones, with a count."""
    stored = warehouse.read(proofs.rows_per_day(stage.table), first=first, last=last)
    days = stored["day"].to_list()
    if sample is not None:
        random = np.random.default_rng(seed)
        chosen = np.sort(random.choice(len(days), min(sample, len(days)), replace=False))
        windows = [Window(days[i], days[i]) for i in chosen]
    else:
        run = (stored["rows"].cum_sum() // ROWS_AT_ONCE).to_numpy()
        count = np.arange(len(days)) // DAYS_AT_ONCE
        starts = [
            i for i in range(len(days)) if i == 0 or run[i] > run[i - 1] or count[i] > count[i - 1]
        ]
        ends = [*(i - 1 for i in starts[1:]), len(days) - 1]
        windows = [Window(days[a], days[b]) for a, b in zip(starts, ends, strict=False)]
    for number, asked in enumerate(windows, 1):
        yield asked, number, len(windows)


def _replay(
    transaction: Transaction, stage: Stage, asked: Window, settings: Settings, show: int
) -> Parity:
    """Parity of the stored rows of one window."""
    window = {"first": asked.start, "last": asked.end}
    stored = transaction.read(proofs.stored_rows(stage.table), **window)
    unreplayable: Counter[tuple[tuple[str, ...], str]] = Counter()
    if stage is PREDICTED:
        settings = _as_stored(transaction, settings, window)
        stored, unreplayable = _set_apart(transaction, stored)
    recomputed = stage.compute(transaction, asked, settings)
    parity = compare(stored, recomputed, stage.table.key, stage.by, show)
    parity.unreplayable = unreplayable
    return parity


def _as_stored(transaction: Transaction, settings: Settings, window: dict[str, date]) -> Settings:
    """The settings, but with the horizons and baselines that are stored."""
    horizons = transaction.read(proofs.HORIZONS, **window)["horizon"].to_list()
    return settings.model_copy(
        update={"horizons": tuple(horizons) or settings.horizons, "predict_baselines": True}
    )


def _set_apart(
    transaction: Transaction, stored: pl.DataFrame
) -> tuple[pl.DataFrame, Counter[tuple[tuple[str, ...], str]]]:
    """Stored predictions that can be computed anew, and the number of others with the reason."""
    registered = set(transaction.read(proofs.REGISTERED)["model_id"])
    computable = {model.model_id for model in MODELS}
    reasons: Counter[tuple[tuple[str, ...], str]] = Counter()
    others = stored.filter(~pl.col("model_id").is_in(computable))
    for model, kind, rows in (
        others.group_by("model_id", "kind").len().sort("model_id", "kind").rows()
    ):
        reason = (
            "this version of the code has no such model"
            if model in registered
            else "not a model of ours: its rows were handed in"
        )
        reasons[((model, kind), reason)] = rows
    return stored.filter(pl.col("model_id").is_in(computable)), reasons
