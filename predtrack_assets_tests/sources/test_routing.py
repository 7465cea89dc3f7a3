"""Where symbols trade, and which source a setting means."""

from __future__ import annotations

from pathlib import Path

import pytest

from predtrack_assets.domain.time.calendar import EXCHANGES
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.file.source import FileSource
from predtrack_assets.sources.routing import ROUTES, make_source, route, routes
from predtrack_assets.sources.sample import SampleSource
from predtrack_assets.sources.simulated import SimulatedSource
from predtrack_assets.sources.yahoo import YahooSource


@pytest.mark.parametrize(
    ("symbol", "exchange", "kind"),
    [
        ("AAPL", "XNYS", "stock"),
        ("BRK-B", "XNYS", "stock"),
        ("BHP.AX", "XASX", "stock"),
        ("OCDO.L", "XLON", "stock"),
        ("SHOP.TO", "XTSE", "stock"),
        ("SAP.DE", "XETR", "stock"),
        ("^GSPC", "XNYS", "index"),
        ("^VIX", "XNYS", "volatility"),
        ("^AXJO", "XASX", "index"),
        ("BTC-USD", "24/7", "crypto"),
        ("EURUSD=X", "24/5", "fx"),
        ("GOLD.LX", "XNYS", "stock"),
    ],
)
def test_first_matching_pattern_decides(symbol: str, exchange: str, kind: str) -> None:
    assert route(symbol)[:2] == (exchange, kind)


def test_every_route_has_a_calendar() -> None:
    assert {found.exchange for _, found in ROUTES} <= set(EXCHANGES)


def test_routes_of_many() -> None:
    frame = routes(["EURUSD=X", "AAPL", "AAPL"])
    assert frame.rows() == [("AAPL", "XNYS", "stock", "USD"), ("EURUSD=X", "24/5", "fx", None)]
    assert routes([]).columns == frame.columns


def test_source_follows_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    expected = {
        "sample": SampleSource,
        "simulated": SimulatedSource,
        "file": FileSource,
        "yahoo": YahooSource,
    }
    for name, kind in expected.items():
        source = make_source(Settings(source=name, file=path, home=tmp_path))
        assert isinstance(source, kind)
        assert source.name == name


def test_file_source_needs_a_file() -> None:
    with pytest.raises(SourceError, match="PREDTRACK_FILE"):
        make_source(Settings(source="file", file=None))
