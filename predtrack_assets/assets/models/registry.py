"""Models stage: the registry of every model version that predicts."""

import json

import dagster as dg
import polars as pl

from predtrack_assets.domain import history, models
from predtrack_assets.domain.fitted import PROCEDURES, Procedure
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.warehouse import Warehouse


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="2",
    owners=["team:predtrack"],
    kinds={"postgres", "python"},
)
def model_registry(warehouse: Warehouse) -> dg.MaterializeResult:
    """Registered model versions: baselines, models of as-of statistics, and versions that are fitted."""
    unfitted = {
        "ewma_lambda": history.EWMA_LAMBDA,
        "memory_sessions": history.MEMORY,
        "window_sessions": history.WINDOW,
        "quantile_levels": models.QUANTILE_LEVELS.tolist(),
    }
    versions: list[models.Model | Procedure] = [*models.MODELS, *PROCEDURES]
    frame = pl.DataFrame(
        {
            "model_id": [m.model_id for m in versions],
            "model_name": [m.name for m in versions],
            "version": [m.version for m in versions],
            "role": [m.role for m in versions],
            "kinds": [list(m.kinds) for m in versions],
            "description": [m.description for m in versions],
            "hyperparameters": [json.dumps(unfitted)] * len(models.MODELS)
            + [json.dumps(p.hyperparameters) for p in PROCEDURES],
            "scope": [None] * len(models.MODELS) + [p.scope for p in PROCEDURES],
            "feature_set": [None] * len(models.MODELS) + [p.feature_set for p in PROCEDURES],
            "status": ["live"] * len(versions),
        }
    )
    with warehouse.transaction() as transaction:
        return transaction.append(tables.MODEL_REGISTRY, frame).as_result(
            models=[m.model_id for m in versions]
        )
