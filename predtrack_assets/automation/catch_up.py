"""What a schedule missed: recent partitions that its job should have made and has not.

What is missing follows from what was materialized, not from a list of ticks, so a day is caught up
whatever kept it away: a stopped daemon, a failed run, a vendor's outage. Dagster itself replays only
the last of the ticks that passed while its daemon was off.

Which of several days a run failed on is found by bisection: what failed together is asked for again
in halves, apart from what never failed. The state of it is the failed runs in Dagster's storage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import dagster as dg

CAUGHT_UP = "predtrack/catch_up"
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
TRIES = 2
MAX_RUNS = 4  # that a tick asks for to catch up
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.MANAGED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

Span = tuple[str, str]  # first and last partition key, both included
NEVER_FAILED, AT_WORK = ("never", "failed"), ("at", "work")


@dataclass(frozen=True)
class Plan:
    """What a tick asks for: one run over each of `runs`, sorted partition keys, oldest first.

    given_up: keys that TRIES runs which caught up, over nothing else, failed on. waiting: keys that
    are left to later ticks.
    """

    runs: list[list[str]]
    given_up: list[str]
    waiting: list[str]


def plan(
    instance: dg.DagsterInstance, job: dg.JobDefinition, recent: Sequence[str], due: Sequence[str]
) -> Plan:
    """Runs of `job` for the keys `due` and for those of `recent` (earlier, sorted) that it missed.

    Missed is what some asset of `job` lacks, though an earlier partition has been made, and no run
    of `job` is at work on. One bad day must not keep the next ones from being predicted in time: it
    ends up being asked for by itself, TRIES times, and what never failed is asked for without it.
    """
    assets = job.asset_layer.executable_asset_keys
    made = set.intersection(*(instance.get_materialized_partitions(key) for key in assets))
    lacking = [key for key in recent if key > min(made) and key not in made] if made else []
    failed = _spans(instance, job, [dg.DagsterRunStatus.FAILURE])
    unfinished = _spans(instance, job, UNFINISHED)
    at_work = {key for key in lacking if any(first <= key <= last for first, last in unfinished)}

    def trouble(key: str) -> Span:
        """The smallest range with `key` that a run failed on."""
        around = [(first, last) for first, last in failed if first <= key <= last]
        return min(around, key=lambda span: _size(span, (*recent, *due)), default=NEVER_FAILED)

    runs, given_up = list[list[str]](), list[str]()
    asked = [*lacking, *due]
    for span, block in groupby(asked, lambda key: AT_WORK if key in at_work else trouble(key)):
        keys = list(block)
        if span[0] == span[1] and failed[span] >= TRIES:
            given_up += keys
        elif span == NEVER_FAILED:
            runs.append(keys)
        elif span != AT_WORK:
            middle = len(keys) // 2
            runs += [half for half in (keys[:middle], keys[middle:]) if half]
    late = [keys for keys in runs if keys[-1] not in due]
    waiting = [key for keys in late[MAX_RUNS:] for key in keys]
    return Plan(late[:MAX_RUNS] + runs[len(late) :], given_up, waiting)


def request(tick: str, keys: Sequence[str], due: Sequence[str]) -> dg.RunRequest:
    """One run over the sorted keys, from the earliest to the latest, that the tick asks for.

    What lies between has been made already and does not change when it is made again.
    """
    run_key = tick if keys[-1] in due[-1:] else f"{tick} {keys[0]}"
    tags = {} if set(keys) <= set(due) else {CAUGHT_UP: "true"}
    if len(keys) == 1:
        return dg.RunRequest(run_key=run_key, partition_key=keys[0], tags=tags)
    return dg.RunRequest(run_key=run_key, tags={**tags, RANGE_START: keys[0], RANGE_END: keys[-1]})


def _spans(
    instance: dg.DagsterInstance, job: dg.JobDefinition, statuses: list[dg.DagsterRunStatus]
) -> Counter[Span]:
    """What the job's runs of these statuses went over, and how many of them caught up."""
    found: Counter[Span] = Counter()
    for run in instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=statuses)):
        only = run.tags.get(PARTITION, "")
        span = run.tags.get(RANGE_START, only), run.tags.get(RANGE_END, only)
        found[span] += CAUGHT_UP in run.tags
    return found


def _size(span: Span, keys: Sequence[str]) -> tuple[int, bool]:
    """How many of the keys lie within; a range whose other days are too old to be among them is
    larger than one over a single day."""
    first, last = span
    return sum(first <= key <= last for key in keys), first != last
