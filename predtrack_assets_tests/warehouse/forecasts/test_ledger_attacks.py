"""Every way of rewriting the past, as superuser with triggers off, is found at the right index.

Attacks are made on one small ledger, inside a transaction that is rolled back.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg
import pytest
from psycopg import sql

from predtrack_assets.domain.audit.ledger.batches import BATCHES, batch_header
from predtrack_assets.domain.audit.ledger.chain import chain_hash
from predtrack_assets.domain.audit.ledger.checkpoint import CheckpointError
from predtrack_assets.domain.audit.ledger.merkle import leaf_hash, merkle_root
from predtrack_assets.services.audit.inclusion_proofs import check_against, checkpoint
from predtrack_assets.services.audit.verification import Verdict, verify
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit.batches import PAGE_OF_BATCHES
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets.warehouse.forecasts.ledger import row_bytes, table_encoding
from predtrack_assets_tests.builders.ledgers import commit, predictions

ALTERED, GONE, NEVER, TWICE = (
    "is not what was committed", "was committed and is gone", "was never committed",
    "is there more than once",
)  # fmt: skip
HASH = "has not the hash of its contents"
ATTACKED, EVENTS = 8, 3  # a batch in the middle of 18; audit events
KEY = bytes(range(32))

UNGUARD = """
DO $$
DECLARE guard record;
BEGIN
    FOR guard IN SELECT conrelid::regclass AS "table", conname FROM pg_constraint
                 WHERE conrelid IN ('forecasts.predictions'::regclass,
                     'forecasts.prediction_batches'::regclass, 'audit.audit_trail'::regclass,
                     'audit.row_encodings'::regclass) AND contype <> 'n'
                 ORDER BY contype = 'p' LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', guard."table", guard.conname);
    END LOOP;
    ALTER TABLE forecasts.predictions ALTER prediction_id DROP EXPRESSION;
END $$
"""


def create(admin: psycopg.Connection, server: str, template: str) -> str:
    name = f"predtrack_attacked_{uuid.uuid4().hex[:12]}"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    return with_database(server, name)


@pytest.fixture(scope="module")
def urls(postgres_server: str, template_database: str) -> Iterator[list[str]]:
    """Two ledgers of 18 batches that say different things, and three audit events in the first."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        made = [create(admin, postgres_server, template_database) for _ in range(2)]
        for url, symbols in zip(made, (("AAA", "BBB"), ("AAA", "XXX")), strict=True):
            commit(url, predictions(symbols=symbols))
        for number in range(EVENTS):
            with Database(url=made[0]).transaction() as transaction:
                said = {"number": number, "note": "Zürich", "share": 0.25}
                record_event(transaction, "threshold_change", "gate", said, "tester")
        yield made
        for url in made:
            name = sql.Identifier(url.rsplit("/", 1)[1].split("?")[0])
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def composed(template: str, **names: str) -> str:
    """A statement with {identifiers} filled in; a dotted one is a qualified name."""
    parts = {key: sql.Identifier(*name.split(".")) for key, name in names.items()}
    return sql.SQL(template).format(**parts).as_string()


class Attack:
    """A transaction of a superuser without triggers, constraints or scruples."""

    def __init__(self, url: str, cursor: Any) -> None:
        self.url = url
        self.cursor = cursor
        self.transaction = Transaction(cursor)

    def do(self, statement: str, *parameters: Any) -> None:
        """A statement with $1, $2, ... that must change something."""
        self.cursor.execute(statement, parameters or None)
        assert self.cursor.rowcount != 0, "the attack did something"

    def batch(self, index: int) -> dict[str, Any]:
        return self.transaction.read(PAGE_OF_BATCHES, after=index - 1).row(0, named=True)

    def store(self, index: int, **values: Any) -> None:
        """Overwrite columns of a batch."""
        for name, value in values.items():
            change = "UPDATE forecasts.prediction_batches SET {column} = $1 WHERE batch_index = $2"
            self.do(composed(change, column=name), value, index)

    def rehash(self, index: int, **changes: Any) -> bytes:
        """Give a batch a root and a hash that follow from its (changed) columns; the hash."""
        batch = {**self.batch(index), **changes}
        batch["merkle_root"] = merkle_root(batch["leaves"])
        link = (batch["previous_hash"], index, batch["merkle_root"], batch_header(batch))
        self.store(index, **changes, merkle_root=batch["merkle_root"], hash=chain_hash(*link))
        return chain_hash(*link)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens inside has not happened."""
        self.cursor.execute("SAVEPOINT before")
        yield
        self.cursor.execute("ROLLBACK TO SAVEPOINT before")

    def verdict(self) -> Verdict:
        return verify(self.transaction)

    def first(self) -> tuple[int | None, str]:
        """Index and fault of the first finding."""
        found = self.verdict().findings
        assert len(found), "nothing was found"
        return found["batch_index"][0], found["fault"][0]


@contextmanager
def attack_on(url: str) -> Iterator[Attack]:
    with pytest.MonkeyPatch.context() as patch, adbc.connect(url) as connection:
        patch.setattr(Transaction, "freeze", lambda self: None)  # only a new transaction can
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(UNGUARD)
            yield Attack(url, cursor)
        connection.rollback()


@pytest.fixture
def attack(urls: list[str]) -> Iterator[Attack]:
    with attack_on(urls[0]) as made:
        yield made


COLUMNS = Query("""
    SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = :table::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""")


def flipped(value: Any, kind: str) -> Any:
    """The value with one bit, or its smallest unit, changed; for a null something of its type."""
    if value is None:
        return {"text": "x", "double precision": 0.5, "bytea": b"x"}.get(kind, 1)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, float):
        return struct.unpack(">d", (int.from_bytes(struct.pack(">d", value)) ^ 1).to_bytes(8))[0]
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, date):
        return value + timedelta(days=1)
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    return chr(ord(value[0]) ^ 1) + value[1:]


def flips(attack: Attack, table: str, key: str, value: Any) -> Iterator[str]:
    """Flip each column in turn of the row whose `key` is `value`; yields the column's name."""
    for name, kind in attack.transaction.read(COLUMNS, table=table).iter_rows():
        with attack.undone():
            shown = "{column}::text" if kind in ("uuid", "jsonb") else "{column}"
            read = composed(
                shown.join(["SELECT ", " AS v FROM {table} WHERE {key}::text = :value"]),
                column=name,
                table=table,
                key=key,
            )
            stored = attack.transaction.read(Query(read), value=str(value)).item()
            new = '{"number": 9}' if kind == "jsonb" else flipped(stored, kind)
            change = composed(
                kind.join(["UPDATE {table} SET {column} = $1::", " WHERE {key}::text = $2"]),
                column=name,
                table=table,
                key=key,
            )
            attack.do(change, new, str(value))
            yield name


def identity(attack: Attack, index: int, position: int = 1) -> str:
    ids = attack.batch(index)["prediction_ids"]
    return str(uuid.UUID(bytes=ids[16 * position : 16 * position + 16]))


ROW_BYTES = (
    "SELECT {row} AS row FROM forecasts.predictions WHERE prediction_id = :prediction_id::uuid"
)


def test_the_ledgers_are_good_before(attack: Attack) -> None:
    verdict = attack.verdict()
    assert verdict.good
    assert (verdict.batches_good, verdict.rows_good, verdict.events_good) == (18, 72, EVENTS)


def test_a_bit_of_every_column_of_a_prediction(attack: Attack) -> None:
    names = []
    for name in flips(attack, "forecasts.predictions", "prediction_id", identity(attack, ATTACKED)):
        verdict = attack.verdict()
        assert verdict.findings["batch_index"][0] == ATTACKED, name
        assert verdict.rows_good == 71, name
        names.append(name)
    assert set(tables.PREDICTIONS.columns) < set(names)


def test_a_bit_of_every_column_of_a_batch(attack: Attack) -> None:
    names = []
    for name in flips(attack, "forecasts.prediction_batches", "batch_index", ATTACKED):
        assert attack.first()[0] == ATTACKED, name
        names.append(name)
    assert names == list(BATCHES)


def test_a_bit_of_every_column_of_an_event(attack: Attack) -> None:
    for name in flips(attack, "audit.audit_trail", "event_index", 2):
        verdict = attack.verdict()
        assert not verdict.good
        assert verdict.event_faults[0][0] == 2, name


def test_a_bit_of_an_encoding(attack: Attack) -> None:
    with Database(url=attack.url).transaction() as transaction:
        used = table_encoding(transaction, tables.PREDICTIONS).description
    for _name in flips(attack, "audit.row_encodings", "description", used):
        assert attack.first() == (1, ALTERED)


def test_a_deleted_row(attack: Attack) -> None:
    attack.do(
        "DELETE FROM forecasts.predictions WHERE prediction_id = $1::uuid",
        identity(attack, ATTACKED),
    )
    assert attack.first() == (ATTACKED, GONE)


def test_an_inserted_row(attack: Attack) -> None:
    attack.do(
        "INSERT INTO forecasts.predictions SELECT (jsonb_populate_record(p, jsonb_build_object("
        "'symbol', 'NEW', 'prediction_id', gen_random_uuid()))).* FROM forecasts.predictions p "
        "WHERE prediction_id = $1::uuid",
        identity(attack, ATTACKED),
    )
    assert attack.first() == (None, NEVER)


def test_a_duplicated_row(attack: Attack) -> None:
    attack.do(
        "INSERT INTO forecasts.predictions SELECT * FROM forecasts.predictions"
        " WHERE prediction_id = $1::uuid",
        identity(attack, ATTACKED),
    )
    assert attack.first() == (ATTACKED, TWICE)


def test_two_rows_that_changed_places(attack: Attack) -> None:
    one, other = identity(attack, ATTACKED, 0), identity(attack, ATTACKED, 1)
    attack.do(
        "UPDATE forecasts.predictions SET prediction_id = CASE prediction_id WHEN $1::uuid"
        " THEN $2::uuid ELSE $1::uuid END WHERE prediction_id IN ($1::uuid, $2::uuid)",
        one,
        other,
    )
    assert attack.first() == (ATTACKED, ALTERED)


def test_a_deleted_batch(attack: Attack) -> None:
    attack.do("DELETE FROM forecasts.prediction_batches WHERE batch_index = $1", ATTACKED)
    index, fault = attack.first()
    assert index == ATTACKED
    assert "is missing" in fault


def test_an_inserted_batch(attack: Attack) -> None:
    shift = "UPDATE forecasts.prediction_batches SET batch_index = batch_index + 1 WHERE batch_index >= $1"
    attack.do(shift, ATTACKED)
    attack.do(
        "INSERT INTO forecasts.prediction_batches SELECT (jsonb_populate_record(b,"
        " jsonb_build_object('batch_index', $1::bigint))).* FROM forecasts.prediction_batches b"
        " WHERE batch_index = 2",
        ATTACKED,
    )
    assert attack.first()[0] == ATTACKED


def test_batches_that_changed_places(attack: Attack) -> None:
    attack.do(
        "UPDATE forecasts.prediction_batches SET batch_index = CASE batch_index WHEN 8 THEN 9 ELSE 8 END"
        " WHERE batch_index IN (8, 9)"
    )
    assert attack.first()[0] == ATTACKED


def test_leaves_that_changed_places(attack: Attack) -> None:
    batch = attack.batch(ATTACKED)
    leaves, ids = batch["leaves"], batch["prediction_ids"]
    attack.store(ATTACKED, leaves=leaves[32:64] + leaves[:32] + leaves[64:])
    attack.store(ATTACKED, prediction_ids=ids[16:32] + ids[:16] + ids[32:])
    assert attack.first() == (ATTACKED, "has leaves that do not lead to its root")


def append_copy(attack: Attack, source: int, last: int = 18) -> None:
    copied = attack.transaction.read(PAGE_OF_BATCHES, after=source - 1).head(1)
    moved = copied.with_columns(pl.lit(last + 1, pl.Int64).alias("batch_index"))
    attack.transaction.append(tables.PREDICTION_BATCHES, moved)


def test_a_duplicated_batch(attack: Attack) -> None:
    append_copy(attack, ATTACKED)
    assert attack.first() == (19, "does not continue the one before")


def test_a_duplicated_batch_that_continues_the_chain(attack: Attack) -> None:
    append_copy(attack, ATTACKED)
    last = attack.batch(18)
    changes = {"previous_hash": last["hash"], "committed_at": last["committed_at"]}
    attack.rehash(19, **changes)
    assert attack.first() == (19, TWICE)


def test_back_dating_a_batch(attack: Attack) -> None:
    earlier = attack.batch(ATTACKED)["committed_at"] - timedelta(days=1)
    with attack.undone():
        attack.store(ATTACKED, committed_at=earlier)
        assert attack.first() == (ATTACKED, HASH)
    attack.rehash(ATTACKED, committed_at=earlier)
    assert attack.first() == (ATTACKED, "was committed before the one before it")


def edit_and_repair(attack: Attack, index: int) -> bytes:
    """Change a prediction and make its batch agree with it; the batch's new hash."""
    victim = identity(attack, index, 0)
    attack.do(
        "UPDATE forecasts.predictions SET confidence = 0.99 WHERE prediction_id = $1::uuid", victim
    )
    encoding = table_encoding(attack.transaction, tables.PREDICTIONS)
    query = Query(sql.SQL(ROW_BYTES).format(row=row_bytes(encoding)).as_string())
    found = attack.transaction.read(query, prediction_id=victim).item()
    return attack.rehash(index, leaves=leaf_hash(found) + attack.batch(index)["leaves"][32:])


def test_an_edit_with_only_the_next_pointer_repaired(attack: Attack) -> None:
    new = edit_and_repair(attack, ATTACKED)
    with attack.undone():
        assert attack.first() == (ATTACKED + 1, "does not continue the one before")
    attack.store(ATTACKED + 1, previous_hash=new)
    assert attack.first() == (ATTACKED + 1, HASH)


def test_splicing_two_chains(attack: Attack, urls: list[str]) -> None:
    with Database(url=urls[1]).transaction() as other:
        theirs = other.read(PAGE_OF_BATCHES, after=ATTACKED - 1)
    attack.do("DELETE FROM forecasts.prediction_batches WHERE batch_index >= $1", ATTACKED)
    attack.transaction.append(tables.PREDICTION_BATCHES, theirs)
    assert attack.first() == (ATTACKED, "does not continue the one before")


def test_cutting_the_tail_takes_a_checkpoint_to_find(attack: Attack) -> None:
    signed = checkpoint(attack.transaction, KEY)
    attack.do(
        "DELETE FROM forecasts.predictions WHERE uuid_send(prediction_id) IN (SELECT substr("
        "prediction_ids, 16 * n + 1, 16) FROM forecasts.prediction_batches,"
        " generate_series(0, row_count - 1) n WHERE batch_index > 15)"
    )
    attack.do("DELETE FROM forecasts.prediction_batches WHERE batch_index > 15")
    assert attack.verdict().good
    with pytest.raises(CheckpointError, match="ends at batch 15, it had 18"):
        check_against(attack.transaction, signed)


def test_rewriting_everything_takes_a_checkpoint_to_find(attack: Attack) -> None:
    signed = checkpoint(attack.transaction, KEY)
    new = edit_and_repair(attack, ATTACKED)
    for index in range(ATTACKED + 1, 19):
        new = attack.rehash(index, previous_hash=new)
    assert attack.verdict().good
    with pytest.raises(CheckpointError, match="rewritten"):
        check_against(attack.transaction, signed)


def test_cutting_and_rewriting_the_audit_trail(attack: Attack) -> None:
    signed = checkpoint(attack.transaction, KEY)
    assert check_against(attack.transaction, signed) == (0, 0)
    with attack.undone():
        attack.do("DELETE FROM audit.audit_trail WHERE event_index = 3")
        with pytest.raises(CheckpointError, match="ends at event 2, it had 3"):
            check_against(attack.transaction, signed)
    attack.do("DELETE FROM audit.audit_trail WHERE event_index = 2")
    assert attack.verdict().event_faults[0] == (2, "is missing: the next one is 3")
