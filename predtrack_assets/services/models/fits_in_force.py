"""The fits in force over a window, as the registry has them; files are read and checked when needed."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.models.fitted_model import (
    PROCEDURES,
    TUNED,
    FeatureTable,
    Fit,
    FittedModel,
    Procedure,
    pooled_forecast,
    tuned_procedure,
)
from predtrack_assets.domain.models.forecast import Cells, Forecast
from predtrack_assets.domain.models.learners.pooled import PooledFit
from predtrack_assets.domain.models.learners.symbol import SymbolFit
from predtrack_assets.stores.artifacts import ArtifactError, load
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.features.store import read_features
from predtrack_assets.warehouse.forecasts.stored_rows import NAMED_FITS
from predtrack_assets.warehouse.models.registry import IN_FORCE, VERSIONS

Turns = list[tuple[Procedure, tuple[Fit, ...]]]


def tuned_versions(transaction: Transaction) -> dict[str, tuple[Procedure, str]]:
    """The versions that tuning has registered, oldest first, with their status."""
    rows = transaction.read(VERSIONS, model_name=TUNED).iter_rows(named=True)
    made = [
        (tuned_procedure(r["version"], json.loads(r["hyperparameters"])), r["status"]) for r in rows
    ]
    return {procedure.model_id: (procedure, status) for procedure, status in made}


def procedures(transaction: Transaction) -> tuple[Procedure, ...]:
    """Every version that is fitted: those of the code and those that tuning has registered."""
    return (*PROCEDURES, *(procedure for procedure, _ in tuned_versions(transaction).values()))


def fits_in_force(transaction: Transaction, first: date, last: date, *, retired: bool) -> Turns:
    """The fits in force on the days from first to last, per version; of retired ones too if asked.

    Reading a file raises ArtifactError when it is missing or not what was stored.
    """
    rows = transaction.read(IN_FORCE, first=first, last=last, retired=retired)
    found = []
    for procedure in procedures(transaction):
        mine = rows.filter(model_id=procedure.model_id).iter_rows(named=True)
        if fits := tuple(_fit(procedure, row) for row in mine):
            found.append((procedure, fits))
    return found


def referenced_fits(
    transaction: Transaction, referenced: pl.DataFrame
) -> tuple[Turns, dict[str, str]]:
    """The fits that stored predictions name, for the days they name them on; and why others cannot.

    referenced: artifact_id, first, last (days). A fit is never given a day that it was trained on.
    """
    names = referenced["artifact_id"].to_list()
    rows = transaction.read(NAMED_FITS, artifact_ids=names)
    unavailable = dict.fromkeys(set(names) - set(rows["artifact_id"]), "its fit is not registered")
    known = {procedure.model_id: procedure for procedure in procedures(transaction)}
    turns: Turns = []
    for row in rows.join(referenced, on="artifact_id").sort("artifact_id").iter_rows(named=True):
        procedure = known.get(row["model_id"])
        if procedure is None:
            unavailable[row["artifact_id"]] = (
                "its fit is of a model that this version of the code lacks"
            )
            continue
        try:
            load(row["artifact_id"], row["artifact_uri"], row["sha256"])
        except ArtifactError:
            unavailable[row["artifact_id"]] = "the file of its fit is missing or altered"
            continue
        after = max(row["trained_through"], row["first"] - timedelta(days=1))
        row |= {"trained_through": after, "until": row["last"]}
        turns.append((procedure, (_fit(procedure, row),)))
    return turns, unavailable


def with_features(
    transaction: Transaction, turns: Turns, symbols: list[str], first: date, last: date
) -> tuple[FittedModel, ...]:
    """The versions beside the stored features of some symbols and days."""
    if not turns:
        return ()
    rows = read_features(transaction, STANDARD, symbols, first, last)
    table = FeatureTable(rows.symbols, rows.days, rows.values)
    return tuple(FittedModel(procedure, fits, table) for procedure, fits in turns)


def _fit(procedure: Procedure, row: dict[str, Any]) -> Fit:
    return Fit(
        artifact_id=row["artifact_id"],
        scope=row["scope"],
        after=np.datetime64(row["trained_through"], "D"),
        until=np.datetime64(row["until"] or "NaT", "D"),
        predict=_speaker(procedure, row["artifact_id"], row["artifact_uri"], row["sha256"]),
    )


def _speaker(
    procedure: Procedure, artifact_id: str, uri: str, sha256: str
) -> Callable[[Cells], Forecast]:
    """What a stored fit says; its file is read at the first word."""

    @cache
    def stored() -> PooledFit | SymbolFit:
        content = load(artifact_id, uri, sha256)
        kind = PooledFit if procedure.scope == "pooled" else SymbolFit
        return kind.from_bytes(content)

    return lambda cells: pooled_forecast(stored(), cells)
