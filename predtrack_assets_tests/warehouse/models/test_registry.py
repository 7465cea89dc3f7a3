"""The registry's own rules: runs and trials are finished once, fits never rewritten, the newest speaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from psycopg import errors

from predtrack_assets.stores.artifacts import Artifact
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.models import registry
from predtrack_assets.warehouse.models.registry import Training, Trial
from predtrack_assets_tests import graph

FILE = Artifact("file:///nowhere/a.json", "a" * 64, 10)
TRAINING = Training(
    model_id="pooled-v1",
    scope="*",
    trained_through=date(2011, 2, 28),
    first_day=date(2009, 1, 2),
    samples=1000,
    symbols=["AAA", "BBB"],
    feature_set="standard-v1",
    parameters={"horizons": [1, 5]},
    code_version="1",
    input_digest="d1",
)


@pytest.fixture
def warehouse(database_url: str) -> Database:
    """A registry with one fitted version."""
    for model in ("pooled-v1", "other-v1"):
        graph.execute(
            database_url,
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description,"
            " scope) VALUES (%s, %s, 1, 'candidate', '{price}', 'x', 'pooled')",
            *(model, model[:-3]),
        )
    return Database(url=database_url)


def fit(warehouse: Database, training: Training) -> str:
    run = registry.start(warehouse, training, "run")
    with warehouse.transaction() as transaction:
        name, written = registry.succeed(
            transaction, run, training, FILE, {"cutoff": str(training.trained_through)}, {}
        )
    assert written.inserted == 1
    return name


def in_force(warehouse: Database, first: date, last: date) -> list[tuple[str, date, date | None]]:
    rows = warehouse.read(registry.IN_FORCE, first=first, last=last, retired=False)
    return list(rows.select("artifact_id", "trained_through", "until").iter_rows())


def on(day: date, **changes: str) -> Training:
    return replace(TRAINING, trained_through=day, **changes)


def test_a_fit_speaks_of_the_days_after_it_until_the_next_one(warehouse: Database) -> None:
    january, february = date(2011, 1, 31), date(2011, 2, 28)
    assert fit(warehouse, on(january)) == "pooled-v1@2011-01-31"
    assert fit(warehouse, on(february)) == "pooled-v1@2011-02-28"
    first = ("pooled-v1@2011-01-31", january, february)
    second = ("pooled-v1@2011-02-28", february, None)
    assert in_force(warehouse, january, january) == [], "never of a day that it has seen"
    assert in_force(warehouse, date(2011, 2, 1), february) == [first]
    assert in_force(warehouse, february, date(2011, 3, 1)) == [first, second]
    assert in_force(warehouse, date(2011, 3, 1), date(2011, 3, 2)) == [second]


def test_a_symbols_own_fits_come_before_those_of_all(warehouse: Database) -> None:
    fit(warehouse, on(date(2011, 2, 28)))
    assert fit(warehouse, on(date(2011, 1, 31), scope="IBM")) == "pooled-v1:IBM@2011-01-31"
    names = [name for name, *_ in in_force(warehouse, date(2011, 3, 1), date(2011, 3, 1))]
    assert names == ["pooled-v1:IBM@2011-01-31", "pooled-v1@2011-02-28"]


def test_a_later_fit_of_the_same_day_takes_its_place_and_withdrawing_gives_it_back(
    warehouse: Database, database_url: str
) -> None:
    day = date(2011, 2, 28)
    fit(warehouse, on(day))
    assert fit(warehouse, on(day, input_digest="d2")) == "pooled-v1@2011-02-28.2"
    after = (date(2011, 3, 1), date(2011, 3, 1))
    assert [name for name, *_ in in_force(warehouse, *after)] == ["pooled-v1@2011-02-28.2"]
    graph.execute(
        database_url,
        "UPDATE models.model_artifacts SET status = 'withdrawn' WHERE revision = 2",
    )
    assert [name for name, *_ in in_force(warehouse, *after)] == ["pooled-v1@2011-02-28"]
    with pytest.raises(errors.RestrictViolation, match="only the status"):
        graph.execute(database_url, "UPDATE models.model_artifacts SET sha256 = repeat('b', 64)")
    with pytest.raises(errors.RestrictViolation):
        graph.execute(database_url, "DELETE FROM models.model_artifacts")


def test_a_retired_version_speaks_no_more(warehouse: Database, database_url: str) -> None:
    fit(warehouse, TRAINING)
    graph.execute(
        database_url,
        "UPDATE models.model_registry SET status = 'retired' WHERE model_id = 'pooled-v1'",
    )
    assert in_force(warehouse, date(2011, 3, 1), date(2011, 3, 1)) == []
    assert warehouse.read(registry.RETIRED)["model_id"].to_list() == ["pooled-v1"]


def test_a_failed_run_stays_on_record_and_cannot_be_finished_again(
    warehouse: Database, database_url: str
) -> None:
    run = registry.start(warehouse, TRAINING, "dagster")
    registry.fail(warehouse, run, "ValueError: no")
    rows = graph.frame(database_url, "SELECT status, error_log FROM models.training_runs")
    assert rows.rows() == [("failed", "ValueError: no")]
    with pytest.raises(errors.RestrictViolation, match="finished once"):
        graph.execute(database_url, "UPDATE models.training_runs SET error_log = 'no matter'")
    with pytest.raises(errors.RestrictViolation, match="append-only"):
        graph.execute(database_url, "DELETE FROM models.training_runs")


def test_a_run_that_never_ended_is_failed_by_the_next(
    warehouse: Database, database_url: str
) -> None:
    registry.start(warehouse, TRAINING, "killed")
    registry.start(warehouse, replace(TRAINING, model_id="other-v1"), "another")
    registry.start(warehouse, TRAINING, "next")
    rows = graph.frame(
        database_url, "SELECT dagster_run_id, status FROM models.training_runs ORDER BY 1"
    )
    assert rows.rows() == [("another", "started"), ("killed", "failed"), ("next", "started")]


def test_trials_are_on_record_before_their_results(warehouse: Database, database_url: str) -> None:
    run = registry.start(warehouse, TRAINING, "dagster")
    asked = [Trial("price", 5, family, {"folds": 3}) for family in ("empirical", "lightgbm")]
    registry.record_trials(warehouse, run, "pooled-v1", asked)
    known = "SELECT family, result, chosen, recorded_at < finished_at FROM models.trials ORDER BY 1"
    assert graph.frame(database_url, known).rows() == [
        ("empirical", None, None, None),
        ("lightgbm", None, None, None),
    ]
    done = [replace(t, result={"loss": 0.5}, chosen=t.family == "empirical") for t in asked]
    registry.record_results(warehouse, run, done)
    assert graph.frame(database_url, known).rows() == [
        ("empirical", {"loss": 0.5}, True, True),
        ("lightgbm", {"loss": 0.5}, False, True),
    ]
    with pytest.raises(errors.RestrictViolation, match="finished once"):
        graph.execute(database_url, "UPDATE models.trials SET result = '{}'")
    with pytest.raises(ValueError, match="never recorded"):
        registry.record_results(warehouse, run, [replace(done[0], kind="direction")])
