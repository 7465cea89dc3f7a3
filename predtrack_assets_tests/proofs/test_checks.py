"""The proofs as asset checks: what the weekly job says of a sound and of a rewritten ledger."""

from __future__ import annotations

import dagster as dg
import pytest

from predtrack_assets.assets import market
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.definitions import build_definitions
from predtrack_assets.proofs import checks
from predtrack_assets.proofs.stages import REPLAYED, STAGES
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs.small_market import BENCHMARK, DAY
from predtrack_assets_tests.proofs.test_replay import NUDGE, rewrite

Results = dict[tuple[str, str], dg.AssetCheckEvaluation]


def run_proofs(url: str) -> Results:
    """The results of the weekly job by asset and check."""
    definitions = build_definitions(resources={"warehouse": Warehouse(url=url)})
    with dg.DagsterInstance.ephemeral() as instance:
        done = definitions.resolve_job_def("prove").execute_in_process(instance=instance)
    found = done.get_asset_check_evaluations()
    return {("/".join(e.asset_key.path), e.check_name): e for e in found}


def materialize_conditions(url: str) -> Results:
    """Results of the proofs where somebody materializes one asset, as the UI does."""
    done = dg.materialize(
        [market.market_conditions, *checks.PROOFS],
        selection=dg.AssetSelection.assets("market/market_conditions"),
        resources={"warehouse": Warehouse(url=url)},
        partition_key=DAY.isoformat(),
        instance=dg.DagsterInstance.ephemeral(),
    )
    found = done.get_asset_check_evaluations()
    return {("/".join(e.asset_key.path), e.check_name): e for e in found}


def numbers(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in evaluation.metadata.items()}


@pytest.mark.slow
def test_the_weekly_job_counts_what_is_equal(
    market_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_BENCHMARK", BENCHMARK)
    monkeypatch.setattr(checks, "SAMPLED_DAYS", 1)
    empty = run_proofs(market_copy)
    assert not any(evaluation.passed for evaluation in empty.values()), "nothing is stored yet"
    assert {e.severity for e in empty.values()} == {dg.AssetCheckSeverity.WARN}
    assert numbers(empty["forecasts/predictions", "replay_parity"])["rows_compared"] == 0

    graph.run_reference(market_copy)
    graph.run(market_copy, DAY, DAY, ["/".join(stage.asset) for stage in REPLAYED])
    sound = run_proofs(market_copy)
    assert set(sound) == {("/".join(s.asset), "no_lookahead") for s in STAGES} | {
        ("/".join(s.asset), "replay_parity") for s in REPLAYED
    }
    assert all(evaluation.passed for evaluation in sound.values())
    counted = numbers(sound["forecasts/predictions", "replay_parity"])
    assert counted["rows_equal"] == counted["rows_compared"] > 100
    for stage in STAGES:
        looked = numbers(sound["/".join(stage.asset), "no_lookahead"])
        assert looked["digests_equal"] == looked["digests_compared"] == 5

    beside = materialize_conditions(market_copy)
    assert set(beside) == {
        ("market/market_conditions", name) for name in ("no_lookahead", "replay_parity")
    }
    for name, count in (("no_lookahead", "digests_compared"), ("replay_parity", "rows_compared")):
        said = numbers(beside["market/market_conditions", name])
        assert said[count] == 1, "one day, in one way"
        assert "the job `prove` takes" in str(said["sample"])
    assert "sample" not in counted

    assert rewrite(market_copy, NUDGE, DAY) == 1
    rewritten = run_proofs(market_copy)
    failed = {key for key, evaluation in rewritten.items() if not evaluation.passed}
    assert failed == {("forecasts/predictions", "replay_parity")}
    assert {rewritten[key].severity for key in failed} == {dg.AssetCheckSeverity.ERROR}
    said = str(rewritten["forecasts/predictions", "replay_parity"].metadata["mismatches"].value)
    assert f"{DAY} PLAIN drift direction 4: confidence" in said
