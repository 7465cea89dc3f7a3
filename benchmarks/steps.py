"""The measured steps, each in a process of its own: `python -m benchmarks.steps NAME OPTIONS`.

OPTIONS is a JSON object of keyword arguments; the last line of the output is a JSON object.
Settings come from the environment, as they do for the product. Imports are not measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from predtrack_assets.assets.market import prices
from predtrack_assets.partitions import TRADING_DAYS, day_asset
from predtrack_assets.settings import get_settings
from predtrack_assets.sources.routing import make_source
from predtrack_assets.warehouse.warehouse import Warehouse


def peak_mb() -> float:
    """Most memory this process has had, MiB (ru_maxrss is in KiB on Linux, bytes on macOS)."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def ingest(first: str, last: str) -> dict[str, Any]:
    """One Dagster run of the asset market_data over [first, last]."""
    seconds, result = _run([prices], first, last)
    written = next(
        event.materialization.metadata
        for event in result.get_asset_materialization_events()[:1]
    )
    counts = {key: int(value.value) for key, value in written.items() if key.startswith("rows_")}
    return {"seconds": seconds, "peak_mb": peak_mb(), **counts}


def source(first: str, last: str) -> dict[str, Any]:
    """The source alone, its batches thrown away."""
    vendor = make_source(get_settings())
    start = time.perf_counter()
    symbols = vendor.symbols() or []
    batches = vendor.fetch(symbols, date.fromisoformat(first), date.fromisoformat(last))
    rows = sum(len(batch.bars) for batch in batches)
    return {"seconds": time.perf_counter() - start, "rows": rows, "peak_mb": peak_mb()}


def orchestration(first: str, last: str) -> dict[str, Any]:
    """One run of two assets that do nothing, and the same two functions called plainly."""

    def upstream() -> dg.MaterializeResult:
        """Nothing, for every day."""
        return dg.MaterializeResult(metadata={"rows_inserted": 0})

    def downstream() -> dg.MaterializeResult:
        """Nothing, after the other nothing."""
        return dg.MaterializeResult(metadata={"rows_inserted": 0})

    start = time.perf_counter()
    upstream()
    downstream()
    plain = time.perf_counter() - start
    one = day_asset(schema="bench", code_version="1")(upstream)
    two = day_asset(schema="bench", code_version="1", deps=[one])(downstream)
    seconds, _ = _run([one, two], first, last)
    days = len(TRADING_DAYS.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
    return {"seconds": seconds, "plain_s": plain, "days": days, "peak_mb": peak_mb()}


def write_prices(first: str, last: str, path: str) -> dict[str, Any]:
    """The simulated market as a vendor's file: split-adjusted, with adj_close."""
    import pyarrow.parquet as pq

    from predtrack_assets.domain.actions import adjust

    start, end = date.fromisoformat(first), date.fromisoformat(last)
    vendor = make_source(get_settings())
    writer = None
    rows = 0
    for batch in vendor.fetch(vendor.symbols() or [], start, end):
        later = end + timedelta(days=1)
        total = adjust(batch.bars, batch.actions, later, "total_return")["close"].alias("adj_close")
        frame = adjust(batch.bars, batch.actions, later).with_columns(total)
        table = frame.rename({"trading_day": "date"}).to_arrow()
        writer = writer or pq.ParquetWriter(Path(path), table.schema)
        writer.write_table(table)
        rows += len(frame)
    if writer is not None:
        writer.close()
    return {"rows": rows}


def _run(
    assets: list[dg.AssetsDefinition], first: str, last: str
) -> tuple[float, dg.ExecuteInProcessResult]:
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    with dg.DagsterInstance.get() as instance:
        start, cpu = time.perf_counter(), time.process_time()
        result = dg.materialize(
            assets,
            instance=instance,
            resources={"warehouse": Warehouse()},
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "INFO"}}}},
        )
        seconds = time.perf_counter() - start
        print("CPU", time.process_time() - cpu, file=sys.stderr)
        return seconds, result


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step for step in (ingest, source, orchestration, write_prices)
}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](**json.loads(sys.argv[2]))))
