"""From a profile and its rules to asset check results, by a Great Expectations suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.checks.engine.expectations import batch_of, great_expectations
from predtrack_assets.checks.engine.rules import BETWEEN, Rule

MAX_SAMPLES = 20


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
    bounds = [rule for rule in rules if _is_bound(rule)]
    others = [rule for rule in rules if not _is_bound(rule)]
    found = dict([*_bounded(bounds, profile.frame), *_others(others, profile.frame)])
    return [
        dg.AssetCheckResult(
            asset_key=asset,
            check_name=rule.name,
            passed=found[rule.name].passed,
            severity=rule.severity,
            metadata={
                "rows_checked": len(profile.frame),
                **found[rule.name].metadata,
                **profile.notes.get(rule.name, {}),
            },
        )
        for rule in rules
    ]


@dataclass(frozen=True)
class _Finding:
    passed: bool
    metadata: dict[str, Any]


def _is_bound(rule: Rule) -> bool:
    return rule.expectation == BETWEEN and rule.kwargs.keys() <= {
        "column",
        "min_value",
        "max_value",
    }


def _bounded(rules: Sequence[Rule], frame: pl.DataFrame) -> Iterator[tuple[str, _Finding]]:
    """Findings of rules that bound a column each.

    An expectation takes as long whatever its rows are. So columns with the same bounds are put one
    below the other and are one expectation, and the place of what it did not expect tells the rule.
    """
    together: dict[tuple[Any, Any], list[Rule]] = {}
    for rule in rules:
        limits = (rule.kwargs.get("min_value"), rule.kwargs.get("max_value"))
        together.setdefault(limits, []).append(rule)
    columns = {
        f"bound_{number}": pl.concat([_numbers(rule, frame) for rule in same])
        for number, same in enumerate(together.values())
    }
    longest = max(map(len, columns.values()), default=0)
    padded = pl.DataFrame(
        {
            name: values.extend_constant(None, longest - len(values))
            for name, values in columns.items()
        }
    )
    expectations = [
        Rule(name, "", BETWEEN, {"column": name, "min_value": low, "max_value": high})
        for name, (low, high) in zip(columns, together, strict=True)
    ]
    unexpected = dict(_results(padded, expectations, {"result_format": "COMPLETE"}))
    for name, same in zip(columns, together.values(), strict=True):
        places = np.array(unexpected[name].result.get("unexpected_index_list") or [], np.int64)
        number, row = np.divmod(places, max(len(frame), 1))
        for own, rule in enumerate(same):
            failed = row[number == own]
            metadata: dict[str, Any] = {"rows_failed": failed.size}
            if failed.size:
                shown = frame[failed[:MAX_SAMPLES]].select(frame.columns[0], rule.kwargs["column"])
                metadata["samples"] = markdown(shown)
            yield rule.name, _Finding(not failed.size, metadata)


def _numbers(rule: Rule, frame: pl.DataFrame) -> pl.Series:
    """The column that a rule bounds, float64. Raises CheckError where there is none of numbers."""
    column = rule.kwargs["column"]
    dtype = frame.schema.get(column)
    if dtype is None or not (dtype.is_numeric() or dtype == pl.Null):
        raise CheckError(f"{rule.name}: the profile has no column {column} of numbers")
    return frame[column].cast(pl.Float64)


def _others(rules: Sequence[Rule], frame: pl.DataFrame) -> Iterator[tuple[str, _Finding]]:
    """Findings of rules of any other expectation, on the columns as they are."""
    index = frame.columns[0]
    rows = frame.with_columns(pl.col(index).cast(pl.String))
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": [index]}
    for name, result in _results(rows, rules, wanted) if rules else ():
        yield name, _Finding(bool(result.success), _metadata(result.result))


def _results(
    frame: pl.DataFrame, rules: Sequence[Rule], result_format: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """(name, result) of each rule. Results come in an order of their own, so they carry the name."""
    gx = great_expectations()
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
    for result in batch_of(frame).validate(suite, result_format=dict(result_format)).results:
        name = result.expectation_config.meta["check"]
        _raise_exception_of(name, result.exception_info)
        yield name, result


def _raise_exception_of(name: str, info: Mapping[str, Any]) -> None:
    """Great Expectations catches what an expectation raises; here it is raised again.

    info holds one exception, or one for each of the metrics that an expectation is made of.
    """
    for part in (info, *(v for v in info.values() if isinstance(v, Mapping))):
        if part.get("raised_exception"):
            raise CheckError(
                f"{name}: {part.get('exception_message')}\n{part.get('exception_traceback')}"
            )


def _metadata(result: Mapping[str, Any]) -> dict[str, Any]:
    """Rows that failed and the first of them; or the value that was observed."""
    metadata: dict[str, Any] = {}
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
