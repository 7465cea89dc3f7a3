"""Policies that hold for every definition of the code location."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import dagster as dg
import pytest

from predtrack_assets.assets.table_metadata import docs_link
from predtrack_assets.definitions import build_definitions
from predtrack_assets.partitions import MONTHS, ONE_RUN, TRADING_DAYS
from predtrack_assets.warehouse.records import records

DEFINITIONS = build_definitions()
ASSETS = list(DEFINITIONS.assets or [])
SPECS = [spec for asset in ASSETS if isinstance(asset, dg.AssetsDefinition) for spec in asset.specs]
GROUPS = {"prediction_scores": "accuracy", "optimization_results": "tuning"}
"""Tables of the registry's schema that come after predictions, so that groups have an order."""
SCHEMAS = {"market", "features", "models", "forecasts", "accuracy", "deployment", "trading"}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_is_described_owned_and_placed(spec: dg.AssetSpec) -> None:
    assert spec.description
    assert "\n" not in spec.description.split("\n\n")[0], "the UI shows the first line"
    assert spec.code_version
    assert spec.owners
    assert spec.kinds
    schema, _table = spec.key.path
    assert schema in SCHEMAS
    assert spec.group_name == GROUPS.get(spec.key.path[-1], schema)


def test_arrows_between_groups_point_one_way() -> None:
    group = {spec.key: spec.group_name for spec in SPECS}
    before: dict[str, set[str]] = {}
    for spec in SPECS:
        asked = {group[dep.asset_key] for dep in spec.deps} - {spec.group_name}
        before.setdefault(str(spec.group_name), set()).update(map(str, asked))
    order = list(TopologicalSorter(before).static_order())
    assert order.index("models") < order.index("forecasts") < order.index("accuracy")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_shows_the_record_of_its_table(spec: dg.AssetSpec) -> None:
    record = records()[".".join(spec.key.path)]
    shown = spec.metadata["dagster/column_schema"]
    assert [column.name for column in shown.columns] == [column.name for column in record.columns]
    assert spec.metadata["dagster/table_name"] == str(record)
    page = Path(spec.metadata["docs"].path)
    assert f"## {record}" in page.read_text()


def test_docs_link_leads_to_the_section_where_docs_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDTRACK_DOCS_URL", "https://docs.example.org/predtrack/")
    link = docs_link(records()["accuracy.day_sums"])
    assert link.value == (
        "https://docs.example.org/predtrack/reference/schema/accuracy.md#accuracyday_sums"
    )


def test_day_assets_share_one_partitions_definition_and_one_run() -> None:
    partitioned = [asset for asset in ASSETS if asset.partitions_def is not None]
    assert partitioned
    for asset in partitioned:
        assert asset.backfill_policy == ONE_RUN, asset.keys
        if isinstance(asset.partitions_def, dg.TimeWindowPartitionsDefinition):
            assert asset.partitions_def in (TRADING_DAYS, MONTHS), asset.keys


def test_no_day_asset_depends_on_its_own_past() -> None:
    assert not [spec.key for spec in SPECS if spec.key in {dep.asset_key for dep in spec.deps}]


def test_checks_are_described_and_not_partitioned() -> None:
    for definition in DEFINITIONS.asset_checks or []:
        for spec in definition.check_specs:
            assert spec.partitions_def is None, spec.key
            assert spec.description, spec.key


def test_every_table_has_a_check() -> None:
    checked = {
        spec.asset_key
        for definition in DEFINITIONS.asset_checks or []
        for spec in definition.check_specs
    }
    assert {spec.key for spec in SPECS} <= checked


def test_schedules_and_sensors_ship_stopped_and_start_by_the_allow_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def running() -> set[str]:
        built = build_definitions()
        return {
            item.name
            for item in [*(built.schedules or []), *(built.sensors or [])]
            if item.default_status.value == "RUNNING"
        }

    assert running() == set()
    first, second = (schedule.name for schedule in list(DEFINITIONS.schedules or [])[:2])
    monkeypatch.setenv("PREDTRACK_SCHEDULES", f"{first},{second}")
    assert running() == {first, second}


def test_every_job_and_schedule_is_described_and_resolves() -> None:
    repository = DEFINITIONS.get_repository_def()
    dg.Definitions.validate_loadable(DEFINITIONS)
    for job in DEFINITIONS.jobs or []:
        assert job.description, job.name
        assert repository.has_job(job.name)
    for schedule in DEFINITIONS.schedules or []:
        assert schedule.description, schedule.name
        assert schedule.execution_timezone == "UTC"


def test_every_job_of_day_assets_can_be_backfilled_in_one_run() -> None:
    """One asset without the policy turns a job's backfill into a run per day."""
    graph = DEFINITIONS.resolve_asset_graph()
    for job in DEFINITIONS.get_repository_def().get_all_jobs():
        keys = job.asset_layer.executable_asset_keys
        policies = {graph.get(key).backfill_policy for key in keys if graph.get(key).is_partitioned}
        assert policies <= {ONE_RUN}, job.name
