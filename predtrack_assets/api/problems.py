"""Errors as RFC 9457 problem+json: a type, a title, a status, a sentence, the request's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    503: "Not ready",
}


class Problem(Exception):
    """A request that is answered with an error; extra fields stand beside the usual ones."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.extra, self.headers = status, extra, dict(headers or {})
        self.detail = detail.encode(
            errors="replace"
        ).decode()  # it may quote what no UTF-8 can hold


def as_response(request: Request, problem: Problem) -> JSONResponse:
    """The answer that a problem makes."""
    code = problem.extra.get("code", "")
    content = {
        "type": f"https://predtrack.invalid/problems/{code or problem.status}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        "instance": getattr(request.state, "request_id", None),
        **problem.extra,
    }
    headers = problem.headers | ({"WWW-Authenticate": "Bearer"} if problem.status == 401 else {})
    return JSONResponse(
        content, problem.status, headers=headers, media_type="application/problem+json"
    )
