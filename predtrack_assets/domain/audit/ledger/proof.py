"""Inclusion proofs: that one prediction, word for word, was committed in one batch.

A proof is JSON that needs no database: the row, the encoding of its columns, the path to the root,
the batch's header and hash, and, if asked for, the path from the batch to a signed checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from predtrack_assets.domain.audit.ledger.batches import header_fields, leaves_of, moment
from predtrack_assets.domain.audit.ledger.chain import chain_hash
from predtrack_assets.domain.audit.ledger.checkpoint import (
    CheckpointError,
    check_inclusion,
    check_signature,
    path_of_batch,
)
from predtrack_assets.domain.audit.ledger.encoding import Encoding, canonical_json, encode_row
from predtrack_assets.domain.audit.ledger.merkle import inclusion_path, leaf_hash, root_of_path

FORMAT = "predtrack-proof-1"


class ProofError(ValueError):
    """A proof proves nothing; the message says why."""


def build_proof(
    row: Mapping[str, Any], encoding: Encoding, batch: Mapping[str, Any], position: int
) -> dict[str, Any]:
    """The proof that `row` is leaf `position` (from 0) of `batch` (columns of BATCHES).

    Does not check that it is; see `check_proof`.
    """
    return {
        "format": FORMAT,
        "columns": [list(column) for column in encoding.columns],
        "row": {name: _to_json(row[name], kind) for name, kind in encoding.columns},
        "position": position,
        "path": [node.hex() for node in inclusion_path(leaves_of(batch), position)],
        "batch_index": batch["batch_index"],
        "header": header_fields(batch),
        "previous_hash": batch["previous_hash"].hex(),
        "hash": batch["hash"].hex(),
    }


def with_checkpoint(
    proof: Mapping[str, Any], checkpoint: Mapping[str, Any], hashes: Sequence[bytes]
) -> dict[str, Any]:
    """The proof with the way from its batch to a checkpoint. hashes: of the checkpoint's batches.

    Raises ProofError when the batch is younger than the checkpoint.
    """
    if proof["batch_index"] > checkpoint["batches"]:
        raise ProofError(f"batch {proof['batch_index']} was committed after the checkpoint")
    path = path_of_batch(hashes, proof["batch_index"])
    return {
        **proof,
        "checkpoint": dict(checkpoint),
        "checkpoint_path": [node.hex() for node in path],
    }


def check_proof(proof: Mapping[str, Any], public_key: bytes | None = None) -> None:
    """Raises ProofError unless every hash of the proof follows from what stands in it.

    public_key: who must have signed the checkpoint, if there is one (None: whom it names).
    """
    try:
        _check(proof, public_key)
    except CheckpointError as error:
        raise ProofError(str(error)) from error
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ProofError(f"this is not a proof of a known format: {error!r}") from error


def _check(proof: Mapping[str, Any], public_key: bytes | None) -> None:
    if proof["format"] != FORMAT:
        raise ProofError("this is not a proof of a known format")
    encoding = Encoding(tuple((name, kind) for name, kind in proof["columns"]))
    header = proof["header"]
    if encoding.digest.hex() != header["encoding"]:
        raise ProofError("the columns are not those of the batch's encoding")
    row = {name: _from_json(proof["row"][name], kind) for name, kind in encoding.columns}
    if proof["row"].keys() != row.keys():
        raise ProofError("the row says more than was committed")
    leaf = leaf_hash(encode_row(row, encoding))
    path = [bytes.fromhex(node) for node in proof["path"]]
    root = root_of_path(leaf, proof["position"], header["row_count"], path)
    previous, index = bytes.fromhex(proof["previous_hash"]), proof["batch_index"]
    link = chain_hash(previous, index, root, canonical_json(header))
    if link.hex() != proof["hash"]:
        raise ProofError("the row does not lead to the hash of its batch")
    if "checkpoint" in proof:
        check_signature(proof["checkpoint"], public_key)
        way = [bytes.fromhex(node) for node in proof["checkpoint_path"]]
        check_inclusion(proof["checkpoint"], index, link, way)


def _to_json(value: Any, kind: str) -> Any:
    """A value as JSON holds it: numbers as numbers (to the last bit), all else as text."""
    if value is None:
        return None
    if kind == "double precision":
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def _from_json(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "double precision":
        return float(value)
    if kind == "timestamp with time zone":
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if kind == "date" else value
