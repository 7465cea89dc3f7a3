"""One small market for the whole package; copies of it for tests that write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.scratch import Scratch, scratch_database
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs import small_market


@pytest.fixture(scope="module")
def market_url(postgres_server: str, template_database: str) -> Iterator[str]:
    """A database with the small market, to be read."""
    with graph.copy_of(with_database(postgres_server, template_database)) as url:
        small_market.store(url)
        derived = ["market/market_conditions", "features/feature_store"]
        graph.run(url, small_market.FIRST, small_market.LAST, derived)
        yield url


@pytest.fixture(scope="module")
def scratch(market_url: str) -> Iterator[Scratch]:
    """The scratch database of the small market."""
    with scratch_database(market_url, PROJECT_ROOT / "sql") as made:
        yield made


@pytest.fixture
def market_copy(database_url: str) -> str:
    """A small market of the test's own, to be written to."""
    small_market.store(database_url)
    return database_url
