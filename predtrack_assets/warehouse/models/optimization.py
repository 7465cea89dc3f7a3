"""Optimization tasks: put down once, attempted by one run at a time, given up after some failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from predtrack_assets.domain.models.tuning import FEATURE_SELECTION, STRATEGY_WEIGHTS, Proposal
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Database, Transaction, Written
from predtrack_assets.warehouse.deployment.improvements import Optimized, note_optimized
from predtrack_assets.warehouse.models import registry
from predtrack_assets.warehouse.tables import Table

LEASE = timedelta(hours=6)

TASKS = Table(
    "models",
    "optimization_tasks",
    ("task_id",),
    (
        "task_type", "model_id", "kind", "horizon", "first_day", "as_of_day", "configuration",
        "max_attempts",
    ),
    day="as_of_day",
)  # fmt: skip
RESULTS = Table(
    "models",
    "optimization_results",
    ("task_id",),
    (
        "as_of_day", "accepted", "old_value", "new_value", "performance_before",
        "performance_after", "configurations", "conclusion",
    ),
    day="as_of_day",
)  # fmt: skip

# Those of the newest week first, so that what was left over keeps nothing new from its turn.
DUE = Query("""
    SELECT task_id, task_type, model_id, kind, horizon, first_day, as_of_day,
           configuration::text AS configuration
    FROM models.v_optimization_tasks
    WHERE as_of_day <= :last AND status IN ('pending', 'failed')
      AND coalesce(not_before, '-infinity') <= clock_timestamp()
    ORDER BY as_of_day DESC, task_type, model_id, horizon, kind
""")

STATES = Query("""
    SELECT status, count(*) AS tasks FROM models.v_optimization_tasks
    WHERE as_of_day BETWEEN :first AND :last GROUP BY status ORDER BY status
""")

OPEN_ATTEMPTS = Query("""
    SELECT task_id, attempt, dagster_run_id FROM models.optimization_attempts
    WHERE finished_at IS NULL ORDER BY task_id, attempt
""")

LOCK_TASK = Query(
    "SELECT pg_advisory_xact_lock(hashtext('models.optimization_tasks|' || :task_id))::text AS held"
)

CLAIM = Query("""
    INSERT INTO models.optimization_attempts (task_id, attempt, dagster_run_id, started_at, lease_until)
    SELECT task_id, attempts + 1, :run_id, clock_timestamp(),
           clock_timestamp() + make_interval(secs => :lease::double precision)
    FROM models.v_optimization_tasks
    WHERE task_id = :task_id AND status IN ('pending', 'failed')
      AND coalesce(not_before, '-infinity') <= clock_timestamp()
    RETURNING attempt
""")

FINISH = Query("""
    UPDATE models.optimization_attempts
    SET outcome = :outcome, error_log = nullif(:error::text, ''), finished_at = clock_timestamp()
    WHERE task_id = :task_id AND attempt = :attempt AND finished_at IS NULL
    RETURNING attempt
""")

# The newest fit through a day: what was in force then.
IN_FORCE = Query("""
    SELECT artifact_id, choices::text AS choices FROM models.model_artifacts
    WHERE model_id = :model_id AND scope = '*' AND status = 'active' AND trained_through <= :as_of_day
    ORDER BY trained_through DESC, revision DESC LIMIT 1
""")

SPEAKERS = Query("""
    SELECT p.kind, p.horizon, p.model_id, count(DISTINCT p.trading_day) AS days,
           min(p.trading_day) AS first_day
    FROM forecasts.predictions p JOIN models.model_registry r USING (model_id)
    WHERE p.trading_day BETWEEN :first AND :last AND p.kind = ANY(:kinds)
      AND p.horizon = ANY(:horizons) AND r.role = 'candidate' AND r.status <> 'retired'
      AND p.horizon_unit = 'session'
    GROUP BY p.kind, p.horizon, p.model_id ORDER BY p.kind, p.horizon, p.model_id
""")

PREDICTIONS = Query("""
    SELECT model_id, kind, horizon, symbol, trading_day, confidence, sigma, q50
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND kind = :kind AND horizon = :horizon
      AND model_id = ANY(:models) AND horizon_unit = 'session'
""")

# Weeks all of whose tasks have come to an end, with what is proposed for the models of them.
CONCLUDED = Query("""
    SELECT as_of_day FROM models.v_optimization_tasks
    WHERE as_of_day BETWEEN :first AND :last
    GROUP BY as_of_day HAVING bool_and(status IN ('done', 'given_up')) ORDER BY as_of_day
""")
PROPOSED = Query("""
    SELECT task_id, task_type, model_id, kind, horizon, new_value::text AS new_value
    FROM models.optimization_tasks JOIN models.optimization_results r USING (task_id)
    WHERE r.as_of_day = :as_of_day AND r.accepted AND task_type <> 'strategy_weights'
    ORDER BY task_id
""")

PROFILE = Query("""
    SELECT r.as_of_day AS day, count(*) AS results,
           count(*) FILTER (WHERE r.recorded_at < (r.as_of_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE r.as_of_day <> t.as_of_day OR NOT EXISTS (
               SELECT FROM models.optimization_attempts a
               WHERE a.task_id = r.task_id AND a.outcome = 'succeeded')) AS unfounded,
           count(*) FILTER (WHERE r.accepted AND NOT EXISTS (
               SELECT FROM deployment.improvement_events e
               WHERE e.event_type = 'params_optimized' AND e.new_value = r.new_value
                 AND e.trigger_reason LIKE '%' || r.task_id)) AS silent
    FROM models.optimization_results r JOIN models.optimization_tasks t USING (task_id)
    WHERE r.as_of_day BETWEEN :first AND :last
    GROUP BY r.as_of_day
""")


@dataclass(frozen=True)
class Task:
    """What is to be optimized: `kind` and `horizon` None for all of a model's.

    It may look at days from first_day on and at nothing known after 24:00 UTC of as_of_day.
    configurations: how many may be tried.
    """

    task_type: str
    model_id: str
    kind: str | None
    horizon: int | None
    first_day: date
    as_of_day: date
    configurations: int

    @property
    def cell(self) -> tuple[str, int]:
        """Kind and horizon; raises ValueError where the task is of all of a model's."""
        if self.kind is None or self.horizon is None:
            raise ValueError(f"{self.task_id} is of no single kind and horizon")
        return self.kind, self.horizon

    @property
    def component(self) -> str:
        """What is optimized, as events name it."""
        about = "" if self.kind is None else f"/{self.kind}/h{self.horizon}"
        if self.task_type == STRATEGY_WEIGHTS:
            return f"recommendations{about}"
        return f"{self.model_id}{about}"

    @property
    def task_id(self) -> str:
        """Identity: the week, the type and what it is about."""
        about = "" if self.kind is None else f"/{self.kind}/h{self.horizon}"
        return f"{self.as_of_day}/{self.task_type}/{self.model_id}{about}"


def enqueue(transaction: Transaction, tasks: Sequence[Task], attempts: int) -> Written:
    """Put tasks down that are not there yet, each to be given up after so many failures."""
    rows = [
        {
            "task_id": t.task_id,
            **{n: getattr(t, n) for n in ("task_type", "model_id", "kind", "horizon")},
            "first_day": t.first_day,
            "as_of_day": t.as_of_day,
            "configuration": json.dumps({"configurations": t.configurations}),
            "max_attempts": attempts,
        }
        for t in tasks
    ]
    return transaction.append(TASKS, pl.DataFrame(rows, infer_schema_length=None))


def due(transaction: Transaction, last: date) -> list[Task]:
    """Tasks through that day that may be attempted now, in the order of their turns."""
    names = ("task_type", "model_id", "kind", "horizon", "first_day", "as_of_day")
    return [
        Task(
            **{name: row[name] for name in names},
            configurations=json.loads(row["configuration"])["configurations"],
        )
        for row in transaction.read(DUE, last=last).iter_rows(named=True)
    ]


def release(warehouse: Database, is_over: Callable[[str], bool]) -> int:
    """End the attempts of Dagster runs that have ended, as failed; their number."""
    ended = 0
    for task_id, attempt, run_id in warehouse.read(OPEN_ATTEMPTS).iter_rows():
        if is_over(run_id):
            error = f"interrupted: run {run_id} ended before the attempt did"
            with warehouse.transaction() as transaction:
                ended += _finish(transaction, task_id, attempt, "failed", error)
    return ended


def claim(warehouse: Database, task_id: str, run_id: str) -> int | None:
    """Begin an attempt, and commit: its number, None where another run was first."""
    with warehouse.transaction() as transaction:
        transaction.read(LOCK_TASK, task_id=task_id)
        found = transaction.read(CLAIM, task_id=task_id, run_id=run_id, lease=LEASE.total_seconds())
    return None if found.is_empty() else found.item()


def fail(warehouse: Database, task_id: str, attempt: int, error: str) -> None:
    """End an attempt with its error, and commit."""
    with warehouse.transaction() as transaction:
        _finish(
            transaction, task_id, attempt, "failed", error[-registry.ERROR_LENGTH :] or "unknown"
        )


def succeed(
    warehouse: Database, task: Task, attempt: int, proposal: Proposal, training_run: str | None
) -> Written:
    """Write down what was found, with its event if it is accepted, and commit.

    An attempt that ended before (its lease ran out and another took over) writes nothing.
    """
    row = {
        "task_id": task.task_id,
        "as_of_day": task.as_of_day,
        "accepted": proposal.accepted,
        "old_value": _text(proposal.old),
        "new_value": None if proposal.new is None else _text(proposal.new),
        "performance_before": _text(proposal.before),
        "performance_after": _text(proposal.after),
        "configurations": len(proposal.results),
        "conclusion": proposal.conclusion,
    }
    with warehouse.transaction() as transaction:
        if not _finish(transaction, task.task_id, attempt, "succeeded", ""):
            return Written()
        written = transaction.append(RESULTS, pl.DataFrame([row], infer_schema_length=None))
        if training_run is not None:
            transaction.read(
                registry.FINISH, training_run_id=training_run, status="succeeded", error_log=""
            )
        if proposal.accepted and written.inserted:
            note_optimized(transaction, _event(task, proposal), as_of(task.as_of_day))
    return written


def _event(task: Task, proposal: Proposal) -> Optimized:
    kinds = {STRATEGY_WEIGHTS: "strategy", FEATURE_SELECTION: "feature"}
    return Optimized(
        kinds.get(task.task_type, "model"),
        task.component,
        proposal.old,
        proposal.new or {},
        f"weekly tuning, proposed by {task.task_id}",
        proposal.before,
        proposal.after,
    )


def _finish(transaction: Transaction, task_id: str, attempt: int, outcome: str, error: str) -> int:
    """How many attempts were ended by this: one, or none where it was ended before."""
    ended = transaction.read(FINISH, task_id=task_id, attempt=attempt, outcome=outcome, error=error)
    return len(ended)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
