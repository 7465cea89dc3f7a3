"""What the database refuses whoever asks, and what decisions leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.deployment.gates import CRITERIA, FAILED, INSUFFICIENT, PASSED
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.decisions import DecisionRefused
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.audit import decision_records
from predtrack_assets.warehouse.database.migrate import migrate, rollback
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.deployment import improvements, profiles, queries
from predtrack_assets_tests.graph import execute, frame

DAY = date(2024, 3, 1)
LATER = datetime(2024, 3, 2, tzinfo=UTC)
TABLES = (
    "deployment_gates", "gate_overrides", "deployments", "ab_tests", "improvement_events",
    "event_notifications",
)  # fmt: skip
UPDATE = "UPDATE deployment.{} SET {} = now()"
FIRST = "SELECT min(deployment_id) FROM deployment.deployments"
REASON = "the vendor's data were late that week"


def add_gate(url: str, model: str, status: str, day: date = DAY, kind: str = "price") -> str:
    """A gate of a model that it registers as a candidate; its id."""
    execute(
        url,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
        " VALUES (%s, %s, 1, %s, '{price,direction}', 'a model') ON CONFLICT DO NOTHING",
        *(model, model, "baseline" if model == "no_change" else "candidate"),
    )
    criteria = json.dumps({name: {"status": status} for name in CRITERIA})
    reasons = [] if status == PASSED else ["skill failed: 0"]
    execute(
        url,
        "INSERT INTO deployment.deployment_gates (model_id, kind, horizon, as_of_day, gate_status,"
        " accuracy, skill, market_outperformance, sharpe_ratio, max_drawdown, calibration_error,"
        " trial_count, criteria, thresholds, failure_reasons)"
        " VALUES (%s, %s, 5, %s, %s, 0.7, 0.1, 0.1, 2, 0.1, 0.01, 1, %s, '{}', %s)",
        *(model, kind, day, status, criteria, reasons),
    )
    found = frame(
        url,
        "SELECT gate_id::text FROM deployment.deployment_gates WHERE model_id = %s AND as_of_day = %s"
        " AND kind = %s",
        *(model, day, kind),
    )
    return found.item()


def insert(url: str, **row: Any) -> None:
    """A deployment written straight into the table, as the owner of everything."""
    columns = {
        "kind": "price", "scope": "h5", "model_id": "good", "valid_from": LATER,
        "deployed_by": "somebody", "reason": "because", **row,
    }  # fmt: skip
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    values = psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * len(columns))
    statement = psycopg.sql.SQL("INSERT INTO deployment.deployments ({}) VALUES ({})")
    with psycopg.connect(url) as connection:
        connection.execute(statement.format(names, values), list(columns.values()))


@contextmanager
def writing(url: str) -> Iterator[Transaction]:
    with Database(url=url).transaction() as transaction:
        yield transaction


def override(url: str, gate: str, **changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "gate_id": gate, "reason": REASON, "requested_by": "ann", "approved_by": "bob",
        "expires_at": datetime.now(UTC) + timedelta(days=7), **changes,
    }  # fmt: skip
    with writing(url) as transaction:
        return decisions.override(transaction, **asked)


def champion(url: str, at: datetime) -> str | None:
    found = Database(url=url).read(queries.CHAMPIONS_AT, at=at)
    return found["model_id"].item() if len(found) else None


def events(url: str) -> list[tuple[str, bool, str | None]]:
    query = (
        "SELECT event_type, automated, approved_by FROM deployment.improvement_events ORDER BY 1"
    )
    return frame(url, query).rows()


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [FAILED, INSUFFICIENT])
def test_no_deployment_without_a_passed_gate(database_url: str, status: str) -> None:
    gate = add_gate(database_url, "good", status)
    with pytest.raises(errors.RestrictViolation, match="not passed its gate"):
        insert(database_url, gate_id=gate)
    with pytest.raises(errors.RestrictViolation, match="no gate"):
        insert(database_url)
    with pytest.raises(errors.RestrictViolation, match="no gate"):
        insert(database_url, gate_id="00000000-0000-0000-0000-000000000000")


def test_a_gate_speaks_for_its_own_model_kind_scope_and_day(database_url: str) -> None:
    gate = add_gate(database_url, "good", PASSED)
    add_gate(database_url, "bad", FAILED)
    for wrong in ({"model_id": "bad"}, {"kind": "direction"}, {"scope": "h21"}):
        with pytest.raises(errors.RestrictViolation, match="no gate of"):
            insert(database_url, gate_id=gate, **wrong)
    with pytest.raises(errors.RestrictViolation, match="was not known"):
        insert(database_url, gate_id=gate, valid_from=LATER - timedelta(seconds=1))
    with pytest.raises(errors.RestrictViolation, match="future"):
        insert(database_url, gate_id=gate, valid_from=datetime.now(UTC) + timedelta(hours=1))
    insert(database_url, gate_id=gate)


def test_a_baseline_is_never_champion(database_url: str) -> None:
    gate = add_gate(database_url, "no_change", PASSED)
    with pytest.raises(errors.RestrictViolation, match="baseline"):
        insert(database_url, model_id="no_change", gate_id=gate)


def test_two_champions_at_once_are_impossible_and_history_is_not_rewritten(
    database_url: str,
) -> None:
    good, other = (add_gate(database_url, m, PASSED) for m in ("good", "other"))
    insert(database_url, gate_id=good, valid_from=LATER + timedelta(days=5))
    for moment in (LATER, LATER + timedelta(days=5)):
        with pytest.raises(errors.RestrictViolation, match="history"):
            insert(database_url, model_id="other", gate_id=other, valid_from=moment)
    insert(database_url, model_id="other", gate_id=other, valid_from=LATER + timedelta(days=9))
    moments = [LATER, *(LATER + timedelta(days=n) for n in (5, 8, 9, 400))]
    found = [champion(database_url, moment) for moment in moments]
    assert found == [None, "good", "good", "other", "other"]


def test_a_gate_row_cannot_claim_more_than_its_criteria(database_url: str) -> None:
    add_gate(database_url, "good", FAILED)
    lie = (
        "INSERT INTO deployment.deployment_gates (model_id, kind, horizon, as_of_day, gate_status,"
        " accuracy, skill, market_outperformance, sharpe_ratio, max_drawdown, calibration_error,"
        " trial_count, criteria, thresholds, failure_reasons) SELECT model_id, kind, horizon,"
        " as_of_day + 7, 'passed', {}, skill, market_outperformance, sharpe_ratio, max_drawdown,"
        " calibration_error, trial_count, '{}', thresholds, '{{}}' FROM deployment.deployment_gates"
    )
    with pytest.raises(errors.CheckViolation):
        execute(database_url, lie.format("accuracy", '{"skill": {"status": "failed"}}'))
    with pytest.raises(errors.CheckViolation):
        execute(database_url, lie.format("NULL", "{}"))


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_rewritten(database_url: str, table: str) -> None:
    for statement in ("DELETE FROM", "TRUNCATE"):
        with pytest.raises((errors.RestrictViolation, errors.FeatureNotSupported)):
            execute(database_url, f"{statement} deployment.{table}")
    for column in ("evaluated_at", "recorded_at"):
        with pytest.raises((errors.RestrictViolation, errors.UndefinedColumn)):
            execute(database_url, UPDATE.format(table, column))


@pytest.mark.parametrize("table", TABLES)
def test_the_writer_may_only_add(database_url: str, table: str) -> None:
    for right in ("UPDATE", "DELETE", "TRUNCATE"):
        query = "SELECT has_table_privilege('predtrack_writer', %s, %s)"
        assert not frame(database_url, query, f"deployment.{table}", right).item()


# -- overrides ---------------------------------------------------------------------------------


def test_an_override_deploys_until_it_expires(database_url: str) -> None:
    passed = add_gate(database_url, "before", PASSED)
    insert(database_url, model_id="before", gate_id=passed)
    expires = datetime.now(UTC) + timedelta(days=7)
    row = override(database_url, add_gate(database_url, "good", FAILED), expires_at=expires)
    assert (row["kind"], row["scope"], row["model_id"]) == ("price", "h5", "good")
    assert champion(database_url, datetime.now(UTC)) == "good"
    assert champion(database_url, expires) == "before"
    assert events(database_url)[-1] == ("model_deployed", False, "bob")
    (audited,) = frame(
        database_url,
        "SELECT payload ->> 'manual', actor FROM audit.audit_trail WHERE event_type = 'manual_override'",
    ).rows()
    assert audited == ("true", "ann")
    status = "SELECT gate_status FROM deployment.deployment_gates WHERE model_id = 'good'"
    assert frame(database_url, status).item() == FAILED, "the gate row stays as it was"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approved_by": " Ann "}, "needs two people"),
        ({"approved_by": " "}, "name of who approves it"),
        ({"requested_by": ""}, "name of who asks for it"),
        ({"reason": "why not"}, "a reason, of ten characters"),
        ({"expires_at": datetime(2024, 4, 1, tzinfo=UTC)}, "expire in the future"),
        ({"expires_at": datetime(9999, 1, 1, tzinfo=UTC)}, "for 366 days at most"),
        ({"gate_id": "00000000-0000-0000-0000-000000000000"}, "no such gate"),
    ],
)
def test_an_override_needs_two_people_a_reason_and_an_end(
    database_url: str, changes: dict[str, Any], said: str
) -> None:
    gate = add_gate(database_url, "good", INSUFFICIENT)
    with pytest.raises(DecisionRefused, match=said):
        override(database_url, gate, **changes)
    assert frame(database_url, "SELECT FROM deployment.gate_overrides").is_empty()
    assert champion(database_url, datetime.now(UTC)) is None


def test_only_the_latest_gate_of_a_model_can_be_overridden(database_url: str) -> None:
    old = add_gate(database_url, "good", FAILED)
    new = add_gate(database_url, "good", FAILED, day=DAY + timedelta(days=7))
    with pytest.raises(DecisionRefused, match=f"a later gate of good counts: {new}"):
        override(database_url, old)
    assert override(database_url, new)["model_id"] == "good"


def test_a_passed_gate_cannot_be_overridden(database_url: str) -> None:
    with pytest.raises(DecisionRefused, match="nothing to override"):
        override(database_url, add_gate(database_url, "good", PASSED))


def test_an_expired_override_deploys_nothing(database_url: str) -> None:
    gate = add_gate(database_url, "good", FAILED)
    override(database_url, gate)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")  # a week goes by
        connection.execute("DELETE FROM deployment.deployments")
        connection.execute(
            "UPDATE deployment.gate_overrides SET expires_at = now() - interval '1s'"
        )
    permit = frame(database_url, "SELECT override_id FROM deployment.gate_overrides").item()
    with pytest.raises(errors.RestrictViolation, match="expired"):
        insert(database_url, override_id=permit, valid_from=datetime.now(UTC), valid_until=LATER)


# -- rollback ----------------------------------------------------------------------------------


def rolled_back(url: str, **changes: str) -> tuple[str, str | None]:
    asked = {"kind": "price", "scope": "h5", "reason": "it degraded", "by": "ann", **changes}
    with writing(url) as transaction:
        return decisions.roll_back(transaction, **asked)


def test_a_rollback_returns_to_the_champion_before(database_url: str) -> None:
    for days, model in enumerate(("first", "second", "third")):
        gate = add_gate(database_url, model, PASSED)
        insert(database_url, model_id=model, gate_id=gate, valid_from=LATER + timedelta(days=days))
    assert rolled_back(database_url) == ("third", "second")
    assert champion(database_url, datetime.now(UTC)) == "second"
    assert champion(database_url, LATER + timedelta(days=2)) == "third", "as it was"
    assert rolled_back(database_url) == ("second", "first"), "not back to what was left"
    assert [e[0] for e in events(database_url)].count("rollback") == 2
    assert taken_back(database_url) == {"second": True, "third": True}
    restores = frame(
        database_url,
        "SELECT d.model_id, r.model_id AS restored FROM deployment.deployments d"
        " JOIN deployment.deployments r ON d.restores = r.deployment_id ORDER BY d.deployment_id",
    )
    assert restores.rows() == [("second", "second"), ("first", "first")]


def test_what_was_rolled_back_is_not_returned_to(database_url: str) -> None:
    for days, model in enumerate(("first", "second")):
        gate = add_gate(database_url, model, PASSED)
        insert(database_url, model_id=model, gate_id=gate, valid_from=LATER + timedelta(days=days))
    rolled_back(database_url)
    gate = add_gate(database_url, "third", PASSED)
    insert(database_url, model_id="third", gate_id=gate, valid_from=datetime.now(UTC))
    assert rolled_back(database_url) == ("third", "first")


def taken_back(url: str) -> dict[str, bool]:
    """Models that were rolled back, and whether by that they are barred from deploying themselves."""
    found = Database(url=url).read(queries.ROLLED_BACK, kind="price", scope="h5")
    return dict(found.iter_rows())


def test_the_first_champion_is_rolled_back_to_none(database_url: str) -> None:
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    assert rolled_back(database_url) == ("good", None)
    now = datetime.now(UTC)
    assert champion(database_url, now) is None
    assert champion(database_url, LATER) == "good", "as it was"
    assert frame(database_url, "SELECT FROM deployment.champions").is_empty()
    with pytest.raises(DecisionRefused, match=r"good was rolled back at .* by ann \(it degraded\)"):
        rolled_back(database_url)
    row = "SELECT model_id, gate_id, retires, deployed_by, reason FROM deployment.deployments"
    assert frame(database_url, f"{row} ORDER BY 3").row(0) == (None, None, 1, "ann", "it degraded")
    event = (
        "SELECT old_value ->> 'model_id' AS old, new_value, performance_before IS NOT NULL AS known,"
        " performance_after"
        " FROM deployment.improvement_events WHERE event_type = 'rollback'"
    )
    assert frame(database_url, event).rows() == [("good", None, True, None)]
    assert taken_back(database_url) == {"good": True}
    span = {"first": LATER.date(), "last": now.date() + timedelta(days=1)}
    checked = Database(url=database_url).read(profiles.DEPLOYMENTS, **span)
    assert checked.select("deployments", "unpermitted", "look_ahead").sum().row(0) == (2, 0, 0)


def test_after_a_retirement_a_deployment_is_the_first_again(database_url: str) -> None:
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    rolled_back(database_url)
    gate = add_gate(database_url, "next", PASSED)
    insert(database_url, model_id="next", gate_id=gate, valid_from=datetime.now(UTC))
    assert champion(database_url, datetime.now(UTC)) == "next"
    query = "SELECT old_value FROM deployment.improvement_events ORDER BY event_id DESC LIMIT 1"
    assert frame(database_url, query).item() is None, "it took nobody's place"
    assert rolled_back(database_url) == ("next", None), "not back to what was rolled back"


def test_an_override_is_revoked_before_it_expires(database_url: str) -> None:
    expires = datetime.now(UTC) + timedelta(days=7)
    override(database_url, add_gate(database_url, "bad", FAILED), expires_at=expires)
    assert rolled_back(database_url) == ("bad", None)
    for moment in (datetime.now(UTC), expires - timedelta(seconds=1), expires):
        assert champion(database_url, moment) is None
    assert taken_back(database_url) == {"bad": False}, "it may still pass its gate"
    with writing(database_url) as transaction:
        assert improvements.note_disabled(transaction, expires + timedelta(days=1)) == 0
    override(database_url, add_gate(database_url, "other", FAILED), expires_at=expires)
    assert champion(database_url, datetime.now(UTC)) == "other"
    assert champion(database_url, expires) is None, "and not what was revoked"


def test_an_override_over_a_champion_is_revoked_to_that_one(database_url: str) -> None:
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    override(database_url, add_gate(database_url, "bad", FAILED))
    assert rolled_back(database_url) == ("bad", "good")


def test_without_a_champion_there_is_nothing_to_roll_back(database_url: str) -> None:
    with pytest.raises(DecisionRefused, match=r"price h5 has no champion .* none yet"):
        rolled_back(database_url)
    override(database_url, add_gate(database_url, "good", FAILED))
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")  # a week goes by
        connection.execute("UPDATE deployment.deployments SET valid_from = %s, valid_until = %s",
                           [LATER, LATER + timedelta(days=7)])  # fmt: skip
    with pytest.raises(DecisionRefused, match="the override of good ended at 2024-03-09 00:00 UTC"):
        rolled_back(database_url)


def test_an_unknown_kind_or_scope_is_said_to_be_one(database_url: str) -> None:
    add_gate(database_url, "good", PASSED)
    own_gate(database_url, "IBM")
    with pytest.raises(
        DecisionRefused, match="unknown kind 'prise': there are price and direction"
    ):
        rolled_back(database_url, kind="prise")
    known = "unknown scope 'h99': gates of price are of h5, 1 of single symbols as h5:IBM"
    with pytest.raises(DecisionRefused, match=known):
        rolled_back(database_url, scope="h99")
    assert frame(database_url, "SELECT FROM audit.audit_trail").is_empty()


def promote(url: str, gate: str) -> dict[str, Any]:
    with writing(url) as transaction:
        return decisions.promote(transaction, gate_id=gate, reason="it was no mistake", by="ann")


def test_a_person_deploys_what_passed_its_latest_gate(database_url: str) -> None:
    gate = add_gate(database_url, "good", PASSED)
    assert promote(database_url, gate) == {"kind": "price", "scope": "h5", "model_id": "good"}
    with pytest.raises(DecisionRefused, match="good is the champion of price h5"):
        promote(database_url, gate)
    assert rolled_back(database_url) == ("good", None)
    promote(database_url, gate)
    assert champion(database_url, datetime.now(UTC)) == "good", "a mistaken rollback is mended"
    assert events(database_url)[0] == ("model_deployed", False, "ann")
    with writing(database_url) as transaction:
        told = decision_records.decisions(transaction).filter(what="deployment")
    assert told["fault"].to_list() == [None] * 3
    other = add_gate(database_url, "other", PASSED)
    insert(database_url, model_id="other", gate_id=other, valid_from=datetime.now(UTC))
    assert rolled_back(database_url) == ("other", "good"), "deployed anew, it may be returned to"
    assert taken_back(database_url) == {"other": True}
    rolled_back(database_url)
    failed = add_gate(database_url, "good", FAILED, DAY + timedelta(days=7))
    with pytest.raises(DecisionRefused, match=f"a later gate of good counts: {failed}"):
        promote(database_url, gate)
    with pytest.raises(DecisionRefused, match="has not passed its gate"):
        promote(database_url, failed)
    with pytest.raises(DecisionRefused, match="no such gate"):
        promote(database_url, "00000000-0000-0000-0000-000000000000")


def test_only_the_champion_in_force_is_retired(database_url: str) -> None:
    retired = {"model_id": None, "retires": 1}
    add_gate(database_url, "good", PASSED)
    with pytest.raises(errors.RestrictViolation, match="price h5 has none"):
        insert(database_url, **retired)
    for days, model in enumerate(("first", "second")):
        gate = add_gate(database_url, model, PASSED)
        insert(database_url, model_id=model, gate_id=gate, valid_from=LATER + timedelta(days=days))
    with pytest.raises(errors.RestrictViolation, match="price h5 has second"):
        insert(database_url, **retired | {"retires": frame(database_url, FIRST).item()})
    with pytest.raises(errors.RestrictViolation, match="price h1 has none"):
        insert(database_url, **retired | {"scope": "h1"})
    newest = frame(database_url, FIRST.replace("min", "max")).item()
    for wrong in ({"model_id": "second"}, {"gate_id": gate}, {"restores": newest}):
        with pytest.raises(errors.CheckViolation):
            insert(database_url, **{**retired, "retires": newest, **wrong})
    before = datetime.now(UTC)
    insert(database_url, **retired | {"retires": newest, "valid_from": LATER + timedelta(days=2)})
    assert champion(database_url, before) == "second", "a retirement is never back-dated"
    assert champion(database_url, datetime.now(UTC)) is None


def test_a_rollback_points_to_a_champion_of_the_same_kind_and_scope(database_url: str) -> None:
    gate = add_gate(database_url, "good", PASSED)
    insert(database_url, gate_id=gate)
    first = frame(database_url, "SELECT deployment_id FROM deployment.deployments").item()
    with pytest.raises(errors.RestrictViolation, match="earlier champion"):
        insert(database_url, gate_id=gate, restores=first, valid_from=LATER + timedelta(days=1))


# -- thresholds, migrations, commands ------------------------------------------------------------


def test_a_changed_threshold_leaves_one_event(database_url: str) -> None:
    limits = {"accuracy": 0.65}
    for said, expected in ((limits, True), (limits, False), ({"accuracy": 0.6}, True)):
        with writing(database_url) as transaction:
            assert decisions.note_thresholds(transaction, said, LATER) is expected
    changed = frame(
        database_url,
        "SELECT old_value ->> 'accuracy', new_value ->> 'accuracy' AS new"
        " FROM deployment.improvement_events ORDER BY event_id",
    ).rows()
    assert changed == [(None, "0.65"), ("0.65", "0.6")]


def own_gate(url: str, symbol: str | None, status: str = PASSED) -> str:
    """A gate of a version of symbols' own fits; its id."""
    execute(
        url,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description,"
        " scope) VALUES ('own', 'own', 1, 'candidate', '{price}', 'a model', 'symbol')"
        " ON CONFLICT DO NOTHING",
    )
    execute(
        url,
        "INSERT INTO deployment.deployment_gates (gate_id, scope, model_id, kind, horizon, symbol,"
        " as_of_day, gate_status, accuracy, skill, market_outperformance, sharpe_ratio, max_drawdown,"
        " calibration_error, trial_count, criteria, thresholds, failure_reasons)"
        " VALUES (gen_random_uuid(), 'h9', 'own', 'price', 5, %s, %s, %s, 0.7, 0.1, 0.1, 2, 0.1,"
        " 0.01, 1, '{}', '{}', %s)",
        *(symbol, DAY, status, [] if status == PASSED else ["skill failed: 0"]),
    )
    return frame(
        url, "SELECT gate_id::text FROM deployment.deployment_gates WHERE symbol = %s", symbol
    ).item()


def champion_for(url: str, symbol: str) -> str | None:
    query = "SELECT model_id FROM deployment.champion_for('price', 5, %s, now())"
    found = frame(url, query, symbol)
    return found.item() if len(found) else None


def test_a_symbols_own_model_is_champion_of_that_symbol_alone(database_url: str) -> None:
    gate = own_gate(database_url, "IBM")
    assert frame(database_url, "SELECT scope FROM deployment.deployment_gates").item() == "h5:IBM"
    for scope in ("h5", "h5:AAPL"):
        with pytest.raises(errors.RestrictViolation, match="no gate of"):
            insert(database_url, model_id="own", gate_id=gate, scope=scope)
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    assert champion_for(database_url, "IBM") == "good"
    later = LATER + timedelta(days=1)
    insert(database_url, model_id="own", gate_id=gate, scope="h5:IBM", valid_from=later)
    assert (champion_for(database_url, "IBM"), champion_for(database_url, "AAPL")) == (
        "own",
        "good",
    )
    query = "SELECT old_value ->> 'model_id' FROM deployment.improvement_events ORDER BY event_id"
    assert frame(database_url, query).rows() == [(None,), ("good",)]


def test_one_gate_a_week_of_each_symbol(database_url: str) -> None:
    assert own_gate(database_url, "IBM") != own_gate(database_url, "AAPL")
    with pytest.raises(errors.UniqueViolation):
        own_gate(database_url, "IBM", FAILED)
    with pytest.raises(errors.RestrictViolation, match="own on all symbols"):
        own_gate(database_url, None)


def test_a_rollback_of_a_symbol_returns_to_the_champion_of_all_symbols(database_url: str) -> None:
    rollback_of = {"kind": "price", "scope": "h5:IBM", "reason": REASON, "by": "ann"}
    insert(database_url, model_id="own", gate_id=own_gate(database_url, "IBM"), scope="h5:IBM")
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    with writing(database_url) as transaction:
        assert decisions.roll_back(transaction, **rollback_of) == ("own", "good")
    assert champion_for(database_url, "IBM") == "good"
    everybodys = "good is the champion of all symbols too: roll back price h5"
    with pytest.raises(DecisionRefused, match=everybodys), writing(database_url) as t:
        decisions.roll_back(t, **rollback_of)


def test_a_symbol_without_champion_of_its_own_has_the_one_of_all_symbols(database_url: str) -> None:
    insert(database_url, model_id="own", gate_id=own_gate(database_url, "IBM"), scope="h5:IBM")
    assert rolled_back(database_url, scope="h5:IBM") == ("own", None)
    assert champion_for(database_url, "IBM") is None
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    assert champion_for(database_url, "IBM") == "good"


def test_going_down_and_up_again_leaves_the_schema_as_it_was(database_url: str) -> None:
    files = PROJECT_ROOT / "sql"
    insert(database_url, gate_id=add_gate(database_url, "old", PASSED), model_id="old")
    rolled_back(database_url)
    undone = rollback(database_url, files, to=5)
    assert undone[-1] == "06-deployment"
    assert migrate(database_url, files) == undone[::-1]
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    assert champion(database_url, LATER) == "good"


@pytest.fixture
def commands(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    return CliRunner()


def test_the_commands_show_override_and_roll_back(commands: CliRunner, database_url: str) -> None:
    assert "no champion" in commands.invoke(app, ["champions"]).output
    gate = add_gate(database_url, "good", FAILED)
    insert(database_url, model_id="old", gate_id=add_gate(database_url, "old", PASSED))
    shown = commands.invoke(app, ["gate", "show"]).output
    assert gate[:8] in shown
    assert "skill" in shown
    expires = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
    done = commands.invoke(
        app,
        ["deploy", "override", "--gate", gate[:8], "--reason", REASON, "--requested-by", "ann",
         "--approved-by", "bob", "--expires", expires],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "price h5: good" in commands.invoke(app, ["champions"]).output
    then = commands.invoke(app, ["champions", "--at", "2024-03-02"]).output
    assert "price h5: old" in then
    back = commands.invoke(app, ["deploy", "rollback", "--kind", "price", "--reason", REASON])
    assert "old again, in place of good" in back.output, back.output
    back = commands.invoke(app, ["deploy", "rollback", "--kind", "price", "--reason", REASON])
    assert "price h5: no champion from now on, in place of old" in back.output, back.output
    now = commands.invoke(app, ["champions"]).output
    assert "no champion" in now
    assert "price h5: none since" in now
    assert "old rolled back by" in now
    passed = add_gate(database_url, "old", PASSED, DAY + timedelta(days=7))
    made = commands.invoke(app, ["deploy", "champion", "--gate", passed[:8], "--reason", REASON])
    assert "price h5: old from now on" in made.output, made.output


@pytest.mark.parametrize("given", ["zz", "12345678", "abc"])
def test_an_unknown_gate_is_said_to_be_one(commands: CliRunner, given: str) -> None:
    result = commands.invoke(app, ["gate", "show", given])
    assert isinstance(result.exception, ValueError)
