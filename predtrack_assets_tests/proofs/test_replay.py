"""Replay: parity of what was stored, and a name for every row that differs or cannot be computed."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.cli.prove import run_replay
from predtrack_assets.domain.audit.replay_comparison import Parity
from predtrack_assets.domain.forecasts import predict
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.as_of_statistics import Statistics
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.proofs import replay as replays
from predtrack_assets.proofs.stages import FEATURES, PREDICTED, REPLAYED, RESOLVED, Stage
from predtrack_assets_tests import graph
from predtrack_assets_tests.proofs.leaks import LEAKS
from predtrack_assets_tests.proofs.small_market import BENCHMARK, DAY, SEEN, SETTINGS

START, END = DAY - timedelta(days=5), DAY + timedelta(days=6)
TABLES = [str(stage.table).replace(".", "/") for stage in REPLAYED]


@pytest.fixture(autouse=True)
def small_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_BENCHMARK", BENCHMARK)


@pytest.fixture
def stored(market_copy: str) -> str:
    """The small market with what is derived for two weeks, in one run."""
    graph.run_reference(market_copy)
    graph.run(market_copy, START, END, TABLES)
    return market_copy


def parity(url: str, sample: int | None = None, stages: tuple[Stage, ...] = REPLAYED) -> Parity:
    found = replays.replay(Warehouse(url=url), SETTINGS, START, END, sample, stages=stages)
    return sum(found.values(), Parity())


def rewrite(url: str, statement: str, *parameters: object) -> int:
    """Change rows behind the triggers, as only a superuser can; how many."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(statement.encode(), parameters).rowcount


COUNTS = """
    SELECT (SELECT count(*) FROM forecasts.predictions) AS predictions,
           (SELECT count(*) FROM forecasts.outcomes) AS outcomes,
           (SELECT count(*) FROM features.feature_store) AS vectors,
           (SELECT count(*) FROM market.market_conditions) AS conditions
"""
RENAME = "UPDATE forecasts.predictions SET model_id = %s WHERE model_id = 'drift' AND kind = %s"
CORRECT_ALL = """
    INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,
        source, knowledge_time)
    SELECT symbol, trading_day, open * 3, high * 3, low * 3, close * 3, volume, quality, source, %s
    FROM market.market_data WHERE knowledge_time < %s
"""
NUDGE = """
    UPDATE forecasts.predictions SET confidence = confidence + 2e-16
    WHERE (trading_day, symbol, horizon, model_id, kind) = (%s, 'PLAIN', 4, 'drift', 'direction')
"""
NUDGE_VECTOR = """
    UPDATE features.feature_store SET vector = set_byte(vector, 8, 255 - get_byte(vector, 8))
    WHERE (trading_day, symbol) = (%s, 'PLAIN')
"""
SWAP = """
    UPDATE forecasts.predictions SET hit_rule = 'close'
    WHERE kind = 'time_to_hit' AND symbol = 'LEFT'
"""
FLIP = """
    UPDATE forecasts.outcomes
    SET occurred = NOT occurred, brier = (confidence - (NOT occurred)::int) ^ 2
    WHERE (trading_day, symbol, horizon, model_id, kind) = (%s, 'PLAIN', 1, 'drift', 'direction')
"""
LOSE = """
    DELETE FROM forecasts.outcomes
    WHERE (trading_day, symbol, horizon, model_id, kind) = (%s, 'PLAIN', 1, 'drift', 'direction')
"""
CAME_LATER = """
    UPDATE forecasts.predictions SET recorded_at = now()
    WHERE (trading_day, symbol, horizon, model_id, kind) = (%s, 'PLAIN', 1, 'drift', 'direction')
"""
INVENT = """
    UPDATE forecasts.predictions SET symbol = 'NONE' WHERE symbol = 'LEFT' AND trading_day = %s
"""


def test_what_was_stored_comes_out_again(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "DAYS_AT_ONCE", 3)
    found = parity(stored)
    rows = graph.frame(stored, COUNTS).to_dicts()[0]
    assert rows["predictions"] > 500
    assert rows["vectors"] > 40
    assert rows["outcomes"] > 400
    assert found.holds
    assert found.compared.total() == found.equal.total() == sum(rows.values())
    assert not found.unreplayable
    assert not found.foreign
    assert not found.not_predicted
    kinds = graph.frame(stored, "SELECT DISTINCT model_id, kind FROM forecasts.predictions").rows()
    assert set(kinds) | {(BENCHMARK,), ("standard-v1",)} == set(found.compared)


def test_baselines_that_were_not_to_predict_are_not_missed(
    market_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_PREDICT_BASELINES", "false")
    graph.run_reference(market_copy)
    graph.run(market_copy, START, END, TABLES)
    models = graph.frame(market_copy, "SELECT DISTINCT model_id FROM forecasts.predictions")
    assert not BASELINES & set(models["model_id"])
    scored = "SELECT count(brier_no_change) AS n FROM forecasts.outcomes"
    assert graph.frame(market_copy, scored).item() > 0
    found = parity(market_copy, stages=(PREDICTED,))
    assert (found.equal, found.mismatches, found.not_predicted) == (found.compared, [], 0)
    forget = "DELETE FROM forecasts.predictions WHERE trading_day = %s AND kind = 'price'"
    gone = rewrite(market_copy, forget, DAY)
    assert parity(market_copy, stages=(PREDICTED,)).not_predicted == gone > 0


def test_days_alone_come_out_again(stored: str) -> None:
    found = parity(stored, sample=2)
    assert found.holds
    assert 100 < found.compared.total() < parity(stored).compared.total()


def test_what_is_corrected_since_changes_nothing(stored: str) -> None:
    assert rewrite(stored, CORRECT_ALL, SEEN + timedelta(days=2), SEEN) > 500
    assert parity(stored).holds


def test_a_changed_number_is_named_with_its_row(stored: str) -> None:
    assert rewrite(stored, NUDGE, DAY) == 1
    found = parity(stored, stages=(PREDICTED,))
    assert not found.holds
    assert found.compared.total() - found.equal.total() == 1
    assert found.compared["drift", "direction"] - found.equal["drift", "direction"] == 1
    (mismatch,) = found.mismatches
    assert mismatch.row == f"{DAY} PLAIN drift direction 4"
    assert mismatch.column == "confidence"
    assert float(mismatch.stored) != float(mismatch.recomputed)


def test_a_flipped_result_is_named_with_its_row(stored: str) -> None:
    assert rewrite(stored, FLIP, DAY) == 1
    for sample in (None, 8):
        found = parity(stored, sample)
        assert found.compared.total() - found.equal.total() == 1
        (mismatch,) = found.mismatches
        assert mismatch.row.startswith(f"{DAY} PLAIN drift direction 1 {DAY + timedelta(days=2)}")
        assert mismatch.column == "occurred"


def test_a_result_that_is_gone_is_named(stored: str) -> None:
    assert rewrite(stored, LOSE, DAY) == 1
    for sample in (None, 8):
        found = parity(stored, sample)
        assert found.compared.total() - found.equal.total() == 1
        (mismatch,) = found.mismatches
        assert str(mismatch).endswith("not stored, computed now")
        assert mismatch.row.startswith(f"{DAY} PLAIN drift direction 1 {DAY + timedelta(days=2)}")


def test_a_prediction_that_came_after_its_day_was_resolved_lacks_nothing(stored: str) -> None:
    """Loaded later, it waits for a backfill of its day: no outcome of it was ever stored."""
    assert rewrite(stored, LOSE, DAY) == 1
    assert rewrite(stored, CAME_LATER, DAY) == 1
    for sample in (None, 8):
        assert parity(stored, sample, stages=(RESOLVED,)).holds


def test_a_restated_result_comes_out_again(stored: str) -> None:
    """Both what was said first and what a correction made of it on the next day."""
    after = END + timedelta(days=1)
    at = graph.utc(after.year, after.month, after.day, 20)
    assert rewrite(stored, CORRECT_ALL, at, at - timedelta(days=4)) > 500
    graph.run(stored, after, after, ["forecasts/outcomes"])
    revised = "SELECT count(*) - count(DISTINCT prediction_id) AS n FROM forecasts.outcomes"
    assert graph.frame(stored, revised)["n"][0] > 50
    for sample in (None, 8):
        asked = (Warehouse(url=stored), SETTINGS, START, after, sample)
        found = replays.replay(*asked, stages=(RESOLVED,))[RESOLVED]
        assert found.holds
        assert not found.not_predicted


def test_a_changed_feature_is_named(stored: str) -> None:
    assert rewrite(stored, NUDGE_VECTOR, DAY) == 1
    found = replays.replay(Warehouse(url=stored), SETTINGS, START, END, stages=(FEATURES,))[
        FEATURES
    ]
    assert found.compared.total() - found.equal.total() == 1
    (mismatch,) = found.mismatches
    assert mismatch.row == f"PLAIN {DAY} standard-v1"
    assert mismatch.column == "return_5", "the second of the set"


def test_the_command_says_what_differs_and_ends_1(
    stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (SETTINGS, stored, START, END, None, 0)
    assert run_replay(SETTINGS, stored, None, None, None, 0) == 0, "without days: all of them"
    rows = parity(stored).compared.total()
    assert f"Replay parity: {rows:,} of {rows:,} rows are equal" in capsys.readouterr().out
    rewrite(stored, NUDGE, DAY)
    theirs = rewrite(stored, RENAME, "theirs", "price")
    assert run_replay(*asked) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"Differs: {DAY} PLAIN drift direction 4: confidence stored" in said
    assert f"Apart: {theirs:,} rows of theirs price: not a model of ours" in said
    assert said.endswith(f"{theirs:,} rows of other models are apart.")
    with pytest.raises(ValueError, match="no predictions are stored"):
        run_replay(SETTINGS, stored, date(2030, 1, 1), date(2030, 2, 1), None, 0)
    saturday = DAY + timedelta(days=5 - DAY.weekday())
    with pytest.raises(ValueError, match=f"no trading day from {saturday} to .*: XNYS closed"):
        run_replay(SETTINGS, stored, saturday, saturday + timedelta(days=1), None, 0)


def test_a_changed_text_is_a_mismatch_too(stored: str) -> None:
    changed = rewrite(stored, SWAP)
    found = parity(stored, stages=(PREDICTED,))
    assert found.compared.total() - found.equal.total() == changed > 0
    assert {m.column for m in found.mismatches} == {"hit_rule"}


def test_an_invented_prediction_of_a_model_of_ours_is_a_mismatch(stored: str) -> None:
    invented = rewrite(stored, INVENT, DAY)
    found = parity(stored, stages=(PREDICTED,))
    assert found.compared.total() - found.equal.total() == invented > 0
    assert found.not_predicted == invented, "what they took the place of was never stored"
    assert {m.column for m in found.mismatches} == {"(no such row)"}


def test_what_no_code_computes_is_counted_apart(stored: str) -> None:
    theirs, old = (
        rewrite(stored, RENAME, "theirs", "price"),
        rewrite(stored, RENAME, "old-v1", "direction"),
    )
    graph.execute(
        stored,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
        " VALUES ('old-v1', 'old', 1, 'candidate', '{direction}', 'gone')",
    )
    found = parity(stored, stages=(PREDICTED,))
    assert found.proves
    assert not found.unreplayable
    reasons = {group: (reason, rows) for (group, reason), rows in found.foreign.items()}
    assert reasons["theirs", "price"] == ("not a model of ours: its rows were handed in", theirs)
    assert reasons["old-v1", "direction"] == ("this version of the code has no such model", old)


def test_where_nothing_is_ours_nothing_is_proven(
    stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(stored, "DELETE FROM market.market_conditions")
    rewrite(stored, "DELETE FROM features.feature_store")
    rewrite(stored, "DELETE FROM forecasts.outcomes")
    theirs = rewrite(stored, "UPDATE forecasts.predictions SET model_id = 'theirs-' || model_id")
    assert run_replay(SETTINGS, stored, None, None, None, 0) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "Nothing was there to prove" in said
    assert "`predtrack backfill` makes some" in said
    assert f"{theirs:,} rows of other models are apart." in said


def test_a_changed_model_is_found(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = predict.as_of_statistics

    def changed(panel: Panel) -> Statistics:
        statistics = honest(panel)
        return Statistics(
            statistics.sigma * 1.001, statistics.drift, statistics.momentum, statistics.reversal
        )

    monkeypatch.setattr(predict, "as_of_statistics", changed)
    found = replays.replay(Warehouse(url=stored), SETTINGS, START, END, stages=(PREDICTED,))
    assert found[PREDICTED].equal.total() == 0


@pytest.mark.parametrize("leak", ["whole-sample scaling", "centred window", "global quantile"])
def test_a_backfill_that_looked_ahead_is_found_by_days_alone(
    market_copy: str, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    """What a leak made of a range differs from what the same leak makes of a day alone."""
    LEAKS[leak](monkeypatch)
    graph.run_reference(market_copy)
    graph.run(market_copy, START, END, TABLES)
    assert not parity(market_copy, sample=3).holds
