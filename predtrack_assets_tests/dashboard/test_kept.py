"""What pages keep of the data: computed once, renewed beside them when the data change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from predtrack_assets.dashboard.reading import Kept, read_only, reading
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.overview import LEDGER_SIZE


def events(transaction: Transaction) -> int:
    return int(transaction.read(LEDGER_SIZE)["events"][0] or 0)


def test_data_are_computed_anew_when_an_event_tells_of_a_change(database_url: str) -> None:
    database = Database(url=database_url)
    kept = Kept(database, fresh=0)
    renewed = threading.Event()
    calls: list[int] = []

    def compute(transaction: Transaction) -> int:
        calls.append(events(transaction))
        if len(calls) == 2:
            renewed.set()
        return calls[-1]

    def ask() -> int:
        with reading(database, kept, {}) as found:
            return found.keep("events", compute)

    assert [ask(), ask()] == [0, 0]
    assert calls == [0]
    with database.transaction() as transaction:
        record_event(transaction, "accuracy_report", "accuracy.day_sums", {}, "automated")
    assert ask() == 0  # what there is, at once
    assert renewed.wait(30)
    assert next(value for value in iter(ask, None) if value) == 1
    assert calls == [0, 1]


def test_many_that_ask_at_first_wait_for_one(database_url: str) -> None:
    database = Database(url=database_url)
    kept = Kept(database)
    calls: list[int] = []

    def compute(transaction: Transaction) -> int:
        calls.append(1)
        return 7

    def ask(_: int) -> int:
        with read_only(database) as transaction:
            return kept.get("seven", "1", transaction, compute)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [7] * 6
    assert calls == [1]


def test_a_reading_writes_nothing_and_is_limited(database_url: str) -> None:
    database = Database(url=database_url)
    from predtrack_assets.warehouse.database.query import Query

    with read_only(database, seconds=2) as transaction:
        shown = transaction.read(
            Query(
                "SELECT current_setting('statement_timeout') AS timeout, current_user::text AS role,"
                " current_setting('transaction_read_only') AS read_only"
            )
        ).row(0, named=True)
    assert shown == {"timeout": "2s", "role": "predtrack_reader", "read_only": "on"}
