"""The feature store: vectors of every symbol and day, written, read and joined as of a day.

Vectors travel as they are stored, little-endian float64 in a bytea, so that reading them is copying.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from predtrack_assets.domain.features.feature_set import MARKET_REGIMES, FeatureSet, MarketContext
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.time.calendar import Calendar, as_of_array, calendar
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.read_ahead import ahead
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import Epoch, read_panel

NUMBER = np.dtype("<f8")
CONDITIONS_LAST = 7  # calendar days that the market's condition stays in force
VECTORS_LAST = 7  # calendar days that a vector stays in force
UNWANTED = -1
NOT_A_DAY = np.datetime64("NaT", "D")

ENTITIES = {
    "place": "int", "symbol": "text", "feature_set": "text", "since": "date", "day": "date",
}  # fmt: skip
_VECTORS = {"symbol": "text", "trading_day": "date", "feature_set": "text", "vector": "bytea"}

_IN_CELLS = Query("""
    SELECT (c.place - 1)::int AS place, f.trading_day, f.vector
    FROM unnest(:symbols::text[]) WITH ORDINALITY AS c (symbol, place)
    JOIN features.feature_store f
        ON f.symbol = c.symbol AND f.feature_set = :feature_set
        AND f.trading_day BETWEEN :first AND :last
""")
_IS_EMPTY = Query("""
    SELECT NOT EXISTS (SELECT FROM features.feature_store
        WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
          AND feature_set = :feature_set)
""")
_LATEST = Query("""
    SELECT 0 AS place, trading_day, vector FROM features.feature_store
    WHERE symbol = :symbol AND feature_set = :feature_set AND trading_day <= :last
    ORDER BY trading_day DESC LIMIT 1
""")
_HISTORY = Query("""
    SELECT 0 AS place, trading_day, vector FROM features.feature_store
    WHERE symbol = :symbol AND feature_set = :feature_set AND trading_day BETWEEN :first AND :last
    ORDER BY trading_day
""")
AS_OF = Query("""
    SELECT e.place, f.trading_day, f.vector
    FROM pg_temp.feature_entities e CROSS JOIN LATERAL (
        SELECT trading_day, vector FROM features.feature_store
        WHERE symbol = e.symbol AND trading_day BETWEEN e.since AND e.day
          AND feature_set = e.feature_set
        ORDER BY trading_day DESC LIMIT 1) f
""")
_UPSERT = Query("""
    WITH written AS (
        INSERT INTO features.feature_store (symbol, trading_day, feature_set, vector)
        SELECT symbol, trading_day, feature_set, vector FROM pg_temp.feature_vectors
        ON CONFLICT (symbol, trading_day, feature_set)
            DO UPDATE SET vector = excluded.vector, recorded_at = now()
        RETURNING 1)
    SELECT count(*) AS rows FROM written
""")
_DELETE = Query("""
    WITH gone AS (
        DELETE FROM features.feature_store f USING pg_temp.feature_entities e
        WHERE f.symbol = e.symbol AND f.trading_day = e.day AND f.feature_set = e.feature_set
        RETURNING 1)
    SELECT count(*) AS rows FROM gone
""")
_CONDITIONS = Query("""
    SELECT trading_day, market_regime, vix_level, market_breadth, daily_return
    FROM market.market_conditions WHERE trading_day BETWEEN :first AND :last
    ORDER BY trading_day
""")


@dataclass(frozen=True)
class FeatureRows:
    """Vectors in the order of day and symbol, unless a function says otherwise.

    symbols: (n,) of str. days: (n,) datetime64[D]. values: float64 (n, features), C-contiguous, NaN
    where unknown.
    """

    symbols: np.ndarray
    days: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.days)

    def take(self, rows: np.ndarray) -> FeatureRows:
        """Those rows, in that order."""
        return FeatureRows(self.symbols[rows], self.days[rows], self.values[rows])


class LabelsLike(Protocol):
    """`domain.labels.Labels`: value (symbols, sessions), NaN unknown; end datetime64[D], known by."""

    @property
    def value(self) -> np.ndarray: ...
    @property
    def end(self) -> np.ndarray: ...


@dataclass(frozen=True)
class LabelGrid:
    """Labels beside their axes. symbols: sorted. sessions: sorted datetime64[D].

    value: float64 (symbols, sessions), NaN unknown. end: datetime64[D], when it became known.
    """

    symbols: np.ndarray
    sessions: np.ndarray
    value: np.ndarray
    end: np.ndarray


@dataclass(frozen=True)
class TrainingFrame:
    """Features beside their outcomes. labels: float64 (n,). ends: datetime64[D] (n,)."""

    rows: FeatureRows
    labels: np.ndarray
    ends: np.ndarray


def read_market(
    transaction: Transaction, benchmark: str, exchange: Calendar, first: date, epoch: Epoch
) -> MarketContext:
    """Benchmark and market conditions on the sessions of `exchange`, as known at the epoch's end."""
    sessions = exchange.between(first, epoch.last)
    since = first - timedelta(days=CONDITIONS_LAST)
    conditions = transaction.read(_CONDITIONS, first=since, last=epoch.last)
    days = conditions["trading_day"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(days, sessions, side="right") - 1
    found = row >= 0
    found[found] = (sessions[found] - days[row[found]]).astype(int) < CONDITIONS_LAST

    def aligned(numbers: np.ndarray) -> np.ndarray:
        result = np.full(len(sessions), np.nan)
        result[found] = numbers[row[found]]
        return result

    codes = {name: float(code) for code, name in enumerate(MARKET_REGIMES)}
    regimes = conditions["market_regime"].replace_strict(codes, return_dtype=pl.Float64)
    return MarketContext(
        exchange=exchange,
        benchmark_return=_benchmark_return(
            transaction, benchmark, sessions, first, epoch, conditions
        ),
        market_breadth=aligned(conditions["market_breadth"].cast(pl.Float64).to_numpy()),
        market_regime=aligned(regimes.to_numpy()),
        vix_level=aligned(conditions["vix_level"].cast(pl.Float64).to_numpy()),
    )


def _benchmark_return(
    transaction: Transaction,
    benchmark: str,
    sessions: Days,
    first: date,
    epoch: Epoch,
    conditions: pl.DataFrame,
) -> np.ndarray:
    """Log return over one session of its own exchange, where that is one of `sessions`.

    Of a home without the benchmark that of the equal-weight index which its `conditions` describe.
    """
    result = np.full(len(sessions), np.nan)
    registered = transaction.read(market_queries.SYMBOLS).filter(pl.col("symbol") == benchmark)
    if registered.is_empty():
        days = conditions["trading_day"].to_numpy().astype("datetime64[D]")
        shared = np.isin(days, sessions)
        returns = conditions["daily_return"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        result[np.searchsorted(sessions, days[shared])] = returns[shared]
        return result
    own = calendar(registered["exchange"].item())
    panel = read_panel(transaction, [benchmark], own, first, epoch)
    if not len(panel.symbols):
        return result
    close, split = panel.close[0], panel.split[0]
    step = np.log(close[1:] * split[1:] / close[:-1])
    column = np.searchsorted(sessions, panel.sessions[1:])
    shared = np.isin(panel.sessions[1:], sessions)
    result[column[shared]] = step[shared]
    return result


def write_features(
    transaction: Transaction,
    feature_set: FeatureSet,
    rows: FeatureRows,
    symbols: list[str],
    first: date,
    last: date,
) -> Written:
    """Make the vectors of `symbols` on [first, last] equal to `rows`, in any order."""
    transaction.lock(tables.FEATURE_STORE)
    cell = {"symbols": symbols, "first": first, "last": last, "feature_set": feature_set.id}
    if transaction.read(_IS_EMPTY, **cell).item():
        transaction.copy(tables.FEATURE_STORE, _arrow(feature_set, rows))
        return Written(inserted=len(rows))
    stored = read_features(transaction, feature_set, symbols, first, last)
    key, stored_key = _keys(rows, symbols), _keys(stored, symbols)
    old = np.searchsorted(stored_key, key)  # stored rows are in the order of their keys
    known = np.isin(key, stored_key)
    bits = rows.values.view(np.int64), stored.values.view(np.int64)
    differs = known.copy()
    differs[known] = (bits[0][known] != bits[1][old[known]]).any(axis=1)
    chosen = np.flatnonzero(~known | differs)
    if len(chosen):
        staged = _arrow(feature_set, rows.take(chosen))
        transaction.stage("feature_vectors", _VECTORS, staged)
        transaction.read(_UPSERT)
    gone = stored.take(np.flatnonzero(~np.isin(stored_key, key)))
    if len(gone):
        staged = entities(feature_set, gone.symbols, gone.days)
        transaction.stage("feature_entities", ENTITIES, staged)
        transaction.read(_DELETE)
    inserted, updated = int((~known).sum()), int(differs.sum())
    return Written(inserted, updated, len(gone), len(rows) - inserted - updated)


def _keys(rows: FeatureRows, symbols: list[str]) -> np.ndarray:
    """One integer per row that sorts like (day, symbol)."""
    names = np.array(sorted(symbols), dtype=object)
    return rows.days.astype(np.int64) * len(names) + np.searchsorted(names, rows.symbols)


def _arrow(feature_set: FeatureSet, rows: FeatureRows) -> pa.Table:
    """The rows as the store has them; the vectors are not copied."""
    n, width = rows.values.shape
    numbers = np.ascontiguousarray(rows.values, dtype=NUMBER)
    vectors = pa.Array.from_buffers(pa.binary(8 * width), n, [None, pa.py_buffer(numbers)])
    return pa.table(
        {
            "symbol": pa.array(rows.symbols, pa.string()),
            "trading_day": pa.array(rows.days.astype("datetime64[D]")),
            "feature_set": pa.repeat(feature_set.id, n),
            "vector": vectors,
        }
    )


def feature_frame(feature_set: FeatureSet, rows: FeatureRows) -> pl.DataFrame:
    """symbol, trading_day, feature_set and vector (binary), as features.feature_store has them."""
    return pl.DataFrame(pl.from_arrow(_arrow(feature_set, rows)))


def entities(feature_set: FeatureSet, symbols: np.ndarray, days: np.ndarray) -> pa.Table:
    """Asked (symbol, day) as ENTITIES, for AS_OF."""
    days = days.astype("datetime64[D]")
    return pa.table(
        {
            "place": np.arange(len(days), dtype=np.int32),
            "symbol": pa.array(symbols, pa.string()),
            "feature_set": pa.repeat(feature_set.id, len(days)),
            "since": pa.array(days - VECTORS_LAST),
            "day": pa.array(days),
        }
    )


def read_features(
    transaction: Transaction,
    feature_set: FeatureSet,
    symbols: list[str] | None,
    first: date,
    last: date,
) -> FeatureRows:
    """Vectors of `symbols` (all with None) on [first, last], by day and symbol.

    Raises ValueError when a stored vector has another length than the set's.
    """
    names = _names(transaction, symbols)
    cells = _cells(feature_set, names, first, last)
    found = transaction.read_arrow_copied(_IN_CELLS, **cells)
    place, days = _column(found, "place"), _column(found, "trading_day").astype("datetime64[D]")
    order = np.lexsort((place, days))
    target = np.empty_like(order)
    target[order] = np.arange(len(order))
    values = _values(found, feature_set, len(order), target)
    return FeatureRows(names[place[order]], days[order], values)


def _names(transaction: Transaction, symbols: list[str] | None) -> np.ndarray:
    """The symbols, sorted, that the places of _IN_CELLS number; None: all there are."""
    if symbols is None:
        symbols = transaction.read(market_queries.SYMBOLS)["symbol"].to_list()
    return np.array(sorted(set(symbols)), dtype=object)


def _cells(feature_set: FeatureSet, names: np.ndarray, first: date, last: date) -> dict[str, Any]:
    """Parameters of _IN_CELLS."""
    return {
        "symbols": names.tolist(),
        "feature_set": feature_set.id,
        "first": first,
        "last": last,
    }


def latest_vector(
    transaction: Transaction, feature_set: FeatureSet, symbol: str, last: date = date.max
) -> FeatureRows:
    """The last vector of a symbol up to a day: one row, or none."""
    named = {"symbol": symbol, "feature_set": feature_set.id, "last": last}
    return _of_one(feature_set, symbol, transaction.read_arrow(_LATEST, **named))


def symbol_history(
    transaction: Transaction,
    feature_set: FeatureSet,
    symbol: str,
    first: date = date.min,
    last: date = date.max,
) -> FeatureRows:
    """All vectors of a symbol on [first, last], by day."""
    named = {"symbol": symbol, "feature_set": feature_set.id, "first": first, "last": last}
    return _of_one(feature_set, symbol, transaction.read_arrow(_HISTORY, **named))


def _of_one(feature_set: FeatureSet, symbol: str, found: pa.Table) -> FeatureRows:
    days = _column(found, "trading_day").astype("datetime64[D]")
    values = _values(found, feature_set, len(days), np.arange(len(days)))
    return FeatureRows(np.full(len(days), symbol, dtype=object), days, values)


def point_in_time(
    transaction: Transaction, feature_set: FeatureSet, symbols: np.ndarray, days: np.ndarray
) -> FeatureRows:
    """For each asked (symbol, day), in that order, its last vector up to the day.

    symbols: (n,) of str; days: (n,) datetime64[D]. The result's days are those of the vectors; where
    there is none of the last VECTORS_LAST days, its day is NaT and its values are NaN.
    """
    asked = entities(feature_set, symbols, days)
    # In the order of the key, so that neighbours share their pages.
    code = asked["symbol"].combine_chunks().dictionary_encode().indices.to_numpy()
    asked = asked.take(pa.array(np.lexsort((days, code))))
    transaction.stage("feature_entities", ENTITIES, asked)
    found = transaction.read_arrow(AS_OF)
    place = _column(found, "place")
    found_days = np.full(len(days), NOT_A_DAY)
    found_days[place] = _column(found, "trading_day").astype("datetime64[D]")
    values = _values(found, feature_set, len(days), place)
    return FeatureRows(np.asarray(symbols, dtype=object), found_days, values)


def label_grid(panel: Panel, label: Callable[[Panel], LabelsLike]) -> LabelGrid:
    """The labels of a panel that was read as of some moment, beside its axes."""
    labels = label(panel)
    return LabelGrid(panel.symbols, panel.sessions, labels.value, labels.end)


def training_frame(
    transaction: Transaction,
    feature_set: FeatureSet,
    symbols: list[str] | None,
    first: date,
    last: date,
    label: LabelGrid,
    as_of: datetime,
) -> TrainingFrame:
    """Vectors on [first, last], each as of its own day, beside the labels that were known by `as_of`.

    label: computed from bars as known at `as_of`. Rows without a label, or whose label ends after
    `as_of`, are absent. By day and symbol. Raises ValueError for an `as_of` without a time zone.
    """
    if as_of.tzinfo is None:
        raise ValueError("as_of needs a time zone")
    moment = np.datetime64(
        pl.Series([as_of]).dt.convert_time_zone("UTC").dt.replace_time_zone(None)[0]
    )
    known = ~np.isnan(label.value) & (as_of_array(label.end) <= moment)
    known &= (label.sessions >= np.datetime64(first)) & (label.sessions <= np.datetime64(last))
    asked = label.sessions[known.any(axis=0)]
    start, stop = (asked[0], asked[-1]) if len(asked) else (np.datetime64(first),) * 2
    names = _names(transaction, symbols)
    cells = _cells(feature_set, names, start.item(), stop.item())
    own_row, is_asked = _find(names, label.symbols)
    column, row = np.nonzero(known.T & is_asked)  # by day and symbol
    # Each vector's place is known before it comes, so it is put there while the next are sent.
    place = np.full((len(names), int((stop - start).astype(int)) + 1), UNWANTED)
    place[own_row[row], (label.sessions[column] - start).astype(int)] = np.arange(len(row))
    values = np.empty((len(row) + 1, len(feature_set.columns)))  # the last for what is UNWANTED
    found = np.zeros(len(values), dtype=bool)
    for part in ahead(transaction.read_parts(_IN_CELLS, **cells)):
        day = (_column(part, "trading_day").astype("datetime64[D]") - start).astype(int)
        target = place[_column(part, "place"), day]
        _put(values, part.column("vector"), feature_set, target)
        found[target] = True
    values, found = values[:-1], found[:-1]
    if not found.all():
        row, column, values = row[found], column[found], values[found]
    rows = FeatureRows(label.symbols[row], label.sessions[column], values)
    return TrainingFrame(rows, label.value[row, column], label.end[row, column])


def _find(axis: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of `wanted` on a sorted axis, and whether they are there."""
    place = np.minimum(np.searchsorted(axis, wanted), max(len(axis) - 1, 0))
    return place, axis[place] == wanted if len(axis) else np.zeros(len(wanted), dtype=bool)


def _column(table: pa.Table | pa.RecordBatch, name: str) -> np.ndarray:
    return table.column(name).to_numpy(zero_copy_only=False)


def _values(found: pa.Table, feature_set: FeatureSet, rows: int, target: np.ndarray) -> np.ndarray:
    """The vectors of `found` as the rows `target` of a matrix, NaN in its other rows."""
    values = np.empty((rows, len(feature_set.columns)))
    if len(target) < rows:
        values[:] = np.nan
    start = 0
    for chunk in found.column("vector").chunks:
        _put(values, chunk, feature_set, target[start : start + len(chunk)])
        start += len(chunk)
    return values


def _put(
    values: np.ndarray, vectors: pa.Array, feature_set: FeatureSet, target: np.ndarray
) -> None:
    """Copy vectors to the rows `target` of `values`."""
    width = len(feature_set.columns)
    _, offsets, data = vectors.buffers()
    bounds = np.frombuffer(offsets, np.int32)[vectors.offset : vectors.offset + len(vectors) + 1]
    if len(vectors) and not (np.diff(bounds) == 8 * width).all():
        raise ValueError(f"a vector of {feature_set.id} has not {width} numbers")
    numbers = np.frombuffer(data, NUMBER, len(vectors) * width, int(bounds[0]))
    values[target] = numbers.reshape(len(vectors), width)
