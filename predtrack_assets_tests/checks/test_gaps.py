"""The gap report, from consecutive bars and from what is stored."""

from __future__ import annotations

from datetime import date

import polars as pl
import psycopg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.market.gaps import ended_per_day, find_gaps, missing_per_day
from predtrack_assets.services.market.gaps import gap_report
from predtrack_assets.warehouse.database.transaction import READER

JULY = (date(2024, 7, 1), date(2024, 7, 31))


def steps(*rows: tuple[str, str, date, date]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "exchange": pl.String, "previous": pl.Date, "next": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def day(number: int) -> date:
    return date(2024, 7, number)


def test_holidays_and_weekends_are_no_gaps() -> None:
    found = find_gaps(
        steps(
            ("A", "XNYS", day(3), day(5)),  # the fourth of July
            ("A", "XNYS", day(5), day(8)),
            ("B", "24/7", day(5), day(8)),
        ),
        *JULY,
    )
    assert found.rows() == [("B", "24/7", day(6), day(7), 2)]


def test_longest_first_and_cut_to_the_window() -> None:
    found = find_gaps(
        steps(
            ("A", "XNYS", day(8), day(10)),
            ("B", "XNYS", date(2024, 6, 3), day(3)),
            ("C", "XNYS", day(26), date(2024, 8, 30)),
            ("D", "XNYS", date(2024, 6, 3), date(2024, 6, 20)),
        ),
        *JULY,
    )
    assert found.rows() == [
        ("C", "XNYS", day(29), day(31), 3),
        ("B", "XNYS", day(1), day(2), 2),
        ("A", "XNYS", day(9), day(9), 1),
    ]


def test_symbols_missing_are_counted_per_session() -> None:
    gaps = find_gaps(
        steps(
            ("A", "XNYS", day(3), day(9)),
            ("B", "XNYS", day(5), day(9)),
            ("C", "24/7", day(5), day(7)),
        ),
        *JULY,
    )
    assert missing_per_day(gaps).sort("day").rows() == [(day(5), 1), (day(6), 1), (day(8), 2)]


def test_nothing_missing() -> None:
    none = find_gaps(steps(), *JULY)
    assert none.is_empty()
    assert missing_per_day(none).is_empty()
    assert ended_per_day(
        pl.DataFrame(schema={"symbol": pl.String, "exchange": pl.String, "last_bar": pl.Date}),
        *JULY,
    ).is_empty()


def test_an_end_is_counted_on_the_session_after_the_last_bar() -> None:
    last_bars = pl.DataFrame(
        {
            "symbol": ["A", "B", "C"],
            "exchange": ["XNYS", "XNYS", "XNYS"],
            "last_bar": [day(3), day(3), day(31)],
        }
    )
    assert ended_per_day(last_bars, *JULY).rows() == [(day(5), 2)]


@pytest.fixture
def stored(database_url: str) -> Warehouse:
    """A and B on XNYS, July 2024: A lacks the 9th and 10th, B has all; the 11th was revised."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source) VALUES"
            " ('A', 'XNYS', 'stock', 'test'), ('B', 'XNYS', 'stock', 'test')"
        )
        connection.execute(
            "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume,"
            " quality, source, knowledge_time)"
            " SELECT symbol, day, 1, 1, 1, 1, 1, 'good', 'test', day + interval '1 day' * revision"
            " FROM unnest('{A,B}'::text[]) AS symbol,"
            " generate_series('2024-07-01'::date, '2024-07-31', interval '1 day') AS day,"
            " generate_series(1, 2) AS revision"
            " WHERE extract(isodow FROM day) < 6 AND day <> '2024-07-04'"
            " AND NOT (symbol = 'A' AND day IN ('2024-07-09', '2024-07-10'))"
            " AND (revision = 1 OR day = '2024-07-11')"
        )
    return Warehouse(url=database_url)


@pytest.mark.parametrize(
    ("first", "last", "missing"),
    [
        (day(1), day(31), 2),
        (day(10), day(10), 1),
        (day(9), day(11), 2),
        (day(11), day(31), 0),
        (date(2024, 6, 1), day(8), 0),
        (date(2024, 6, 1), date(2024, 8, 30), 2),
    ],
)
def test_the_report_of_any_window(stored: Warehouse, first: date, last: date, missing: int) -> None:
    """Before its first and after its last bar a symbol lacks nothing."""
    with stored.transaction(READER) as transaction:
        report = gap_report(transaction, first, last)
    assert report["sessions"].sum() == missing
    assert set(report["symbol"]) <= {"A"}
