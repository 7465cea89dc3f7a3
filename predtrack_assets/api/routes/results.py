"""Results: recommendations, analytics, the ledger, health."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from predtrack_assets.api.auth import Db, Reader, reading
from predtrack_assets.api.bodies import json_response, parameters
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.audit.ledger.proof import ProofError
from predtrack_assets.services.audit.inclusion_proofs import checkpoint, prove
from predtrack_assets.settings import get_settings
from predtrack_assets.stores.ledger_key import KEY_FILE, private_key
from predtrack_assets.warehouse import reads
from predtrack_assets.warehouse.database.transaction import READER
from predtrack_assets.warehouse.forecasts.ledger import LedgerError

router = APIRouter()
health = APIRouter(dependencies=[Depends(parameters())])


@router.get("/recommendations")
def recommendations(request: Request, _caller: Reader, db: Db) -> Response:
    """What the champions recommend; no rows where there is no champion."""
    return page(request, db, reads.RECOMMENDATIONS)


@router.get("/recommendations/{symbol}")
def recommendations_of(symbol: str, request: Request, _caller: Reader, db: Db) -> Response:
    """What the champions recommend of one symbol."""
    return page(request, db, reads.RECOMMENDATIONS, {"symbol": symbol})


@router.get("/analytics/{subject}")
def analytics(subject: str, request: Request, _caller: Reader, db: Db) -> Response:
    """A report: calibration, symbols, errors, regimes, drift, gates, champions, retraining, ..."""
    view = reads.ANALYTICS.get(subject)
    if view is None:
        raise Problem(
            404, f"there is no report of that name: {', '.join(reads.ANALYTICS)}", code="report"
        )
    return page(request, db, view)


@router.get("/ledger/head", dependencies=[Depends(parameters())])
def ledger_head(_caller: Reader, db: Db) -> Response:
    """The newest batch of the chain."""
    with reading(db) as transaction:
        rows = transaction.read(reads.LEDGER_HEAD).to_dicts()
    return json_response(rows[0] if rows else {"batch_index": None, "hash": None})


@router.get("/ledger/checkpoints", dependencies=[Depends(parameters())])
def ledger_checkpoint(_caller: Reader, db: Db) -> Response:
    """A signed tree head of the ledger and the audit trail as they are now: keep it elsewhere."""
    key = private_key(get_settings().home / KEY_FILE)
    try:
        with db.transaction(READER) as transaction:
            return json_response(checkpoint(transaction, key))
    except LedgerError as error:
        raise Problem(409, str(error), code="ledger_fault") from None


@router.get("/ledger/proofs/{prediction_id}", dependencies=[Depends(parameters())])
def ledger_proof(prediction_id: str, _caller: Reader, db: Db) -> Response:
    """A proof that a prediction is in the ledger, to be checked without us."""
    try:
        wanted = UUID(prediction_id)
    except ValueError:
        raise Problem(404, "a prediction's id is a UUID", code="prediction_unknown") from None
    try:
        with db.transaction(READER) as transaction:
            return json_response(prove(transaction, wanted))
    except LedgerError as error:
        raise Problem(404, str(error), code="prediction_unknown") from None
    except ProofError as error:
        raise Problem(409, str(error), code="ledger_fault") from None


@health.get("/health/live")
def live() -> dict[str, str]:
    """Whether the process answers; nothing else is asked."""
    return {"status": "live"}


@health.get("/health/ready")
def ready(db: Db) -> Response:
    """Whether the database answers, and when a batch was sealed last."""
    with reading(db) as transaction:
        sealed = transaction.read(reads.LAST_SEALED).row(0, named=True)
    return json_response({"status": "ready", "last_sealed": sealed})
