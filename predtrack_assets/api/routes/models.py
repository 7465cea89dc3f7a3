"""Models: registered, listed, and how good they are."""

from __future__ import annotations

from datetime import date

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from predtrack_assets.api.auth import Db, Reader, Writer, reading
from predtrack_assets.api.bodies import decoded, form_of, json_response, parameters
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.services.accuracy.period_reports import scores_of_model
from predtrack_assets.services.forecasts.external_models import ModelRefused, register_model
from predtrack_assets.warehouse import reads

router = APIRouter()


class ModelIn(msgspec.Struct, forbid_unknown_fields=True):
    """A model version to register."""

    name: str
    version: int
    kinds: list[str]
    description: str = ""
    url: str | None = None
    trained_through: date | None = None


@router.post("/models", dependencies=[Depends(parameters())])
async def post_models(request: Request, caller: Writer, db: Db) -> Response:
    """Register a model version of one's own; it starts in shadow."""
    form_of(request)
    asked = decoded(await request.body(), ModelIn)

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


@router.get("/models/{model_id}/scores", dependencies=[Depends(parameters())])
def get_scores(model_id: str, _caller: Reader, db: Db) -> Response:
    """Its scores beside every baseline over all that has fallen due, with intervals."""
    with reading(db) as transaction:
        rows = scores_of_model(transaction, model_id)
    if rows is None:
        raise Problem(404, f"there is no model {model_id[:64]!r}", code="model_unknown")
    return json_response({"rows": rows})
