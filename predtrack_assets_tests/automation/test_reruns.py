"""What a backfill leaves out: nothing that anybody could have changed, in whatever way and order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from predtrack_assets.automation import reruns as module
from predtrack_assets.automation.jobs import PROOFS
from predtrack_assets.automation.reruns import Reruns, Step, outdated, reruns
from predtrack_assets.automation.runs import RunReport, run_window, selection_of
from predtrack_assets.days import Window
from predtrack_assets.definitions import build_definitions
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph

WINDOW = Window(date(2021, 1, 4), date(2021, 1, 29))
SPAN = ("2021-01-04", "2021-01-29")
MARKET = ["market_data", "corporate_actions", "market_conditions"]
PRICES_CHECKED = {"prices", "check_market_data", "check_corporate_actions"}
CONDITIONS = {"market__market_conditions", "check_market_conditions"}
ALL = PRICES_CHECKED | CONDITIONS
REVISE = (
    "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,"
    " source, knowledge_time) SELECT symbol, trading_day, open, high, low, close + 0.001 * (high -"
    " close), volume, quality, source, knowledge_time + interval '1 hour' FROM market.market_data"
    " WHERE trading_day = '2021-01-12'"
)


def of_small_market(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", url)
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "2")
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")


@pytest.fixture(scope="module")
def backfilled(postgres_server: str, template_database: str) -> Iterator[tuple[str, RunReport]]:
    """A database whose market is computed, and what the backfill said."""
    with graph.copy_of(with_database(postgres_server, template_database)) as url:
        with pytest.MonkeyPatch.context() as environment:
            of_small_market(environment, url)
            report = backfill()
        yield url, report


@pytest.fixture
def url(backfilled: tuple[str, RunReport], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A copy of that database for one test."""
    with graph.copy_of(backfilled[0]) as url:
        of_small_market(monkeypatch, url)
        yield url


@contextmanager
def knowing(*, recompute: bool = False) -> Iterator[tuple[dg.Definitions, Reruns]]:
    with reruns(get_settings(), recompute=recompute) as known:
        yield build_definitions(resources={"warehouse": known.warehouse}), known


def backfill(
    window: Window = WINDOW, names: Sequence[str] = MARKET, *, recompute: bool = False
) -> RunReport:
    """The named assets, as `predtrack backfill` computes them."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        knowing(recompute=recompute) as (defs, known),
    ):
        return run_window(defs, instance, window, selection_of(names, defs), reruns=known)


def planned(first: str = SPAN[0], last: str = SPAN[1], *, recompute: bool = False) -> set[str]:
    """The steps that a backfill of the market's assets would run."""
    with knowing(recompute=recompute) as (defs, known):
        chosen = selection_of(MARKET, defs) - PROOFS
        plan = known.plan(defs.resolve_asset_graph(), chosen, (first, last))
        return {step.name for step in plan.steps} - set(plan.same)


def test_what_has_nothing_new_is_left_out(
    backfilled: tuple[str, RunReport], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backfilled[1]
    assert set(first.seconds) == ALL
    assert first.rows_changed > 0
    again = backfill()
    assert again.success
    assert not again.seconds, "nothing ran"
    assert again.rows_changed == 0
    assert again.materialized.keys() == again.same.keys() == first.materialized.keys()
    stored = first.materialized["market/market_data"]["rows_inserted"]
    assert again.materialized["market/market_data"]["rows_unchanged"] == stored

    assert planned("2021-01-11", "2021-01-15") == set(), "a part of the range"
    assert planned("2021-01-04", "2021-02-01") == ALL, "a day more"
    assert planned(recompute=True) == ALL
    monkeypatch.setenv("PREDTRACK_MAX_JUMP", "0.3")
    assert planned() == ALL, "other settings"
    monkeypatch.delenv("PREDTRACK_MAX_JUMP")
    monkeypatch.setenv("PREDTRACK_SCHEDULES", "")
    assert planned() == set(), "settings that do not matter"
    monkeypatch.setattr(module, "code_and_settings", lambda _: "other code")
    assert planned() == ALL


@pytest.mark.parametrize(
    ("statement", "steps"),
    [
        (REVISE, ALL),
        ("UPDATE market.market_data SET close = high WHERE trading_day = '2021-01-12'", ALL),
        ("DELETE FROM market.market_conditions WHERE trading_day = '2021-01-12'", CONDITIONS),
        ("TRUNCATE market.market_conditions", CONDITIONS),
        ("INSERT INTO market.symbols VALUES ('ZZZ', 'XNYS', 'stock', 'USD', 'hand')", ALL),
        ("UPDATE market.market_data SET close = high WHERE false", set()),
        ("DELETE FROM market.market_conditions WHERE trading_day = '1999-01-04'", set()),
        ("ALTER TABLE market.market_conditions DISABLE TRIGGER notes_change", CONDITIONS),
    ],
)
def test_rows_written_by_hand_are_new(url: str, statement: str, steps: set[str]) -> None:
    graph.execute(url, statement)
    assert planned() == steps


def test_rows_that_replication_brings_are_new(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(REVISE)
    assert planned() == ALL


def test_a_table_made_anew_is_new(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE market.other (LIKE market.market_conditions)")
        connection.execute("DROP TABLE market.market_conditions CASCADE")
        connection.execute("ALTER TABLE market.other RENAME TO market_conditions")
    assert planned() == CONDITIONS


def test_a_writer_that_commits_after_the_run_is_new(url: str) -> None:
    """Its transaction number is lower than those of the run, which did not see its rows."""
    with psycopg.connect(url) as writer:
        writer.execute("INSERT INTO market.symbols VALUES ('ZZZ', 'XNYS', 'stock', 'USD', 'hand')")
        assert backfill(recompute=True).success
        assert planned() == set(), "not committed yet"
        writer.commit()
        assert planned() == ALL


def test_a_writer_that_commits_within_a_step_is_new(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the step has read, before it has written: its own transaction is the later one."""
    replace = Transaction.replace

    def disturbed(self: Transaction, *arguments: object) -> object:
        graph.execute(url, REVISE)
        return replace(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as disturbance:
        disturbance.setattr(Transaction, "replace", disturbed)
        assert backfill(recompute=True).success
    assert planned() == ALL


def test_what_failed_is_run_again(url: str) -> None:
    graph.execute(url, "UPDATE market.market_conditions SET recorded_at = trading_day")
    for _ in range(2):
        failed = backfill()
        assert not failed.success
        assert "check_market_conditions" in failed.failed
        assert planned() == CONDITIONS, "the asset with its blocking check"
    graph.execute(url, "UPDATE market.market_conditions SET recorded_at = now()")
    assert backfill().success
    assert planned() == set()


def test_warnings_are_repeated_and_of_a_part_looked_for(url: str) -> None:
    graph.execute(url, "UPDATE market.market_data SET volume = -0.0, source = 'hand'")
    graph.execute(url, "DELETE FROM market.market_data WHERE trading_day = '2021-01-12'"
                  " AND symbol = (SELECT min(symbol) FROM market.market_data)")  # fmt: skip
    warned = backfill()
    assert warned.success
    assert warned.failed_checks == ["market/market_data: no_gaps"]
    assert planned() == set()
    assert backfill().failed_checks == warned.failed_checks
    assert planned("2021-01-18", "2021-01-22") == {"check_market_data"}


def test_a_vendor_is_asked_and_what_follows_waits_for_news(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "prices_version", lambda _: None)
    asked = backfill()
    assert set(asked.seconds) == PRICES_CHECKED
    assert set(asked.same) == {"market/market_conditions"}
    graph.execute(url, REVISE)
    assert set(backfill().seconds) == ALL


def test_another_price_file_is_read(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    days = graph.random_walk(WINDOW.days, 1).with_columns(symbol=graph.pl.lit("^GSPC"))
    file = tmp_path / "prices.csv"
    days.write_csv(file)
    monkeypatch.setenv("PREDTRACK_SOURCE", "file")
    monkeypatch.setenv("PREDTRACK_FILE", str(file))
    monkeypatch.setenv("PREDTRACK_FILE_PRICES", "as_traded")
    backfill()
    assert planned() == set()
    file.touch()
    assert planned() == set()
    days.with_columns(volume=graph.pl.col("volume") + 1).write_csv(file)
    assert planned() == ALL


def test_changes_are_kept_for_backfills_at_work_and_removed_after_them(url: str) -> None:
    changes = "SELECT count(*) FROM audit.table_changes"
    with knowing():
        graph.execute(url, REVISE)
        assert backfill().success
        assert graph.frame(url, changes).item()
    with knowing():
        pass
    assert not graph.frame(url, changes).item()
    assert planned() == set()
    graph.execute(url, REVISE.replace("01-12", "01-13"))
    with knowing():
        pass
    assert not graph.frame(url, changes).item()
    assert planned() == ALL, "the record went with the change that it had not seen"


def step(name: str, after: str = "", *, check_of: str = "", blocking: bool = False) -> Step:
    """A step that makes an asset of its own name, or checks one."""
    key = dg.AssetKey(check_of or name)
    return Step(
        name,
        frozenset() if check_of else frozenset([key]),
        frozenset([dg.AssetCheckKey(key, "good")]) if check_of else frozenset(),
        frozenset([key]) if check_of else frozenset(dg.AssetKey(a) for a in after.split()),
        blocking,
    )


def test_what_follows_from_a_step_that_runs_runs_too() -> None:
    steps = [
        *(step("a"), step("b", "a"), step("c", "b"), step("d", "outside")),
        *(step("check_b", check_of="b", blocking=True), step("look_at_c", check_of="c")),
    ]
    names = {s.name for s in steps}
    assert outdated(steps, names) == set()
    assert outdated(steps, names - {"b"}) == {"b", "c", "check_b", "look_at_c"}
    assert outdated(steps, names - {"d"}) == {"d"}
    assert outdated(steps, names - {"look_at_c"}) == {"look_at_c"}
    assert outdated(steps, names - {"check_b"}) == {"b", "c", "check_b", "look_at_c"}


NEWS = {
    "a revised bar": REVISE,
    "sums deleted": "DELETE FROM accuracy.day_sums WHERE due_day = '2021-01-14'",
    "a split told late": "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value,"
    " inferred, source, knowledge_time) SELECT min(symbol), '2021-01-20', 'split', 2, false, 'hand',"
    " '2021-01-19' FROM market.symbols WHERE asset_class = 'stock'",
    "a retired model": "UPDATE models.model_registry SET status = 'retired'"
    " WHERE starts_with(model_id, 'drift')",
}
LONGER = Window(date(2021, 1, 4), date(2021, 2, 12))  # so that something is predicted
# Without trading, whose books refuse a past that was rewritten by hand.
RESULTS = ["market", "features", "forecasts", "accuracy", "deployment", "prediction_scores"]


@pytest.fixture(scope="module")
def whole_graph(postgres_server: str, template_database: str) -> Iterator[str]:
    """A database whose whole graph is computed."""
    with graph.copy_of(with_database(postgres_server, template_database)) as url:
        with pytest.MonkeyPatch.context() as environment:
            of_small_market(environment, url)
            graph.run_reference(url)
            assert backfill(LONGER, RESULTS).success
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("news", NEWS)
def test_leaving_out_ends_as_computing_all(
    whole_graph: str, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with graph.copy_of(whole_graph) as url, graph.copy_of(whole_graph) as other:
        of_small_market(monkeypatch, url)
        assert graph.contents(url)["forecasts.outcomes"]
        assert set(backfill(LONGER, RESULTS).seconds) == {module.ALWAYS}
        for database in (url, other):
            graph.execute(database, NEWS[news])
        report = backfill(LONGER, RESULTS)
        assert report.success, report.failed
        select = [asset for asset in report.materialized if not asset.startswith("models/pooled")]
        graph.run(other, LONGER.start, LONGER.end, select)
        assert graph.differences(graph.contents(url), graph.contents(other)) == {}
        assert set(backfill(LONGER, RESULTS).seconds) == {module.ALWAYS}
