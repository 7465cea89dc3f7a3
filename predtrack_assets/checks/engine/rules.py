"""What a check expects: one Great Expectations expectation on one column of a profile, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

BETWEEN = "expect_column_values_to_be_between"


@dataclass(frozen=True)
class Rule:
    """One check. expectation and kwargs are Great Expectations' name of a rule and its arguments.

    A blocking rule is about structure: when it fails, what lies downstream is not computed.
    """

    name: str
    description: str
    expectation: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    blocking: bool = False

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        return dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN

    def spec(self, asset: dg.AssetKey, after: tuple[dg.AssetKey, ...] = ()) -> dg.AssetCheckSpec:
        """As Dagster declares it on an asset; it runs after the assets in `after` too."""
        return dg.AssetCheckSpec(
            self.name,
            asset=asset,
            description=self.description,
            blocking=self.blocking,
            additional_deps=after,
        )


def none(column: str, name: str, description: str) -> Rule:
    """A warning when the column counts anything on any day."""
    return Rule(name, description, BETWEEN, {"column": column, "min_value": 0, "max_value": 0})


def at_most(limit: float, column: str, name: str, description: str) -> Rule:
    """A warning when the column is above `limit` on any day."""
    return Rule(name, description, BETWEEN, {"column": column, "max_value": limit})


def structural(column: str, name: str, description: str) -> Rule:
    """A blocking check: the column must count nothing."""
    kwargs = {"column": column, "min_value": 0, "max_value": 0}
    return Rule(name, description, BETWEEN, kwargs, blocking=True)
