"""Jobs: they load, and together they cover the graph."""

from __future__ import annotations

import dagster as dg
import pytest

from predtrack_assets.automation.jobs import JOBS
from predtrack_assets.definitions import build_definitions

DEFINITIONS = build_definitions()
CHAIN = [
    "predict_day",
    "resolve_outcomes",
    "score_calibration",
    "score_symbols",
    "judge_gates",
    "trade_day",
]


def assets_of(job: str) -> set[str]:
    layer = DEFINITIONS.resolve_job_def(job).asset_layer
    return {key.to_user_string() for key in layer.selected_asset_keys}


@pytest.mark.parametrize("job", [job.name for job in JOBS])
def test_every_job_loads_and_selects_something(job: str) -> None:
    assert DEFINITIONS.resolve_job_def(job).nodes


def test_only_the_weekly_job_runs_the_proofs() -> None:
    proving = {
        job.name: {node.name for node in DEFINITIONS.resolve_job_def(job.name).nodes}
        & {"prove_replay_parity", "prove_no_lookahead"}
        for job in JOBS
    }
    assert {job for job, checks in proving.items() if checks} == {"prove"}
    assert len(proving["prove"]) == 2


def test_the_scheduled_parts_make_up_the_daily_job_without_overlap() -> None:
    parts = [assets_of(job) for job in CHAIN]
    assert set.union(*parts) == assets_of("whole_day")
    assert sum(len(part) for part in parts) == len(assets_of("whole_day"))


def test_reference_daily_and_training_make_up_the_graph() -> None:
    every = {key.to_user_string() for key in DEFINITIONS.resolve_asset_graph().get_all_asset_keys()}
    training = assets_of("fit_models") | assets_of("fit_symbols") | assets_of("tune_models")
    assert assets_of("register_reference") | assets_of("whole_day") | training == every
    assert not training & assets_of("whole_day")
    assert not assets_of("register_reference") & assets_of("whole_day")


def test_the_daily_job_has_days_and_the_reference_job_has_none() -> None:
    assert isinstance(
        DEFINITIONS.resolve_job_def("whole_day").partitions_def, dg.TimeWindowPartitionsDefinition
    )
    assert DEFINITIONS.resolve_job_def("register_reference").partitions_def is None


def test_parts_of_the_chain_never_wait_for_a_later_part() -> None:
    graph = DEFINITIONS.resolve_asset_graph()
    position = {asset: number for number, job in enumerate(CHAIN) for asset in assets_of(job)}
    for key in graph.get_all_asset_keys():
        here = position.get(key.to_user_string())
        for parent in graph.get(key).parent_keys:
            before = position.get(parent.to_user_string(), -1)
            assert here is None or before <= here, (parent, key)
