"""The scoreboard through the graph, and what commands make of it: as known, the same day by day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.accuracy.comparison import compare, skills_by_symbol
from predtrack_assets.services.accuracy.scoreboard import scoreboard_as_of
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 31)
BOUNDARY, NEXT = date(2021, 3, 22), date(2021, 3, 23)
LATE = datetime(2021, 3, 25, 18, tzinfo=UTC)
CHAIN = ["market/market_conditions", "forecasts/predictions", "forecasts/outcomes"]
BOARD = ["accuracy/day_sums", "accuracy/strategy_pnl", "accuracy/scoreboard"]
PNL = "SELECT * FROM accuracy.strategy_pnl ORDER BY model_id, kind, horizon, trading_day, known_day"
FRIDAY, WEDNESDAY = date(2021, 3, 19), date(2021, 3, 17)


@pytest.fixture
def market(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three symbols and an index, one bar of them corrected a week later, up to the outcomes."""
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,5")
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAA", "BBB", "CCC", "^GSPC"])
    ]
    graph.run_reference(database_url)
    graph.store_bars(database_url, pl.concat(walks))
    graph.execute(
        database_url,
        "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,"
        " source, knowledge_time) SELECT symbol, trading_day, open, high * 2, low, close * 1.5, volume,"
        " quality, source, %s FROM market.market_data WHERE symbol = 'AAA' AND trading_day = '2021-03-18'",
        LATE,
    )
    graph.run(database_url, FIRST, LAST, CHAIN)
    return database_url


def test_a_range_is_day_by_day_and_a_rerun_changes_nothing(market: str) -> None:
    with graph.copy_of(market) as daily:
        graph.run(market, FIRST, LAST, BOARD)
        graph.run(daily, FIRST, BOUNDARY, BOARD)
        graph.run_day_by_day(daily, NEXT, LAST, BOARD)
        tables = ("accuracy.day_sums", "accuracy.strategy_pnl", "accuracy.scoreboard")
        rows, others = graph.contents(market), graph.contents(daily)
        assert all(rows[table] == others[table] and rows[table] for table in tables)
    assert graph.changed(graph.run(market, FIRST, LAST, BOARD)) == {}

    pnl = graph.frame(market, PNL)
    late = pnl.filter(pl.col("known_day") > pl.col("trading_day"))
    assert set(late["known_day"]) == {LATE.date()}
    assert set(late["trading_day"]) == {date(2021, 3, 18), date(2021, 3, 19)}, "in and out of it"
    idle = pnl.filter(pl.col("model_id") == "no_change")
    assert idle["profit"].abs().sum() == idle["gross_exposure"].sum() == 0

    warehouse = Database(url=market)
    with warehouse.transaction(READER) as transaction:
        stored = scoreboard_as_of(transaction, FRIDAY)
        between = scoreboard_as_of(transaction, WEDNESDAY)
        last = scoreboard_as_of(transaction)
        since = scoreboard_as_of(transaction, since=date(2021, 3, 1), horizon=1)
        found = compare(transaction, "drift", "no_change")
        alike = compare(transaction, "no_change", "no_change")
        skills = skills_by_symbol(transaction)
    assert stored
    assert between
    assert last
    assert since
    assert stored.rows["n"].sum() > between.rows["n"].sum() > since.rows["n"].sum() > 0
    assert last.day >= date(2021, 3, 26)
    assert set(since.rows["horizon"]) == {1}
    board = graph.frame(market, "SELECT * FROM deployment.v_scoreboard")
    assert set(board["as_of_day"]) == {date(2021, 3, 26)}
    pairs = found.join(alike, on=["kind", "horizon"], suffix="_alike")
    touches = pl.col("kind") == "time_to_hit"
    assert len(pairs) == len(found) > 0
    assert pairs.filter(~touches, pl.col("n") != pl.col("n_alike")).is_empty()
    assert pairs.filter(touches, pl.col("n") >= pl.col("n_alike")).is_empty(), "targets differ"
    assert set(alike["skill_difference"]) == {0.0}
    assert set(skills["symbol"]) == {"AAA", "BBB", "CCC", "^GSPC"}
    assert skills["skill"].null_count() == len(skills), "three months tell nothing apart"


def test_commands_answer_and_refuse_what_they_do_not_know(market: str, tmp_path: Path) -> None:
    graph.run(market, FIRST, LAST, BOARD)

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    lines = said("status").splitlines()
    assert 5 < len(lines) <= 20
    assert "No champion" in said("status")
    answer = json.loads(said("status", "--json"))
    assert {"as_of", "headline", "rows"} == set(answer)
    assert answer["rows"][0]["skill_vs_no_change"] is not None
    for command in (
        ["models"], ["compare", "drift", "climatology"], ["best"], ["gaps"], ["champions"],
        ["gate", "show"], ["keys", "list"], ["recommendations"],
    ):  # fmt: skip
        assert isinstance(json.loads(said(*command, "--json")), list), command
    assert "no_change" in said("models")
    assert "difference" in said("compare", "drift", "climatology")
    signals = said("recommendations", "--model", "drift")
    assert "Not a recommendation" in signals
    assert "HOLD" in signals or "BUY" in signals or "SELL" in signals

    page = tmp_path / "answer.html"
    assert str(page) in said("report", "-o", str(page), "--since", "2021-02-01")
    text = page.read_text()
    assert "<script" not in text
    assert "http" not in text, "nothing from another host"
    assert text.count("data:image/png;base64,") >= 3

    for arguments, hint in (
        (["recommendations", "--model", "drft"], "did you mean 'drift'?"),
        (["compare", "drift", "nosuch"], "there is no model 'nosuch'"),
        (["best", "--symbol", "AAAA"], "did you mean 'AAA'?"),
        (["best", "--kind", "prices"], "did you mean 'price'?"),
        (["best", "--horizon", "7"], "known are 1, 5"),
        (["report", "--model", "drit", "-o", str(page)], "did you mean 'drift'?"),
        (["report", "-o", str(tmp_path / "none" / "page.html")], "there is no directory"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, ValueError), arguments
        assert hint in str(result.exception)


def test_without_outcomes_the_answer_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    assert "No prediction has fallen due yet" in CliRunner().invoke(app, ["status"]).stdout
    result = CliRunner().invoke(app, ["report", "-o", str(tmp_path / "page.html")])
    assert "no prediction has fallen due yet" in str(result.exception)
    assert "predtrack" in CliRunner().invoke(app, ["--version"]).stdout
