"""What stands before every route: request ids, careful headers, and an end to slow bodies."""

from __future__ import annotations

import asyncio
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predtrack_assets.api.problems import Problem, as_response

MAX_BODY = 16 * 1024 * 1024  # bytes
SILENCE, WHOLE_BODY = 10.0, 60.0  # seconds
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Guard:
    """Gives a request an id, an answer its headers, and a body limits.

    A body may be silent for SILENCE and take WHOLE_BODY, else 408; it has MAX_BODY at most, else 413.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        given = asked.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        length = asked.get("content-length", "")
        if length.isdigit() and int(length[:20]) > MAX_BODY:
            answer = as_response(Request(scope), _too_large())
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, _within_limits(receive), send_with_headers)


def _too_large() -> Problem:
    return Problem(413, f"a body has at most {MAX_BODY:,} bytes", code="body_too_large")


def _within_limits(receive: Receive) -> Receive:
    """`receive`, which waits for a body as long as is allowed, and after it for ever."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WHOLE_BODY
    whole, size = False, 0

    async def receive_within_limits() -> Message:
        nonlocal whole, size
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(min(loop.time() + SILENCE, deadline)):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "the body came too slowly", code="body_too_slow") from None
        whole = not message.get("more_body", False)
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise _too_large()
        return message

    return receive_within_limits
