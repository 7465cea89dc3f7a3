"""Gates, deployments and overrides that somebody put in, altered or took out with triggers off are found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.deployment.gates import FAILED, PASSED
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.deployment import decisions
from predtrack_assets.warehouse.audit.decision_records import decisions as decided
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests.builders.ledgers import verdict_of
from predtrack_assets_tests.services.deployment.test_decisions import (
    LATER,
    add_gate,
    override,
    own_gate,
    rolled_back,
    writing,
)

FORGED = (
    "INSERT INTO deployment.deployments (kind, scope, model_id, valid_from, gate_id, deployed_by,"
    " reason) SELECT kind, scope, model_id, now(), gate_id, 'automated', 'it is the best'"
    " FROM deployment.deployment_gates WHERE model_id = 'no_change'"
)
UNCHECK = (
    "ALTER TABLE deployment.deployments DROP CONSTRAINT gate_or_override,"
    " DROP CONSTRAINT override_ends, DROP CONSTRAINT ends_after_start,"
    " DROP CONSTRAINT a_retirement_has_no_model"
)
UNRECORDED = "no audit event records it"


def deploy(
    url: str, model: str, gate: str, days: int = 0, scope: str = "h5", kind: str = "price"
) -> None:
    with writing(url) as transaction:
        decisions.deploy(
            transaction, kind=kind, scope=scope, model_id=model, gate_id=gate, reason="it passed",
            valid_from=LATER + timedelta(days=days),
        )  # fmt: skip


@contextmanager
def as_superuser(url: str) -> Iterator[Transaction]:
    """A superuser's transaction without triggers; whoever uses it commits."""
    with adbc.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield Transaction(cursor)
        connection.commit()


def note_gates(url: str) -> None:
    """Every gate there is as one run's, with its audit event."""
    with as_superuser(url) as transaction:
        transaction.read(
            Query("UPDATE deployment.deployment_gates SET evaluated_at = now() RETURNING 1 AS n")
        )
        rows = Query(
            "SELECT as_of_day, gate_status, model_id, kind FROM deployment.deployment_gates"
        )
        decisions.note_gates(transaction, transaction.read(rows))


@pytest.fixture(scope="module")
def told(postgres_server: str, template_database: str) -> Iterator[str]:
    """Deployments 1 first, 2 second, 3 back to first, 4 an override of bad, 5 own of IBM, 6 back,
    7 one of direction, 8 its retirement; after the event of each, that of its improvement event (so
    deployment k has event 2 k - 1), then that of the gates."""
    name = "predtrack_told_decisions"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        names = {"name": sql.Identifier(name), "template": sql.Identifier(template_database)}
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        url = with_database(postgres_server, name)
        for days, model in enumerate(("first", "second")):
            deploy(url, model, add_gate(url, model, PASSED), days)
        rolled_back(url)
        override(url, add_gate(url, "bad", FAILED))
        deploy(url, "own", own_gate(url, "IBM"), scope="h5:IBM")
        rolled_back(url, scope="h5:IBM")
        add_gate(url, "no_change", FAILED)
        gate = add_gate(url, "first", PASSED, kind="direction")
        deploy(url, "first", gate, kind="direction")
        assert rolled_back(url, kind="direction") == ("first", None)
        note_gates(url)
        yield url
        admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


@contextmanager
def unguarded(url: str, *statements: str) -> Iterator[Transaction]:
    """A superuser's transaction without triggers, after the statements; undone at the end."""
    with adbc.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)
                assert cursor.rowcount != 0, "the attack did something"
            yield Transaction(cursor)
        connection.rollback()


def faults(transaction: Transaction) -> dict[str, str]:
    """Fault by what and id of the decision."""
    found = decided(transaction).drop_nulls("fault")
    return {f"{row['what']} {row['id']}": row["fault"] for row in found.iter_rows(named=True)}


def faults_after(url: str, *statements: str) -> dict[str, str]:
    with unguarded(url, *statements) as transaction:
        return faults(transaction)


def test_a_clean_story_has_no_finding(told: str) -> None:
    verdict = verdict_of(told)
    assert verdict.good, verdict.decision_faults
    kinds = "eight deployments, their improvement events, one override, one week of gates"
    assert (verdict.decisions_good, verdict.decisions) == (18, 18), kinds
    assert verdict.events_good == verdict.events == 17


def test_a_story_told_before_events_named_their_deployment_has_no_finding(told: str) -> None:
    forget = (
        "UPDATE audit.audit_trail SET payload = payload - 'deployment_id' - 'model_id' - 'valid_from'"
        " - 'evaluated_at' - 'digests' WHERE event_type <> 'deployment'"
    )
    before = (forget, "DELETE FROM audit.audit_trail WHERE event_type = 'improvement'")
    assert faults_after(told, *before) == {}
    gone = "DELETE FROM deployment.deployments WHERE deployment_id = 3"
    assert list(faults_after(told, *before, gone)) == ["deployment None"]


def test_an_inserted_deployment(told: str) -> None:
    baseline = "its gate is failed; a baseline is never champion"
    assert list(faults_after(told, FORGED).values()) == [f"{UNRECORDED}; {baseline}"]
    with unguarded(told, FORGED) as transaction:
        query = Query(
            "SELECT kind, scope, model_id, valid_from, gate_id::text AS gate_id, reason"
            " FROM deployment.deployments WHERE model_id = 'no_change'"
        )
        row = transaction.read(query).row(0, named=True)
        said = {**row, "valid_from": row["valid_from"].isoformat()}
        record_event(transaction, "deployment", "price/h5", said, "automated")
        assert list(faults(transaction).values()) == [baseline], "even where an event is forged too"


@pytest.mark.parametrize(
    ("deployment", "change", "fault"),
    [
        (1, "reason = 'another'", "audit event 1 records another reason"),
        (1, "deployed_by = 'ann'", "audit event 1 records another person"),
        (1, "model_id = 'second'", "audit event 1 records another model; its gate is of another"),
        (1, "scope = 'h1'", f"{UNRECORDED}; its gate is of another model, kind or scope"),
        (2, "valid_from = valid_from + interval '1 s'", UNRECORDED),
        (2, "gate_id = (SELECT gate_id FROM deployment.deployment_gates WHERE model_id = 'bad')",
         "audit event 3 records another gate; its gate is of another model"),
        (2, "gate_id = NULL", "audit event 3 records another gate; no gate permits it"),
        (3, "restores = 2", "it restores no earlier champion"),
        (3, "reason = 'another'", "audit event 5 records another reason"),
        (3, "valid_from = valid_from - interval '1 h'", UNRECORDED),
        (4, "valid_until = NULL", "its override was not valid then"),
        (4, "valid_from = valid_from - interval '1 h'", "audit event 7 records another moment"),
        (4, "valid_from = valid_until", "its override was not valid then"),
        (6, "scope = 'h5:AAPL'", UNRECORDED),
        (7, "valid_until = now()", "it has an end and no override"),
        (8, "reason = 'another'", "audit event 15 records another reason"),
        (8, "deployed_by = 'eve'", "audit event 15 records another person"),
        (8, "valid_from = valid_from - interval '1 h'", UNRECORDED),
        (8, "valid_until = now()", "it has an end and no override"),
        (8, "retires = 1", "records another champion left; it retires no champion in force"),
        (8, "kind = 'price'", f"{UNRECORDED}; it retires no champion in force"),
        (8, "model_id = 'first', retires = NULL, gate_id ="
            " (SELECT gate_id FROM deployment.deployments WHERE deployment_id = 7)", UNRECORDED),
        (8, "model_id = 'first'", "audit event 15 records another model"),
        (8, "recorded_at = recorded_at - interval '2 d'",
            "audit event 15 records another moment of recording"),
    ],
)  # fmt: skip
def test_an_altered_deployment(told: str, deployment: int, change: str, fault: str) -> None:
    statement = sql.SQL("UPDATE deployment.deployments SET {} WHERE deployment_id = {}")
    altered = statement.format(sql.SQL(change), deployment).as_string()
    assert fault in faults_after(told, UNCHECK, altered)[f"deployment {deployment}"]


@pytest.mark.parametrize("deployment", range(1, 9))
def test_a_deleted_deployment(told: str, deployment: int) -> None:
    statement = sql.SQL("DELETE FROM deployment.deployments WHERE deployment_id = {}")
    found = faults_after(told, statement.format(deployment).as_string())
    gone = f"audit event {2 * deployment - 1} records it and it is gone"
    assert found.pop(f"deployment {deployment}") == gone
    restored = {1: {"deployment 3"}, 4: {"deployment 6"}, 7: {"deployment 8"}}.get(
        deployment, set()
    )
    assert set(found) == restored, "what restores or retires it does so to nothing"


def test_a_forged_retirement(told: str) -> None:
    forge = (
        "INSERT INTO deployment.deployments (kind, scope, valid_from, retires, deployed_by, reason)"
        " VALUES ('price', 'h5', now(), {}, 'ann', 'it degraded')"
    )
    in_force = 4
    assert list(faults_after(told, forge.format(in_force)).values()) == [UNRECORDED]
    with unguarded(told, forge.format(1)) as transaction:
        said = {"from": "first", "to": None, "reason": "it degraded", "retires": 1}
        query = Query(
            "SELECT max(valid_from) AS m FROM deployment.deployments WHERE kind = 'price'"
        )
        said["valid_from"] = transaction.read(query).item().isoformat()
        record_event(transaction, "rollback", "price/h5", said, "ann")
        forged = ["it retires no champion in force"]
        assert list(faults(transaction).values()) == forged, "even where an event is forged too"


GATE = "UPDATE deployment.deployment_gates SET {} WHERE model_id = 'bad'"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (GATE.format("accuracy = accuracy + 1e-15"), "audit event 17 records others"),
        (GATE.format("symbol = 'IBM'"), "audit event 17 records others"),
        (GATE.format("n_live = 9"), "audit event 17 records others"),
        (GATE.format("criteria = '{}'"), "audit event 17 records others"),
        (GATE.format("failure_reasons = '{skill}'"), "audit event 17 records others"),
        (GATE.format("evaluated_at = evaluated_at - interval '1 h'"), "no audit event records them"),
        (GATE.format("as_of_day = '2024-03-08'"), "no audit event records them"),
        ("DELETE FROM deployment.deployment_gates WHERE model_id = 'bad'",
         "audit event 17 records others"),
        ("DELETE FROM deployment.deployment_gates", "audit event 17 records them and they are gone"),
        ("DELETE FROM audit.audit_trail WHERE event_index = 17", "no audit event records them"),
    ],
)  # fmt: skip
def test_attacked_gates(told: str, change: str, fault: str) -> None:
    with unguarded(told, change) as transaction:
        found = decided(transaction).filter(what="gates of").drop_nulls("fault")
        assert fault in found["fault"].to_list()


def test_a_chained_event_does_not_excuse_an_altered_gate(told: str) -> None:
    passed = GATE.format(
        "gate_status = 'passed', failure_reasons = '{}',"
        """ criteria = replace(criteria::text, 'failed', 'passed')::jsonb"""
    )
    with unguarded(told, passed) as transaction:
        rows = Query(
            "SELECT as_of_day, gate_status, model_id, kind FROM deployment.deployment_gates"
        )
        decisions.note_gates(transaction, transaction.read(rows))
        assert faults(transaction)["gates of 2024-03-01"] == "audit event 17 records others"


def test_an_event_without_digests_records_only_what_came_before_there_were_any(told: str) -> None:
    said = {"first": "2024-03-01", "last": "2024-03-08", "statuses": {"failed": 6}, "passed": []}
    later = GATE.format("as_of_day = '2024-03-08'")
    with unguarded(told, later) as transaction:
        record_event(transaction, "deployment_gate", "gates", said, "automated")
        assert faults(transaction)["gates of 2024-03-08"] == "no audit event records them"
    forget = (
        "UPDATE audit.audit_trail SET payload = payload - 'digests'"
        " WHERE event_type = 'deployment_gate'"
    )
    with unguarded(told, later, forget) as transaction:
        assert faults(transaction) == {"gates of 2024-03-08": "no audit event records them"}
        record_event(transaction, "deployment_gate", "gates", said, "automated")
        assert faults(transaction) == {}, "as a home of before"


def test_a_doubled_deployment(told: str) -> None:
    double = (
        "INSERT INTO deployment.deployments (kind, scope, model_id, valid_from, gate_id, deployed_by,"
        " reason) SELECT kind, scope, model_id, valid_from, gate_id, deployed_by, reason"
        " FROM deployment.deployments WHERE deployment_id = 1"
    )
    unguard = "ALTER TABLE deployment.deployments DROP CONSTRAINT one_champion_at_a_time"
    (found,) = faults_after(told, unguard, double).items()
    assert found[0].startswith("deployment ")
    assert found[1] == UNRECORDED


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE deployment.gate_overrides SET reason = 'another reason'", "records another one"),
        ("UPDATE deployment.gate_overrides SET approved_by = 'eve'", "records another one"),
        ("UPDATE deployment.gate_overrides SET recorded_at = recorded_at - interval '2 d'",
         "records another one"),
        ("UPDATE deployment.gate_overrides SET expires_at = expires_at + interval '1 d'",
         "records another one"),
        ("DELETE FROM deployment.gate_overrides", "records it and it is gone"),
        ("DELETE FROM audit.audit_trail WHERE event_index = 7", UNRECORDED),
    ],
)  # fmt: skip
def test_an_attacked_override(told: str, change: str, fault: str) -> None:
    assert fault in faults_after(told, change)["override 1"]


def test_an_event_that_does_not_verify_records_nothing(told: str) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        unguarded(
            told, "UPDATE audit.audit_trail SET actor = 'eve' WHERE event_index = 3"
        ) as transaction,
    ):
        patch.setattr(Transaction, "freeze", lambda self: None)  # only a new transaction can
        verdict = verify(transaction)
    assert [index for index, _ in verdict.event_faults] == [3]
    assert [(row["id"], row["fault"]) for row in verdict.decision_faults] == [("2", UNRECORDED)]


def test_verify_names_the_deployment_and_ends_1(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    deploy(database_url, "good", add_gate(database_url, "good", PASSED))
    add_gate(database_url, "no_change", FAILED)
    note_gates(database_url)
    good = CliRunner().invoke(app, ["ledger", "verify"])
    assert good.exit_code == 0, good.output
    assert "3 of 3 audit events, 3 of 3 decisions" in good.output
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(FORGED)
    bad = CliRunner().invoke(app, ["ledger", "verify"])
    assert bad.exit_code == 1
    assert f"deployment 2 price/h5 no_change: {UNRECORDED}; its gate is failed" in bad.output
    assert "3 of 3 audit events, 3 of 4 decisions" in bad.output
