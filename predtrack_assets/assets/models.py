"""Models stage: the registry of every model version that predicts."""

import json

import dagster as dg
import polars as pl

from predtrack_assets.domain import history, models
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.warehouse import Warehouse


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="1",
    owners=["team:predtrack"],
    kinds={"postgres", "python"},
)
def model_registry(warehouse: Warehouse) -> dg.MaterializeResult:
    """Registered model versions: the baselines no_change, drift, climatology, and the built-in model."""
    parameters = {
        "ewma_lambda": history.EWMA_LAMBDA,
        "memory_sessions": history.MEMORY,
        "window_sessions": history.WINDOW,
        "quantile_levels": models.QUANTILE_LEVELS.tolist(),
    }
    frame = pl.DataFrame(
        {
            "model_id": [m.model_id for m in models.MODELS],
            "model_name": [m.name for m in models.MODELS],
            "version": [m.version for m in models.MODELS],
            "role": [m.role for m in models.MODELS],
            "kinds": [list(m.kinds) for m in models.MODELS],
            "description": [m.description for m in models.MODELS],
            "hyperparameters": [json.dumps(parameters)] * len(models.MODELS),
        }
    )
    with warehouse.transaction() as transaction:
        return transaction.append(tables.MODEL_REGISTRY, frame).as_result(
            models=[m.model_id for m in models.MODELS]
        )
