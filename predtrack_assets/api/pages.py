"""Answers to GET requests: a page of a view, filters by name, an opaque token for the next page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

import adbc_driver_manager
from fastapi import Request, Response

from predtrack_assets.api.problems import Problem
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets.warehouse.reads import View, read_page

PAGE_SIZE, MAX_PAGE_SIZE = 100, 1_000


def page(
    request: Request, db: Database, view: View, fixed: Mapping[str, str] | None = None
) -> Response:
    """A page of a view as JSON. fixed: filters that the path gives.

    Raises Problem 400 for a parameter that the view does not have, a value of another type, a page
    size out of range, and a token of another filter.
    """
    given = dict(request.query_params.multi_items())
    if len(given) < len(request.query_params.multi_items()):
        raise Problem(400, "a parameter was given twice", code="parameter_twice")
    size = _size(given.pop("page_size", str(PAGE_SIZE)))
    token = given.pop("page_token", None)
    unknown = sorted(set(given) - set(view.filters))
    if unknown:
        known = ", ".join([*view.filters, "page_size", "page_token"])
        raise Problem(
            400, f"unknown parameter {unknown[0]!r}: there are {known}", code="parameter_unknown"
        )
    given |= fixed or {}
    skip = _skip(token, view, given)
    try:
        with db.transaction(READER) as transaction:
            rows = read_page(transaction, view, given, size + 1, skip)
    except adbc_driver_manager.Error as error:
        if "invalid input syntax" in str(error) or "out of range" in str(error):
            raise Problem(
                400, "a parameter's value is of another type", code="parameter_type"
            ) from None
        raise
    found = json.loads(rows)
    content = {"rows": found[:size]}
    if len(found) > size:
        content["next_page_token"] = _token(view, given, skip + size)
    return Response(json.dumps(content), media_type="application/json")


def _size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise Problem(400, f"page_size is 1 to {MAX_PAGE_SIZE}", code="page_size")
    return int(text)


def _digest(view: View, given: Mapping[str, str]) -> str:
    named = json.dumps([view.relation, sorted(given.items())])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _token(view: View, given: Mapping[str, str], skip: int) -> str:
    return base64.urlsafe_b64encode(f"{_digest(view, given)}:{skip}".encode()).decode()


def _skip(token: str | None, view: View, given: Mapping[str, str]) -> int:
    if token is None:
        return 0
    try:
        digest, _, skip = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        place = int(skip)
    except (ValueError, UnicodeError):
        raise Problem(400, "this page_token is none of ours", code="page_token") from None
    if digest != _digest(view, given) or not 0 <= place <= 10_000_000:
        raise Problem(400, "this page_token belongs to another question", code="page_token")
    return place
