"""A suite of rules as Dagster asset checks: one step per table."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import numpy as np

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.engine.adapter import evaluate
from predtrack_assets.checks.engine.profiles import ProfileOf, recent_days
from predtrack_assets.checks.engine.rules import Rule
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import window
from predtrack_assets.warehouse.database.transaction import READER, Transaction
from predtrack_assets.warehouse.tables import Table


@dataclass(frozen=True)
class Suite:
    """The rules of one table and the profile that they look at.

    daily: whether the profile has a row per trading day of the run's window. after: assets that
    the profile also reads and that the checks therefore wait for.
    """

    table: Table
    profile: ProfileOf
    rules: tuple[Rule, ...]
    daily: bool = True
    after: tuple[dg.AssetKey, ...] = ()

    @property
    def asset(self) -> dg.AssetKey:
        return dg.AssetKey([self.table.schema, self.table.name])


def build_check(suite: Suite) -> dg.AssetChecksDefinition:
    """All checks of one table in one step, over one profile."""

    @dg.multi_asset_check(
        name=f"check_{suite.table.name}",
        specs=[rule.spec(suite.asset, suite.after) for rule in suite.rules],
        description=f"Checks of {suite.table} over one row per trading day of the run.",
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult]:
        asked = {key.name for key in context.selected_asset_check_keys}
        rules = [rule for rule in suite.rules if rule.name in asked]
        with warehouse.transaction(READER) as transaction:
            profile = suite.profile(transaction, _days(context, transaction, suite))
        yield from evaluate(suite.asset, rules, profile)

    return check


def _days(context: dg.AssetCheckExecutionContext, transaction: Transaction, suite: Suite) -> Days:
    """The run's trading days; the latest ones when checks are run by hand, for no day at all."""
    if not suite.daily:
        return np.array([], "datetime64[D]")
    if context.has_partition_key or context.has_partition_key_range:
        return window(context).days
    return recent_days(transaction, suite.table)
