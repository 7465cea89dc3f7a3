"""Predictions and models of others come in; receipts and deadlines go out."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Request, Response

from predtrack_assets.api.auth import Db, Reader, Writer
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake import MAX_ROWS, Unreadable, read_json
from predtrack_assets.services.forecasts.external_models import ModelRefused, register_model
from predtrack_assets.services.forecasts.intake import KeyReused, Sender, take_predictions
from predtrack_assets.services.forecasts.intake_basis import deadlines
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import reads
from predtrack_assets.warehouse.database.transaction import READER
from predtrack_assets.warehouse.forecasts import intake as queries

router = APIRouter()


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of predictions of one model version."""

    model: str
    version: int
    predictions: list[Any]
    on_late: Literal["replay", "reject"] = "replay"
    dry_run: bool = False


class ModelIn(msgspec.Struct, forbid_unknown_fields=True):
    """A model version to register."""

    name: str
    version: int
    kinds: list[str]
    description: str = ""
    url: str | None = None
    trained_through: date | None = None


class _RollBack(Exception):
    """Ends a dry run: nothing of its transaction stays."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer


def json_response(content: Any, status: int = 200) -> Response:
    """JSON whose dates and moments are ISO 8601."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def body_of(request: Request) -> bytes:
    """The body of a JSON request. Raises Problem 415 for another media type."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ("application/json", ""):
        raise Problem(415, f"send application/json, not {media[:60]}", code="media_type")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "bodies are not compressed", code="content_encoding")
    return await request.body()


def _read(body: bytes, kind: type) -> Any:
    try:
        return msgspec.convert(read_json(body), kind, strict=True)
    except Unreadable as error:
        raise Problem(400, str(error), code="unreadable") from None
    except msgspec.ValidationError as error:
        raise Problem(422, str(error)[:300], code="envelope") from None


@router.post("/predictions")
async def post_predictions(
    request: Request,
    caller: Writer,
    db: Db,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Take up to 10,000 predictions; the answer has a status and, where refused, a code per row."""
    from starlette.concurrency import run_in_threadpool

    body = await body_of(request)
    return await run_in_threadpool(_post, request, caller, db, idempotency_key, body)


def _post(
    request: Request, caller: Any, db: Any, idempotency_key: str | None, body: bytes
) -> Response:
    envelope = _read(body, Envelope)
    if not 1 <= len(envelope.predictions) <= MAX_ROWS:
        raise Problem(
            422,
            f"a batch has 1 to {MAX_ROWS:,} rows, not {len(envelope.predictions):,}",
            code="rows",
        )
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= 255:
        raise Problem(400, "an Idempotency-Key has 1 to 255 characters", code="idempotency_key")
    sender = Sender(caller.name, request.state.request_id, caller.key_id, idempotency_key)
    try:
        with db.transaction() as transaction:
            answer = take_predictions(
                transaction,
                model=envelope.model,
                version=envelope.version,
                rows=envelope.predictions,
                sender=sender,
                body=body,
                on_late=envelope.on_late,
                dry_run=envelope.dry_run,
            )
            if envelope.dry_run:
                raise _RollBack(answer)
    except _RollBack as ended:
        answer = ended.answer
    except ModelRefused as error:
        raise Problem(422, str(error), code=error.code) from None
    except KeyReused as error:
        raise Problem(422, str(error), code="idempotency_key_reused") from None
    return json_response(answer)


@router.get("/predictions")
def get_predictions(request: Request, _caller: Reader, db: Db) -> Response:
    """Stored predictions, newest decision day first."""
    return page(request, db, reads.PREDICTIONS)


@router.post("/models")
async def post_models(request: Request, caller: Writer, db: Db) -> Response:
    """Register a model version of one's own; it starts in shadow."""
    from starlette.concurrency import run_in_threadpool

    body = await body_of(request)
    asked = _read(body, ModelIn)

    def register() -> str:
        with db.transaction() as transaction:
            return register_model(
                transaction,
                name=asked.name,
                version=asked.version,
                kinds=asked.kinds,
                owner=caller.name,
                description=asked.description,
                url=asked.url,
                trained_through=asked.trained_through,
            )

    try:
        model_id = await run_in_threadpool(register)
    except ModelRefused as error:
        raise Problem(422, str(error), code=error.code) from None
    return json_response({"model_id": model_id, "owner": caller.name})


@router.get("/models")
def get_models(request: Request, _caller: Reader, db: Db) -> Response:
    """Registered model versions, those of others with their owner."""
    return page(request, db, reads.MODELS)


@router.get("/receipts")
def get_receipts(_caller: Reader, db: Db) -> Response:
    """The last hundred batches that were handed in."""
    with db.transaction(READER) as transaction:
        rows = transaction.read(queries.RECEIPTS, size=100)
    return json_response({"rows": rows.to_dicts()})


@router.get("/receipts/{batch}")
def get_receipt(batch: int, _caller: Reader, db: Db) -> Response:
    """What a batch was answered, as it was answered."""
    with db.transaction(READER) as transaction:
        found = transaction.read(queries.RECEIPT_OF, batch_id=batch)
    if found.is_empty():
        raise Problem(404, f"there is no batch {batch}", code="batch_unknown")
    row = found.row(0, named=True)
    return json_response({**json.loads(row["answer"]), "batch": row["batch_id"]})


@router.get("/deadlines")
def get_deadlines(_caller: Reader, db: Db) -> Response:
    """Per exchange and horizon, until when a prediction is live."""
    with db.transaction(READER) as transaction:
        rows = deadlines(transaction, get_settings().horizons)
    return json_response({"rows": rows})
