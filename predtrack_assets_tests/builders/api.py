"""The API over a test's database that holds the prices of two symbols, and keys of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
from fastapi.testclient import TestClient

from predtrack_assets.api.app import create_app
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.audit.api_keys import create_key
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 6, 1)
DAY = date(2021, 5, 3)


def store_prices(url: str, symbols: Sequence[str] = ("AAPL", "MSFT")) -> None:
    """Random walks of the symbols from FIRST to LAST."""
    days = calendar("XNYS").between(FIRST, LAST)
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(symbols)
    ]
    graph.store_bars(url, pl.concat(walks))


def make_key(url: str, name: str = "ann", scopes: Sequence[str] = ("read", "write")) -> str:
    """A new key, whole."""
    with Database(url=url).transaction() as transaction:
        return create_key(transaction, name, scopes)


def served(url: str, key: str | None = None) -> TestClient:
    """A client of the app in this process; exceptions are answers, as they are when it is served."""
    client = TestClient(create_app(Database(url=url)), raise_server_exceptions=False)
    if key:
        client.headers["Authorization"] = f"Bearer {key}"
    return client
