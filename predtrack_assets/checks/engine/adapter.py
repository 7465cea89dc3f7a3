"""From a profile and its rules to asset check results, by a Great Expectations suite.

Great Expectations takes seconds to import, so it is imported when a check runs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import polars as pl

from predtrack_assets.checks.engine.rules import Rule

MAX_SAMPLES = 20
_OF_THREAD = threading.local()


class CheckError(RuntimeError):
    """A rule could not be evaluated, which says nothing about the data."""


@dataclass(frozen=True)
class Profile:
    """What rules look at. frame: its first column tells rows apart (a day), the others are measures.

    notes: metadata for single checks, by the check's name.
    """

    frame: pl.DataFrame
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def evaluate(
    asset: dg.AssetKey, rules: Sequence[Rule], profile: Profile
) -> list[dg.AssetCheckResult]:
    """One result per rule, in their order. Raises CheckError when a rule cannot be evaluated."""
    results = _validate(rules, profile.frame)
    return [
        dg.AssetCheckResult(
            asset_key=asset,
            check_name=rule.name,
            passed=bool(results[rule.name].success),
            severity=rule.severity,
            metadata={
                **_metadata(results[rule.name].result, profile.frame),
                **profile.notes.get(rule.name, {}),
            },
        )
        for rule in rules
    ]


def _validate(rules: Sequence[Rule], frame: pl.DataFrame) -> dict[str, Any]:
    """The result of each rule by its name, with the rows that failed where some did.

    To ask for those rows takes as long again as to count them, and most rules hold.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import
    index = frame.columns[0]
    rows = frame.with_columns(pl.col(index).cast(pl.String)).to_pandas()
    batch = _whole_frame().get_batch({"dataframe": rows})
    found = dict(_results(batch, rules, {"result_format": "BASIC"}))
    failed = [r for r in rules if not found[r.name].success or _unexpected(found[r.name].result)]
    if failed:
        # SUMMARY and BASIC drop the rows that failed.
        wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": [index]}
        found |= dict(_results(batch, failed, wanted))
    return found


def _unexpected(result: Mapping[str, Any]) -> int:
    return int(result.get("unexpected_count") or 0)


def _results(
    batch: Any, rules: Sequence[Rule], result_format: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """(name, result) of each rule. Results come in an order of their own, so they carry the name."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    suite = gx.ExpectationSuite(
        name="rules",
        expectations=[
            ExpectationConfiguration(
                type=rule.expectation, kwargs=dict(rule.kwargs), meta={"check": rule.name}
            ).to_domain_obj()
            for rule in rules
        ],
    )
    for result in batch.validate(suite, result_format=dict(result_format)).results:
        name = result.expectation_config.meta["check"]
        _raise_exception_of(name, result.exception_info)
        yield name, result


def _whole_frame() -> Any:
    """The batch definition through which frames are validated, one for each thread.

    To make a context and its source takes as long as to check a table; a shared one is not
    safe for concurrent runs.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    if not hasattr(_OF_THREAD, "definition"):
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("profile")
        _OF_THREAD.definition = asset.add_batch_definition_whole_dataframe("all")
    return _OF_THREAD.definition


def _raise_exception_of(name: str, info: Mapping[str, Any]) -> None:
    """Great Expectations catches what an expectation raises; here it is raised again.

    info holds one exception, or one for each of the metrics that an expectation is made of.
    """
    for part in (info, *(v for v in info.values() if isinstance(v, Mapping))):
        if part.get("raised_exception"):
            raise CheckError(
                f"{name}: {part.get('exception_message')}\n{part.get('exception_traceback')}"
            )


def _metadata(result: Mapping[str, Any], frame: pl.DataFrame) -> dict[str, Any]:
    """Rows looked at, rows that failed and the first of them; or the value that was observed."""
    metadata: dict[str, Any] = {"rows_checked": len(frame)}
    if "observed_value" in result:
        metadata["observed"] = str(result["observed_value"])
    failures = result.get("unexpected_index_list") or []
    if "unexpected_count" in result:
        metadata["rows_failed"] = int(result["unexpected_count"])
    if failures:
        samples = [{k: str(v) for k, v in row.items()} for row in failures[:MAX_SAMPLES]]
        metadata["samples"] = markdown(
            pl.DataFrame(samples).select(sorted(samples[0], reverse=True))
        )
    return metadata


def markdown(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """A small frame as a table that the UI shows."""
    lines = [frame.columns, ["---"] * frame.width, *frame.cast(pl.String).fill_null("").rows()]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))
