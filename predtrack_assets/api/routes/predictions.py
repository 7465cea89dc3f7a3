"""Predictions of others come in, and are read again."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from predtrack_assets.api.auth import Db, Reader, Writer
from predtrack_assets.api.bodies import decoded, form_of, json_response, parameters
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake.rows import MAX_ROWS, Unreadable
from predtrack_assets.services.forecasts.external_models import ModelRefused
from predtrack_assets.services.forecasts.intake import KeyReused, Post, Sender, take_posts
from predtrack_assets.services.forecasts.intake_formats import TooManyRows, read_rows
from predtrack_assets.warehouse import reads
from predtrack_assets.warehouse.forecasts.ledger import LedgerError

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


@router.post(
    "/predictions",
    dependencies=[Depends(parameters("model", "version", "on_late", "dry_run"))],
)
async def post_predictions(
    request: Request,
    caller: Writer,
    db: Db,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Take up to 10,000 predictions; the answer has a status and, where refused, a code per row.

    JSON is an envelope; of NDJSON, Arrow and Parquet the rows are the body, and the envelope is in
    the parameters.
    """
    form = form_of(request, ("json", "ndjson", "arrow", "parquet"))
    body = await request.body()
    return await run_in_threadpool(_post, request, caller, db, idempotency_key, form, body)


def _envelope(request: Request, form: str, body: bytes) -> Envelope:
    """The envelope of a body of any form. Raises Problem 400 unreadable, 422 another shape."""
    given = dict(request.query_params)
    if form == "json":
        if given:
            raise Problem(400, "in JSON the envelope is in the body", code="parameter_unknown")
        envelope: Envelope = decoded(body, Envelope)
        return envelope
    try:
        handed = read_rows(body, form)
    except TooManyRows as error:
        raise Problem(422, str(error), code="rows") from None
    except Unreadable as error:
        raise Problem(400, str(error), code="unreadable") from None
    named = {"model": handed.model, "version": handed.version}
    about = {name: value for name, value in named.items() if value is not None} | given
    try:
        return msgspec.convert({**about, "predictions": handed.rows}, Envelope, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(422, str(error)[:300], code="envelope") from None


def _post(
    request: Request, caller: Any, db: Any, idempotency_key: str | None, form: str, body: bytes
) -> Response:
    envelope = _envelope(request, form, body)
    if not 1 <= len(envelope.predictions) <= MAX_ROWS:
        raise Problem(
            422,
            f"a batch has 1 to {MAX_ROWS:,} rows, not {len(envelope.predictions):,}",
            code="rows",
        )
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= 255:
        raise Problem(400, "an Idempotency-Key has 1 to 255 characters", code="idempotency_key")
    request.app.state.rates.rows(caller.key_id, len(envelope.predictions))
    sender = Sender(caller.name, request.state.request_id, caller.key_id, idempotency_key)
    post = Post(
        envelope.model,
        envelope.version,
        envelope.predictions,
        sender,
        _told_apart(envelope, form, body),
        envelope.on_late,
        envelope.dry_run,
    )
    try:
        if envelope.dry_run:
            return json_response(_tried(db, post))
        return json_response(request.app.state.intake.take(post))
    except ModelRefused as error:
        raise Problem(422, str(error), code=error.code) from None
    except LedgerError as error:
        raise Problem(409, str(error), code="not_sealed") from None
    except KeyReused as error:
        raise Problem(422, str(error), code="idempotency_key_reused") from None


def _tried(db: Any, post: Post) -> dict[str, Any]:
    """What a post would be answered; nothing of it stays."""
    answers: list[dict[str, Any] | ValueError] = []
    with suppress(_RollBack), db.transaction() as transaction:
        answers = take_posts(transaction, [post])
        raise _RollBack
    if isinstance(answers[0], ValueError):
        raise answers[0]
    return answers[0]


def _told_apart(envelope: Envelope, form: str, body: bytes) -> bytes:
    """What an idempotency key stands for: the body, and the envelope where that is not in it."""
    if form == "json":
        return body
    about = (envelope.model, envelope.version, envelope.on_late, envelope.dry_run)
    return msgspec.json.encode(about) + body


@router.get("/predictions")
def get_predictions(request: Request, _caller: Reader, db: Db) -> Response:
    """Stored predictions, newest decision day first."""
    return page(request, db, reads.PREDICTIONS)
