"""Where symbols trade, and which source a setting means."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.time.calendar import EXCHANGES
from predtrack_assets.settings import Settings
from predtrack_assets.sources import routing
from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.file.source import FileSource
from predtrack_assets.sources.routing import make_source, route, routes, suffixes
from predtrack_assets.sources.sample import SampleSource
from predtrack_assets.sources.simulated import SimulatedSource
from predtrack_assets.sources.yahoo import YahooSource

with (Path(routing.__file__).parent / "indices.csv").open() as file:
    INDICES = list(csv.DictReader(file))
PLACES = [
    ("AAPL", "XNYS", "stock", "USD"),
    ("BRK-B", "XNYS", "stock", "USD"),
    ("BF.B", "XNYS", "stock", "USD"),
    ("NA", "XNYS", "stock", "USD"),
    ("VFIAX", "XNYS", "fund", "USD"),
    ("AAPL.US", "XNYS", "stock", "USD"),
    ("BHP.AX", "XASX", "stock", "AUD"),
    ("OCDO.L", "XLON", "stock", "GBX"),
    ("SHOP.TO", "XTSE", "stock", "CAD"),
    ("BIP-UN.TO", "XTSE", "stock", "CAD"),
    ("0P000071W8.TO", "XTSE", "fund", "CAD"),
    ("SAP.DE", "XETR", "stock", "EUR"),
    ("7203.T", "XTKS", "stock", "JPY"),
    ("MC.PA", "XPAR", "stock", "EUR"),
    ("0700.HK", "XHKG", "stock", "HKD"),
    ("005930.KS", "XKRX", "stock", "KRW"),
    ("600519.SS", "XSHG", "stock", "CNY"),
    ("M&M.NS", "XBOM", "stock", "INR"),
    ("NOVO-B.CO", "XCSE", "stock", "DKK"),
    ("TEVA.TA", "XTAE", "stock", "ILA"),
    ("^TA125.TA", "XTAE", "index", "ILS"),
    ("^GSPC", "XNYS", "index", "USD"),
    ("^N225", "XTKS", "index", "JPY"),
    ("^FTSE", "XLON", "index", "GBP"),
    ("^STOXX50E", "XPAR", "index", "EUR"),
    ("^AXJO", "XASX", "index", "AUD"),
    ("^VIX", "XNYS", "volatility", None),
    ("^INDIAVIX", "XBOM", "volatility", None),
    ("DX-Y.NYB", "IEPA", "index", "USD"),
    ("BTC-USD", "24/7", "crypto", "USD"),
    ("BTC-EUR", "24/7", "crypto", "EUR"),
    ("ETH-BTC", "24/7", "crypto", "BTC"),
    ("EURUSD=X", "24/5", "fx", "USD"),
    ("JPY=X", "24/5", "fx", "JPY"),
    ("ES=F", "CMES", "future", "USD"),
    ("KC=F", "IEPA", "future", "USD"),
    ("ESZ24.CME", "CMES", "future", "USD"),
]


@pytest.mark.parametrize(("symbol", "exchange", "asset_class", "currency"), PLACES)
def test_symbol_tells_its_exchange(
    symbol: str, exchange: str, asset_class: str, currency: str | None
) -> None:
    assert route(symbol) == (exchange, asset_class, currency)


@pytest.mark.parametrize(
    "symbol",
    [
        "^N22A",
        "GOLD.LX",
        "SIM0001",
        "VX=F",
        "EURXXX=X",
        "BTC-XYZ",
        "COMI.CA",
        "A1B",
        "AXA-",
        "",
        "7203",
    ],
)
def test_symbol_that_does_not_tell_is_not_guessed(symbol: str) -> None:
    assert route(symbol) is None


@given(st.from_regex(r"\A\^?[A-Z0-9][A-Z0-9.&=-]{0,18}\Z"))
def test_place_has_a_calendar_and_new_york_takes_letters_alone(symbol: str) -> None:
    found = route(symbol)
    if found is None:
        return
    assert found.exchange in EXCHANGES
    if found.exchange == "XNYS":
        assert re.fullmatch(r"[A-Z]{1,5}(-[A-Z]{1,2}|\.[AB])?|\^\w+|\^?[A-Z0-9&=-]+\.US", symbol)


def test_every_suffix_and_index_has_a_calendar() -> None:
    assert {exchange for exchange, _ in suffixes().values()} < set(EXCHANGES)
    places = [route(s) for line in INDICES for s in line["symbols"].split()]
    assert {p.exchange for p in places if p} < set(EXCHANGES)
    assert None not in places
    named = [s for line in INDICES for s in line["symbols"].split()]
    assert len(named) == len(set(named))


def test_exchange_of_a_name_that_does_not_tell_is_asked_for() -> None:
    frame = routes(["^N22A", "EURUSD=X", "AAPL", "AAPL"])
    assert frame.rows() == [
        ("AAPL", "XNYS", "stock", "USD"),
        ("EURUSD=X", "24/5", "fx", "USD"),
        ("^N22A", None, None, None),
    ]
    assert routes(["^N22A", "AAPL"], "XTKS").rows() == [
        ("AAPL", "XNYS", "stock", "USD"),
        ("^N22A", "XTKS", "stock", None),
    ]
    assert routes([]).columns == frame.columns


def test_docs_list_every_suffix() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "guide" / "exchanges.md").read_text().splitlines()
    documented = {
        tuple(cell.strip() for cell in line.strip("|").split("|"))[:3]
        for line in lines
        if line.startswith("| .")
    }
    assert documented == {(f".{s}", e, c) for s, (e, c) in suffixes().items()}


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
