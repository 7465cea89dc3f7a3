"""Requests that are made again where that is safe, and errors that say what the server said."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

RETRIED = {429, 500, 502, 503, 504}
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds


class ApiError(Exception):
    """The server refused a request: HTTP status, code, sentence, and the request's id."""

    def __init__(self, status: int, code: str, detail: str, request_id: str) -> None:
        super().__init__(f"{status} {code}: {detail} (request {request_id})")
        self.status, self.code, self.detail, self.request_id = status, code, detail, request_id


class Unreachable(Exception):
    """No answer until it was time to give up; what was to be sent is still in the outbox."""


class Connection:
    """A server and a key. give_up_after: seconds after the first try at which no other begins."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30.0,
        give_up_after: float = 120.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self.give_up_after = give_up_after
        self._sleep, self._clock = sleep, clock
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {key}", "User-Agent": "predtrack-client/0.1"},
            timeout=timeout,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The answer's JSON. Raises ApiError, Unreachable."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """The answer's JSON; every try is the same to the last byte. Raises ApiError, Unreachable."""
        named = {"Content-Type": "application/json", **headers}
        return self._ask("POST", path, content=body, headers=named)

    def _ask(self, method: str, path: str, **parts: Any) -> Any:
        began, pause = self._clock(), FIRST_PAUSE
        while True:
            try:
                answer = self._http.request(method, path, **parts)
                why = f"{answer.status_code}"
            except httpx.TransportError as error:
                answer, why = None, f"{type(error).__name__}: {error}"
            if answer is not None and answer.status_code not in RETRIED:
                return _content(answer)
            wait = max(_asked_to_wait(answer), random.uniform(0.5, 1.0) * pause)
            if self._clock() - began + wait > self.give_up_after:
                if answer is not None:
                    return _content(answer)
                raise Unreachable(f"{self.url} did not answer ({why}); try again later")
            self._sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)


def _asked_to_wait(answer: httpx.Response | None) -> float:
    """Seconds that the server asked to wait."""
    text = answer.headers.get("retry-after", "") if answer is not None else ""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _content(answer: httpx.Response) -> Any:
    """The JSON of a good answer. Raises ApiError for another."""
    try:
        content = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        content = None
    if answer.is_success and content is not None:
        return content
    problem = content if isinstance(content, dict) else {}
    raise ApiError(
        answer.status_code,
        str(problem.get("code") or "http"),
        str(problem.get("detail") or answer.reason_phrase),
        answer.headers.get("x-request-id", "unknown"),
    )
