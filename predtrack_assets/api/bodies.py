"""Bodies of requests, read strictly, and answers as JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Request, Response

from predtrack_assets.api.problems import Problem
from predtrack_assets.domain.forecasts.intake.rows import Unreadable, read_json


def json_response(content: Any, status: int = 200) -> Response:
    """JSON whose dates and moments are ISO 8601."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def body_of(request: Request) -> bytes:
    """The body of a JSON request. Raises Problem 415 for another media type."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ("application/json", ""):
        raise Problem(415, f"send application/json, not {media[:60]}", code="media_type")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "bodies are not compressed", code="content_encoding")
    return await request.body()


def decoded(body: bytes, kind: type) -> Any:
    """The value of a JSON body. Raises Problem 400 for no JSON, 422 for another shape."""
    try:
        return msgspec.convert(read_json(body), kind, strict=True)
    except Unreadable as error:
        raise Problem(400, str(error), code="unreadable") from None
    except msgspec.ValidationError as error:
        raise Problem(422, str(error)[:300], code="envelope") from None
