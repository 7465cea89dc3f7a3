"""Who asks, and whether they may: a bearer key on every route but health, denied by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from predtrack_assets.api.problems import Problem
from predtrack_assets.api.rates import Rates
from predtrack_assets.services.audit.api_keys import Caller, caller_of
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.reads import LIMITS


def database(request: Request) -> Database:
    """The database of the app."""
    found: Database = request.app.state.database
    return found


Db = Annotated[Database, Depends(database)]


@contextmanager
def reading(db: Database) -> Iterator[Transaction]:
    """A transaction that reads only, as the reader role, each statement for some seconds at most."""
    with db.transaction(READER) as transaction:
        transaction.read(LIMITS)
        yield transaction


def caller(request: Request, db: Db) -> Caller:
    """Whom the request's key belongs to. Raises Problem 401 without a valid one."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        raise Problem(
            401,
            "send a key as `Authorization: Bearer pt_...`: `predtrack keys create` makes one",
            code="key_missing",
        )
    with db.transaction() as transaction:
        found = caller_of(transaction, key.strip())
    rates: Rates = request.app.state.rates
    if found is None:
        rates.failure(request.client.host if request.client else "")
        raise Problem(401, "this key is unknown, expired or revoked", code="key_invalid")
    rates.request(found.key_id)
    return found


def needs(scope: str) -> Callable[[Caller], Caller]:
    """A dependency that lets through keys with a scope; admin has every one."""

    def check(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if not found.scopes & {scope, "admin"}:
            raise Problem(403, f"this key has no scope `{scope}`", code="scope_missing")
        return found

    return check


Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
