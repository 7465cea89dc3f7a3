"""Writes: what is added, replaced and revised, how it is counted, and that it is all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import adbc_driver_manager
import polars as pl
import pytest

from predtrack_assets.services.market.ingest import ingest
from predtrack_assets.settings import get_settings
from predtrack_assets.sources.base import log_fetches
from predtrack_assets.sources.routing import make_source
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database import writes
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database, Written
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets_tests import graph

MONDAY = date(2024, 3, 4)
TUESDAY, FRIDAY = date(2024, 3, 5), date(2024, 3, 8)
SEEN = datetime(2024, 4, 2, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(database_url: str) -> Database:
    return Database(url=database_url)


def close_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 21, tzinfo=UTC)


def bar(symbol: str, day: date, close: float, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "trading_day": day,
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "volume": 1.0,
        "quality": "good",
        "flag": None,
        "source": "test",
        "knowledge_time": close_of(day),
        **changes,
    }


def bars(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema_overrides={"flag": pl.String})


def condition(day: date, regime: str, **changes: Any) -> dict[str, Any]:
    row = dict.fromkeys(tables.MARKET_CONDITIONS.columns)
    given = {"trading_day": day, "market_regime": regime, "benchmark": "B", "symbols_counted": 1}
    return {**row, **given, **changes}


def write(warehouse: Database, method: str, *arguments: Any, **options: Any) -> Written:
    with warehouse.transaction() as transaction:
        return getattr(transaction, method)(*arguments, **options)


def log(warehouse: Database, symbols: list[str], given: pl.DataFrame, first: date, last: date):
    fetched = log_fetches(symbols, given, first, last)
    rows = fetched.with_columns(source=pl.lit("test"), run_id=pl.lit("r"))
    return write(warehouse, "append", tables.FETCH_LOG, rows)


def revisions(warehouse: Database, symbol: str) -> list[tuple[date, float, datetime]]:
    rows = warehouse.read(
        Query(
            "SELECT trading_day, close, knowledge_time FROM market.market_data"
            " WHERE symbol = :symbol ORDER BY trading_day, knowledge_time"
        ),
        symbol=symbol,
    )
    return list(rows.iter_rows())


# -- append ------------------------------------------------------------------------------------


def symbol(name: str, asset_class: str = "stock") -> dict[str, str]:
    listed = {"exchange": "XNYS", "asset_class": asset_class, "currency": "USD", "source": "test"}
    return {"symbol": name, **listed}


def test_append_adds_what_is_new_and_leaves_what_is_there(warehouse: Database) -> None:
    first = pl.DataFrame([symbol("A"), symbol("B")])
    assert write(warehouse, "append", tables.SYMBOLS, first) == Written(inserted=2)
    second = pl.DataFrame([symbol("A"), symbol("B", "index"), symbol("C")])
    assert write(warehouse, "append", tables.SYMBOLS, second) == Written(1, 0, 0, 1, 1)
    stored = warehouse.read(market_queries.SYMBOLS)
    assert dict(stored.select("symbol", "asset_class").iter_rows()) == dict.fromkeys("ABC", "stock")


def test_nothing_is_written_of_nothing(warehouse: Database) -> None:
    empty = bars(bar("A", MONDAY, 1.0)).clear()
    assert write(warehouse, "append", tables.MARKET_DATA, empty) == Written()
    assert write(warehouse, "revise", tables.MARKET_DATA, empty, seen=SEEN) == Written()


def test_append_compares_values_not_where_they_came_from(warehouse: Database) -> None:
    write(warehouse, "append", tables.SYMBOLS, pl.DataFrame([symbol("A")]))
    other = pl.DataFrame([{**symbol("A"), "source": "elsewhere"}])
    assert write(warehouse, "append", tables.SYMBOLS, other) == Written(unchanged=1)


def test_quarantine_holds_each_refusal_once(warehouse: Database) -> None:
    refused = pl.DataFrame(
        {
            "symbol": ["A", "A", ""],
            "trading_day": [MONDAY, MONDAY, None],
            "reason": ["not_finite", "not_finite", "malformed"],
            "payload": ['{"close": "NaN"}', '{"close": "inf"}', '{"a": 1, "b": 2}'],
            "source": ["test"] * 3,
        },
        schema_overrides={"trading_day": pl.Date},
    )
    assert write(warehouse, "append", tables.QUARANTINE, refused) == Written(inserted=3)
    spelled = refused.with_columns(
        pl.col("payload").replace('{"a": 1, "b": 2}', '{"b":2,   "a":1}')
    )
    assert write(warehouse, "append", tables.QUARANTINE, spelled) == Written(unchanged=3)


# -- replace -----------------------------------------------------------------------------------


def test_replace_makes_the_window_equal_and_leaves_the_rest(warehouse: Database) -> None:
    def replace(first: date, last: date, *rows: dict[str, Any]) -> Written:
        frame = pl.DataFrame(list(rows), schema=list(tables.MARKET_CONDITIONS.columns))
        return write(warehouse, "replace", tables.MARKET_CONDITIONS, frame, first, last)

    days = [MONDAY + timedelta(days=i) for i in range(4)]
    bull = [condition(day, "bull") for day in days]
    assert replace(days[0], days[3], *bull) == Written(inserted=4)
    assert replace(days[0], days[3], *bull) == Written(unchanged=4)
    mixed = [bull[1], condition(days[2], "bear"), condition(FRIDAY, "bull")]
    assert replace(days[1], FRIDAY, *mixed) == Written(1, 1, 1, 1)
    stored = graph.frame(
        warehouse.url or "", "SELECT trading_day, market_regime FROM market.market_conditions"
    )
    assert dict(stored.iter_rows()) == {
        days[0]: "bull",
        days[1]: "bull",
        days[2]: "bear",
        FRIDAY: "bull",
    }
    assert replace(days[0], FRIDAY) == Written(deleted=4)


def test_null_and_nan_are_the_same_absence(warehouse: Database) -> None:
    absent = pl.DataFrame([condition(MONDAY, "bull", vix_level=None)])
    nan = pl.DataFrame([condition(MONDAY, "bull", vix_level=float("nan"))])
    window = (MONDAY, MONDAY)
    write(warehouse, "replace", tables.MARKET_CONDITIONS, absent, *window)
    again = write(warehouse, "replace", tables.MARKET_CONDITIONS, nan, *window)
    assert again == Written(unchanged=1)


# -- revise ------------------------------------------------------------------------------------


def test_a_first_sight_is_known_from_its_own_day(warehouse: Database) -> None:
    frame = bars(bar("A", MONDAY, 1.0), bar("A", TUESDAY, 2.0))
    assert write(warehouse, "revise", tables.MARKET_DATA, frame, seen=SEEN) == Written(inserted=2)
    assert [known for *_, known in revisions(warehouse, "A")] == [
        close_of(MONDAY),
        close_of(TUESDAY),
    ]


def test_a_correction_is_a_revision_known_when_seen(warehouse: Database) -> None:
    first = bars(bar("A", MONDAY, 1.0), bar("A", TUESDAY, 2.0))
    write(warehouse, "revise", tables.MARKET_DATA, first, seen=SEEN)
    second = bars(bar("A", MONDAY, 1.0), bar("A", TUESDAY, 2.5))
    assert write(warehouse, "revise", tables.MARKET_DATA, second, seen=SEEN) == Written(
        updated=1, unchanged=1
    )
    assert revisions(warehouse, "A")[1:] == [
        (TUESDAY, 2.0, close_of(TUESDAY)),
        (TUESDAY, 2.5, SEEN),
    ]
    # Seen again it is nothing new; taken back it is a revision of its own.
    assert write(warehouse, "revise", tables.MARKET_DATA, second, seen=SEEN) == Written(unchanged=2)
    later = SEEN + timedelta(days=1)
    assert write(warehouse, "revise", tables.MARKET_DATA, first, seen=later).updated == 1
    assert [close for _, close, _ in revisions(warehouse, "A")] == [1.0, 2.0, 2.5, 2.0]


def test_a_later_listing_does_not_make_others_late(warehouse: Database) -> None:
    """B was never asked for before, so its history was there to be known."""
    write(warehouse, "revise", tables.MARKET_DATA, bars(bar("A", MONDAY, 1.0)), seen=SEEN)
    log(warehouse, ["A"], bars(bar("A", MONDAY, 1.0)), MONDAY, MONDAY)
    both = bars(bar("A", MONDAY, 1.0), bar("B", MONDAY, 1.0))
    write(warehouse, "revise", tables.MARKET_DATA, both, seen=SEEN)
    assert revisions(warehouse, "B") == [(MONDAY, 1.0, close_of(MONDAY))]


@pytest.mark.parametrize(
    ("status", "asked_late", "known"),
    [
        ("ok", True, SEEN),  # the vendor answered without this day: it did not have it
        ("ok", False, SEEN),
        ("failed", False, SEEN),  # nobody could have had it from us in those days
        ("failed", True, close_of(TUESDAY)),  # a backfill that failed proves nothing
        ("empty", True, close_of(TUESDAY)),
        (None, True, close_of(TUESDAY)),  # never asked
    ],
)
def test_what_an_earlier_request_did_not_bring_is_known_only_now(
    warehouse: Database, status: str | None, asked_late: bool, known: datetime
) -> None:
    if status:
        asked = datetime(2024, 3, 30 if asked_late else 6, tzinfo=UTC)
        graph.execute(
            warehouse.url or "",
            "INSERT INTO market.fetch_log (run_id, source, symbol, first_day, last_day, status,"
            " attempts, rows, fetched_at) VALUES ('r', 'test', 'A', %s, %s, %s, 1, 0, %s)",
            *(MONDAY, FRIDAY, status, asked),
        )
    write(warehouse, "revise", tables.MARKET_DATA, bars(bar("A", TUESDAY, 2.0)), seen=SEEN)
    assert revisions(warehouse, "A") == [(TUESDAY, 2.0, known)]


def test_without_a_moment_a_row_brings_its_own(warehouse: Database) -> None:
    """Outcomes: a change is compared with what was known then, whatever is known since."""

    def revise(close: float, known: datetime) -> Written:
        frame = bars(bar("A", MONDAY, close, knowledge_time=known))
        return write(warehouse, "revise", tables.MARKET_DATA, frame)

    assert revise(1.0, close_of(MONDAY)) == Written(inserted=1)
    assert revise(2.0, close_of(FRIDAY)) == Written(updated=1)
    assert revise(1.0, close_of(TUESDAY)) == Written(unchanged=1)
    assert revise(2.0, SEEN) == Written(unchanged=1)
    assert revise(3.0, close_of(FRIDAY)) == Written(conflicting=1)
    assert [close for _, close, _ in revisions(warehouse, "A")] == [1.0, 2.0]


def actions(*rows: tuple[str, date, str, float]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String,
            "ex_date": pl.Date,
            "kind": pl.String,
            "value": pl.Float64,
        },
        orient="row",
    )
    return frame.with_columns(
        inferred=pl.lit(False),
        source=pl.lit("test"),
        knowledge_time=(pl.col("ex_date") + pl.duration(days=1)).cast(pl.Datetime("us", "UTC")),
    )


def test_actions_that_are_no_longer_reported_are_withdrawn(warehouse: Database) -> None:
    reported = actions(
        ("A", MONDAY, "split", 2.0),
        ("A", TUESDAY, "dividend", 0.5),
        ("B", TUESDAY, "dividend", 0.5),
        ("A", FRIDAY, "dividend", 0.5),
    )
    write(warehouse, "revise", tables.CORPORATE_ACTIONS, reported, seen=SEEN)
    kept = reported.filter(pl.col("kind") == "split")
    arguments = (kept, ["A"], MONDAY, TUESDAY)
    assert write(warehouse, "withdraw_missing_actions", *arguments, "other") == 0
    assert write(warehouse, "withdraw_missing_actions", *arguments, "test") == 1
    assert write(warehouse, "withdraw_missing_actions", *arguments, "test") == 0
    current = graph.frame(
        warehouse.url or "", "SELECT symbol, ex_date FROM market.corporate_actions_current"
    )
    assert set(current.iter_rows()) == {("A", MONDAY), ("B", TUESDAY), ("A", FRIDAY)}
    again = reported.filter(pl.col("ex_date") == TUESDAY)
    now = write(warehouse, "read", writes.NOW).item()
    assert write(warehouse, "revise", tables.CORPORATE_ACTIONS, again, seen=now).updated == 1


# -- transactions ------------------------------------------------------------------------------


def test_an_exception_leaves_nothing(warehouse: Database) -> None:
    def interrupted() -> None:
        with warehouse.transaction() as transaction:
            transaction.append(tables.SYMBOLS, pl.DataFrame([symbol("A")]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert warehouse.read(market_queries.SYMBOLS).is_empty()


def test_a_refused_row_takes_the_others_of_its_transaction_with_it(warehouse: Database) -> None:
    def refused() -> None:
        with warehouse.transaction() as transaction:
            transaction.append(tables.SYMBOLS, pl.DataFrame([symbol("A")]))
            transaction.revise(tables.MARKET_DATA, bars(bar("A", MONDAY, -1.0)), seen=SEEN)

    with pytest.raises(adbc_driver_manager.Error, match="positive_finite_prices"):
        refused()
    assert warehouse.read(market_queries.SYMBOLS).is_empty()


def test_reading_cannot_write(warehouse: Database) -> None:
    with (
        pytest.raises(adbc_driver_manager.Error, match="permission denied"),
        warehouse.transaction(READER) as transaction,
    ):
        transaction.append(tables.SYMBOLS, pl.DataFrame([symbol("A")]))


def test_the_clock_is_the_databases_and_stands_still(warehouse: Database) -> None:
    with warehouse.transaction() as transaction:
        first = transaction.now
        assert transaction.read(writes.NOW).item() == first
    assert first.tzinfo is not None


def ingest_window(warehouse: Database, first: date, last: date, errors: list[BaseException]):
    settings = get_settings()
    try:
        with warehouse.transaction() as transaction:
            ingest(transaction, make_source(settings), settings, first, last, "run", lambda _: None)
    except BaseException as error:
        errors.append(error)
        raise


def test_two_threads_that_ingest_the_same_window_store_it_once(
    warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "5")
    errors: list[BaseException] = []
    threads = [
        threading.Thread(target=ingest_window, args=(warehouse, MONDAY, FRIDAY, errors))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    counted = graph.frame(
        warehouse.url or "",
        "SELECT count(*) AS n, count(DISTINCT (symbol, trading_day)) AS facts,"
        " max(knowledge_time) AS known FROM market.market_data",
    ).row(0)
    assert counted == (35, 35, close_of(FRIDAY)), "7 symbols, 5 days, one revision each"
    asked = graph.frame(warehouse.url or "", "SELECT count(*) AS n FROM market.fetch_log")
    assert asked.item() == 7, "the second found the window covered and asked for nothing"


def test_two_processes_that_ingest_the_same_file_store_it_once(
    warehouse: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    rows = [bar(name, day, 5.0) for name in "AB" for day in (MONDAY, TUESDAY)]
    columns = [
        "symbol",
        pl.col("trading_day").alias("date"),
        "open",
        "high",
        "low",
        "close",
        "volume",
    ]
    pl.DataFrame(rows, schema_overrides={"flag": pl.String}).select(columns).write_csv(
        tmp_path / "prices.csv"
    )
    monkeypatch.setenv("PREDTRACK_SOURCE", "file")
    monkeypatch.setenv("PREDTRACK_FILE", str(tmp_path / "prices.csv"))
    program = (
        "from datetime import date; from predtrack_assets.warehouse.database.transaction import Database;"
        "from predtrack_assets_tests.warehouse.database.test_transaction import ingest_window;"
        f"ingest_window(Database(url={warehouse.url!r}), date(2024, 3, 4), date(2024, 3, 8), [])"
    )
    runs = [subprocess.Popen([sys.executable, "-c", program], env=os.environ) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert len(revisions(warehouse, "A")) == len(revisions(warehouse, "B")) == 2


def test_counts_add_up_and_become_metadata() -> None:
    total = Written(1, 2, 3, 4, 5) + Written(inserted=1)
    assert total == Written(2, 2, 3, 4, 5)
    assert total.changed == 7
    assert total.as_metadata() == {
        "rows_inserted": 2,
        "rows_updated": 2,
        "rows_deleted": 3,
        "rows_unchanged": 4,
        "rows_conflicting": 5,
    }


def test_a_frame_that_does_not_fit_is_an_error(warehouse: Database) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        write(
            warehouse, "append", tables.SYMBOLS, pl.DataFrame([{"symbol": "A", "exchange": "XNYS"}])
        )
