"""Leaving out of a backfill what has nothing new: docs/design/reruns.md says why that is sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from predtrack_assets.days import month_ends
from predtrack_assets.services.audit.input_versions import (
    code_and_settings,
    files_as_stored,
    prices_version,
)
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.audit.completed_steps import Completed, Span, StepRecords
from predtrack_assets.warehouse.database.footprints import WatchedDatabase
from predtrack_assets.warehouse.database.transaction import Database

PRICES, FITS = "prices", "models__pooled_models"
ALWAYS = "forecasts__predictions_ledger_verifies"
"""It looks for what was changed behind the triggers that tell of changes."""


@dataclass(frozen=True)
class Step:
    """A step of a run. assets: what it makes; checks: what it checks; after: assets that must be
    there before; blocking: whether what follows from a checked asset waits for its checks."""

    name: str
    assets: frozenset[dg.AssetKey]
    checks: frozenset[dg.AssetCheckKey]
    after: frozenset[dg.AssetKey]
    blocking: bool


def steps_of(graph: Any, chosen: dg.AssetSelection) -> list[Step]:
    """The steps of a selection over an asset graph, what others follow from first."""
    keys, checks = chosen.resolve(graph), chosen.resolve_checks(graph)
    place = {key: number for number, key in enumerate(graph.toposorted_asset_keys)}
    found = []
    for definition in graph.assets_defs:
        made = frozenset(definition.keys) & keys
        checked = frozenset(definition.check_keys) & checks
        if not made and not checked:
            continue
        specs = [definition.get_spec_for_check_key(key) for key in checked]
        after = {parent for key in made for parent in graph.get(key).parent_keys}
        after |= {dep.asset_key for spec in specs for dep in spec.additional_deps}
        after |= {key.asset_key for key in checked}
        blocking = any(spec.blocking for spec in specs)
        found.append(
            Step(definition.node_def.name, made, checked, frozenset(after) - made, blocking)
        )
    return sorted(
        found, key=lambda step: min((place[key] for key in step.assets), default=len(place))
    )


def outdated(steps: Iterable[Step], current: Iterable[str]) -> set[str]:
    """Names of the steps to run: what is not current, what follows from what runs, and the asset
    of a blocking check that runs, for Dagster blocks what follows from an asset of the same run."""
    steps = list(steps)
    maker = {key: step.name for step in steps for key in step.assets}
    found = {step.name for step in steps} - set(current)
    while True:
        checked = {k.asset_key for s in steps if s.name in found and s.blocking for k in s.checks}
        more = {maker[key] for key in checked & maker.keys()}
        more |= {s.name for s in steps if found & {maker.get(key, "") for key in s.after}}
        if more <= found:
            return found
        found |= more


@dataclass
class Plan:
    """What a run over a span has to do. selection: None when there is nothing; versions: of the
    steps, where they are known; same: steps left out, with what they did last time; rest: to be
    planned when the run is over."""

    selection: dg.AssetSelection | None
    span: Span
    steps: list[Step]
    versions: dict[str, str]
    same: dict[str, Completed] = field(default_factory=dict)
    rest: dg.AssetSelection | None = None


class Reruns:
    """Knows what has nothing new, by what steps read when they last succeeded.

    warehouse: the resource that steps must use, so that it is known what they read. recompute:
    leave out nothing.
    """

    def __init__(self, settings: Settings, records: StepRecords, *, recompute: bool) -> None:
        self._settings = settings
        self._records = records
        self._recompute = recompute
        self._base = code_and_settings(settings)
        self.warehouse = WatchedDatabase(Database().resolved_url(), _step_at_work, records.snapshot)

    def plan(self, graph: Any, chosen: dg.AssetSelection, span: Span) -> Plan:
        """What of a selection over the partitions of a span there is to run."""
        self.warehouse.footprints = {}
        steps = steps_of(graph, chosen)
        versions = self._versions(
            steps
        )  # before anything is read, so that what changes later is seen
        same = {} if self._recompute else self._records.current(versions, span)
        if FITS in same and not self._fits_are_whole(span):
            del same[FITS]
        if steps_to_ask := _asked_alone(steps, versions, same):
            rest = _selection(s for s in steps if s not in steps_to_ask)
            return Plan(_selection(steps_to_ask), span, steps, versions, rest=rest)
        todo = outdated(steps, same) | {name for name, known in same.items() if known.to_say_again}
        if len(todo) == len(steps):
            return Plan(chosen, span, steps, versions)
        same = {name: known for name, known in same.items() if name not in todo}
        selection = _selection(step for step in steps if step.name in todo)
        return Plan(selection, span, steps, versions, same)

    def record(
        self,
        plan: Plan,
        succeeded: Iterable[str],
        materialized: Mapping[str, Mapping[str, Any]],
        failed_checks: Mapping[str, list[str]],
    ) -> None:
        """Note the steps of a run that succeeded.

        failed_checks: of each step the checks that did not pass.
        """
        footprints = self.warehouse.footprints
        if None in footprints:  # read by nobody knows whom
            return
        makes = {step.name: step.assets for step in plan.steps}
        for name in set(succeeded) & footprints.keys() & plan.versions.keys() & makes.keys():
            assets = ["/".join(key.path) for key in makes[name]]
            results = {asset: _kept(materialized[asset]) for asset in assets}
            if _nothing_is_missing(results):
                warned = failed_checks.get(name, [])
                self._records.record(
                    name, plan.span, plan.versions[name], footprints[name], warned, results
                )

    def _versions(self, steps: Iterable[Step]) -> dict[str, str]:
        """Of all that each step depends on outside of the database, where that is known."""
        prices = prices_version(self._settings)
        outside = {step.name: prices if step.name == PRICES else "" for step in steps}
        return {
            name: f"{self._base} {version} {self._records.server}"
            for name, version in outside.items()
            if version is not None and name != ALWAYS
        }

    def _fits_are_whole(self, span: Span) -> bool:
        """Whether the files of the months' fits are there as they were stored."""
        first, last = (date.fromisoformat(f"{month}-01") for month in span)
        return files_as_stored(Database(), first, month_ends(last, last)[0])


@contextmanager
def reruns(settings: Settings, *, recompute: bool = False) -> Iterator[Reruns]:
    """Reruns for as long as backfills are at work; call it on a migrated database."""
    records = StepRecords(Database().resolved_url())
    try:
        yield Reruns(settings, records, recompute=recompute)
    finally:
        records.close()


def _asked_alone(
    steps: Sequence[Step], versions: Mapping[str, str], same: Mapping[str, Completed]
) -> list[Step]:
    """The step of a vendor that has to be asked, with its checks, where all else is as it was.

    What follows from prices need not run where the vendor brings nothing new.
    """
    vendor = [step for step in steps if step.name == PRICES and step.name not in versions]
    brought = {key for step in vendor for key in step.assets}
    asked = [*vendor, *(s for s in steps if {key.asset_key for key in s.checks} & brought)]
    others = {step.name for step in steps if step not in asked} - {ALWAYS}
    return asked if vendor and others and others <= same.keys() else []


def _selection(steps: Iterable[Step]) -> dg.AssetSelection | None:
    """The assets and checks of these steps and no others; None of no step."""
    steps = list(steps)
    if not steps:
        return None
    assets = dg.AssetSelection.assets(*(key for step in steps for key in step.assets))
    checks = dg.AssetSelection.checks(*(key for step in steps for key in step.checks))
    return assets.without_checks() | checks


def _step_at_work() -> str | None:
    """The step that this thread computes."""
    try:
        context = dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return None
    return context.get_step_execution_context().step.key


def _kept(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Counts and lists of a materialization, without plots and sentences. Nothing was written now."""
    kept: dict[str, Any] = {
        name: value for name, value in metadata.items() if isinstance(value, int | dict | list)
    }
    there = ("inserted", "updated", "unchanged")
    stored = sum(int(kept.get(f"rows_{what}", 0)) for what in there)
    nothing = dict.fromkeys(("inserted", "updated", "deleted", "conflicting"), 0)
    return kept | {f"rows_{what}": n for what, n in {**nothing, "unchanged": stored}.items()}


def _nothing_is_missing(results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether running again could not bring more: no symbol failed, and prices were found."""
    prices = results.get("market/market_data")
    if prices is None:
        return True
    missed = set(prices.get("failures", {})) - {"EMPTY"}
    return not missed and bool(prices["rows_unchanged"] or prices.get("symbols_already_covered"))
