"""Answers to GET requests: pages of a view as JSON, or all of it as CSV or Arrow."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import adbc_driver_manager
import polars as pl
import pyarrow as pa
from fastapi import Request, Response

from predtrack_assets.api.bodies import parameters
from predtrack_assets.api.problems import Problem
from predtrack_assets.warehouse import reads
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.reads import View

PAGE_SIZE, MAX_PAGE_SIZE, MAX_EXPORT = 100, 1_000, 100_000
ARROW, CSV = "application/vnd.apache.arrow.stream", "text/csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes a text for, if it begins so
WRONG_VALUE = ("invalid input syntax", "out of range", "invalid byte sequence", "cannot cast")
Found = TypeVar("Found")


def page(
    request: Request, db: Database, view: View, fixed: Mapping[str, str] | None = None
) -> Response:
    """A page of a view as JSON; where `Accept` names CSV or Arrow, its first MAX_EXPORT rows.

    fixed: filters that the path gives. Raises Problem 400 for a parameter that the view does not
    have, a value of another type, a page size out of range, and a token of another question.
    """
    parameters(*view.filters, "page_size", "page_token")(request)
    given = dict(request.query_params)
    size = _size(given.pop("page_size", str(PAGE_SIZE)))
    token = given.pop("page_token", None)
    given |= fixed or {}
    accepted = request.headers.get("accept", "").partition(";")[0].strip().lower()
    if accepted in (ARROW, CSV):
        table = _read(db, lambda transaction: reads.export(transaction, view, given, MAX_EXPORT))
        return _exported(table, accepted)
    after = None if token is None else _key_of(token, view, given)
    found = _read(db, lambda transaction: reads.read_page(transaction, view, given, size, after))
    following = ""
    headers = {}
    if found.last is not None:
        following = _token(view, given, found.last)
        url = request.url.include_query_params(page_token=following)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    tail = f', "next_page_token": "{following}"' if following else ""
    content = f'{{"rows": {found.rows}{tail}}}'
    return Response(content, media_type="application/json", headers=headers)


def _read(db: Database, read: Callable[[Transaction], Found]) -> Found:
    """What a reader's transaction gives. Raises Problem 400 for a value of another type."""
    try:
        with db.transaction(READER) as transaction:
            return read(transaction)
    except adbc_driver_manager.Error as error:
        if any(words in str(error) for words in WRONG_VALUE):
            raise Problem(
                400, "a parameter's value is of another type", code="parameter_type"
            ) from None
        raise


def _exported(table: pa.Table, media: str) -> Response:
    if media == ARROW:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return Response(sink.getvalue(), media_type=ARROW)
    frame = pl.DataFrame(pl.from_arrow(table))
    texts = frame.with_columns(
        pl.col(name).list.join(" ") for name, kind in frame.schema.items() if kind == pl.List
    )
    safe = texts.with_columns(
        _harmless(name) for name, kind in texts.schema.items() if kind == pl.String
    )
    return Response(safe.write_csv(), media_type=CSV)


def _harmless(name: str) -> pl.Expr:
    """A column of text that no spreadsheet takes for a formula."""
    text = pl.col(name)
    begins = pl.any_horizontal(text.str.starts_with(mark) for mark in FORMULA)
    return pl.when(begins).then(pl.lit("'") + text).otherwise(text).alias(name)


def _size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise Problem(400, f"page_size is 1 to {MAX_PAGE_SIZE}", code="page_size")
    return int(text)


def _digest(view: View, given: Mapping[str, str]) -> str:
    named = json.dumps([view.relation, sorted(given.items())])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _token(view: View, given: Mapping[str, str], last: str) -> str:
    return base64.urlsafe_b64encode(f"{_digest(view, given)}:{last}".encode()).decode()


def _key_of(token: str, view: View, given: Mapping[str, str]) -> str:
    try:
        digest, _, key = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        parts = json.loads(key)
    except (ValueError, UnicodeError, RecursionError):
        raise Problem(400, "this page_token is none of ours", code="page_token") from None
    if digest != _digest(view, given):
        raise Problem(400, "this page_token belongs to another question", code="page_token")
    if not isinstance(parts, list) or len(parts) != len(view.order) + (not view.unique):
        raise Problem(400, "this page_token is none of ours", code="page_token")
    return key
