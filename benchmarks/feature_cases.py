"""What is measured of the feature store: computing, writing, reading, joining as of a day."""

from __future__ import annotations

import time
from collections.abc import Iterator

from psycopg import sql

from benchmarks.floor import Floor
from benchmarks.lines import PEAK_LIMIT_MB, Line, Options, line, simulated, span
from benchmarks.sandbox import Database, Sandbox
from predtrack_assets.domain.features import STANDARD
from predtrack_assets.warehouse.tables import FEATURE_STORE

SYMBOLS = 220  # a million rows
WHOLE_SYMBOLS, SESSIONS = 1_030, 5_000
JOINED = 1_000_000
COPY_LIMIT, FRAME_LIMIT, JOIN_LIMIT, TALIB_LIMIT = 2.5, 2.0, 1.5, 1.5  # times the reference
LATEST_LIMIT, HISTORY_LIMIT = 0.005, 0.020  # seconds
WHOLE_LIMIT = 15 / 5_000_000  # seconds a row
ALPHA158 = 175 / 158  # seconds a column, Qlib's handler on the same 2.3 million bars
COMPUTED = ["features_talib", "features_whole", "features_file"]
READ = ["training_frame", "latest_vector", "feature_history"]
JOINS = [f"pit_join_{size}" for size in (JOINED // 10, JOINED)]
NAMES = [*COMPUTED, "features_store", "features_rerun", *READ, *JOINS]


def feature_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Every case of the feature store that was asked for."""
    if options.any_of(COMPUTED):
        yield from _computed(box, options)
    if options.any_of([n for n in NAMES if n not in COMPUTED]):
        yield from _stored(box, options)


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


def _stored(box: Sandbox, options: Options) -> Iterator[Line]:
    database = simulated(box, "features", SYMBOLS, options)
    first, last = span()
    window = {"first": first, "last": last}
    options.say("features: bars to compute them from")
    database.step("ingest", **window)
    options.say("features_store: the asset over all days")
    done = database.step("run_asset", asset="feature_store", **window)
    floor = Floor(database, box.home / "features.copy", FEATURE_STORE)
    options.say("features_store: COPY of the same rows into an empty table")
    reference = floor.seconds(box)
    floor.path.unlink()
    common = {"rows": floor.rows, "reference_s": reference, "peak_limit_mb": PEAK_LIMIT_MB}
    if options.wanted("features_store"):
        yield line("features_store", **done, **common, limit=COPY_LIMIT)
    if options.wanted("features_rerun"):
        options.say("features_rerun: the same again")
        again = database.step("run_asset", asset="feature_store", **window)
        yield line("features_rerun", **again, **common, limit=None)
    if not options.any_of([*READ, *JOINS]):
        return
    options.say("features: reads and joins")
    joined = max(10, round(JOINED * options.scale))
    found = database.step("feature_reads", **window, rows=joined)
    peak = found.pop("peak_mb")
    copied = min(_copy_out(database) for _ in range(3))
    found["training_frame"]["reference_s"] = copied
    for name, limit in (("latest_vector", LATEST_LIMIT), ("feature_history", HISTORY_LIMIT)):
        if options.wanted(name):
            seconds = {**found[name], "reference_s": limit, "limit_unit": "s"}
            yield line(name, **seconds, limit=limit, peak_mb=peak)
    if options.wanted("training_frame"):
        yield line("training_frame", **found["training_frame"], limit=FRAME_LIMIT, peak_mb=peak)
    for name, size in zip(JOINS, (joined // 10, joined), strict=True):
        if options.wanted(name):
            yield line(name, **found[f"pit_join_{size}"], limit=JOIN_LIMIT, peak_mb=peak)


def _copy_out(database: Database) -> float:
    """Seconds of a plain binary COPY of key and vector, its bytes thrown away."""
    table = sql.Identifier(FEATURE_STORE.schema, FEATURE_STORE.name)
    out = sql.SQL("COPY {} (symbol, trading_day, vector) TO STDOUT (FORMAT binary)").format(table)
    with database.connect() as connection, connection.cursor() as cursor:
        start = time.perf_counter()
        with cursor.copy(out) as rows:
            for _ in rows:
                pass
        return time.perf_counter() - start
