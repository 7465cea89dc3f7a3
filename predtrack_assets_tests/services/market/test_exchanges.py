"""Bars of other exchanges: judged by their own calendars, refused where the exchange is not known."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import psycopg
import pytest

from predtrack_assets.services.market.ingest import IngestReport, ingest
from predtrack_assets.settings import Settings
from predtrack_assets.sources.routing import make_source
from predtrack_assets.warehouse.database.transaction import Database

FIRST, LAST = date(2020, 8, 20), date(2020, 9, 30)
FLAT = "100,101,99,100,1000"
# Weekend of a coin; Labour Day, which is no session in New York; Respect for the Aged Day in Tokyo.
ROWS = {
    "ETH-EUR": ["2020-08-29", "2020-08-30"],
    "6758.T": ["2020-09-04", "2020-09-07", "2020-09-18", "2020-09-21"],
    "OR.PA": ["2020-09-07", "2020-09-12"],
    "0005.HK": ["2020-09-07"],
    "IBM": ["2020-09-04", "2020-09-07"],
    "^QQQ9": ["2020-09-07", "2020-09-08"],
    "GOLD7": ["2020-09-08"],
}


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    lines = [f"{symbol},{day},{FLAT}" for symbol, days in ROWS.items() for day in days]
    path = tmp_path / "prices.csv"
    path.write_text("symbol,date,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return path


def take(url: str, path: Path, **settings: object) -> IngestReport:
    chosen = Settings(source="file", file=path, **settings)
    with Database(url=url).transaction() as transaction:
        source = make_source(chosen)
        return ingest(transaction, source, chosen, FIRST, LAST, "run", lambda _: None)


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def refused(url: str) -> list[tuple[object, ...]]:
    return rows(
        url, "SELECT symbol, trading_day::text, reason FROM market.quarantine ORDER BY 1, 2"
    )


def test_every_symbol_has_its_own_calendar_or_is_refused_by_name(
    database_url: str, prices: Path
) -> None:
    report = take(database_url, prices)
    assert report.bars.inserted == 8
    assert refused(database_url) == [
        ("6758.T", "2020-09-21", "not_a_session"),
        ("GOLD7", "2020-09-08", "exchange_not_known"),
        ("IBM", "2020-09-07", "not_a_session"),
        ("OR.PA", "2020-09-12", "not_a_session"),
        ("^QQQ9", "2020-09-07", "exchange_not_known"),
        ("^QQQ9", "2020-09-08", "exchange_not_known"),
    ]
    assert report.unplaced == ["GOLD7", "^QQQ9"]
    assert report.advice[0].startswith("exchange not known: GOLD7, ^QQQ9. Their bars are refused.")
    assert "--exchange" in report.advice[0]
    assert "PREDTRACK_EXCHANGES=XNYS,24/7,XHKG,XPAR,XTKS" in report.advice[1]
    assert list(report.unseen_days) == ["24/7", "XHKG", "XPAR", "XTKS"]
    assert rows(
        database_url,
        "SELECT symbol, exchange, asset_class, currency FROM market.symbols ORDER BY 1",
    ) == [
        ("0005.HK", "XHKG", "stock", "HKD"),
        ("6758.T", "XTKS", "stock", "JPY"),
        ("ETH-EUR", "24/7", "crypto", "EUR"),
        ("IBM", "XNYS", "stock", "USD"),
        ("OR.PA", "XPAR", "stock", "EUR"),
    ]


def test_bar_is_known_from_the_actual_close_of_its_own_exchange(
    database_url: str, prices: Path
) -> None:
    prices.write_text(
        "symbol,date,open,high,low,close,volume\n"
        f"6758.T,2020-09-04,{FLAT}\nIBM,2020-09-04,{FLAT}\nETH-EUR,2020-08-29,{FLAT}\n"
    )
    take(database_url, prices)
    known = "SELECT symbol, knowledge_time AT TIME ZONE 'UTC' FROM market.market_data ORDER BY 1"
    assert rows(database_url, known) == [
        ("6758.T", datetime(2020, 9, 4, 6)),
        ("ETH-EUR", datetime(2020, 8, 30)),
        ("IBM", datetime(2020, 9, 4, 20)),
    ]


def test_exchange_that_is_given_stays_on_record(database_url: str, prices: Path) -> None:
    report = take(database_url, prices, default_exchange="XTKS")
    assert report.unplaced == []
    stored = "SELECT count(*) FROM market.market_data WHERE symbol IN ('^QQQ9', 'GOLD7')"
    assert rows(database_url, stored) == [(3,)]
    again = take(database_url, prices)
    assert (again.unplaced, again.bars.changed) == ([], 0)
    other = take(database_url, prices, default_exchange="XPAR")
    assert other.bars.changed == 0
    place = "SELECT exchange, asset_class, currency FROM market.symbols WHERE symbol = 'GOLD7'"
    assert rows(database_url, place) == [("XTKS", "stock", None)]


def test_exchange_without_a_calendar_is_refused_before_anything_is_stored(
    database_url: str, prices: Path
) -> None:
    with pytest.raises(ValueError, match=r"unknown exchange 'TOKYO'; known are .*XTKS"):
        take(database_url, prices, default_exchange="TOKYO")
    assert rows(database_url, "SELECT count(*) FROM market.symbols") == [(0,)]


def test_bar_outside_its_calendar_says_so(database_url: str, prices: Path) -> None:
    prices.write_text(
        f"symbol,date,open,high,low,close,volume\n2222.SR,2020-09-07,{FLAT}\nIBM,2020-09-08,{FLAT}\n"
    )
    take(database_url, prices)
    assert refused(database_url) == [("2222.SR", "2020-09-07", "outside_the_calendar")]
