"""Lookahead: poison everything that was known later, compute again, and nothing may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.audit.replay_comparison import Mismatch, compare
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.models.as_of_statistics import lookback
from predtrack_assets.domain.numerics.digest import total_digest
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.proofs.stages import PREDICTED, STAGES, Stage
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.profiles import last_day
from predtrack_assets.warehouse.database.scratch import (
    POISONS,
    Poison,
    PoisonedTransaction,
    Scratch,
)
from predtrack_assets.warehouse.database.transaction import Database

FUTURE_DAYS = 10  # days after the proven one that are computed in the same run, as a backfill does
SESSIONS_A_YEAR = 245  # no fewer on any exchange
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Alarm:
    """Rows that changed with the future. rows: how many; first: one of them."""

    table: str
    day: date
    poison: Poison
    rows: int
    first: Mismatch | None

    def __str__(self) -> str:
        return f"{self.table} of {self.day}, future {self.poison}: {self.rows} rows; {self.first}"


@dataclass
class Verdict:
    """What was compared: digests (of a table, day and poison), rows, and the alarms among them."""

    digests: int = 0
    equal: int = 0
    rows: int = 0
    alarms: list[Alarm] = field(default_factory=list)
    days: list[date] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no digest changed."""
        return self.equal == self.digests

    def of(self, stage: Stage) -> list[Alarm]:
        """The alarms of one table."""
        return [alarm for alarm in self.alarms if alarm.table == str(stage.table)]


def lookahead(
    scratch: Scratch,
    settings: Settings,
    days: list[date],
    stages: tuple[Stage, ...] = STAGES,
    poisons: tuple[Poison, ...] = POISONS,
    progress: Progress = lambda _: None,
) -> Verdict:
    """Poison the future of each of `days` in every way and compare digests with the untouched run.

    The run goes on for FUTURE_DAYS after the day, as a backfill does; the rows of the day itself
    are compared.
    """
    verdict = Verdict(days=days)
    for number, day in enumerate(days, 1):
        copied = scratch.copy(*_reach(day, settings))
        honest = _run(scratch, settings, day, stages, None)
        for poison in poisons:
            poisoned = _run(scratch, settings, day, stages, poison)
            for stage in stages:
                _judge(verdict, stage, day, poison, honest[stage], poisoned[stage])
        progress(
            f"{day}, {number} of {len(days)}: {copied:,} rows copied,"
            f" {verdict.equal} of {verdict.digests} digests equal"
        )
    return verdict


def with_a_future(warehouse: Database, days: Days) -> Days:
    """Those of `days` that a stored bar lies after: of the others there is nothing to poison."""
    newest = warehouse.read(last_day(tables.MARKET_DATA))["day"].item()
    return days[days < np.datetime64(newest, "D")]


def sample_days(days: Days, number: int, seed: int) -> list[date]:
    """`number` different ones of `days`, in order; all when there are no more."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(days), min(number, len(days)), replace=False)
    return days[np.sort(chosen)].tolist()


def _reach(day: date, settings: Settings) -> tuple[date, date]:
    """The days whose rows can matter: all that a computation reads, and a future to poison."""
    sessions = max(lookback(max(settings.horizons)), STANDARD.lookback)
    past = timedelta(days=sessions * 365 // SESSIONS_A_YEAR + 30)
    ahead = FUTURE_DAYS + max(settings.horizons)
    return day - past, day + timedelta(days=ahead * 365 // SESSIONS_A_YEAR + 30)


def _run(
    scratch: Scratch,
    settings: Settings,
    day: date,
    stages: tuple[Stage, ...],
    poison: Poison | None,
) -> dict[Stage, pl.DataFrame]:
    """Rows of `day` of every stage, computed one after the other as the graph does."""
    asked = _window(day)
    with scratch.transaction() as transaction:
        if poison is not None:
            transaction.poison(poison, day, as_of(day))
        return {stage: _compute(transaction, stage, asked, settings, day) for stage in stages}


def _compute(
    transaction: PoisonedTransaction, stage: Stage, asked: Window, settings: Settings, day: date
) -> pl.DataFrame:
    with np.errstate(all="ignore"):  # poison overflows; its results are not compared
        frame = stage.compute(transaction, asked, settings)
    rows = frame.filter(pl.col(stage.table.day) == day)
    if stage.stored and stage is not PREDICTED:  # later stages read what is stored
        transaction.replace(stage.table, rows, day, day)
    return rows.select(stage.columns)


def _window(day: date) -> Window:
    ahead = Window(day, day + timedelta(days=3 * FUTURE_DAYS)).days
    return Window(day, ahead[min(FUTURE_DAYS, len(ahead) - 1)].item())


def _judge(
    verdict: Verdict,
    stage: Stage,
    day: date,
    poison: Poison,
    honest: pl.DataFrame,
    poisoned: pl.DataFrame,
) -> None:
    verdict.digests += 1
    verdict.rows += len(honest)
    if total_digest(honest) == total_digest(poisoned):
        verdict.equal += 1
        return
    parity = compare(honest, poisoned, stage.table.key, stage.by, 1, stage.places)
    changed = parity.compared.total() - parity.equal.total() + parity.not_predicted
    first = parity.mismatches[0] if parity.mismatches else None
    verdict.alarms.append(Alarm(str(stage.table), day, poison, changed, first))
