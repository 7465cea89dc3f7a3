"""One fit after another: what was known at a cutoff becomes a stored, registered fit.

Each step is committed by itself: that a run begins, the trials before they are evaluated, their
results, the fit. So a failure stays on record, and the fit before it stays in force.
"""

import hashlib
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.market.returns import MAX_GAP
from predtrack_assets.domain.models.as_of_statistics import MEMORY, as_of_statistics
from predtrack_assets.domain.models.fitted_model import EVERY_SYMBOL, Procedure
from predtrack_assets.domain.models.labels import LABELS, label
from predtrack_assets.domain.models.learners.selection import Regimes
from predtrack_assets.domain.models.learners.selection import Trial as Tried
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.settings import Settings
from predtrack_assets.stores.artifacts import ArtifactError, load, store
from predtrack_assets.stores.tracking import track
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction, Written
from predtrack_assets.warehouse.features.store import read_features
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)
from predtrack_assets.warehouse.models import registry
from predtrack_assets.warehouse.models import scores as model_performance
from predtrack_assets.warehouse.models.registry import Training as Task
from predtrack_assets.warehouse.models.registry import Trial
from predtrack_assets.warehouse.models.retraining import BY_HAND, Cause, note_retrained

CODE_VERSION = "1"  # of the fitting; another one fits everything again
CHOICE_MONTH = 12  # the fit in force from January on chooses the families of the year


@dataclass(frozen=True)
class Fitter:
    """How a procedure is fitted, under cutoffs (datetime64[D]).

    fit: training data under choices becomes something with to_bytes(). choose: families, and what
    was tried, as in domain.learners.selection; None: there is nothing to choose. candidates: what
    `choose` tries. basis: what else goes into a fit, such as the hash of another one. explain: rows
    of features.feature_importance, but for `measured_by`, that can be told when it is time to choose.
    """

    procedure: Procedure
    scope: str
    fit: Callable[[TrainingData, np.datetime64, Mapping[str, Any] | None], Any]
    choose: Callable[..., tuple[dict[str, Any], list[Tried]]] | None = None  # data, cutoff, regimes
    candidates: Sequence[tuple[str, int, str]] = ()
    basis: str = ""
    explain: Callable[[Database, Mapping[str, Any], TrainingData], pl.DataFrame] | None = None


@dataclass
class Report:
    """Results of the cutoffs: new fits, those there already, reasons of the rest.

    restored: of those there, whose file was lost or altered and has been made again.

    fits: name by cutoff, new or not. choices: those of each fit. unvalidated: of choices made just
    now, what could not be validated.
    """

    written: Written = field(default_factory=Written)
    fitted: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    skipped: dict[date, str] = field(default_factory=dict)
    fits: dict[date, str] = field(default_factory=dict)
    choices: dict[date, Mapping[str, Any]] = field(default_factory=dict)
    importance: dict[date, pl.DataFrame] = field(default_factory=dict)
    unvalidated: dict[date, list[str]] = field(default_factory=dict)

    def add(self, cutoff: date, artifact_id: str, choices: Mapping[str, Any]) -> None:
        """The fit of a cutoff."""
        self.fits[cutoff], self.choices[cutoff] = artifact_id, choices


def training_data(
    warehouse: Database, settings: Settings, cutoffs: Sequence[date], symbols: list[str] | None
) -> Iterator[tuple[date, TrainingData]]:
    """Each cutoff with the rows decided by then, from what was known at 24:00 UTC of it.

    symbols: only those; None: all but volatility indices. Labels that ended later are blank.
    """
    if not cutoffs:
        return
    days = np.array(cutoffs, dtype="datetime64[D]")
    with warehouse.transaction(READER) as transaction:
        epochs = market_epochs(transaction, days, cutoffs[0])
    for epoch in epochs:
        with warehouse.transaction(READER) as transaction:
            everything = epoch_data(transaction, settings, epoch, symbols)
        for cutoff in epoch.days:
            yield cutoff.item(), everything.known_by(cutoff)


def epoch_data(
    transaction: Transaction, settings: Settings, epoch: Epoch, symbols: list[str] | None
) -> TrainingData:
    """Every feature row up to the epoch's end beside its labels as known then."""
    rows = read_features(transaction, STANDARD, symbols, settings.first_day, epoch.last)
    names, days = rows.symbols.astype(str), rows.days
    n = len(days)
    sigma, drift = np.full((2, n), np.nan)
    labels = {
        (name, horizon): (np.full(n, np.nan), np.full(n, np.datetime64("NaT"), "datetime64[D]"))
        for horizon in settings.horizons
        for name in LABELS
    }
    sessions = max(1, len(np.unique(days)))
    for exchange, group in symbol_groups(transaction, sessions, without=("volatility",)):
        members = [s for s in group if symbols is None or s in symbols]
        first = sessions_before(exchange, settings.first_day, MEMORY + MAX_GAP + 1)
        panel = read_panel(transaction, members, exchange, first, epoch)
        statistics = as_of_statistics(panel)
        known = panel.symbols.astype(str)
        mine = np.flatnonzero(np.isin(names, known) & np.isin(days, panel.sessions))
        at = np.searchsorted(known, names[mine]), np.searchsorted(panel.sessions, days[mine])
        sigma[mine], drift[mine] = statistics.sigma[at], statistics.drift[at]
        for (name, horizon), (value, end) in labels.items():
            found = label(panel, statistics, name, horizon)
            value[mine], end[mine] = found.value[at], found.end[at]
    data = TrainingData(rows.values, STANDARD.columns, days, names, sigma, drift, labels)
    return data.take(np.isfinite(sigma))


@dataclass
class Training:
    """Fits of one procedure, one cutoff after the other."""

    warehouse: Database
    settings: Settings
    fitter: Fitter
    dagster_run_id: str
    cause: Cause = BY_HAND
    report: Report = field(default_factory=Report)

    def fit(self, cutoff: date, data: TrainingData) -> None:
        """Fit `data` unless the version is retired, or it is fitted already, or too little.

        The result is in `report`. Raises what the fit raises, after the run is on record as
        failed.
        """
        if self.retired:
            self.report.skipped[cutoff] = self.retired
            return
        sessions, needed = len(np.unique(data.day)), self.settings.min_training_sessions
        if sessions < needed:
            reason = f"{sessions} sessions with features, {needed} needed"
            self.report.skipped[cutoff] = reason
            return
        choices = self._choices_in_force(cutoff, data)
        content = data_digest(data)
        made = {_text(kept): self._digest(content, kept) for kept in (None, choices)}
        there = self._fits.filter(
            pl.col("trained_through") == cutoff, pl.col("input_digest").is_in(list(made.values()))
        )
        if len(there):
            fit = there.row(-1, named=True)
            self.report.unchanged.append(fit["artifact_id"])
            self.report.add(cutoff, fit["artifact_id"], json.loads(fit["choices"]))
            self._restore(fit, cutoff, data)
            self._explain_again(cutoff, data)
            return
        task = self._task(cutoff, data, made[_text(choices)])
        run = registry.start(self.warehouse, task, self.dagster_run_id, self.cause)
        try:
            self._fit_and_register(task, run, data, choices)
        except Exception:
            registry.fail(self.warehouse, run, traceback.format_exc())
            raise

    def _fit_and_register(
        self, task: Task, run: str, data: TrainingData, choices: dict[str, Any] | None
    ) -> None:
        cutoff = np.datetime64(task.trained_through, "D")
        importance, tried = pl.DataFrame(), list[Tried]()
        if choices is None and self.fitter.explain is not None:
            place = self._place(task.trained_through)
            importance = self.fitter.explain(self.warehouse, place, data)
        if choices is None and self.fitter.choose is not None:
            choices, tried = self._choose(task, run, data, cutoff)
        content = self.fitter.fit(data, cutoff, choices).to_bytes()
        artifact = store(content, self.settings.artifact_store)
        kept = choices or {"cutoff": str(task.trained_through)}
        scores = _scores_of(kept)
        with self.warehouse.transaction() as transaction:
            name, written = registry.succeed(transaction, run, task, artifact, kept, scores)
            written += transaction.append(
                tables.WALK_FORWARD_SCORES, walk_forward_scores(name, tried)
            )
            if len(importance):
                measured = importance.with_columns(measured_by=pl.lit(name))
                written += transaction.append(tables.FEATURE_IMPORTANCE, measured)
            if task.scope != EVERY_SYMBOL:
                note_retrained(transaction, name, self.cause)
        del self._fits
        self.report.written += written
        if len(importance):
            self.report.importance[task.trained_through] = importance
        if lacking := [
            f"{t.kind} {t.horizon}: {t.reason}" for t in tried if t.chosen and not t.validated
        ]:
            self.report.unvalidated[task.trained_through] = lacking
        self.report.fitted.append(name)
        self.report.add(task.trained_through, name, kept)
        numbers = {f"{key}.{what}": float(v) for key, s in scores.items() for what, v in s.items()}
        track(self.settings.mlflow_uri, name, {"input_digest": task.input_digest}, numbers)

    def _restore(self, fit: Mapping[str, Any], cutoff: date, data: TrainingData) -> None:
        """Make the file of a fit again where it is lost or altered: same inputs, same bits."""
        try:
            load(fit["artifact_id"], fit["artifact_uri"], fit["sha256"])
        except ArtifactError:
            choices = self.report.choices[cutoff] if self.fitter.choose else None
            content = self.fitter.fit(data, np.datetime64(cutoff, "D"), choices).to_bytes()
            restored = store(content, self.settings.artifact_store)
            if restored.sha256 != fit["sha256"]:
                raise
            self.report.restored.append(fit["artifact_id"])

    def _explain_again(self, cutoff: date, data: TrainingData) -> None:
        """Importances that a fit measured when it was made, for the plot of this materialization.

        Dagster shows the newest one. Rows of before there was a column `loss` would not do.
        """
        chosen_here = self.report.choices[cutoff]["cutoff"] == str(cutoff)
        if self.fitter.explain is None or not chosen_here:
            return
        with suppress(ArtifactError):  # a plot is no reason to fail over the file of an older fit
            importance = self.fitter.explain(self.warehouse, self._place(cutoff), data)
            if len(importance):
                self.report.importance[cutoff] = importance

    def _choose(
        self, task: Task, run: str, data: TrainingData, cutoff: np.datetime64
    ) -> tuple[dict[str, Any], list[Tried]]:
        """Choose families, each trial on record before it is evaluated."""
        how = {"validation": "purged walk-forward", "cutoff": str(cutoff)}
        asked = [Trial(*candidate, how) for candidate in self.fitter.candidates]
        registry.record_trials(self.warehouse, run, task.model_id, asked)
        assert self.fitter.choose is not None
        choices, tried = self.fitter.choose(data, cutoff, self._regimes(task.trained_through))
        results = [
            Trial(t.kind, t.horizon, t.family, how, t.summary() | _regimes_of(t), t.chosen)
            for t in tried
        ]
        registry.record_results(self.warehouse, run, results)
        return choices, tried

    def _regimes(self, cutoff: date) -> Regimes:
        """Market regimes of the days up to the cutoff, each as known on its day."""
        known = self.warehouse.read(model_performance.REGIMES, last=cutoff)
        return dict(zip(known["trading_day"].to_numpy(), known["market_regime"], strict=True))

    def _choices_in_force(self, cutoff: date, data: TrainingData) -> dict[str, Any] | None:
        """Those of the fit before, or None when it is time to choose."""
        if self.fitter.choose is None or cutoff.month == CHOICE_MONTH:
            return None
        before = self._fits.filter(pl.col("active"), pl.col("trained_through") < cutoff)
        if before.is_empty():
            return None
        choices: dict[str, Any] = json.loads(before["choices"][-1])
        horizons = {str(h) for h in self.settings.horizons}
        same = all(set(chosen) == horizons for chosen in choices["families"].values())
        return choices if same and choices["columns"] == list(data.columns) else None

    @cached_property
    def retired(self) -> str:
        """Why the version is not fitted any more; empty while it is."""
        gone = self.warehouse.read(registry.RETIRED)["model_id"]
        model = self.fitter.procedure.model_id
        return f"{model} is retired" if model in gone else ""

    @cached_property
    def _fits(self) -> pl.DataFrame:
        """Every fit so far, read again once there is a new one."""
        model = self.fitter.procedure.model_id
        return self.warehouse.read(registry.FITS_OF, model_id=model, scope=self.fitter.scope)

    def _place(self, cutoff: date) -> dict[str, Any]:
        model = self.fitter.procedure.model_id
        return {"model_id": model, "scope": self.fitter.scope, "trained_through": cutoff}

    def _task(self, cutoff: date, data: TrainingData, digest: str) -> Task:
        return Task(
            **self._place(cutoff),
            first_day=data.day[0].item(),
            samples=len(data.day),
            symbols=sorted(set(data.symbol.astype(str).tolist())),
            feature_set=STANDARD.id,
            parameters=self._parameters(),
            code_version=CODE_VERSION,
            input_digest=digest,
        )

    def _parameters(self) -> dict[str, Any]:
        parameters = {"horizons": list(self.settings.horizons), "basis": self.fitter.basis}
        return {**self.fitter.procedure.hyperparameters, **parameters}

    def _digest(self, content: str, choices: Mapping[str, Any] | None) -> str:
        """SHA-256 of all that goes into a fit."""
        digest = hashlib.sha256(content.encode())
        digest.update(json.dumps([CODE_VERSION, self._parameters()], sort_keys=True).encode())
        digest.update(_text(choices).encode())
        return digest.hexdigest()


def data_digest(data: TrainingData) -> str:
    """SHA-256 of training data: names, days, numbers and labels, equal for equal values."""
    digest = hashlib.sha256("\n".join([*data.columns, *data.symbol.astype(str)]).encode())
    arrays = [data.day, data.features, data.sigma, data.drift]
    for key in sorted(data.labels):
        digest.update(str(key).encode())
        arrays += data.labels[key]
    for values in arrays:
        if values.dtype.kind == "f":  # one NaN for all
            values = np.where(np.isnan(values), np.nan, values)
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _text(choices: Mapping[str, Any] | None) -> str:
    return "choose" if choices is None else json.dumps(choices, sort_keys=True)


def _scores_of(choices: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Walk-forward scores of the chosen families, by kind and horizon."""
    return {
        f"{s['kind']}.{s['horizon']}": {"score": s["score"], "skill": s["skill"]}
        for s in choices.get("scores", [])
        if s["chosen"] and s["score"] is not None
    }


def _regimes_of(trial: Tried) -> dict[str, Any]:
    return {"by_regime": {regime: asdict(skill) for regime, skill in trial.by_regime.items()}}


def walk_forward_scores(artifact_id: str, tried: Sequence[Tried]) -> pl.DataFrame:
    """Rows of models.walk_forward_scores: the chosen families beside no_change, by market regime."""
    return pl.DataFrame(
        [
            {
                "artifact_id": artifact_id,
                "kind": trial.kind,
                "horizon": trial.horizon,
                "regime": regime,
                "score": trial.metric,
                "baseline": "no_change",
                "family": trial.family,
                "mean_score": skill.score,
                "mean_score_baseline": skill.baseline,
                **{name: getattr(skill, name) for name in _COUNTS},
            }
            for trial in tried
            if trial.chosen
            for regime, skill in trial.by_regime.items()
        ],
        infer_schema_length=None,
    )


_COUNTS = ("skill", "skill_low", "skill_high", "n", "n_eff")
