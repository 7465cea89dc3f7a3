"""What a materialization shows in the UI: numbers of each partition, counts of the write, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.execution.context.metadata_logging import (
    AssetMetadataHandle,
    OutputMetadataAccumulator,
)

from predtrack_assets.days import Window
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.warehouse.database.transaction import Database, Written
from predtrack_assets.warehouse.forecasts.stored_rows import rows_per_day
from predtrack_assets.warehouse.row_counts import count_rows
from predtrack_assets.warehouse.tables import Table

ROWS = "dagster/partition_row_count"


def materialized(
    written: Written,
    asset_key: list[str] | None = None,
    per_day: pl.DataFrame | None = None,
    **metadata: Any,
) -> dg.MaterializeResult:
    """A materialization that carries the counts of a write, and `metadata`.

    per_day: `day` and numbers, of which each partition shows its own; the Plots tab draws them. Of
    a range the counts and `metadata` are the whole run's: they stand on its last partition, with
    the days that they are of, because Dagster would repeat them on each.
    """
    context = dg.AssetExecutionContext.get()
    shown_once = {**written.as_metadata(), **metadata}
    if per_day is not None:
        numbers = {
            str(row.pop("day")): {name: value for name, value in row.items() if value is not None}
            for row in per_day.to_dicts()
        }
        _attach_per_partition(context, asset_key, numbers)
    if not context.has_partition_key_range:
        return dg.MaterializeResult(asset_key=asset_key, metadata=shown_once)
    asked = context.partition_key_range
    if asked.start == asked.end:
        return dg.MaterializeResult(asset_key=asset_key, metadata=shown_once)
    shown_once["partitions_of_the_run"] = f"{asked.start} to {asked.end}"
    last = _last_partition(context)
    context.add_asset_metadata(shown_once, asset_key=asset_key, partition_key=last)
    return dg.MaterializeResult(asset_key=asset_key)


def rows_of_partitions(warehouse: Database, table: Table, asked: Window) -> pl.DataFrame:
    """`day` and the rows that the table holds of it, for each trading day of a window."""
    rows = warehouse.read(rows_per_day(table), first=asked.start, last=asked.end)
    days = pl.DataFrame({"day": pl.Series(asked.days).cast(pl.Date)})
    counted = days.join(rows, on="day", how="left", maintain_order="left")
    return counted.select("day", pl.col("rows").fill_null(0).alias(ROWS))


def rows_of_table(warehouse: Database, table: Table) -> dict[str, Any]:
    """The rows of a whole table, as metadata of an asset without partitions."""
    return {"dagster/row_count": warehouse.read(count_rows(table)).item()}


def shown(picture: Picture) -> dg.MarkdownMetadataValue:
    """A picture, or the sentence in its place, as metadata."""
    return dg.MetadataValue.md(picture.markdown)


def attach(
    context: dg.AssetExecutionContext, plots: Mapping[str, Picture | dg.MarkdownMetadataValue]
) -> None:
    """Add plots, or tables as Markdown, to the materialization of the run's last partition only.

    Dagster repeats a materialization's own metadata for every day of a range, and a picture on each
    of 5,000 days would be hundreds of megabytes.
    """
    last = _last_partition(context)
    metadata = {n: shown(p) if isinstance(p, Picture) else p for n, p in plots.items()}
    context.add_asset_metadata(metadata, partition_key=last)


def _last_partition(context: dg.AssetExecutionContext) -> str | None:
    """The last partition of the run; None where it has none. A range may end on a holiday."""
    if not context.has_partition_key_range:
        return None
    keys = context.partition_keys
    return keys[-1] if keys else None


def _attach_per_partition(
    context: dg.AssetExecutionContext,
    asset_key: list[str] | None,
    numbers: Mapping[str, Mapping[str, float]],
) -> None:
    """`context.add_asset_metadata` of many partitions at once: one call each is quadratic in them."""
    step = context.get_step_execution_context()
    key = dg.AssetKey(asset_key) if asset_key else context.asset_key
    held = dict(step._metadata_accumulator.per_output_metadata)
    for partition, values in numbers.items():
        handle = AssetMetadataHandle(asset_key=key, partition_key=partition)
        held[handle] = {**held.get(handle, {}), **values}
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=held)
