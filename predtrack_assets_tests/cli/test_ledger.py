"""predtrack ledger and predtrack claim, on a run of the graph, as a user types them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from psycopg import sql
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.clock import utc_now
from predtrack_assets.domain.audit.ledger.checkpoint import CheckpointError
from predtrack_assets.domain.audit.ledger.proof import ProofError
from predtrack_assets_tests import graph
from predtrack_assets_tests.builders.ledgers import attacker, commit, predictions, register

GRAPH = [
    "market/market_data", "market/corporate_actions", "forecasts/predictions",
    "forecasts/outcomes", "accuracy/day_sums", "accuracy/calibration_summary",
]  # fmt: skip

Run = Callable[..., Result]


@pytest.fixture
def predtrack(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    Path(os.environ["PREDTRACK_HOME"]).mkdir(parents=True)

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return run


def written(path: Path, result: Result) -> Path:
    assert result.exit_code == 0, result.output
    path.write_text(result.stdout, encoding="utf-8")
    return path


def an_identity(url: str) -> str:
    return str(graph.frame(url, "SELECT prediction_id::text FROM forecasts.predictions").item(5, 0))


def test_verify_ends_in_a_count_out_of_a_count(predtrack: Run, database_url: str) -> None:
    commit(database_url, predictions())
    good = predtrack("ledger", "verify")
    assert good.exit_code == 0
    assert "18 of 18 batches, 108 of 108 rows, 0 of 0 audit events" in good.stdout
    victim = an_identity(database_url)
    with attacker(database_url) as connection:
        connection.execute(
            "UPDATE forecasts.predictions SET confidence = 0.9 WHERE prediction_id = %s", [victim]
        )
    bad = predtrack("ledger", "verify")
    assert bad.exit_code == 1
    assert f"prediction {victim} of 2020-03-02 is not what was committed" in bad.stdout
    assert bad.stdout.startswith("batch ")
    assert "107 of 108 rows" in bad.stdout


def test_an_empty_ledger_is_said_to_be_empty(predtrack: Run) -> None:
    said = predtrack("ledger", "verify")
    assert said.exit_code == 0
    assert said.stdout.startswith("the ledger is empty")


@pytest.mark.parametrize("ahead", [0, 400])
def test_a_claim_about_days_that_are_not_over_is_refused(predtrack: Run, ahead: int) -> None:
    day = utc_now().date() + timedelta(days=ahead)
    claim = ("--metric", "brier", "--model", "drift", "--as-of", day, "--value", "0.2")
    said = predtrack("claim", "verify", *claim)
    assert said.exit_code == 1
    assert f"--as-of {day} is not over yet" in str(said.exception)


def test_seal_commits_to_what_is_not_committed_yet(predtrack: Run, database_url: str) -> None:
    commit(database_url, predictions(days=1))
    register(database_url, predictions(days=1, models=("mine-1",)))
    graph.execute(
        database_url,
        "INSERT INTO forecasts.predictions (model_id, kind, symbol, trading_day, as_of, horizon,"
        " due_day, event, confidence, reference_price, sigma, climatology, feature_digest,"
        " due_at, earliest_resolution_time, origin) VALUES"
        " ('mine-1', 'direction', 'AAA', '2020-03-02', '2020-03-03Z', 1,"
        " '2020-03-03', 'up', 0.6, 100, 0.02, 0.5, 7, '2020-03-03 21:00Z', '2020-03-03 21:00Z', 'replay')",
    )
    unsealed = predtrack("ledger", "verify")
    assert unsealed.exit_code == 1
    assert "was never committed" in unsealed.stdout
    assert predtrack("ledger", "seal").stdout == "sealed 1 rows in 1 batches\n"
    assert predtrack("ledger", "seal").stdout == "sealed 0 rows in 0 batches\n"
    assert predtrack("ledger", "verify").exit_code == 0


def test_a_proof_is_checked_without_the_database(
    predtrack: Run, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(database_url, predictions())
    head = written(tmp_path / "head.json", predtrack("ledger", "checkpoint"))
    prove = ("ledger", "prove", an_identity(database_url))
    alone = written(tmp_path / "alone.json", predtrack(*prove))
    whole = written(tmp_path / "whole.json", predtrack(*prove, "--checkpoint", head))
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    said = predtrack("ledger", "check-proof", alone)
    assert said.exit_code == 0
    assert "no checkpoint" in said.stdout
    public = json.loads(head.read_text())["public_key"]
    said = predtrack("ledger", "check-proof", whole, "--public-key", public)
    assert said.exit_code == 0
    assert "is in the checkpoint" in said.stdout
    assert isinstance(
        predtrack("ledger", "check-proof", whole, "--public-key", "00" * 32).exception, ProofError
    )
    forged = tmp_path / "forged.json"
    forged.write_text(whole.read_text().replace('"origin": "replay"', '"origin": "live"'))
    assert isinstance(predtrack("ledger", "check-proof", forged).exception, ProofError)


def test_an_altered_row_is_not_proved(predtrack: Run, database_url: str) -> None:
    commit(database_url, predictions())
    victim = an_identity(database_url)
    with attacker(database_url) as connection:
        connection.execute(
            "UPDATE forecasts.predictions SET sigma = 0.03 WHERE prediction_id = %s", [victim]
        )
    assert isinstance(predtrack("ledger", "prove", victim).exception, ProofError)


def test_a_checkpoint_holds_the_ledger_to_what_it_was(
    predtrack: Run, database_url: str, tmp_path: Path
) -> None:
    commit(database_url, predictions(days=2))
    old = written(tmp_path / "old.json", predtrack("ledger", "checkpoint"))
    key = Path(os.environ["PREDTRACK_HOME"]) / "ledger_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    commit(database_url, predictions(days=3))
    later = predtrack("ledger", "checkpoint", "--verify", old)
    assert later.exit_code == 0
    assert "12 batches and 0 audit events as signed, 6 and 0 added since" in later.stdout
    again = json.loads(predtrack("ledger", "checkpoint").stdout)
    assert again["public_key"] == json.loads(old.read_text())["public_key"]
    with attacker(database_url) as connection:
        connection.execute("DELETE FROM forecasts.prediction_batches WHERE batch_index > 10")
    cut = predtrack("ledger", "checkpoint", "--verify", old)
    assert isinstance(cut.exception, CheckpointError)
    assert "ends at batch 10, it had 12" in str(cut.exception)


@pytest.mark.slow
def test_a_claim_is_recomputed_from_what_was_known_then(
    predtrack: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "4")
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1")
    graph.run_reference(database_url)
    graph.run(database_url, date(2021, 1, 4), date(2021, 6, 30), GRAPH)
    verified = predtrack("ledger", "verify")
    assert verified.exit_code == 0, verified.output
    reported = graph.frame(
        database_url,
        "SELECT model_id, brier, accuracy_rate, event_rate, ece, skill_vs_no_change"
        " FROM accuracy.calibration_summary WHERE (kind, period, period_end)"
        " = ('direction', 'rolling_30d', '2021-06-18') AND model_id LIKE 'drift%%'",
    ).row(0, named=True)
    model = reported.pop("model_id")
    claim = ["claim", "verify", "--model", model, "--kind", "direction", "--as-of", "2021-06-18"]
    for metric, value in reported.items():
        right = predtrack(*claim, "--metric", metric, "--value", f"{value:.6f}")
        assert right.exit_code == 0, right.output
        assert right.stdout.startswith("match: ")
        wrong = predtrack(*claim, "--metric", metric, "--value", f"{value + 0.01:.6f}")
        assert wrong.exit_code == 1
        assert wrong.stdout.startswith("MISMATCH: ")
    unknown = predtrack(*claim, "--metric", "luck", "--value", "1")
    assert "unknown metric 'luck'" in str(unknown.exception)
    typo = predtrack(*claim[:3], "drfit", *claim[4:], "--metric", "brier", "--value", "1")
    assert "no model 'drfit'; did you mean drift?" in str(typo.exception)


def test_rows_that_can_never_become_good_are_acknowledged_and_shown_apart(
    predtrack: Run, database_url: str
) -> None:
    """Rows of an unregistered model are never sealed, and nobody can remove them."""
    commit(database_url, predictions())
    with attacker(database_url) as connection:
        connection.execute(
            "CREATE TEMP TABLE strange AS SELECT * FROM forecasts.predictions LIMIT 3"
        )
        connection.execute("ALTER TABLE strange DROP COLUMN prediction_id")
        connection.execute("UPDATE strange SET model_id = 'a stranger'")
        columns = connection.execute("SELECT * FROM strange LIMIT 0").description or ()
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        statement = "INSERT INTO forecasts.predictions ({}) SELECT * FROM strange"
        connection.execute(sql.SQL(statement).format(names))
    assert predtrack("ledger", "verify").exit_code == 1
    why = ["--reason", "loaded by a script that has no model", "--by", "ann"]
    short = predtrack("ledger", "acknowledge", "--reason", "no", "--by", "ann")
    assert "a reason, of 10 characters" in str(short.exception)
    assert "acknowledged 3 rows" in predtrack("ledger", "acknowledge", *why).stdout
    good = predtrack("ledger", "verify")
    assert good.exit_code == 0
    assert "apart: 3 rows that ann acknowledged, audit event 1: loaded by a script" in good.stdout
    victim = an_identity(database_url)
    with attacker(database_url) as connection:
        connection.execute(
            "UPDATE forecasts.predictions SET confidence = 0.9 WHERE prediction_id = %s", [victim]
        )
    assert predtrack("ledger", "verify").exit_code == 1
    altered = predtrack("ledger", "acknowledge", *why)
    assert "nothing can be acknowledged" in str(altered.exception)


@pytest.mark.parametrize("content", ["", "abc", "g" * 64, "a" * 63])
def test_a_cut_key_is_named_and_stays(predtrack: Run, database_url: str, content: str) -> None:
    commit(database_url, predictions())
    key = Path(os.environ["PREDTRACK_HOME"]) / "ledger_key"
    key.write_text(content)
    said = str(predtrack("ledger", "checkpoint").exception)
    assert f"{key} holds no key" in said
    assert key.read_text() == content
