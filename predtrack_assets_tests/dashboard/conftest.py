"""A database in which some weeks were forecast and scored, and clients of the pages over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from predtrack_assets.api.app import create_app
from predtrack_assets.dashboard.app import mount
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.forecasts.external_models import register_model
from predtrack_assets.services.forecasts.intake import Sender, take_predictions
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 12)
DAY = "2021-03-01"
EVIL = "<img src=x onerror=alert(1)>"
CHAIN = [
    "market/market_conditions", "features/feature_store", "forecasts/predictions",
    "forecasts/outcomes", "accuracy/day_sums", "accuracy/calibration_summary",
    "accuracy/symbol_accuracy", "deployment/deployment_gates",
]  # fmt: skip


@pytest.fixture(scope="session")
def lived_url(postgres_server: str, template_database: str) -> Iterator[str]:
    """Three symbols through the chain, and a batch of somebody else's model; tests only read."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREDTRACK_HORIZONS", "1,5")
            _live(url)
        yield url


def _live(url: str) -> None:
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAPL", "MSFT", "^GSPC"])
    ]
    graph.run_reference(url)
    graph.store_bars(url, pl.concat(walks))
    with Database(url=url).transaction() as transaction:
        register_model(
            transaction,
            name="tilt",
            version=1,
            kinds=["direction"],
            owner="ann",
            description=EVIL,
        )
        rows = [
            {"symbol": "AAPL", "decision_day": DAY, "horizon": 1, "direction": {"p_up": 0.56}},
            {"symbol": "NONE", "decision_day": DAY, "horizon": 1, "direction": {"p_up": 0.56}},
        ]
        take_predictions(
            transaction,
            model="tilt",
            version=1,
            rows=rows,
            sender=Sender("ann", "request", "abcdefgh", "monday"),
            body=b"",
        )
    graph.run(url, FIRST, LAST, CHAIN)
    graph.execute(
        url,
        "INSERT INTO forecasts.intake_files (sha256, name, size, status, report)"
        " VALUES (sha256('x'), 'monday.csv', 1, 'rejected', '{}')",
    )


def client_of(url: str, *, open_here: bool = True, local: bool = True) -> TestClient:
    """A browser's stand-in, on this machine or on another."""
    database = Database(url=url)
    app = create_app(database, ("localhost", "predtrack.example"))
    mount(app, database, open_here=open_here)
    host, address = ("localhost:8600", "127.0.0.1") if local else ("predtrack.example", "10.0.0.9")
    return TestClient(
        app,
        base_url=f"http://{host}",
        client=(address, 50_000),
        raise_server_exceptions=False,
        follow_redirects=False,
    )


@pytest.fixture
def client(lived_url: str, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,5")
    return client_of(lived_url)


@pytest.fixture
def fresh(database_url: str) -> TestClient:
    """Over a database that holds nothing yet."""
    return client_of(database_url)
