"""From an optimization task to a search that is ready to run, with what was known at its as-of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment.track_record import Cell
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.models.fitted_model import POOLED, Procedure
from predtrack_assets.domain.models.learners.feature_selection import FeatureSelection
from predtrack_assets.domain.models.learners.pooled import FAMILIES, chosen_families
from predtrack_assets.domain.models.learners.search import HyperparameterSearch
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.domain.models.learners.tuned import Tuned
from predtrack_assets.domain.models.tuning import (
    FEATURE_SELECTION,
    HYPERPARAMETER,
    STRATEGY_WEIGHTS,
    Search,
)
from predtrack_assets.domain.trading.rule_search import (
    Daily,
    Rule,
    StrategySearch,
    advice,
    medians,
    rule,
)
from predtrack_assets.services.deployment.track_records import GATED_KINDS, returns_of
from predtrack_assets.services.models.fits_in_force import tuned_versions
from predtrack_assets.services.models.fitting import data_digest, training_data
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.deployment import queries
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets.warehouse.models import optimization
from predtrack_assets.warehouse.models.optimization import Task
from predtrack_assets.warehouse.models.registry import Training

CODE_VERSION = "1"  # of the searches
STRATEGY_YEARS = 5  # of predictions that rules are chosen and judged on


@dataclass(frozen=True)
class Prepared:
    """A search, or the reason why there is none, and the training run that its trials belong to."""

    search: Search | str
    training: Training | None = None


def tunable(transaction: Transaction) -> Procedure:
    """The version that is tuned: the newest live tuned one, else the pooled one of the code."""
    live = [p for p, status in tuned_versions(transaction).values() if status == "live"]
    return live[-1] if live else POOLED


def tuned_of(procedure: Procedure) -> Tuned:
    """What was tuned of a version."""
    return Tuned.from_json(procedure.hyperparameters.get("tuned", {}))


def tasks_of_week(transaction: Transaction, settings: Settings, day: date) -> list[Task]:
    """What is to be optimized as of the last trading day of a week.

    Nothing of a model without a fit by then, and no rule where no candidate has predicted.
    """
    model, count = tunable(transaction).model_id, settings.tuning_configurations
    tasks = []
    if not transaction.read(optimization.IN_FORCE, model_id=model, as_of_day=day).is_empty():
        cells = [(kind, h) for h in settings.horizons for kind in FAMILIES]
        tasks = [
            Task(HYPERPARAMETER, model, kind, h, settings.first_day, day, count)
            for kind, h in cells
        ]
        tasks.append(Task(FEATURE_SELECTION, model, None, None, settings.first_day, day, 1))
    for (kind, h), rows in _speakers(transaction, settings, day).items():
        said_by = _champion(transaction, kind, h, day) or rows["model_id"][0]
        first = rows["first_day"].min()
        assert isinstance(first, date)
        tasks.append(Task(STRATEGY_WEIGHTS, said_by, kind, h, first, day, count))
    return tasks


def _speakers(
    transaction: Transaction, settings: Settings, day: date
) -> dict[tuple[str, int], pl.DataFrame]:
    """Candidates that predicted on nearly all days of the last years, by gated kind and horizon."""
    rows = transaction.read(
        optimization.SPEAKERS,
        first=day.replace(year=day.year - STRATEGY_YEARS, day=1),
        last=day,
        kinds=list(GATED_KINDS),
        horizons=list(settings.gated_horizons),
    )
    steady = rows.filter(pl.col("days") >= 0.9 * pl.col("days").max().over("kind", "horizon"))
    return {
        (kind, horizon): steady.filter(kind=kind, horizon=horizon)
        for kind, horizon in steady.select("kind", "horizon")
        .unique()
        .sort("kind", "horizon")
        .rows()
    }


def _champion(transaction: Transaction, kind: str, horizon: int, day: date) -> str | None:
    at = Epoch(np.array([day], "datetime64[D]"), day).as_of
    found = transaction.read(queries.CHAMPIONS_AT, at=at).filter(kind=kind, scope=f"h{horizon}")
    return None if found.is_empty() else found["model_id"].item()


@dataclass
class Preparation:
    """Prepares searches; the training data of the last as-of are kept for its next task."""

    warehouse: Database
    settings: Settings

    def __post_init__(self) -> None:
        self._data = lru_cache(maxsize=1)(self._read_data)

    def of(self, task: Task) -> Prepared:
        """The search of a task."""
        if task.task_type == STRATEGY_WEIGHTS:
            return self._strategy(task)
        with self.warehouse.transaction(READER) as transaction:
            procedure = tunable(transaction)
            fits = transaction.read(
                optimization.IN_FORCE, model_id=task.model_id, as_of_day=task.as_of_day
            )
        if procedure.model_id != task.model_id or fits.is_empty():
            return Prepared(f"{task.model_id} is not the version in force any more")
        choices = json.loads(fits["choices"].item())
        data, tuned = self._data(task.as_of_day), tuned_of(procedure)
        return Prepared(
            self._search(task, data, choices if "families" in choices else None, tuned),
            self._training(task, data, tuned),
        )

    def _search(
        self, task: Task, data: TrainingData, choices: Mapping[str, Any] | None, tuned: Tuned
    ) -> Search | str:
        if task.task_type == FEATURE_SELECTION:
            return FeatureSelection.prepare(data, self.settings.horizons, choices, tuned)
        kind, horizon = task.cell
        families, _ = chosen_families(tuned.choices(choices), horizon)
        usual = tuned.at(horizon)
        in_force = {
            k: {"family": f, "parameters": dict(usual.get(k, {}))} for k, f in families.items()
        }
        return HyperparameterSearch.prepare(
            tuned.mask(data),
            kind,
            horizon,
            in_force,
            count=task.configurations,
            seed=str(task.as_of_day),
        )

    def _read_data(self, day: date) -> TrainingData:
        ((_, data),) = training_data(self.warehouse, self.settings, [day], None)
        return data

    def _training(self, task: Task, data: TrainingData, tuned: Tuned) -> Training | None:
        if not len(data.day):
            return None
        return Training(
            model_id=task.model_id,
            scope=_scope(task),
            trained_through=task.as_of_day,
            first_day=data.day[0].item(),
            samples=len(data.day),
            symbols=sorted(set(data.symbol.astype(str).tolist())),
            feature_set=STANDARD.id,
            parameters={"task": task.task_id, "tuned": tuned.to_json()},
            code_version=CODE_VERSION,
            input_digest=data_digest(data),
        )

    def _strategy(self, task: Task) -> Prepared:
        kind, horizon = task.cell
        with self.warehouse.transaction(READER) as transaction:
            rows = _speakers(transaction, self.settings, task.as_of_day).get((kind, horizon))
            models = [] if rows is None else rows["model_id"].to_list()
            asked = sorted({*models, task.model_id})
            predictions = transaction.read(
                optimization.PREDICTIONS,
                first=task.first_day,
                last=task.as_of_day,
                kind=kind,
                horizon=horizon,
                models=asked,
            )
        if predictions.is_empty():
            return Prepared("nobody has predicted")
        predictions = medians(predictions).sort("trading_day", "symbol", "model_id")
        search = StrategySearch.prepare(
            kind,
            horizon,
            rule([task.model_id]),
            models,
            lambda rules: self._earned(task, predictions, rules),
            days=predictions["trading_day"].n_unique(),
            count=task.configurations,
            seed=str(task.as_of_day),
        )
        training = Training(
            model_id=task.model_id,
            scope=_scope(task),
            trained_through=task.as_of_day,
            first_day=predictions["trading_day"][0],
            samples=len(predictions),
            symbols=predictions["symbol"].unique().sort().to_list(),
            feature_set="predictions",
            parameters={"task": task.task_id, "models": asked},
            code_version=CODE_VERSION,
            input_digest=frame_digest(predictions),
        )
        return Prepared(search, training)

    def _earned(self, task: Task, predictions: pl.DataFrame, rules: Sequence[Rule]) -> list[Daily]:
        """What following each rule would have returned, by prices as known at the as-of."""
        kind, horizon = task.cell
        names = [str(number) for number in range(len(rules))]
        frames = [
            advice(predictions, each).with_columns(
                pl.lit(name).alias("model_id"),
                pl.lit(kind).alias("kind"),
                pl.lit(horizon).alias("horizon"),
            )
            for name, each in zip(names, rules, strict=True)
        ]
        epoch = Epoch(np.array([task.as_of_day], "datetime64[D]"), task.as_of_day)
        with self.warehouse.transaction(READER) as transaction:
            found = returns_of(
                transaction, epoch, pl.concat(frames), task.first_day, self.settings.benchmark
            )
        nothing = np.array([], "datetime64[D]"), np.zeros(0)  # its models never predicted the same
        cells = (found.get(Cell(name, kind, horizon)) for name in names)
        return [(cell.days, cell.following) if cell else nothing for cell in cells]


def frame_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of names and values of a frame, in its order."""
    digest = hashlib.sha256("\n".join(frame.columns).encode())
    for column in frame:
        if column.dtype == pl.String:
            digest.update("\n".join(column.cast(pl.String).to_list()).encode())
        else:
            digest.update(column.cast(pl.Float64).to_numpy().tobytes())
    return digest.hexdigest()


def _scope(task: Task) -> str:
    """Scope of the training run: of no fit, so that no fit's run is taken for an older one of it."""
    return f"tuning/{task.task_id}"
