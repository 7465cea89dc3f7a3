"""Models stage: weekly comprehensive tuning. What it finds is proposed; no live model changes."""

import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from predtrack_assets.assets.features import feature_store
from predtrack_assets.assets.market import prices
from predtrack_assets.assets.metadata import materialized
from predtrack_assets.assets.models.training import pooled_models
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.models.fitted_model import Procedure, tuned_procedure
from predtrack_assets.domain.models.learners.tuned import Tuned
from predtrack_assets.domain.models.tuning import FEATURE_SELECTION, Proposal
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.services.deployment.decisions import SYSTEM
from predtrack_assets.services.models.fits_in_force import tuned_versions
from predtrack_assets.services.models.searches import Preparation, tasks_of_week, tunable, tuned_of
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.transaction import Written
from predtrack_assets.warehouse.models import optimization, registry
from predtrack_assets.warehouse.models.optimization import Task

EXPECTED = (ArithmeticError, LookupError, OSError, RuntimeError, ValueError)
"""What may be wrong with one task; anything else, such as a lost database, ends the run at once."""


@day_asset(
    schema="models",
    group="tuning",  # it follows predictions, which follow the other models
    deps=[
        *prices.keys,
        feature_store,
        dg.AssetKey(["forecasts", "predictions"]),
        # What was in force at the end of a week, whichever month it is of: a query knows.
        dg.AssetDep(pooled_models, partition_mapping=dg.AllPartitionMapping()),
    ],
    code_version="1",
    pool="training",
)
def optimization_results(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """What tuning found by the end of each week: proposals for parameters, features and rules.

    Tasks are put down once per week and worked off within a budget; what is left has its turn in
    a later run. Raises dg.Failure after the others are done when a task failed.
    """
    settings, asked = get_settings(), window(context)
    freed = optimization.release(warehouse, lambda run: _is_over(context, run))
    if freed:
        context.log.warning(f"{freed} interrupted attempts are counted as failed")
    weeks = [day.item() for day in last_days_of("W", asked.days)]
    with warehouse.transaction() as transaction:
        for day in weeks:
            tasks = tasks_of_week(transaction, settings, day)
            optimization.enqueue(transaction, tasks, settings.tuning_attempts)
        waiting = optimization.due(transaction, asked.end)
    work = Work(Preparation(warehouse, settings), context.run.run_id)
    began, tried, failed = time.monotonic(), 0, list[str]()
    for task in waiting:
        if time.monotonic() - began > settings.tuning_seconds:
            context.log.warning("the budget of PREDTRACK_TUNING_SECONDS is spent")
            break
        tried += 1
        try:
            context.log.info(f"{task.task_id}: {work.attempt(task)}")
        except EXPECTED as error:  # on record; the others have their turn before the step fails
            failed.append(f"{task.task_id}: {error}")
    if settings.tuning_register:
        for day in sorted({*weeks, *(task.as_of_day for task in waiting)}, reverse=True):
            work.written += register(warehouse, day, context.run.run_id)
    states = warehouse.read(optimization.STATES, first=asked.start, last=asked.end)
    if failed:
        raise dg.Failure(f"{len(failed)} of {tried} tasks failed: {'; '.join(failed)}")
    return materialized(
        work.written, tasks=dict(states.iter_rows()), accepted=work.accepted, tried=tried
    )


def _is_over(context: dg.AssetExecutionContext, run_id: str) -> bool:
    """Whether nobody works for a Dagster run any more; in this one nothing has begun yet."""
    run = context.instance.get_run_by_id(run_id)
    return run is None or run.is_finished or run_id == context.run.run_id


@dataclass
class Work:
    """One attempt after another, and what they wrote."""

    preparation: Preparation
    run_id: str
    written: Written = field(default_factory=Written)
    accepted: int = 0

    def attempt(self, task: Task) -> str:
        """Work a task off, unless another run has it; the result, in a sentence.

        Raises what the search raises, after the attempt is on record as failed.
        """
        warehouse = self.preparation.warehouse
        attempt = optimization.claim(warehouse, task.task_id, self.run_id)
        if attempt is None:
            return "another run has it"
        runs: list[str] = []
        try:
            proposal = self._search(task, runs)
        except Exception:
            error = traceback.format_exc()
            for training_run in runs:
                registry.fail(warehouse, training_run, error)
            optimization.fail(warehouse, task.task_id, attempt, error)
            raise
        training = runs[0] if runs else None
        self.written += optimization.succeed(warehouse, task, attempt, proposal, training)
        self.accepted += proposal.accepted
        return proposal.conclusion

    def _search(self, task: Task, runs: list[str]) -> Proposal:
        """Run a search, its trials on record before; `runs` is given the id of their training run."""
        warehouse = self.preparation.warehouse
        prepared = self.preparation.of(task)
        search = prepared.search
        if isinstance(search, str):
            return Proposal(False, {}, None, {}, {}, search)
        assert prepared.training is not None
        runs.append(registry.start(warehouse, prepared.training, self.run_id))
        trials = [
            registry.Trial(t.kind, t.horizon, t.label, t.configuration) for t in search.trials
        ]
        registry.record_trials(warehouse, runs[0], task.model_id, trials)
        found = search.run()
        results = [
            registry.Trial(t.kind, t.horizon, t.family, t.configuration, result, i in found.chosen)
            for i, (t, result) in enumerate(zip(trials, found.results, strict=True))
        ]
        registry.record_results(warehouse, runs[0], results)
        return found


def register(warehouse: Warehouse, day: date, run_id: str) -> Written:
    """A new version in shadow of what was accepted in a week, once all its tasks have ended.

    Nothing while another tuned version is in shadow: one at a time is judged.
    """
    with warehouse.transaction() as transaction:
        transaction.lock(tables.MODEL_REGISTRY)
        concluded = transaction.read(optimization.CONCLUDED, first=day, last=day)
        proposed = transaction.read(optimization.PROPOSED, as_of_day=day)
        there = list(tuned_versions(transaction).values())
        known = [procedure.hyperparameters["tuned_through"] for procedure, _ in there]
        busy = str(day) in known or "shadow" in [status for _, status in there]
        if concluded.is_empty() or proposed.is_empty() or busy:
            return Written()
        base = tunable(transaction)
        version = max((procedure.version for procedure, _ in there), default=0) + 1
        made = tuned_procedure(version, _hyperparameters(base, proposed, day))
        written = transaction.append(tables.MODEL_REGISTRY, _row(made))
        payload = {
            "base": base.model_id,
            "proposals": made.hyperparameters["proposals"],
            "run": run_id,
        }
        record_event(transaction, "model_registered", made.model_id, payload, SYSTEM)
        return written


def _hyperparameters(base: Procedure, proposed: pl.DataFrame, day: date) -> dict[str, Any]:
    tuned = tuned_of(base)
    for row in proposed.iter_rows(named=True):
        value: Mapping[str, Any] = json.loads(row["new_value"])
        if row["task_type"] == FEATURE_SELECTION:
            tuned = Tuned(tuned.of, value["without"])
        else:
            tuned = tuned.plus(row["kind"], row["horizon"], value)
    return {
        **base.hyperparameters,
        "tuned": tuned.to_json(),
        "tuned_through": str(day),
        "base": base.model_id,
        "proposals": proposed["task_id"].to_list(),
    }


def _row(made: Procedure) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "model_id": [made.model_id],
            "model_name": [made.name],
            "version": [made.version],
            "role": [made.role],
            "kinds": [list(made.kinds)],
            "description": [made.description],
            "hyperparameters": [json.dumps(made.hyperparameters, sort_keys=True)],
            "scope": [made.scope],
            "feature_set": [made.feature_set],
            "status": ["shadow"],
        }
    )
