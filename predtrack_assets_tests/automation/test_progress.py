"""What a run says to people while it works."""

import dagster as dg
import pytest

from predtrack_assets.automation.progress import progress_logger


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
