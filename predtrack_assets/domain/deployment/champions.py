"""From gates and A/B tests to champions: what is decided at the end of each week, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.statistics import e_process
from predtrack_assets.domain.time.calendar import as_of

DEFAULT_CONTROL = "no_change"  # whom a challenger must beat while there is no champion
INCONCLUSIVE = "inconclusive"
BEGINNING = date(1900, 1, 1)


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
class PairedTest:
    """An A/B test of one kind and scope: decision dates on or after start count."""

    control: str
    treatment: str
    start: date


@dataclass(frozen=True)
class Evidence:
    """Course of a test, per decision date (T,): known (datetime64[D], sorted), d, both e-values.

    live: whether both sides committed their forecasts before any outcome. first: the first of these
    dates, None where T = 0.
    """

    first: date | None
    known: NDArray[np.datetime64]
    d: NDArray[np.float64]
    better: NDArray[np.float64]
    worse: NDArray[np.float64]
    live: NDArray[np.bool_]

    @staticmethod
    def of(differences: pl.DataFrame, horizon: int) -> Evidence:
        """From the columns trading_day, known_day and d of `e_process.paired_differences`, and live.

        Where there is no column live, no date is.
        """
        d = differences["d"].to_numpy()
        days = differences["trading_day"].to_numpy().astype("datetime64[D]")
        known = np.maximum.accumulate(differences["known_day"].to_numpy().astype("datetime64[D]"))
        seen = e_process.known_dates(days, known)
        better, worse = (e_process.e_process(side, horizon, seen) for side in (d, -d))
        live = differences.get_column("live", default=pl.repeat(False, d.size, eager=True))
        first = days[0].item() if days.size else None
        return Evidence(first, known, d, better, worse, live.to_numpy())

    def dates(self, day: date) -> int:
        """Decision dates whose results are known at the end of `day`."""
        return int(np.searchsorted(self.known, np.datetime64(day), side="right"))


class State(NamedTuple):
    """A test at the end of a week, or when it was decided if that came before."""

    status: str
    n: int
    decided_day: date | None
    mean_difference: float | None
    e_value: float
    e_against: float
    n_live: int | None = 0


class Level(NamedTuple):
    """What a test has to reach, and the batch for which: see `e_process.threshold`.

    batch None: of a test from before there were batches.
    """

    batch: int | None
    threshold: float


@dataclass
class ChampionSelection:
    """Weeks of one kind and scope, in order; fills `states` and `deployed`.

    deployments: those there are, sorted by valid_from, a part of them later than a week in
    question; evidence: course of a test; passed: gate ids of (week, model) that passed; finished:
    week in which a test was promoted or rejected before, with its state; begun: test of each
    (control, treatment) that were ever tested, which keep it; levels: of tests that began; open:
    tests that were running at the last look; barred: models never deployed by themselves, because
    they were rolled back or are in shadow; wider: champions of a wider scope, sorted, one of which
    is in force where this scope has none of its own; since: no week before it is looked at.
    """

    treatments: Collection[str]
    deployments: list[Deployment]
    evidence: Callable[[PairedTest], Evidence]
    passed: Mapping[tuple[date, str], str]
    finished: dict[PairedTest, tuple[date, State]]
    begun: dict[tuple[str, str], PairedTest] = field(default_factory=dict)
    levels: dict[PairedTest, Level] = field(default_factory=dict)
    open: dict[PairedTest, State] = field(default_factory=dict)
    barred: Collection[str] = ()
    automatic: bool = True
    wider: Sequence[Deployment] = ()
    since: date = date.min
    states: list[tuple[date, PairedTest, State]] = field(default_factory=list)
    deployed: list[Deployment] = field(default_factory=list)

    def begin(self, day: date) -> list[PairedTest]:
        """Duels of a week that have a first result and no level yet."""
        there = self.levels.keys() | self.finished.keys()
        new = [test for test in self._duels(day)[1] if test not in there]
        return [test for test in new if self.evidence(test).dates(day)]

    def week(self, day: date) -> None:
        """Look at every test against the champion, and deploy the best that may be."""
        control, tests = self._duels(day)
        self._end_others(day, control)
        promoted = []
        for test in tests:
            before = self.finished.get(test)
            if before is not None and before[0] < day:
                current = before[1]
            elif test in self.levels and self.evidence(test).dates(day):
                current = self._look(day, test)
            else:
                continue
            if current.status == e_process.PROMOTED:
                promoted.append((current.mean_difference or 0.0, test.treatment, current))
        self._deploy(day, control, promoted)

    def _look(self, day: date, test: PairedTest) -> State:
        current = state(self.evidence(test), day, self.levels[test].threshold)
        self.begun[test.control, test.treatment] = test
        self.states.append((day, test, current))
        self.open.pop(test, None)
        if current.status == e_process.RUNNING:
            self.open[test] = current
        else:
            self.finished[test] = (day, current)
        return current

    def _end_others(self, day: date, control: str) -> None:
        """End what still runs against another than the champion, or for whom nobody tests any more."""
        for test in [*self.open]:
            if test.control != control or test.treatment not in self.treatments:
                last = self.open.pop(test)
                ended = last._replace(status=INCONCLUSIVE, decided_day=day)
                self.states.append((day, test, ended))

    def _duels(self, day: date) -> tuple[str, list[PairedTest]]:
        """Whom a challenger must beat at the end of `day`, and the tests with it.

        Two that were tested go on with the test they had: another one could err again.
        """
        champion, since = self._in_force(as_of(day))
        control = (champion.model_id if champion else None) or DEFAULT_CONTROL
        return control, [
            self.begun.get((control, treatment)) or PairedTest(control, treatment, since)
            for treatment in sorted(self.treatments)
            if treatment != control
        ]

    def _in_force(self, moment: datetime) -> tuple[Deployment | None, date]:
        """The champion just before `moment`, and the first decision date of tests against it."""
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

    def _deploy(self, day: date, control: str, promoted: list[tuple[float, str, State]]) -> None:
        """Deploy the best of those that won and passed, unless there is a later one on record."""
        moment = as_of(day)
        settled = any(d.valid_from >= moment for d in self.deployments)
        able = [
            (gain, model, current)
            for gain, model, current in promoted
            if (day, model) in self.passed and model not in self.barred
        ]
        if settled or not self.automatic or not able:
            return
        _, model, won = max(able)
        reason = (
            f"passed its gate and beat {control} on paired forecasts (e-value {won.e_value:.1f})"
        )
        chosen = Deployment(model, moment, None, self.passed[day, model], reason)
        self.deployments.append(chosen)
        self.deployed.append(chosen)


def select_champions(
    walks: Sequence[ChampionSelection], days: Iterable[date], batches: int = 0
) -> None:
    """Walk through all scopes of one kind and horizon together, which share their error rate.

    walks: a wider scope before those that it is wider than. batches: how many there were before.
    """
    for day in days:
        there = [selection for selection in walks if selection.since <= day]
        new = [(selection, test) for selection in there for test in selection.begin(day)]
        if new:
            batches += 1
        for selection, test in new:
            selection.levels[test] = Level(batches, e_process.threshold(batches, len(new)))
        for selection in there:
            selection.week(day)


def state(evidence: Evidence, day: date, threshold: float = e_process.PROMOTE_AT) -> State:
    """A test by the results known at the end of `day`; promoted at `threshold`, rejected at 20.

    A good treatment is rejected with probability at most 0.05 in each test: that costs power only.
    """
    n = evidence.dates(day)
    if not n:
        return State(e_process.RUNNING, 0, None, None, 1.0, 1.0)
    better, worse = evidence.better[:n], evidence.worse[:n]
    reached = np.flatnonzero((better >= threshold) | (worse >= e_process.REJECT_AT))
    at = int(reached[0]) if reached.size else n - 1
    status, decided = e_process.RUNNING, None
    if reached.size:
        won = better[at] >= threshold
        status = e_process.PROMOTED if won else e_process.REJECTED
        decided = evidence.known[at].item()
    mean = float(evidence.d[: at + 1].mean())
    live = int(evidence.live[: at + 1].sum())
    return State(status, at + 1, decided, mean, float(better[at]), float(worse[at]), live)


def paired_test(
    control: str, treatment: str, start_day: date, deployments: list[Deployment]
) -> PairedTest:
    """The test of a stored test: one that began before there was any champion counts all days."""
    champions_since = min((d.valid_from.date() for d in deployments), default=date.max)
    start = BEGINNING if start_day < champions_since else start_day
    return PairedTest(control, treatment, start)


def conclusion(test: PairedTest, current: State) -> str | None:
    """The result in words; None while it runs."""
    sentences = {
        e_process.PROMOTED: f"{test.treatment} forecasts better than {test.control}",
        e_process.REJECTED: f"{test.treatment} forecasts worse than {test.control}",
        INCONCLUSIVE: f"{test.control} was replaced before it was decided, or {test.treatment} retired",
    }
    return sentences.get(current.status)
