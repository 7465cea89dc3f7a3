"""Models stage: the registry of every model version that predicts."""

import json

import dagster as dg
import polars as pl

from predtrack_assets.assets.metadata import materialized, rows_of_table
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.models import as_of_statistics, baselines, forecast
from predtrack_assets.domain.models.fitted_model import PROCEDURES, Procedure
from predtrack_assets.warehouse import tables


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
        "ewma_lambda": as_of_statistics.EWMA_LAMBDA,
        "memory_sessions": as_of_statistics.MEMORY,
        "window_sessions": as_of_statistics.WINDOW,
        "quantile_levels": forecast.QUANTILE_LEVELS.tolist(),
    }
    versions: list[baselines.Model | Procedure] = [*baselines.MODELS, *PROCEDURES]
    frame = pl.DataFrame(
        {
            "model_id": [m.model_id for m in versions],
            "model_name": [m.name for m in versions],
            "version": [m.version for m in versions],
            "role": [m.role for m in versions],
            "kinds": [list(m.kinds) for m in versions],
            "description": [m.description for m in versions],
            "hyperparameters": [json.dumps(unfitted)] * len(baselines.MODELS)
            + [json.dumps(p.hyperparameters) for p in PROCEDURES],
            "scope": [None] * len(baselines.MODELS) + [p.scope for p in PROCEDURES],
            "feature_set": [None] * len(baselines.MODELS) + [p.feature_set for p in PROCEDURES],
            "status": ["live"] * len(versions),
        }
    )
    with warehouse.transaction() as transaction:
        written = transaction.append(tables.MODEL_REGISTRY, frame)
    rows = rows_of_table(warehouse, tables.MODEL_REGISTRY)
    return materialized(written, models=[m.model_id for m in versions], **rows)
