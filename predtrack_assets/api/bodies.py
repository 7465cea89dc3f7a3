"""Bodies of requests, read strictly, and answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
from fastapi import Request, Response

from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake.rows import Unreadable, read_json


def json_response(content: Any, status: int = 200) -> Response:
    """JSON whose dates and moments are ISO 8601."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


FORMS = {
    "": "json",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}


def form_of(request: Request, forms: Collection[str] = ("json",)) -> str:
    """The form of the body: one of FORMS' values. Raises Problem 415 for one that is not taken."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if FORMS.get(media) not in forms:
        taken = ", ".join(name for name, form in FORMS.items() if name and form in forms)
        raise Problem(415, f"send {taken}, not {media[:60]}", code="media_type")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "bodies are not compressed", code="content_encoding")
    return FORMS[media]


def parameters(*known: str) -> Callable[[Request], None]:
    """A dependency: Problem 400 for a query parameter that is not known, or is given twice."""

    def check(request: Request) -> None:
        given = [name for name, _ in request.query_params.multi_items()]
        if unknown := sorted(set(given) - set(known)):
            there = f"there are {', '.join(known)}" if known else "this route has none"
            raise Problem(
                400, f"unknown parameter {unknown[0][:64]!r}: {there}", code="parameter_unknown"
            )
        if len(set(given)) < len(given):
            raise Problem(400, "a parameter was given twice", code="parameter_twice")

    return check


def decoded(body: bytes, kind: type) -> Any:
    """The value of a JSON body. Raises Problem 400 for no JSON, 422 for another shape."""
    try:
        return msgspec.convert(read_json(body), kind, strict=True)
    except Unreadable as error:
        raise Problem(400, str(error), code="unreadable") from None
    except msgspec.ValidationError as error:
        raise Problem(422, str(error)[:300], code="envelope") from None
