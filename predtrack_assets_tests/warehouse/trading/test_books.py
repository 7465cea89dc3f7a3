"""Books in the database: written once, compared on a rerun, and what the schema itself refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import psycopg
import pytest
from psycopg import errors

from predtrack_assets.domain.trading.book import new_book, run
from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.holdings.corporate_actions import ratio_of
from predtrack_assets.domain.trading.state import BookState, Rows
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database, Written
from predtrack_assets.warehouse.database.urls import with_role
from predtrack_assets.warehouse.trading.books import (
    BookConflict,
    make_book,
    read_states,
    write_days,
)
from predtrack_assets.warehouse.trading.snapshots import read_snapshot, write_snapshot
from predtrack_assets_tests.builders.book import FREE, day_after, flat, market_day, order, session

DAYS = [
    market_day(
        0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10), order(0, "A", None, weight=D(9)))
    ),
    market_day(1, {"A": flat(1, 101)}, (order(1, "A", "buy", 1, kind="limit", limit=D(90)),)),
    market_day(
        2, {"A": flat(2, 50.5)}, actions=(Action("A", day_after(2), "split", ratio_of("2")),)
    ),
    market_day(3, {"A": flat(3, 50)}, (order(3, "A", "sell", 5),)),
    market_day(4, {"A": flat(4, 52)}),
]
BAR = """
    INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,
                                    source, knowledge_time)
    VALUES (%s, %s, 1, 1, 1, 1, 1, 'good', 'test', %s)
"""


def fold(days: list = DAYS, start: BookState | None = None) -> tuple[BookState, Rows]:
    return run(start or new_book("test", D(100_000), FREE), days)


@pytest.fixture
def database(database_url: str) -> Database:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
            " VALUES ('A', 'XNYS', 'stock', 'test')"
        )
        for day in DAYS:
            connection.execute(BAR, ["A", day.day, session(day.day).known_at])
    return Database(url=database_url)


def write(database: Database, rows: Rows, live_from: datetime | None = None) -> Written:
    with database.transaction() as transaction:
        make_book(transaction, new_book("test", D(100_000), FREE))
        return write_days(transaction, "test", rows, live_from)


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        statement = psycopg.sql.SQL("SELECT count(*) FROM trading.{}")
        row = connection.execute(statement.format(psycopg.sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def test_a_rerun_changes_no_row(database: Database) -> None:
    state, rows = fold()
    first = write(database, rows)
    assert first.inserted > 20
    assert write(database, rows) == Written(unchanged=first.inserted)
    with database.transaction(READER) as transaction:
        stored = read_states(transaction, "test")
    assert stored["digest"].to_list() == [row.digest for row in rows.states]
    assert stored["equity"].to_list() == [row.equity for row in rows.states]
    assert stored["digest"][-1] == state.digest


def test_days_written_one_by_one_are_the_range(database: Database) -> None:
    state: BookState | None = None
    for day in DAYS:
        state, rows = fold([day], state)
        write(database, rows)
    _, whole = fold()
    assert write(database, whole).inserted == 0


def test_other_inputs_are_refused_and_named(database: Database) -> None:
    write(database, fold()[1])
    dearer = [*DAYS[:3], market_day(3, {"A": flat(3, 51)}, DAYS[3].orders), DAYS[4]]
    with pytest.raises(
        BookConflict, match=r"trading\.positions has other values for test 2020-01-09 A"
    ):
        write(database, fold(dearer)[1])


def test_other_terms_are_a_new_book(database: Database) -> None:
    write(database, fold()[1])
    with (
        pytest.raises(BookConflict, match="other capital, currency or rules"),
        database.transaction() as transaction,
    ):
        make_book(transaction, new_book("test", D(100_001), FREE))


def test_the_status_of_an_order_is_its_latest_event(database: Database, database_url: str) -> None:
    write(database, fold()[1])
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT kind, side, status, filled FROM trading.order_status ORDER BY decided_at, n"
        ).fetchall()
        held = connection.execute(
            "SELECT symbol, quantity FROM trading.positions_current"
        ).fetchall()
    assert ("limit", "buy", "split_adjusted", 0) in found
    assert ("market", "sell", "filled", 5) in found
    assert held == [("A", fold()[0].positions["A"].quantity)]


# -- attacks -----------------------------------------------------------------------------------


def forged(**changes: object) -> Rows:
    """The rows of the first two days with their fill forged."""
    _, rows = fold(DAYS[:2])
    rows.fills = [rows.fills[0]._replace(**changes)]
    return rows


DECIDED = datetime(2020, 1, 7, tzinfo=UTC)


def test_a_strategy_that_trades_at_its_decisions_own_close_is_refused(database: Database) -> None:
    bar = session(day_after(0))
    own_close = forged(
        trading_day=day_after(0), filled_at=bar.opens_at, bar_known=bar.known_at, price=D(100)
    )
    with pytest.raises(Exception, match=r"bar_begins_after_decision|bar_unknown_at_decision"):
        write(database, own_close)


def test_a_false_knowledge_time_does_not_help(database: Database) -> None:
    """It names the bar of the decision day, and says that it began and became known later."""
    later = DECIDED + timedelta(hours=20)
    with pytest.raises(Exception, match="was known at the decision"):
        write(database, forged(trading_day=day_after(0), filled_at=later, bar_known=later))


def test_a_false_as_of_does_not_help(database: Database) -> None:
    with pytest.raises(Exception, match="violates foreign key"):
        write(database, forged(as_of=DECIDED - timedelta(days=1)))


def test_a_fill_without_a_bar_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="is not stored"):
        write(database, forged(trading_day=date(2020, 2, 3)))


def test_a_live_decision_that_is_committed_after_its_bar_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="was known before its live decision was committed"):
        write(database, fold()[1], live_from=DECIDED)


def test_a_day_that_does_not_continue_the_book_is_refused(database: Database) -> None:
    _, rows = fold()
    write(database, fold(DAYS[:2])[1])
    gap = Rows(states=[rows.states[3]])
    with pytest.raises(Exception, match="does not continue the book"):
        write(database, gap)
    earlier = Rows(states=[rows.states[0]._replace(trading_day=date(2020, 1, 3))])
    with pytest.raises(Exception, match="does not continue the book"):
        write(database, earlier)


def test_nothing_is_rewritten_even_by_the_owner(database: Database, database_url: str) -> None:
    write(database, fold()[1])
    for statement in (
        "UPDATE trading.fills SET fee = 0",
        "DELETE FROM trading.journal",
        "TRUNCATE trading.portfolio_state CASCADE",
        "DELETE FROM trading.orders",
        "UPDATE trading.decisions SET as_of = as_of",
    ):
        with psycopg.connect(database_url) as connection, pytest.raises(errors.RestrictViolation):
            connection.execute(statement)


def test_the_writer_cannot_say_when_a_decision_was_committed(
    database: Database, database_url: str
) -> None:
    write(database, fold()[1])
    statement = (
        "INSERT INTO trading.decisions (book, decided_at, as_of, origin, committed_at)"
        " VALUES ('test', '2019-01-01Z', '2019-01-01Z', 'live', '2019-01-01Z')"
    )
    with (
        psycopg.connect(with_role(database_url, "predtrack_writer")) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_impossible_fills_are_refused(database: Database, database_url: str) -> None:
    changes: list[dict[str, object]] = [
        {"price": D("NaN"), "raw_price": D("NaN")},
        {"price": D("99"), "raw_price": D("101")},  # slippage in our favour
        {"fee": D("-1")},
        {"quantity": D(0)},
        {"rule": "close"},
        {"side": "sell"},
    ]
    for change in changes:
        with pytest.raises(Exception, match="violates"):
            write(database, forged(**change))
    assert count(database_url, "fills") == 0


def test_a_book_goes_on_from_its_snapshot(database: Database) -> None:
    half, rows = fold(DAYS[:3])
    write(database, rows)
    with database.transaction() as transaction:
        write_snapshot(transaction, half)
    with database.transaction() as transaction:
        read = read_snapshot(transaction, "test", FREE, DAYS[3].day)
        assert read_snapshot(transaction, "test", FREE, DAYS[2].day) is None
    assert read == half
    _, rest = fold(DAYS[3:], read)
    write(database, rest)
    assert write(database, fold()[1]).inserted == 0


def test_only_the_last_snapshot_of_a_year_and_the_last_of_all_stay(database: Database) -> None:
    for n in range(1, 5):
        state, rows = fold(DAYS[:n])
        write(database, rows)
        with database.transaction() as transaction:
            write_snapshot(transaction, state)
    kept = database.read(Query("SELECT trading_day FROM trading.snapshots"))
    assert kept["trading_day"].to_list() == [DAYS[3].day]


def test_a_forged_snapshot_is_refused(database: Database, database_url: str) -> None:
    state, rows = fold(DAYS[:3])
    write(database, rows)
    with database.transaction() as transaction:
        write_snapshot(transaction, state)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE trading.snapshots SET state = jsonb_set(state, '{equity}', '\"1.00\"')"
        )
    with (
        database.transaction() as transaction,
        pytest.raises(BookConflict, match="not the state of that day"),
    ):
        read_snapshot(transaction, "test", FREE, DAYS[3].day)


def test_trades_answer_under_the_names_of_document_c(database: Database) -> None:
    state, rows = fold()
    write(database, rows)
    found = database.read(Query("SELECT * FROM trading.trade_outcomes ORDER BY exit_time"))
    closed, still = found.row(0, named=True), found.row(-1, named=True)
    assert len(found) == len(rows.trades) + len(state.positions)
    assert (closed["direction"], closed["outcome_type"]) == ("LONG", "WIN")
    assert (
        closed["duration_seconds"] == (closed["exit_time"] - closed["entry_time"]).total_seconds()
    )
    left = found.filter(found["outcome_type"] != "OPEN")["max_adverse_excursion"]
    assert sorted(map(D, left)) == sorted(trade.mae for trade in rows.trades)
    assert (still["outcome_type"], still["exit_time"]) == ("OPEN", None)
