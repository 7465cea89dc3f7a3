"""What a materialization says in the UI: counts of its write, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from predtrack_assets.reporting.plots.figures import Picture
from predtrack_assets.warehouse.database.transaction import Written


def materialized(
    written: Written, asset_key: list[str] | None = None, **metadata: Any
) -> dg.MaterializeResult:
    """A materialization that carries the counts of a write, and `metadata`."""
    return dg.MaterializeResult(asset_key=asset_key, metadata={**written.as_metadata(), **metadata})


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
    last = context.partition_key_range.end if context.has_partition_key_range else None
    metadata = {n: shown(p) if isinstance(p, Picture) else p for n, p in plots.items()}
    context.add_asset_metadata(metadata, partition_key=last)
