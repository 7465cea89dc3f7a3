"""Posts from many threads: each gets its own answer, and those that wait share a transaction."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep
from typing import Any

import psycopg
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.forecasts import intake_groups
from predtrack_assets.services.forecasts.external_models import ModelRefused, register_model
from predtrack_assets.services.forecasts.intake import KeyReused, Post, Sender
from predtrack_assets.services.forecasts.intake_groups import GroupCommit
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets_tests.builders.api import DAY, store_prices

POSTS = 12


@pytest.fixture
def database(database_url: str) -> Database:
    store_prices(database_url)
    database = Database(url=database_url)
    with database.transaction() as transaction:
        register_model(transaction, name="tilt", version=1, kinds=["direction"], owner="ann")
    return database


def post(number: int, key: str | None = None, **changes: Any) -> Post:
    days = calendar("XNYS").between(DAY - timedelta(days=30), DAY)
    row = {
        "symbol": "AAPL", "horizon": 1 + number, "decision_day": str(days[-1]),
        "direction": {"p_up": 0.5}, "client_id": f"n{number}",
    }  # fmt: skip
    about: dict[str, Any] = {
        "model": "tilt", "version": 1, "rows": [row], "body": json.dumps(row).encode(),
        "sender": Sender("ann", f"r{number}", "k1234567", key),
    }  # fmt: skip
    return Post(**{**about, **changes})


def together(database: Database, posts: list[Post]) -> list[Any]:
    """The answers to posts of which all but the first arrive while the first is being committed."""
    intake = GroupCommit(database)
    with ThreadPoolExecutor(len(posts)) as pool:
        with intake._one_group:
            futures = []
            for number, each in enumerate(posts, start=1):
                futures.append(pool.submit(intake.take, each))
                while len(intake._queue) < number:
                    sleep(0.001)
        return [each.exception() or each.result() for each in futures]


def test_posts_that_wait_are_one_transaction_and_one_seal(database: Database) -> None:
    answers = together(database, [post(n) for n in range(POSTS)])
    assert [each["rows"][0]["client_id"] for each in answers] == [f"n{n}" for n in range(POSTS)]
    assert all(each["counts"]["accepted"] == 1 for each in answers)
    assert len({each["batch"] for each in answers}) == POSTS
    with psycopg.connect(str(database.url)) as connection:
        counted = connection.execute(
            "SELECT count(DISTINCT recorded_at), count(*) FROM forecasts.predictions"
        ).fetchone()
        batches = connection.execute(
            "SELECT array_agg(row_count) FROM forecasts.prediction_batches"
        ).fetchone()
    assert counted == (1, POSTS)
    assert batches == ([POSTS],)
    with database.transaction(READER) as transaction:
        assert verify(transaction).good


def test_a_post_that_is_refused_takes_no_other_with_it(database: Database) -> None:
    posts = [post(0), post(1, model="nobody"), post(2, sender=Sender("bob", "r")), post(3)]
    answers = together(database, posts)
    assert [isinstance(each, ModelRefused) for each in answers] == [False, True, True, False]
    assert answers[0]["counts"]["accepted"] == answers[3]["counts"]["accepted"] == 1


def test_one_key_twice_in_a_group_is_answered_once(database: Database) -> None:
    posts = [post(0, "monday"), post(0, "monday"), post(1, "monday"), post(2)]
    answers = together(database, posts)
    batches = [each["batch"] for each in answers[:2]] if isinstance(answers[0], dict) else []
    assert len(set(batches)) == 1
    assert isinstance(answers[2], KeyReused)
    assert answers[3]["counts"]["accepted"] == 1


def test_a_group_holds_no_more_rows_than_a_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_groups, "MAX_ROWS", 5)
    answers = together(database, [post(n) for n in range(POSTS)])
    assert len({each["committed_at"] for each in answers}) == 3
