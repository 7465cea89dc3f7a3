"""Receipts of what was handed in, and until when it may be."""

from __future__ import annotations

import json

from fastapi import APIRouter, Depends, Response

from predtrack_assets.api.auth import Db, Reader, reading
from predtrack_assets.api.bodies import json_response, parameters
from predtrack_assets.api.problems import Problem
from predtrack_assets.services.forecasts.intake_basis import deadlines
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.forecasts import intake as queries

router = APIRouter(dependencies=[Depends(parameters())])


@router.get("/receipts")
def get_receipts(_caller: Reader, db: Db) -> Response:
    """The last hundred batches that were handed in."""
    with reading(db) as transaction:
        rows = transaction.read(queries.RECEIPTS, size=100)
    return json_response({"rows": rows.to_dicts()})


@router.get("/receipts/{batch}")
def get_receipt(batch: int, _caller: Reader, db: Db) -> Response:
    """What a batch was answered, as it was answered."""
    with reading(db) as transaction:
        found = transaction.read(queries.RECEIPT_OF, batch_id=min(max(batch, 0), 2**63 - 1))
    if found.is_empty():
        raise Problem(404, f"there is no batch {batch}", code="batch_unknown")
    row = found.row(0, named=True)
    return json_response({**json.loads(row["answer"]), "batch": row["batch_id"]})


@router.get("/deadlines")
def get_deadlines(_caller: Reader, db: Db) -> Response:
    """Per exchange and horizon, until when a prediction is live."""
    with reading(db) as transaction:
        rows = deadlines(transaction, get_settings().horizons)
    return json_response({"rows": rows})
