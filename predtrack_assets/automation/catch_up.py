"""What a schedule missed: recent partitions that its job should have made and has not.

What is missing follows from what was materialized, not from a list of ticks, so a day is caught up
whatever kept it away: a stopped daemon, a failed run, a vendor's outage. Dagster itself replays only
the last of the ticks that passed while its daemon was off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import dagster as dg

CAUGHT_UP = "predtrack/catch_up"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
TRIES = 2
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.MANAGED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def missed(
    instance: dg.DagsterInstance, job: dg.JobDefinition, recent: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Of the sorted partition keys `recent`: those to ask for again, and those given up.

    Missed is what some asset of `job` lacks, though an earlier partition has been made, and no run
    of `job` is at work on. Given up is what `TRIES` runs that caught up failed on: one bad day must
    not keep the next ones from being predicted in time.
    """
    assets = job.asset_layer.executable_asset_keys
    made = set.intersection(*(instance.get_materialized_partitions(key) for key in assets))
    if not made:
        return [], []
    running = dg.RunsFilter(job_name=job.name, statuses=UNFINISHED)
    given_up = dg.RunsFilter(
        job_name=job.name, statuses=[dg.DagsterRunStatus.FAILURE], tags={CAUGHT_UP: "true"}
    )
    in_flight = set(_keys(instance, recent, running))
    failed = Counter(_keys(instance, recent, given_up))
    lacking = [key for key in recent if key > min(made) and key not in made | in_flight]
    return (
        [key for key in lacking if failed[key] < TRIES],
        [key for key in lacking if failed[key] >= TRIES],
    )


def request(run_key: str, asked: Sequence[str], missed_keys: Sequence[str]) -> dg.RunRequest:
    """One run over the partitions asked for and missed, from the earliest to the latest.

    What lies between has been made already and does not change when it is made again.
    """
    keys = sorted({*asked, *missed_keys})
    tags = {CAUGHT_UP: "true"} if missed_keys else {}
    if len(keys) == 1:
        return dg.RunRequest(run_key=run_key, partition_key=keys[0], tags=tags)
    return dg.RunRequest(run_key=run_key, tags={**tags, RANGE_START: keys[0], RANGE_END: keys[-1]})


def _keys(
    instance: dg.DagsterInstance, recent: Sequence[str], chosen: dg.RunsFilter
) -> Iterator[str]:
    """The keys of `recent` that each of the chosen runs covers, once per run."""
    for run in instance.get_runs(chosen):
        only = run.tags.get("dagster/partition", "")
        first, last = run.tags.get(RANGE_START, only), run.tags.get(RANGE_END, only)
        yield from (key for key in recent if first <= key <= last)
