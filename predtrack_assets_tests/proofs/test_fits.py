"""Replay of predictions by fits: each is asked of the fit it names, whatever became of it since."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.cli.prove import parity_line
from predtrack_assets.domain.audit.replay_comparison import Parity
from predtrack_assets.proofs.replay import replay
from predtrack_assets.proofs.stages import PREDICTED
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs.small_market import BENCHMARK, FIRST, SETTINGS
from predtrack_assets_tests.proofs.test_replay import rewrite

START, END = date(2021, 6, 28), date(2021, 7, 6)  # a refit lies between
MAY, JUNE = "pooled-v1@2021-05-28", "pooled-v1@2021-06-30"
RETIRE = "UPDATE models.model_registry SET status = 'retired'"
WITHDRAW = "UPDATE models.model_artifacts SET status = 'withdrawn' WHERE artifact_id = %s"
BACKDATE = "UPDATE forecasts.predictions SET artifact_id = %s WHERE artifact_id = %s"
MISSING = "the file of its fit is missing or altered"


def parity(url: str) -> Parity:
    found = replay(Warehouse(url=url), SETTINGS, START, END, stages=(PREDICTED,))
    return found[PREDICTED]


@pytest.mark.slow
def test_each_prediction_is_asked_of_its_own_fit(
    market_copy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", FIRST.isoformat())
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_BENCHMARK", BENCHMARK)
    monkeypatch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", "60")
    monkeypatch.setenv("PREDTRACK_ARTIFACTS", str(tmp_path / "artifacts"))
    graph.run_reference(market_copy)
    graph.run(market_copy, FIRST, END, ["market/market_conditions", "features/feature_store"])
    graph.run_months(market_copy, "2021-05", "2021-06")
    graph.run(market_copy, START, END, ["forecasts/predictions"])

    spoke = "SELECT artifact_id, count(*) FROM forecasts.predictions WHERE artifact_id IS NOT NULL"
    said = dict(graph.frame(market_copy, f"{spoke} GROUP BY 1").rows())
    assert set(said) == {MAY, JUNE}
    found = parity(market_copy)
    assert found.holds
    of_fits = {kind: n for (model, kind), n in found.compared.items() if model == "pooled-v1"}
    assert sum(of_fits.values()) == sum(said.values())
    assert len(of_fits) == 4

    # What happens to a version or a fit later does not change what it said.
    rewrite(market_copy, RETIRE)
    assert rewrite(market_copy, WITHDRAW, JUNE) == 1
    assert parity(market_copy) == found

    uri = "SELECT artifact_uri FROM models.model_artifacts WHERE artifact_id = %s"
    file = Path(graph.frame(market_copy, uri, MAY).item().removeprefix("file://"))
    content = file.read_bytes()
    for damage in (lambda: file.write_bytes(content[:-1] + b" "), file.unlink):
        damage()
        without = parity(market_copy)
        assert not without.holds, "a row does not escape its proof by the loss of a file"
        assert without.equal == without.compared
        assert without.compared.total() == found.compared.total() - said[MAY]
        assert {reason for _, reason in without.unreplayable} == {MISSING}
        assert without.unreplayable.total() == said[MAY]
    lost = parity_line(without)
    assert f"{said[MAY]:,} others could not be computed again" in lost
    assert "Training the month of a fit again" in lost
    file.write_bytes(content)

    assert rewrite(market_copy, BACKDATE, JUNE, MAY) == said[MAY]
    foreseen = parity(market_copy)
    assert foreseen.compared.total() - foreseen.equal.total() == said[MAY]
    assert {mismatch.column for mismatch in foreseen.mismatches} == {"(no such row)"}
