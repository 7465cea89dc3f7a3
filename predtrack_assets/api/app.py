"""The application: routes under /api/v1, request ids, problems, a list of hosts."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence

import adbc_driver_manager
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from predtrack_assets.api.problems import TITLES, Problem, as_response
from predtrack_assets.api.routes import models, predictions, receipts, results
from predtrack_assets.warehouse.database.transaction import Database

MAX_BODY = 16 * 1024 * 1024
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "testserver")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
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
        max_body_size=MAX_BODY,
    )
    app.state.database = database
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.middleware("http")(_identify)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(adbc_driver_manager.Error, _database)
    for part in (predictions, models, receipts, results):
        app.include_router(part.router, prefix="/api/v1")
    app.include_router(results.health, prefix="/api/v1")
    return app


async def _identify(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Give the request an id, and the answer headers that keep browsers careful."""
    given = request.headers.get("x-request-id", "")
    request.state.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    answer = await call_next(request)
    answer.headers["X-Request-Id"] = request.state.request_id
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


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
    LOG.error("request %s: %s", request.state.request_id, type(error).__name__)
    return as_response(request, Problem(503, "the database did not answer this", code="database"))
