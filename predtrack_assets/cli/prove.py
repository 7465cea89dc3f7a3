"""`predtrack replay` and `predtrack lookahead`: the proofs for people, with an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from rich.markup import escape
from rich.table import Table

from predtrack_assets.automation.progress import CONSOLE
from predtrack_assets.days import Window, no_trading_day
from predtrack_assets.domain.audit.replay_comparison import Parity
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.proofs.lookahead import Verdict, lookahead, sample_days, with_a_future
from predtrack_assets.proofs.replay import Progress, replay
from predtrack_assets.proofs.stages import STAGES, Stage, decision_days
from predtrack_assets.reporting.tables.text import wide_console
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.scratch import scratch_database
from predtrack_assets.warehouse.database.transaction import Database

PROVEN, REFUTED = 0, 1


def run_replay(
    settings: Settings,
    url: str,
    first: date | None,
    last: date | None,
    sample: int | None,
    seed: int,
) -> int:
    """Replay what is stored in [first, last], or all of it, print parity, return the exit code.

    Raises ValueError when nothing is stored there.
    """
    warehouse = Database(url=url)
    first, last = first or date.min, last or date.max
    _decision_days(warehouse, first, last)
    with _live() as progress:
        parities = replay(warehouse, settings, first, last, sample, seed, progress=progress)
    console = wide_console()
    console.print(parity_table(parities))
    total = sum(parities.values(), Parity())
    for (group, reason), rows in sorted(total.foreign.items()):
        console.print(f"Apart: {rows:,} rows of {escape(' '.join(group))}: {reason}")
    for (group, reason), rows in sorted(total.unreplayable.items()):
        console.print(
            f"[red]Not replayable[/]: {rows:,} rows of {escape(' '.join(group))}: {reason}"
        )
    if total.not_predicted:
        console.print(f"{total.not_predicted:,} rows that would be computed now were never stored.")
    for mismatch in total.mismatches:
        console.print(f"[red]Differs[/]: {escape(str(mismatch))}")
    console.print(parity_line(total))
    return PROVEN if total.proves else REFUTED


def run_lookahead(
    settings: Settings, url: str, number: int, seed: int, first: date | None, last: date | None
) -> int:
    """Poison the future of sampled decision days, print what changed, return the exit code.

    Raises ValueError when nothing is stored, or nothing after it; ServerError when no copy can be
    made.
    """
    warehouse = Database(url=url)
    stored = _decision_days(warehouse, first or date.min, last or date.max)
    ahead = with_a_future(warehouse, stored)
    if not len(ahead):
        raise ValueError(
            f"nothing is stored after {stored[-1]}, so there is no future to poison: ask for"
            " earlier days"
        )
    days = sample_days(ahead, number, seed)
    with scratch_database(url, settings.sql_dir) as scratch, _live() as progress:
        verdict = lookahead(scratch, settings, days, progress=progress)
    console = wide_console()
    console.print(verdict_table(verdict))
    for alarm in verdict.alarms:
        console.print(f"[red]Looks ahead[/]: {escape(str(alarm))}")
    console.print(
        f"Without the future: {verdict.equal:,} of {verdict.digests:,} digests are equal, over"
        f" {verdict.rows:,} rows and {len(days)} days."
    )
    return PROVEN if verdict.holds else REFUTED


def parity_line(total: Parity) -> str:
    """What is proven, and what is not, in words."""
    equal, compared = total.equal.total(), total.compared.total()
    lost, apart = total.unreplayable.total(), total.foreign.total()
    message = f"Replay parity: {equal:,} of {compared:,} rows are equal bit for bit."
    if not compared and not lost:
        message = (
            "Nothing was there to prove: no row of a model of ours is stored there."
            " `predtrack backfill` makes some, or give --from and --to that hold some."
        )
    if lost:
        message += (
            f" {lost:,} others could not be computed again. Training the month of a fit again"
            " restores its file."
        )
    return message + (f" {apart:,} rows of other models are apart." if apart else "")


def parity_table(parities: dict[Stage, Parity]) -> Table:
    """Rows compared and equal per table and group."""
    table = _table("table", "of", "rows", "equal")
    for stage, parity in parities.items():
        for group in sorted(parity.compared):
            counts = parity.compared[group], parity.equal[group]
            table.add_row(str(stage.table), " ".join(group), *(f"{n:,}" for n in counts))
    return table


def verdict_table(verdict: Verdict) -> Table:
    """Alarms per table and way of poisoning."""
    table = _table("table", "alarms", "by poison")
    for stage in STAGES:
        alarms = verdict.of(stage)
        kinds = Counter(alarm.poison for alarm in alarms)
        message = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        table.add_row(str(stage.table), str(len(alarms)), message or "none")
    return table


def _decision_days(warehouse: Database, first: date, last: date) -> Days:
    if last < first:
        raise ValueError(f"--from {first} lies after --to {last}")
    days = decision_days(warehouse, first, last)
    if not len(days) and not len(Window(first, last).days):
        raise ValueError(no_trading_day(first, last))
    if not len(days):
        raise ValueError("no predictions are stored there: `predtrack backfill` makes some")
    return days


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        numeric = column in ("rows", "equal", "alarms")
        table.add_column(column, justify="right" if numeric else "left")
    return table


@contextmanager
def _live() -> Iterator[Progress]:
    """A line that says how far it is, on a terminal; plain lines elsewhere."""
    if not CONSOLE.is_terminal:
        yield lambda text: CONSOLE.print(escape(text))
        return
    with CONSOLE.status("...") as status:
        yield lambda text: status.update(escape(text))
