"""Predictions of others come in, and are read again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from predtrack_assets.api.auth import Db, Reader, Writer
from predtrack_assets.api.bodies import body_of, decoded, json_response
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake.rows import MAX_ROWS
from predtrack_assets.services.forecasts.external_models import ModelRefused
from predtrack_assets.services.forecasts.intake import KeyReused, Sender, take_predictions
from predtrack_assets.warehouse import reads

router = APIRouter()


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of predictions of one model version."""

    model: str
    version: int
    predictions: list[Any]
    on_late: Literal["replay", "reject"] = "replay"
    dry_run: bool = False


class _RollBack(Exception):
    """Ends a dry run: nothing of its transaction stays."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer


@router.post("/predictions")
async def post_predictions(
    request: Request,
    caller: Writer,
    db: Db,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Take up to 10,000 predictions; the answer has a status and, where refused, a code per row."""
    body = await body_of(request)
    return await run_in_threadpool(_post, request, caller, db, idempotency_key, body)


def _post(
    request: Request, caller: Any, db: Any, idempotency_key: str | None, body: bytes
) -> Response:
    envelope = decoded(body, Envelope)
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
