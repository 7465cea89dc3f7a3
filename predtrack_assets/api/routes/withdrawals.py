"""Predictions are withdrawn, and what was is listed."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from predtrack_assets.api.auth import Db, Reader, Writer
from predtrack_assets.api.bodies import decoded, form_of, json_response, parameters
from predtrack_assets.api.pages import page
from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake.rows import MAX_ROWS
from predtrack_assets.services.forecasts.withdrawals import withdraw
from predtrack_assets.warehouse import reads

router = APIRouter()


class Withdrawal(msgspec.Struct, forbid_unknown_fields=True):
    """Predictions to withdraw, by identity, and why."""

    prediction_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_ROWS)]
    reason: str


@router.post("/withdrawals", dependencies=[Depends(parameters())])
async def post_withdrawals(request: Request, caller: Writer, db: Db) -> Response:
    """Withdraw predictions before the session after their decision day opens; an answer each."""
    form_of(request)
    asked: Withdrawal = decoded(await request.body(), Withdrawal)

    def work() -> list[dict[str, Any]]:
        with db.transaction() as transaction:
            return withdraw(transaction, asked.prediction_ids, asked.reason, caller.name)

    try:
        return json_response({"rows": await run_in_threadpool(work)})
    except ValueError as error:
        raise Problem(422, str(error), code="reason_has_1_to_200_characters") from None


@router.get("/withdrawals")
def get_withdrawals(request: Request, _caller: Reader, db: Db) -> Response:
    """Withdrawn predictions, newest decision day first."""
    return page(request, db, reads.WITHDRAWALS)
