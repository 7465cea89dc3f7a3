"""The dashboard's application: a route a page, sign-in, pictures, errors as pages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import adbc_driver_manager
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from predtrack_assets.api.problems import Problem
from predtrack_assets.dashboard import pictures
from predtrack_assets.dashboard.access import COOKIE, SECONDS, Access
from predtrack_assets.dashboard.blocks import Page
from predtrack_assets.dashboard.metrics import Metrics, Watched
from predtrack_assets.dashboard.pages import (
    alerts,
    calibration,
    data,
    intake,
    leaderboard,
    ledger,
    model,
    overview,
    symbols,
)
from predtrack_assets.dashboard.reading import NOBODY, Kept, Refused, reading
from predtrack_assets.dashboard.render import HEADERS, LASTING, html, stylesheet
from predtrack_assets.services.audit.alert_channels import channels
from predtrack_assets.services.audit.alerts import send_test
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database

LOG = logging.getLogger("predtrack.dashboard")
PAGES: Mapping[str, Callable[..., Page]] = {
    "/": overview.page,
    "/leaderboard": leaderboard.page,
    "/models/{model}": model.page,
    "/calibration": calibration.page,
    "/symbols": symbols.page,
    "/symbols/{symbol}": symbols.of_symbol,
    "/intake": intake.page,
    "/ledger": ledger.page,
    "/data": data.page,
    "/alerts": alerts.page,
}


def mount(app: FastAPI, database: Database, *, open_here: bool = True) -> Starlette:
    """Serve the pages beside the API's routes; what begins with /api/ and is no route stays a problem.

    open_here: whether a browser on this machine sees them without a key.
    """

    def unknown(request: Request) -> Response:
        raise Problem(404, "there is no such route; /api/v1/openapi.json lists them")

    app.add_route("/api/{rest:path}", unknown, include_in_schema=False)
    pages = create_dashboard(database, open_here=open_here)
    pages.state.metrics = Metrics(database)
    app.add_middleware(Watched, metrics=pages.state.metrics)
    app.mount("/", pages)
    return pages


def warm(pages: Starlette) -> None:
    """Compute beside the server's start what pages would wait for at first."""

    def run() -> None:
        try:
            with reading(pages.state.database, pages.state.kept, {}, seconds=60) as found:
                for page in (overview, leaderboard, calibration, data, symbols):
                    page.page(found)
                for name in pictures.SOURCES:
                    pictures.picture(found, name)
        except adbc_driver_manager.Error as error:  # pages compute it when they are asked for
            LOG.warning("pages were not prepared: %s", type(error).__name__)

    threading.Thread(target=run, daemon=True).start()


def create_dashboard(database: Database, *, open_here: bool = True) -> Starlette:
    """The pages alone."""
    routes = [Route(path, _show(page)) for path, page in PAGES.items()]
    routes += [
        Route("/pictures/{name}.png", _signed_in(_picture)),
        Route("/metrics", _signed_in(_metrics)),
        Route("/style.css", _style),
        Route("/sign-in", _sign_in_form),
        Route("/sign-in", _sign_in, methods=["POST"]),
        Route("/sign-out", _sign_out, methods=["POST"]),
        Route("/alerts/test", _test_alerts, methods=["POST"]),
    ]
    handlers = {
        Refused: _refused,
        HTTPException: _http,
        adbc_driver_manager.Error: _database_fault,
        Exception: _fault,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    app.router.redirect_slashes = False
    app.state.database, app.state.kept = database, Kept(database)
    app.state.access = Access(database, open_here)
    return app


Handler = Callable[[Request], Response]


def _signed_in(handler: Handler) -> Handler:
    """The handler for those who may see, the way to sign in for others."""

    def run(request: Request) -> Response:
        who = request.app.state.access.viewer(request)
        if who is None:
            return html(request, "sign-in.html", 401, message="", who="")
        request.state.who = who
        return handler(request)

    return run


def _show(page: Callable[..., Page]) -> Handler:
    """A page as HTML, or one of its tables as CSV (?csv=NAME)."""

    @_signed_in
    def run(request: Request) -> Response:
        state = request.app.state
        given = _parameters(request)
        csrf = state.access.csrf(request)
        with reading(state.database, state.kept, given, request.state.who) as found:
            shown = page(found, **request.path_params)
        if (name := given.get("csv")) is not None:
            return _csv(shown, name)
        return html(request, "page.html", page=shown, who=found.who.name, csrf=csrf)

    return run


def _parameters(request: Request) -> dict[str, str]:
    """The address's parameters. Raises Refused 400 for one given twice or with control characters."""
    pairs = [(k, v) for k, v in request.query_params.multi_items() if v != ""]
    given = dict(pairs)
    if len(given) < len(pairs):
        raise Refused(400, "A parameter was given twice.")
    if any(not value.isprintable() or len(value) > 200 for value in given.values()):
        raise Refused(400, "A parameter holds what no value of it can be.")
    return given


def _csv(page: Page, name: str) -> Response:
    grid = page.grid(name)
    if grid is None:
        raise Refused(404, f"This page has no table {name[:60]!r}.")
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{grid.name}.csv"'}
    return Response(grid.csv(), media_type="text/csv; charset=utf-8", headers=headers)


def _picture(request: Request) -> Response:
    state = request.app.state
    with reading(state.database, state.kept, {}) as found:
        png = pictures.png(found, request.path_params["name"])
    if png is None:
        raise Refused(404, "There is no such picture.")
    return Response(png, media_type="image/png", headers={**HEADERS, **LASTING})


def _metrics(request: Request) -> Response:
    """For Prometheus: from this machine, or with a key that may read as its bearer token."""
    text = request.app.state.metrics.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers=HEADERS)


def _style(request: Request) -> Response:
    return Response(stylesheet()[1], media_type="text/css", headers={**HEADERS, **LASTING})


def _sign_in_form(request: Request) -> Response:
    return html(request, "sign-in.html", message="", who="")


async def _sign_in(request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool

    key = await form_field(request, "key")
    try:
        session = await run_in_threadpool(request.app.state.access.session, key)
    except Refused as refused:
        return html(request, "sign-in.html", refused.status, message=refused.message, who="")
    answer = RedirectResponse("/", 303, HEADERS)
    secure = request.url.hostname not in ("localhost", "127.0.0.1", "::1")
    answer.set_cookie(
        COOKIE, session, max_age=SECONDS, httponly=True, samesite="strict", secure=secure
    )
    return answer


def _sign_out(request: Request) -> Response:
    answer = RedirectResponse("/sign-in", 303, HEADERS)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


async def _test_alerts(request: Request) -> Response:
    """Send a test to the alert channels: for this machine, and keys of the scope admin."""
    from starlette.concurrency import run_in_threadpool

    csrf = await form_field(request, "csrf")
    return await run_in_threadpool(_send_test, request, csrf)


def _send_test(request: Request, csrf: str) -> Response:
    state = request.app.state
    who = state.access.viewer(request)
    if who is None or "admin" not in who.scopes:
        raise Refused(403, "A test is sent from this machine, or with a key of the scope `admin`.")
    state.access.require_csrf(request, csrf)
    given = get_settings().alert_urls
    ways = channels(given.get_secret_value() if given else "", LOG.warning)
    send_test(state.database, ways, who.name)
    return RedirectResponse("/alerts", 303, HEADERS)


async def form_field(request: Request, name: str) -> str:
    """A field of a small form. Raises Refused 413 for a large one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > 4096:
            raise Refused(413, "This form is too large.")
    return parse_qs(body.decode("utf-8", "replace")).get(name, [""])[0]


# -- errors --------------------------------------------------------------------------------------


def _refused(request: Request, error: Refused) -> Response:
    return _error(request, error.status, error.message)


def _http(request: Request, error: HTTPException) -> Response:
    words = {404: "There is no such page.", 405: "This page takes no such request."}
    return _error(request, error.status_code, words.get(error.status_code, str(error.detail)))


def _database_fault(request: Request, error: Exception) -> Response:
    LOG.error("request %s: %s", getattr(request.state, "request_id", ""), type(error).__name__)
    message = (
        "The database did not answer in time. `predtrack db status` says whether it runs and has"
        " every migration."
    )
    return _error(request, 503, message)


def _fault(request: Request, error: Exception) -> Response:
    LOG.exception("request %s", getattr(request.state, "request_id", ""), exc_info=error)
    return _error(request, 500, "This page failed; the log says why under the request's number.")


def _error(request: Request, status: int, message: str) -> Response:
    who = getattr(request.state, "who", NOBODY).name
    return html(request, "error.html", status, number=status, message=message, who=who)
