"""The application: routes under /api/v1, request ids, problems, a list of hosts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import adbc_driver_manager
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from predtrack_assets.api.guard import Guard
from predtrack_assets.api.pages import WRONG_VALUE
from predtrack_assets.api.problems import TITLES, Problem, as_response
from predtrack_assets.api.rates import Rates
from predtrack_assets.api.routes import models, predictions, receipts, results, withdrawals
from predtrack_assets.services.forecasts.intake_groups import GroupCommit
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "testserver")
LOG = logging.getLogger("predtrack.api")


def create_app(database: Database, hosts: Sequence[str] = LOCAL_HOSTS) -> FastAPI:
    """The API over a database. hosts: names that requests may be sent to (Host header)."""
    app = FastAPI(
        title="PredTrack",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
    )
    settings = get_settings()
    app.state.database = database
    app.state.intake = GroupCommit(database)
    app.state.rates = Rates(settings.rate_requests, settings.rate_rows)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        )
    app.add_middleware(Guard)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(adbc_driver_manager.Error, _database)
    app.add_exception_handler(Exception, _unforeseen)
    for part in (predictions, models, receipts, withdrawals, results):
        app.include_router(part.router, prefix="/api/v1")
    app.include_router(results.health, prefix="/api/v1")
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return as_response(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return as_response(
        request, Problem(error.status_code, TITLES.get(error.status_code, str(error.detail)))
    )


async def _invalid(request: Request, error: Exception) -> Response:
    return as_response(request, Problem(422, "a part of the request has another type", code="type"))


async def _database(request: Request, error: Exception) -> Response:
    if any(words in str(error) for words in WRONG_VALUE):
        return as_response(
            request, Problem(400, "a value is none that it can be", code="parameter_type")
        )
    LOG.error("request %s: %s", request.state.request_id, type(error).__name__)
    return as_response(request, Problem(503, "the database did not answer this", code="database"))


async def _unforeseen(request: Request, error: Exception) -> Response:
    """What nobody thought of: the request's id leads to the log, where the error is raised again."""
    answer = as_response(request, Problem(500, "this should not have happened", code="internal"))
    answer.headers["X-Request-Id"] = str(getattr(request.state, "request_id", ""))
    return answer
