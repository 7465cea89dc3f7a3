"""Proofs and checkpoints: good ones pass without a database, and no other does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from predtrack_assets.domain.audit.ledger.batches import batch_link, build_batches
from predtrack_assets.domain.audit.ledger.chain import Link, faults_of_chain
from predtrack_assets.domain.audit.ledger.checkpoint import (
    CheckpointError,
    check_signature,
    public_key_of,
    sign,
    tree_of_batches,
)
from predtrack_assets.domain.audit.ledger.encoding import Encoding, encode_row
from predtrack_assets.domain.audit.ledger.merkle import leaf_hash
from predtrack_assets.domain.audit.ledger.proof import (
    ProofError,
    build_proof,
    check_proof,
    with_checkpoint,
)

# RFC 8032, 7.1, test 1.
PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ENCODING = Encoding(
    (
        ("prediction_id", "uuid"), ("trading_day", "date"), ("model_id", "text"), ("kind", "text"),
        ("symbol", "text"), ("horizon", "smallint"), ("as_of", "timestamp with time zone"),
        ("earliest_resolution_time", "timestamp with time zone"), ("confidence", "double precision"),
        ("side", "text"),
    )
)  # fmt: skip


def rows(days: int = 3, symbols: int = 5) -> list[dict[str, Any]]:
    return [
        {
            "prediction_id": str(UUID(int=1000 * day + symbol)),
            "trading_day": date(2020, 1, 1) + timedelta(days=day),
            "model_id": "one-1", "kind": "direction", "symbol": f"S{symbol}", "horizon": 5,
            "as_of": datetime(2020, 1, 2, tzinfo=UTC) + timedelta(days=day),
            "earliest_resolution_time": datetime(2020, 1, 8, 21, tzinfo=UTC) + timedelta(days=day),
            "confidence": 0.1 + symbol / 3, "side": None,
        }
        for day in range(days)
        for symbol in range(symbols)
    ]  # fmt: skip


def groups(said: list[dict[str, Any]]) -> pl.DataFrame:
    """One group per day, as all rows are of one model and kind."""
    pieces = [
        UUID(row["prediction_id"]).bytes + leaf_hash(encode_row(row, ENCODING)) for row in said
    ]
    return (
        pl.DataFrame(said, schema_overrides={"side": pl.String})
        .with_columns(pl.Series("pieces", pieces, pl.Binary), origin=pl.lit("replay"))
        .group_by("trading_day", "model_id", "kind", "origin", maintain_order=True)
        .agg(pl.col("as_of").max(), pl.len().alias("row_count"), "pieces")
        .with_columns(pl.col("pieces").map_elements(lambda own: b"".join(own), pl.Binary))
    )


@pytest.fixture
def proof() -> dict[str, Any]:
    """The proof of the fourth row of the second of three batches, on to a checkpoint."""
    said = rows()
    batches = build_batches(groups(said), ENCODING, NOW).to_dicts()
    plain = build_proof(said[8], ENCODING, batches[1], 3)
    hashes = [batch["hash"] for batch in batches]
    head = {
        "batches": 3, "hash": hashes[-1].hex(), "root": tree_of_batches(hashes).hex(), "events": 0,
        "event_hash": bytes(32).hex(), "signed_at": "2026-11-21T00:00:00.000000Z",
    }  # fmt: skip
    return json.loads(json.dumps(with_checkpoint(plain, sign(head, PRIVATE), hashes)))


def test_batches_are_a_chain_and_go_on_from_a_link() -> None:
    said = groups(rows())
    whole = build_batches(said, ENCODING, NOW)
    assert list(faults_of_chain(batch_link(b) for b in whole.iter_rows(named=True))) == []
    assert whole["row_count"].to_list() == [5, 5, 5]
    assert build_batches(said.reverse(), ENCODING, NOW).equals(whole), "in any order"
    first = build_batches(said.filter(pl.col("trading_day") == date(2020, 1, 1)), ENCODING, NOW)
    rest = said.filter(pl.col("trading_day") > date(2020, 1, 1))
    assert build_batches(rest, ENCODING, NOW, 1, first["hash"][0]).equals(whole[1:])


def test_a_good_proof_passes(proof: dict[str, Any]) -> None:
    check_proof(proof)
    check_proof(proof, bytes.fromhex(PUBLIC))
    alone = {name: value for name, value in proof.items() if "checkpoint" not in name}
    check_proof(alone)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values that are not containers."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))
    else:
        yield path


def other(value: Any) -> Any:
    """A value of the same type that differs in as little as possible."""
    if value is None:
        return "x"
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return value + 1 if isinstance(value, int) else value * (1 + 2**-50)


def test_whatever_is_changed_in_a_proof_is_noticed(proof: dict[str, Any]) -> None:
    found = list(places(proof))
    assert len(found) > 50
    for path in found:
        forged = copy.deepcopy(proof)
        holder = forged
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = other(holder[path[-1]])
        with pytest.raises(ValueError, match=r"."):  # ProofError, or a value of no known form
            check_proof(forged)


@pytest.mark.parametrize("name", ["row", "path", "header", "hash", "checkpoint_path"])
def test_a_proof_with_a_hole_is_none(proof: dict[str, Any], name: str) -> None:
    del proof[name]
    with pytest.raises(ProofError, match="not a proof"):
        check_proof(proof)


def test_a_row_cannot_say_more_than_was_committed(proof: dict[str, Any]) -> None:
    proof["row"]["note"] = "and it was right"
    with pytest.raises(ProofError, match="more than was committed"):
        check_proof(proof)


def test_a_checkpoint_of_somebody_else_is_refused(proof: dict[str, Any]) -> None:
    with pytest.raises(ProofError, match="signed by another key"):
        check_proof(proof, bytes(32))


def test_a_younger_batch_is_not_in_the_checkpoint(proof: dict[str, Any]) -> None:
    head = {**proof["checkpoint"], "batches": 1}
    with pytest.raises(ProofError, match="after the checkpoint"):
        with_checkpoint(proof, head, [])


def test_a_checkpoint_is_signed_with_the_published_key_pair() -> None:
    head = dict.fromkeys(("batches", "events"), 0)
    texts = dict.fromkeys(("hash", "root", "event_hash", "signed_at"), "")
    signed = sign({**head, **texts}, PRIVATE)
    assert public_key_of(PRIVATE).hex() == PUBLIC == signed["public_key"]
    check_signature(signed, bytes.fromhex(PUBLIC))
    with pytest.raises(CheckpointError, match="signature"):
        check_signature({**signed, "batches": 1})
    with pytest.raises(CheckpointError, match="known format"):
        check_signature({**signed, "more": 1})


def test_the_chain_is_what_the_documentation_says() -> None:
    """h = SHA-256(02 || previous || u64 index || root || header), written out by hand."""
    import hashlib

    root, header = bytes(range(32)), b'{"a":1}'
    data = b"\x02" + bytes(32) + b"\x00" * 7 + b"\x01" + root + header
    link = Link(1, bytes(32), root, header, hashlib.sha256(data).digest())
    assert list(faults_of_chain([link])) == []
