"""What is measured of the feature store: computing, writing, reading, joining as of a day."""

from __future__ import annotations

import time
from collections.abc import Iterator

from psycopg import sql

from benchmarks.floor import Floor
from benchmarks.lines import PEAK_LIMIT_MB, Line, Options, line, simulated, span
from benchmarks.sandbox import Database, Sandbox
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.warehouse.tables import FEATURE_STORE

SIZES = {"features_store": (554, 5_100), "features_store_1030": (1_130, 5_000)}
"""Symbols and sessions: as many rows as 505 x 5,100 and 1,030 x 5,000, as some list late."""
ROUNDS = 2  # of product and floor in turn; the best of each counts
TRAINED_SYMBOLS = 220  # a million rows
WHOLE_SYMBOLS, SESSIONS = 1_030, 5_000
JOINED = 1_000_000
COPY_LIMIT, FRAME_LIMIT, JOIN_LIMIT, TALIB_LIMIT = 2.5, 2.0, 1.5, 1.5  # times the reference
TRAINING_LIMIT = 0.2  # of the time without a store
LATEST_LIMIT, HISTORY_LIMIT = 0.005, 0.020  # seconds
WHOLE_LIMIT = 15 / 5_000_000  # seconds a row
ALPHA158 = 175 / 158  # seconds a column, Qlib's handler on the same 2.3 million bars
COMPUTED = ["features_talib", "features_whole", "features_file"]
TRAINING_PARTS = ["features_read_s", "features_computed_s", "bars_read_s"]
READ = ["training_frame", "latest_vector", "feature_history"]
JOINS = [f"pit_join_{size}" for size in (JOINED // 10, JOINED)]
STORED = ["features_store", "features_rerun", *READ, *JOINS]
NAMES = [*COMPUTED, *STORED, "features_store_1030", "training_from_store"]


def feature_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Every case of the feature store that was asked for."""
    if options.any_of(COMPUTED):
        yield from _computed(box, options)
    if options.any_of(STORED):
        yield from _stored(box, options)
    if options.wanted("features_store_1030"):
        _, _, lines = _written(box, options, "features_store_1030")
        yield from lines
    if options.wanted("training_from_store"):
        yield _training(box, options)


def _computed(box: Sandbox, options: Options) -> Iterator[Line]:
    database = box.database("computed")
    symbols = max(1, round(WHOLE_SYMBOLS * options.scale))
    size = {"symbols": symbols, "sessions": SESSIONS}
    if options.wanted("features_talib"):
        options.say("features_talib: nine indicators")
        done = database.step("features_talib", **size)
        yield line("features_talib", **done, limit=TALIB_LIMIT)
    if options.wanted("features_whole"):
        options.say(f"features_whole: {len(STANDARD.columns)} features")
        done = database.step("features_whole", **size)
        limit = WHOLE_LIMIT * done["rows"]
        yield line("features_whole", **done, reference_s=limit, limit=1.0)
    if options.wanted("features_file") and options.prices:
        options.say("features_file: the price file")
        done = database.step("features_file", path=str(options.prices))
        columns = len(STANDARD.columns)
        more = {"columns_per_second": round(columns / done["product_s"], 2)}
        reference = ALPHA158 * columns
        more["peak_limit_mb"] = PEAK_LIMIT_MB
        yield line("features_file", **done, reference_s=reference, limit=0.1, **more)


def _written(
    box: Sandbox, options: Options, name: str
) -> tuple[Database, dict[str, str], list[Line]]:
    """Bars, and the asset over all days beside COPY of the same rows, in turn; then it again."""
    symbols, sessions = SIZES[name]
    database = simulated(box, name, symbols, options)
    first, last = span(sessions)
    window = {"first": first, "last": last}
    options.say(f"{name}: bars to compute features from")
    database.step("ingest", **window)
    done, floors = [], []
    for turn in range(ROUNDS):  # the first one makes the files of the server's log
        if turn:
            with database.connect() as connection:
                connection.execute("TRUNCATE features.feature_store")
        options.say(f"{name}: the asset over all days")
        done.append(database.step("run_asset", asset="feature_store", **window))
        floor = Floor(database, box.home / f"{name}_{turn}.copy", FEATURE_STORE)
        options.say(f"{name}: COPY of the same rows into an empty table")
        floors.append(floor.seconds(box))
        floor.path.unlink()
    rows = done[-1]["rows_changed"]
    common = {"rows": rows, "reference_s": min(floors), "peak_limit_mb": PEAK_LIMIT_MB}
    lines = []
    if options.wanted(name):
        every: Line = {
            "product_all_s": [round(step["product_s"], 2) for step in done],
            "reference_all_s": [round(seconds, 2) for seconds in floors],
        }
        best = min(done, key=lambda step: step["product_s"])
        lines.append(line(name, **best, **common, **every, limit=COPY_LIMIT))
    if name == "features_store" and options.wanted("features_rerun"):
        options.say("features_rerun: the same again")
        again = database.step("run_asset", asset="feature_store", **window)
        lines.append(line("features_rerun", **again, **common, limit=COPY_LIMIT))
    return database, window, lines


def _training(box: Sandbox, options: Options) -> Line:
    """What a monthly fit learns from, with and without a store."""
    database = simulated(box, "training", TRAINED_SYMBOLS, options)
    first, last = span()
    window = {"first": first, "last": last}
    options.say("training_from_store: bars and features")
    database.step("ingest", **window)
    database.step("run_asset", asset="feature_store", **window)
    options.say("training_from_store: what a fit learns from, and a fit")
    done = database.step("training_from_store", **window)
    parts = {name: round(done.pop(name), 2) for name in [*TRAINING_PARTS, "fit_s"]}
    whole = (done["product_s"] + parts["fit_s"]) / (done["reference_s"] + parts["fit_s"])
    more = {**parts, "ratio_with_fit": round(whole, 3)}
    return line("training_from_store", **done, **more, limit=TRAINING_LIMIT)


def _stored(box: Sandbox, options: Options) -> Iterator[Line]:
    database, window, lines = _written(box, options, "features_store")
    yield from lines
    if not options.any_of([*READ, *JOINS]):
        return
    options.say("features: reads and joins")
    joined = max(10, round(JOINED * options.scale))
    found = database.step("feature_reads", **window, rows=joined)
    peak = found.pop("peak_mb")
    names = found["training_frame"].pop("symbols")
    found["training_frame"]["reference_s"] = min(_copy_out(database, names) for _ in range(3))
    for name, limit in (("latest_vector", LATEST_LIMIT), ("feature_history", HISTORY_LIMIT)):
        if options.wanted(name):
            seconds = {**found[name], "reference_s": limit, "limit_unit": "s"}
            yield line(name, **seconds, limit=limit, peak_mb=peak)
    if options.wanted("training_frame"):
        yield line("training_frame", **found["training_frame"], limit=FRAME_LIMIT, peak_mb=peak)
    for name, size in zip(JOINS, (joined // 10, joined), strict=True):
        if options.wanted(name):
            yield line(name, **found[f"pit_join_{size}"], limit=JOIN_LIMIT, peak_mb=peak)


def _copy_out(database: Database, symbols: list[str]) -> float:
    """Seconds of a plain binary COPY of key and vector of those symbols, its bytes thrown away."""
    names = {
        "table": sql.Identifier(FEATURE_STORE.schema, FEATURE_STORE.name),
        "symbols": sql.Literal(symbols),
    }
    out = sql.SQL(
        "COPY (SELECT symbol, trading_day, vector FROM {table} WHERE symbol = ANY({symbols}))"
        " TO STDOUT (FORMAT binary)"
    ).format(**names)
    with database.connect() as connection, connection.cursor() as cursor:
        start = time.perf_counter()
        with cursor.copy(out) as rows:
            for _ in rows:
                pass
        return time.perf_counter() - start
