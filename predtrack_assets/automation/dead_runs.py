"""Runs whose process is gone: they are marked as ended, and what they held is given back."""

from __future__ import annotations

import dagster as dg

from predtrack_assets.warehouse.database.run_locks import RunLocks

MESSAGE = (
    "The process of this run is gone: it was killed, ran out of memory, or lost its machine or its"
    " database. Nothing of the step at work was stored; start the run again."
)
AT_WORK = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])


def end_dead_runs(instance: dg.DagsterInstance, locks: RunLocks) -> list[str]:
    """Mark runs at work that no process has as failed (canceled if that was asked for), and give
    back the pool slots of all runs that no process has; the ids of the runs that held any.
    """
    storage = instance.event_log_storage
    at_work = {run.run_id for run in instance.get_runs(AT_WORK)}
    holding = storage.get_concurrency_run_ids()
    freed = []
    for run_id in sorted(at_work | holding):
        with locks.dead(run_id) as dead:
            if not dead:
                continue
            run = instance.get_run_by_id(run_id)  # again: another process may have ended it
            if run is not None and run.status == dg.DagsterRunStatus.STARTED:
                instance.report_run_failed(run, MESSAGE)
            elif run is not None and run.status == dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, MESSAGE)
            if run_id in holding:
                storage.free_concurrency_slots_for_run(run_id)
                freed.append(run_id)
    return freed
