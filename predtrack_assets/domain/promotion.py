"""From gates and A/B tests to champions: what is decided at the end of each week, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain import e_process
from predtrack_assets.domain.calendar import as_of

NOBODY = "no_change"  # whom a challenger must beat while there is no champion
INCONCLUSIVE = "inconclusive"
BEGINNING = date(1900, 1, 1)
LONGEST = 2520  # decision dates of a test: ten years of sessions


@dataclass(frozen=True)
class Deployment:
    """A champion of one kind and scope from valid_from on, until valid_until if that is given.

    model_id None: a retirement, from which on there is no champion.
    """

    model_id: str | None
    valid_from: datetime
    valid_until: datetime | None = None
    gate_id: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Duel:
    """An A/B test of one kind and scope: decision dates on or after start count."""

    control: str
    treatment: str
    start: date


@dataclass(frozen=True)
class Evidence:
    """Course of a duel, per decision date (T,): known (datetime64[D], sorted), d, both e-values.

    first: the first of these dates, None where T = 0.
    """

    first: date | None
    known: NDArray[np.datetime64]
    d: NDArray[np.float64]
    better: NDArray[np.float64]
    worse: NDArray[np.float64]

    @staticmethod
    def of(differences: pl.DataFrame, horizon: int) -> Evidence:
        """From the columns trading_day, known_day and d of `e_process.paired_differences`."""
        d = differences["d"].to_numpy()
        known = differences["known_day"].to_numpy().astype("datetime64[D]")
        better, worse = e_process.e_process(d, horizon), e_process.e_process(-d, horizon)
        days = differences["trading_day"].to_numpy()
        first = days[0].astype("datetime64[D]").item() if days.size else None
        return Evidence(first, np.maximum.accumulate(known), d, better, worse)


class State(NamedTuple):
    """A duel at the end of a week, or when it was decided if that came before."""

    status: str
    n: int
    decided_day: date | None
    mean_difference: float | None
    e_value: float
    e_against: float


@dataclass
class Walk:
    """Weeks of one kind and scope, in order; fills `states` and `deployed`.

    deployments: those there are, sorted by valid_from, a part of them later than a week in
    question; evidence: course of a duel; passed: gate ids of (week, model) that passed; finished:
    week in which a duel was decided before, with its state; barred: models never deployed by
    themselves, because they were rolled back or are in shadow; wider: champions of a wider scope,
    sorted, one of which is in force where this scope has none of its own; longest: decision dates
    after which an undecided duel is inconclusive, for as long as its control stays champion.
    """

    treatments: Collection[str]
    deployments: list[Deployment]
    evidence: Callable[[Duel], Evidence]
    passed: Mapping[tuple[date, str], str]
    finished: dict[Duel, tuple[date, State]]
    barred: Collection[str] = ()
    automatic: bool = True
    wider: Sequence[Deployment] = ()
    longest: int = LONGEST
    states: list[tuple[date, Duel, State]] = field(default_factory=list)
    deployed: list[Deployment] = field(default_factory=list)

    def week(self, day: date) -> None:
        """Look at every duel against the champion, and deploy the best that may be."""
        moment = as_of(day)
        champion, since = self._in_force(moment)
        control = (champion.model_id if champion else None) or NOBODY
        promoted, running = [], []
        for treatment in sorted(self.treatments):
            if treatment == control:
                continue
            duel = Duel(control, treatment, since)
            before = self.finished.get(duel)
            if before is None or before[0] >= day:
                current = state(self.evidence(duel), day, self.longest)
                if current.status == e_process.RUNNING:
                    running.append((duel, current))
                else:
                    self.states.append((day, duel, current))
                    self.finished[duel] = (day, current)
            else:
                current = before[1]
            if current.status == e_process.PROMOTED:
                promoted.append((current.mean_difference or 0.0, treatment, current))
        changed = self._deploy(day, control, promoted)
        if champion not in self.deployments:  # it is the wider scope's, whose next one replaces it
            changed = changed or any(d.valid_from == moment for d in self.wider)
        for duel, current in running:
            ended = current._replace(status=INCONCLUSIVE) if changed else current
            self.states.append((day, duel, ended))

    def _in_force(self, moment: datetime) -> tuple[Deployment | None, date]:
        """The champion just before `moment`, and the first decision date of duels against it."""
        turns: list[datetime] = []
        champion = None
        for timeline in (self.deployments, self.wider):
            there = [d for d in timeline if d.valid_from < moment]
            turns += [d.valid_from for d in there]
            turns += [d.valid_until for d in there if d.valid_until and d.valid_until <= moment]
            in_force = [d for d in there if d.valid_until is None or moment <= d.valid_until]
            champion = in_force[-1] if in_force and in_force[-1].model_id else None
            if champion:
                break
        return champion, (max(turns).date() if turns else BEGINNING)

    def _deploy(self, day: date, control: str, promoted: list[tuple[float, str, State]]) -> bool:
        """Whether the champion changes at the end of `day`, by itself or as it is on record."""
        moment = as_of(day)
        if any(d.valid_from == moment for d in self.deployments):
            return True
        settled = any(d.valid_from > moment for d in self.deployments)
        able = [
            (gain, model, current)
            for gain, model, current in promoted
            if (day, model) in self.passed and model not in self.barred
        ]
        if settled or not self.automatic or not able:
            return False
        _, model, won = max(able)
        reason = (
            f"passed its gate and beat {control} on paired forecasts (e-value {won.e_value:.1f})"
        )
        chosen = Deployment(model, moment, None, self.passed[day, model], reason)
        self.deployments.append(chosen)
        self.deployed.append(chosen)
        return True


def state(evidence: Evidence, day: date, longest: int = LONGEST) -> State:
    """A duel by the results known at the end of `day`, of its first `longest` decision dates."""
    known = int(np.searchsorted(evidence.known, np.datetime64(day), side="right"))
    n = min(known, longest)
    if not n:
        return State(e_process.RUNNING, 0, None, None, 1.0, 1.0)
    better, worse = evidence.better[:n], evidence.worse[:n]
    reached = np.flatnonzero(np.maximum(better, worse) >= e_process.PROMOTE_AT)
    at = int(reached[0]) if reached.size else n - 1
    status, decided = e_process.RUNNING, None
    if reached.size:
        won = better[at] >= e_process.PROMOTE_AT
        status = e_process.PROMOTED if won else e_process.REJECTED
        decided = evidence.known[at].item()
    elif n == longest:
        status = INCONCLUSIVE
    mean = float(evidence.d[: at + 1].mean())
    return State(status, at + 1, decided, mean, float(better[at]), float(worse[at]))


def duel_of(control: str, treatment: str, start_day: date, deployments: list[Deployment]) -> Duel:
    """The duel of a stored test: one that began before there was any champion counts all days."""
    champions_since = min((d.valid_from.date() for d in deployments), default=date.max)
    start = BEGINNING if start_day < champions_since else start_day
    return Duel(control, treatment, start)


def conclusion(duel: Duel, current: State, longest: int = LONGEST) -> str | None:
    """What came of it in words; None while it runs."""
    sentences = {
        e_process.PROMOTED: f"{duel.treatment} forecasts better than {duel.control}",
        e_process.REJECTED: f"{duel.treatment} forecasts worse than {duel.control}",
        INCONCLUSIVE: f"undecided after {current.n} decision dates, the most that a test may take"
        if current.n >= longest
        else "another model became champion before it was decided",
    }
    return sentences.get(current.status)
