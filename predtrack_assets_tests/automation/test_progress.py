"""What a run says to people while it works."""

import dagster as dg
import pytest

from predtrack_assets.automation.progress import _COSTS, Remaining, progress_logger
from predtrack_assets.definitions import build_definitions


@dg.asset
def prices_of_a_test(context: dg.AssetExecutionContext) -> None:
    context.log.warning("one bar was refused")


def test_a_run_names_each_step_that_is_done_and_its_warnings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = dg.define_asset_job("watched", [prices_of_a_test])
    definitions = dg.Definitions(
        assets=[prices_of_a_test], jobs=[job], loggers={"progress": progress_logger}
    )
    definitions.resolve_job_def("watched").execute_in_process(
        run_config={"loggers": {"progress": {}}}
    )
    said = capsys.readouterr().err
    assert "! prices_of_a_test: one bar was refused" in said
    assert "done" in said
    assert "prices_of_a_test  [1 of 1]" in said


def test_what_is_left_follows_from_the_cost_of_the_steps_ahead() -> None:
    heavy = ["models__pooled_models", "accuracy__drift_metrics"]
    remaining = Remaining([*heavy, "check_a", "check_b"])
    assert remaining.seconds(1.0) is None, "nothing is done"
    remaining.end("check_a")
    assert remaining.seconds(1.0) is None, "a check tells nothing of a fit"
    remaining.end(heavy[0])
    assert (remaining.done, remaining.total) == (2, 4)
    early = remaining.seconds(100.0)
    assert early is not None
    assert 30 < early < 40, "drift takes a third of a fit"
    remaining.end(heavy[1])
    later = remaining.seconds(135.0)
    assert later is not None
    assert later < early
    remaining.end("check_b")
    assert remaining.seconds(137.0) == 0.0


def test_the_steps_that_take_longest_are_steps_of_the_graph() -> None:
    known = {
        node
        for key in build_definitions().resolve_all_asset_keys()
        for node in ["__".join(key.path)]
    }
    assert set(_COSTS) <= known
