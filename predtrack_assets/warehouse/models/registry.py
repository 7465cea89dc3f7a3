"""The registry: fits in force, training runs and trials, each step of a training committed by itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from predtrack_assets.stores.artifacts import Artifact
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Database, Transaction, Written
from predtrack_assets.warehouse.models.retraining import BY_HAND, Cause

ERROR_LENGTH = 20_000

# A day D belongs to the fit with trained_through < D <= until; a symbol's own come first.
IN_FORCE = Query("""
    SELECT model_id, artifact_id, scope, artifact_uri, sha256, trained_through, until
    FROM (SELECT *, lead(trained_through) OVER (PARTITION BY model_id, scope ORDER BY trained_through)
                 AS until
          FROM (SELECT DISTINCT ON (a.model_id, a.scope, a.trained_through) a.*
                FROM models.model_artifacts a JOIN models.model_registry r USING (model_id)
                WHERE (r.status <> 'retired' OR :retired) AND a.status = 'active'
                ORDER BY a.model_id, a.scope, a.trained_through, a.revision DESC) newest) turns
    WHERE trained_through < :last AND coalesce(until, 'infinity') >= :first
    ORDER BY model_id, scope = '*', scope, trained_through
""")

IS_REGISTERED = Query("SELECT model_id FROM models.model_registry WHERE model_id = :model_id")

# Versions of one name, the oldest first.
VERSIONS = Query("""
    SELECT version, status, hyperparameters::text AS hyperparameters
    FROM models.model_registry WHERE model_name = :model_name ORDER BY version
""")

RETIRED = Query("SELECT model_id FROM models.model_registry WHERE status = 'retired'")

FITTED_AT = Query("""
    SELECT artifact_id, revision, input_digest, choices::text AS choices, chosen_through,
           artifact_uri, sha256
    FROM models.model_artifacts
    WHERE model_id = :model_id AND scope = :scope AND trained_through = :trained_through
    ORDER BY revision
""")

FITS_OF = Query("""
    SELECT artifact_id, trained_through, revision, input_digest, choices::text AS choices,
           artifact_uri, sha256, status = 'active' AS active
    FROM models.model_artifacts WHERE model_id = :model_id AND scope = :scope
    ORDER BY trained_through, revision
""")

CHOICES_BEFORE = Query("""
    SELECT choices::text AS choices, chosen_through FROM models.model_artifacts
    WHERE model_id = :model_id AND scope = :scope AND trained_through < :trained_through
      AND status = 'active'
    ORDER BY trained_through DESC, revision DESC LIMIT 1
""")

ABANDON = Query("""
    UPDATE models.training_runs
    SET status = 'failed', error_log = 'interrupted: it never ended', finished_at = now()
    WHERE status = 'started' AND model_id = :model_id AND scope = :scope
      AND trained_through = :trained_through
    RETURNING training_run_id
""")

FINISH = Query("""
    UPDATE models.training_runs
    SET status = :status, error_log = nullif(:error_log::text, ''), finished_at = clock_timestamp()
    WHERE training_run_id = :training_run_id AND status = 'started'
    RETURNING training_run_id
""")

FINISH_TRIAL = Query("""
    UPDATE models.trials t
    SET result = r.result::jsonb, chosen = r.chosen, finished_at = clock_timestamp()
    FROM unnest(:kinds::text[], :horizons::int[], :families::text[], :results::text[], :chosen::boolean[])
        AS r (kind, horizon, family, result, chosen)
    WHERE t.training_run_id = :training_run_id
      AND (t.kind, t.horizon, t.family) = (r.kind, r.horizon, r.family)
    RETURNING t.family
""")

FITS = Query("""
    SELECT r.model_id, r.status, a.fits, a.first, a.newest, a.withdrawn, t.failed, t.trials
    FROM models.model_registry r
    LEFT JOIN (SELECT model_id, count(*) AS fits, min(trained_through) AS first,
                      max(trained_through) AS newest,
                      count(*) FILTER (WHERE status = 'withdrawn') AS withdrawn
               FROM models.model_artifacts GROUP BY model_id) a USING (model_id)
    LEFT JOIN (SELECT model_id, count(DISTINCT training_run_id) FILTER (WHERE status = 'failed') AS failed,
                      count(family) AS trials
               FROM models.training_runs LEFT JOIN models.trials USING (training_run_id, model_id)
               GROUP BY model_id) t USING (model_id)
    WHERE r.scope IS NOT NULL
    ORDER BY r.model_id
""")


# Of the fits of all symbols (:pooled) or of one each: one row, also when there are none.
FIT_PROFILE = Query("""
    SELECT count(*) AS fits, count(*) - count(DISTINCT artifact_id) AS duplicates,
           count(*) FILTER (WHERE f.recorded_at < (f.trained_through + 1)::timestamp AT TIME ZONE 'UTC'
                            OR f.chosen_through > f.trained_through) AS look_ahead,
           count(*) FILTER (WHERE r.status IS DISTINCT FROM 'succeeded') AS unfounded,
           count(*) FILTER (WHERE m.model_id IS NULL OR m.feature_set IS DISTINCT FROM f.feature_set)
               AS unregistered,
           (SELECT count(*) FROM models.trials t JOIN models.training_runs s USING (training_run_id)
            WHERE (s.scope = '*') = :pooled AND t.finished_at <= t.recorded_at) AS late_trials
    FROM models.model_artifacts f
    LEFT JOIN models.training_runs r USING (training_run_id)
    LEFT JOIN models.model_registry m ON m.model_id = f.model_id
    WHERE (f.scope = '*') = :pooled
""")

ALL_FILES = Query("""
    SELECT DISTINCT ON (sha256) artifact_id, artifact_uri, sha256
    FROM models.model_artifacts ORDER BY sha256, artifact_id
""")

NEWEST_FILES = Query("""
    SELECT DISTINCT ON (model_id, scope) artifact_id, artifact_uri, sha256
    FROM models.model_artifacts
    WHERE (scope = '*') = :pooled AND status = 'active'
    ORDER BY model_id, scope, trained_through DESC, revision DESC
""")

# The newest of each month, in force or not: fitting the month again restores a lost one.
FILES = Query("""
    SELECT DISTINCT ON (model_id, trained_through) artifact_id, artifact_uri, sha256
    FROM models.model_artifacts
    WHERE scope = '*' AND trained_through BETWEEN :first AND :last
    ORDER BY model_id, trained_through, revision DESC
""")


@dataclass(frozen=True)
class Training:
    """A fit about to be made: of which version, for whom, from what.

    first_day, samples, symbols: of the training rows. input_digest: SHA-256 of all that goes in.
    """

    model_id: str
    scope: str
    trained_through: date
    first_day: date
    samples: int
    symbols: Sequence[str]
    feature_set: str
    parameters: Mapping[str, Any]
    code_version: str
    input_digest: str


@dataclass(frozen=True)
class Trial:
    """One evaluated configuration; result None until it is known."""

    kind: str
    horizon: int
    family: str
    configuration: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
    chosen: bool = False


def start(
    warehouse: Database, training: Training, dagster_run_id: str, cause: Cause = BY_HAND
) -> str:
    """Write down that a fit begins, and commit; the id of the training run.

    An earlier run of the same fit that never ended is marked as failed.
    """
    identity = uuid.uuid4().hex
    row = {name: getattr(training, name) for name in Training.__dataclass_fields__}
    row |= {"parameters": json.dumps(training.parameters), "symbols": list(training.symbols)}
    row |= {"training_run_id": identity, "dagster_run_id": dagster_run_id, **asdict(cause)}
    with warehouse.transaction() as transaction:
        transaction.read(
            ABANDON,
            model_id=training.model_id,
            scope=training.scope,
            trained_through=training.trained_through,
        )
        transaction.append(tables.TRAINING_RUNS, pl.DataFrame([row]))
    return identity


def record_trials(
    warehouse: Database, training_run_id: str, model_id: str, trials: Sequence[Trial]
) -> None:
    """Write configurations down before they are evaluated, and commit."""
    rows = [
        {
            "training_run_id": training_run_id,
            "model_id": model_id,
            "kind": t.kind,
            "horizon": t.horizon,
            "family": t.family,
            "configuration": json.dumps(t.configuration),
        }
        for t in trials
    ]
    with warehouse.transaction() as transaction:
        transaction.append(tables.TRIALS, pl.DataFrame(rows))


def record_results(warehouse: Database, training_run_id: str, trials: Sequence[Trial]) -> None:
    """Fill in results of recorded trials, and commit. Raises ValueError for one never recorded."""
    with warehouse.transaction() as transaction:
        filled = transaction.read(
            FINISH_TRIAL,
            training_run_id=training_run_id,
            kinds=[t.kind for t in trials],
            horizons=[t.horizon for t in trials],
            families=[t.family for t in trials],
            results=[json.dumps(t.result) for t in trials],
            chosen=[t.chosen for t in trials],
        )
        if len(filled) != len(trials):
            raise ValueError(f"{len(trials) - len(filled)} results of trials never recorded")


def fail(warehouse: Database, training_run_id: str, error: str) -> None:
    """Write down why a fit failed, and commit."""
    with warehouse.transaction() as transaction:
        _finish(transaction, training_run_id, "failed", error[-ERROR_LENGTH:] or "no message")


def succeed(
    transaction: Transaction,
    training_run_id: str,
    training: Training,
    artifact: Artifact,
    choices: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> tuple[str, Written]:
    """Register a fit and end its training run, in the caller's transaction; (artifact_id, counts).

    choices: plain JSON; its `cutoff` is the day through which they were made.
    """
    known = transaction.read(
        FITTED_AT,
        model_id=training.model_id,
        scope=training.scope,
        trained_through=training.trained_through,
    )
    revision = len(known) + 1
    artifact_id = name_of(training, revision)
    row = {
        "artifact_id": artifact_id,
        "revision": revision,
        "training_run_id": training_run_id,
        "artifact_uri": artifact.uri,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size,
        "choices": json.dumps(choices, sort_keys=True),
        "chosen_through": date.fromisoformat(choices["cutoff"]),
        "metrics": json.dumps(metrics, sort_keys=True),
    }
    shared = ("model_id", "scope", "trained_through", "feature_set", "code_version", "input_digest")
    row |= {name: getattr(training, name) for name in shared}
    written = transaction.append(tables.MODEL_ARTIFACTS, pl.DataFrame([row]))
    _finish(transaction, training_run_id, "succeeded")
    return artifact_id, written


def name_of(training: Training, revision: int) -> str:
    """`pooled-v1@2011-02-28`, `symbol-v1:IBM@2011-02-28`; later fits of the same day end in .2, .3."""
    scope = "" if training.scope == "*" else f":{training.scope}"
    again = f".{revision}" if revision > 1 else ""
    return f"{training.model_id}{scope}@{training.trained_through}{again}"


def _finish(transaction: Transaction, training_run_id: str, status: str, error: str = "") -> None:
    transaction.read(FINISH, training_run_id=training_run_id, status=status, error_log=error)
