"""The feature store on a real PostgreSQL: what is written is read, joined as of a day, viewed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.time.calendar import as_of, calendar
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction, Written
from predtrack_assets.warehouse.features import store
from predtrack_assets.warehouse.features.store import FeatureRows, LabelGrid
from predtrack_assets_tests import graph

XNYS = calendar("XNYS")
DAYS = XNYS.between(date(2024, 3, 1), date(2024, 3, 28))
FIRST, LAST = date(2024, 3, 1), date(2024, 3, 28)
NAMES = ["AAA", "BBB", "CCC"]
WIDTH = len(STANDARD.columns)


def rows_of(names: list[str], days: np.ndarray, seed: int = 0) -> FeatureRows:
    """A vector for each, by day and symbol; some numbers are unknown, tiny or huge."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(len(names) * len(days), WIDTH))
    values[random.random(values.shape) < 0.05] = np.nan
    values[0, :6] = [0.0, 5e-324, -2.5e-308, 1.7e308, -1.0, 1 / 3]
    symbols = np.array(names * len(days), dtype=object)
    return FeatureRows(symbols, np.repeat(days, len(names)), values)


def equal(a: FeatureRows, b: FeatureRows) -> bool:
    return (
        a.symbols.tolist() == b.symbols.tolist()
        and np.array_equal(a.days, b.days)
        and a.values.tobytes() == b.values.tobytes()
    )


@pytest.fixture
def transaction(database_url: str) -> Iterator[Transaction]:
    graph.execute(
        database_url,
        "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
        " SELECT unnest(%s::text[]), 'XNYS', 'stock', 'test'",
        [*NAMES, "ZZZ"],
    )
    with Database(url=database_url).transaction() as opened:
        yield opened


def write(transaction: Transaction, rows: FeatureRows, names: list[str] = NAMES) -> Written:
    return store.write_features(transaction, STANDARD, rows, names, FIRST, LAST)


def test_what_is_written_is_read_bit_for_bit(transaction: Transaction) -> None:
    rows = rows_of(NAMES, DAYS)
    assert write(transaction, rows) == Written(inserted=len(rows))
    assert equal(store.read_features(transaction, STANDARD, None, FIRST, LAST), rows)
    some = store.read_features(
        transaction, STANDARD, ["CCC", "AAA", "none"], date(2024, 3, 5), date(2024, 3, 6)
    )
    chosen = np.isin(rows.symbols, ["AAA", "CCC"]) & np.isin(rows.days, DAYS[2:4])
    assert equal(some, rows.take(np.flatnonzero(chosen)))
    assert some.values.flags.c_contiguous
    nothing = store.read_features(transaction, STANDARD, ["none"], FIRST, LAST)
    assert nothing.values.shape == (0, WIDTH)


def test_a_cell_becomes_what_is_written(transaction: Transaction) -> None:
    rows = rows_of(NAMES, DAYS)
    write(transaction, rows)
    order = np.random.default_rng(2).permutation(len(rows))
    assert write(transaction, rows.take(order)) == Written(unchanged=len(rows)), "in any order"

    values = rows.values.copy()
    values[4, 3] += 1
    changed = dataclasses.replace(rows, values=values)
    fewer = changed.take(np.arange(2, len(rows)))
    assert write(transaction, fewer) == Written(updated=1, deleted=2, unchanged=len(rows) - 3)
    assert equal(store.read_features(transaction, STANDARD, None, FIRST, LAST), fewer)
    assert write(transaction, changed) == Written(inserted=2, unchanged=len(rows) - 2)

    mine = changed.take(np.flatnonzero(rows.symbols == "AAA"))
    none = mine.take(np.array([], dtype=int))
    assert write(transaction, none, ["AAA"]) == Written(deleted=len(mine))
    others = changed.take(np.flatnonzero(rows.symbols != "AAA"))
    assert equal(store.read_features(transaction, STANDARD, None, FIRST, LAST), others)


def test_sets_do_not_mix(transaction: Transaction) -> None:
    other = dataclasses.replace(STANDARD, version=2)
    rows, second = rows_of(NAMES, DAYS), rows_of(NAMES, DAYS, seed=1)
    write(transaction, rows)
    store.write_features(transaction, other, second, NAMES, FIRST, LAST)
    assert equal(store.read_features(transaction, STANDARD, None, FIRST, LAST), rows)
    assert equal(store.read_features(transaction, other, None, FIRST, LAST), second)
    found = store.latest_vector(transaction, STANDARD, "BBB")
    assert found.values.tobytes() == rows.values[-2].tobytes()


def test_a_vector_of_another_length_is_refused(transaction: Transaction) -> None:
    write(transaction, rows_of(NAMES, DAYS))
    longer = dataclasses.replace(STANDARD, columns=(*STANDARD.columns, "one_more"))
    with pytest.raises(ValueError, match=f"standard-v1 has not {WIDTH + 1} numbers"):
        store.read_features(transaction, longer, None, FIRST, LAST)


def test_latest_vector_and_history(transaction: Transaction) -> None:
    rows = rows_of(NAMES, DAYS)
    write(transaction, rows)
    own = rows.take(np.flatnonzero(rows.symbols == "BBB"))
    assert equal(store.symbol_history(transaction, STANDARD, "BBB"), own)
    part = store.symbol_history(transaction, STANDARD, "BBB", DAYS[3].item(), DAYS[5].item())
    assert equal(part, own.take(np.arange(3, 6)))
    last = len(own) - 1
    assert equal(store.latest_vector(transaction, STANDARD, "BBB"), own.take(np.array([last])))
    sunday = store.latest_vector(transaction, STANDARD, "BBB", date(2024, 3, 10))
    assert sunday.days.tolist() == [date(2024, 3, 8)]
    assert len(store.latest_vector(transaction, STANDARD, "none")) == 0


def test_point_in_time_takes_the_last_vector_of_a_week(transaction: Transaction) -> None:
    rows = rows_of(["AAA", "BBB"], DAYS)
    write(transaction, rows)
    asked = [
        ("BBB", "2024-03-10", "2024-03-08"),  # a Sunday
        ("AAA", "2024-03-08", "2024-03-08"),
        ("AAA", "2024-02-29", "NaT"),  # before the first
        ("AAA", "2024-04-04", "2024-03-28"),
        ("AAA", "2024-04-05", "NaT"),  # more than a week after the last
        ("none", "2024-03-08", "NaT"),
        ("BBB", "2024-03-10", "2024-03-08"),
    ]
    symbols, days, expected = (np.array(part) for part in zip(*asked, strict=True))
    found = store.point_in_time(transaction, STANDARD, symbols, days.astype("datetime64[D]"))
    assert found.symbols.tolist() == symbols.tolist()
    assert found.days.astype(str).tolist() == expected.tolist()
    for number, (symbol, day) in enumerate(zip(symbols, found.days, strict=True)):
        if np.isnat(day):
            assert np.isnan(found.values[number]).all()
        else:
            (row,) = np.flatnonzero((rows.symbols == symbol) & (rows.days == day))
            assert found.values[number].tobytes() == rows.values[row].tobytes()


def test_a_training_frame_has_only_labels_that_were_known(transaction: Transaction) -> None:
    rows = rows_of(NAMES, DAYS)
    write(transaction, rows)
    value = np.arange(3.0 * len(DAYS)).reshape(3, len(DAYS))
    value[1, 2] = np.nan
    end = np.broadcast_to(XNYS.offset(DAYS, 5), value.shape).copy()
    end[1, 2] = np.datetime64("NaT")
    end[0, :] = XNYS.offset(DAYS, 1)  # AAA is hit the next day
    grid = LabelGrid(np.array(NAMES, dtype=object), DAYS, value, end)
    day = DAYS[9].item()
    frame = store.training_frame(transaction, STANDARD, None, FIRST, LAST, grid, as_of(day))
    expected = [
        (d, s) for j, d in enumerate(DAYS) for i, s in enumerate(NAMES)
        if j + (1 if s == "AAA" else 5) <= 9 and (i, j) != (1, 2)
    ]  # fmt: skip
    assert list(zip(frame.rows.days, frame.rows.symbols, strict=True)) == expected
    assert (frame.ends <= DAYS[9]).all()
    for number, (d, s) in enumerate(expected):
        i, j = NAMES.index(s), int(np.searchsorted(DAYS, d))
        assert frame.labels[number] == value[i, j]
        assert frame.rows.values[number].tobytes() == rows.values[j * 3 + i].tobytes()

    moment = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    before = store.training_frame(transaction, STANDARD, None, FIRST, LAST, grid, moment)
    assert (before.ends < DAYS[9]).all(), "what ends today is known at its end"
    unlisted = LabelGrid(grid.symbols[:1], DAYS[:2], value[:1, :2], end[:1, :2])
    known = store.training_frame(transaction, STANDARD, None, FIRST, LAST, unlisted, as_of(LAST))
    assert known.labels.tolist() == value[0, :2].tolist()
    with pytest.raises(ValueError, match="time zone"):
        store.training_frame(transaction, STANDARD, None, FIRST, LAST, grid, datetime(2024, 3, 9))


def test_the_view_has_a_column_per_feature(transaction: Transaction) -> None:
    rows = rows_of(NAMES, DAYS)
    write(transaction, rows)
    seen = transaction.read(
        Query("SELECT * FROM features.standard_v1 ORDER BY trading_day, symbol")
    )
    assert seen.columns == ["symbol", "trading_day", *STANDARD.columns]
    numbers = seen.select(pl.col(STANDARD.columns).fill_null(float("nan"))).to_numpy()
    np.testing.assert_array_equal(numbers, rows.values)


def test_a_reader_reads_and_does_not_write(database_url: str, transaction: Transaction) -> None:
    with Database(url=database_url).transaction(READER) as reader:
        assert len(store.read_features(reader, STANDARD, None, FIRST, LAST)) == 0
        assert len(store.latest_vector(reader, STANDARD, "AAA")) == 0
        with pytest.raises(Exception, match="permission denied"):
            write(reader, rows_of(NAMES, DAYS))
