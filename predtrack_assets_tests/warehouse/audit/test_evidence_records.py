"""A/B tests and improvement events that somebody altered, added or took out with triggers off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from psycopg import sql

from predtrack_assets.domain.deployment.gates import FAILED, PASSED
from predtrack_assets.warehouse.audit.ab_test_digests import digests_of_tests
from predtrack_assets.warehouse.audit.improvement_digests import chain_improvements
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests.builders.ledgers import verdict_of
from predtrack_assets_tests.graph import frame
from predtrack_assets_tests.services.deployment.test_decisions import add_gate, rolled_back, writing
from predtrack_assets_tests.warehouse.audit.test_decision_records import deploy, faults, unguarded
from predtrack_assets_tests.warehouse.deployment.test_improvements import add_test

WEEKS = (date(2024, 2, 23), date(2024, 3, 1))


@pytest.fixture(scope="module")
def tested(postgres_server: str, template_database: str) -> Iterator[str]:
    """Two weeks of a test from before digests, recorded by the first event; a deployment, undone."""
    names = {
        "name": sql.Identifier("predtrack_told_tests"),
        "template": sql.Identifier(template_database),
    }
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        url = with_database(postgres_server, "predtrack_told_tests")
        add_gate(url, "no_change", FAILED)
        gate = add_gate(url, "first", PASSED)
        for week, status in zip(WEEKS, ("running", "promoted"), strict=True):
            add_test(url, "no_change", "first", status, week)
        with writing(url) as transaction:
            record_event(
                transaction, "ab_test", "tests", digests_of_tests(transaction), "automated"
            )
            assert digests_of_tests(transaction) == {}, "all of them are on record"
        deploy(url, "first", gate)
        rolled_back(url)
        yield url
        admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


def test_a_clean_story_has_no_finding(tested: str) -> None:
    verdict = verdict_of(tested)
    assert [f for f in verdict.decision_faults if f["what"] != "gates of"] == []
    stored = "SELECT status FROM deployment.ab_tests ORDER BY as_of_day"
    assert frame(tested, stored)["status"].to_list() == ["running", "promoted", "rollback"]


TEST = "UPDATE deployment.ab_tests SET {} WHERE status = '{}'"
EVENT = "UPDATE deployment.improvement_events SET {} WHERE event_type = 'model_deployed'"
OTHERS, ANOTHER = "records others", "records another"


@pytest.mark.parametrize(
    ("change", "key", "fault"),
    [
        (TEST.format("e_value = e_value + 1", "running"), "A/B tests of 2024-02-23", OTHERS),
        (TEST.format("threshold = 40", "promoted"), "A/B tests of 2024-03-01", OTHERS),
        (TEST.format("n_live = n", "promoted"), "A/B tests of 2024-03-01", OTHERS),
        (TEST.format("decided_day = '2024-02-28'", "promoted"), "A/B tests of 2024-03-01", OTHERS),
        (TEST.format("conclusion = 'it lost'", "promoted"), "A/B tests of 2024-03-01", OTHERS),
        (TEST.format("recorded_at = now()", "running"), "A/B tests of 2024-02-23", "no audit"),
        ("DELETE FROM deployment.ab_tests WHERE status = 'running'", "A/B tests of 2024-02-23", "gone"),
        ("INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day,"
         " success_metric, status, n, e_value, e_against) VALUES ('2024-03-08', 'price', 'h5', 'first',"
         " 'second', '2024-03-04', 'crps', 'running', 3, 1, 1)",
         "A/B tests of 2024-03-08", "no audit event records them"),
        ("DELETE FROM audit.audit_trail WHERE event_index = 1", "A/B tests of 2024-02-23", "no audit"),
        (EVENT.format("trigger_reason = 'a friend asked'"), "improvement event 1", ANOTHER),
        (EVENT.format("performance_after = '{}'"), "improvement event 1", ANOTHER),
        (EVENT.format("occurred_at = occurred_at - interval '1 d'"), "improvement event 1", ANOTHER),
        (EVENT.format("automated = NOT automated, approved_by = 'eve'"), "improvement event 1", ANOTHER),
        ("DELETE FROM deployment.improvement_events WHERE event_type = 'rollback'",
         "improvement event 2", "gone"),
        ("INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type,"
         " component_id, trigger_reason, automated) OVERRIDING SYSTEM VALUE VALUES ('retrain', now(),"
         " 'model', 'second', 'never was', true)", "improvement event 3", "no audit event records it"),
    ],
)  # fmt: skip
def test_attacks_are_found(tested: str, change: str, key: str, fault: str) -> None:
    with unguarded(tested, change) as transaction:
        assert fault in faults(transaction)[key]


def test_a_chained_event_does_not_excuse_what_was_altered(tested: str) -> None:
    changes = (
        TEST.format("e_value = 30", "promoted"),
        EVENT.format("trigger_reason = 'a friend asked'"),
    )
    with unguarded(tested, *changes) as transaction:
        record_event(transaction, "ab_test", "tests", digests_of_tests(transaction), "automated")
        chain_improvements(transaction, "automated")
        found = faults(transaction)
        assert OTHERS in found["A/B tests of 2024-03-01"]
        assert ANOTHER in found["improvement event 1"]
