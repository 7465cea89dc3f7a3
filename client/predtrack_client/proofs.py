"""Proofs, checked here: that a row was committed as it was sent. Nothing is asked of the server.

The byte formats are those of docs/guide/ledger.md, written down a second time on purpose.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from predtrack_client.receipts import Receipt
from predtrack_client.rows import Refused, Statement, statement

FORMAT = "predtrack-proof-1"
SAME = 1e-12
SESSIONS_A_YEAR = (252, 260, 365)
QUANTILES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")
_FIRST_DAY = date(2000, 1, 1)
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


class ProofError(ValueError):
    """Something is not proven; the message says what."""


class Checked(msgspec.Struct, frozen=True):
    """What was proven: so many rows, of which so many were committed before the fact."""

    rows: int
    live: int
    first_batch: int
    last_batch: int
    committed_at: str

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows proven, {self.live:,} of them live: batches {self.first_batch} to"
            f" {self.last_batch} of the chain, the last of {self.committed_at}"
        )


def check(
    receipt: Receipt | str | Path, proofs: Mapping[str, Any] | Iterable[Mapping[str, Any]]
) -> Checked:
    """Check that every row of a receipt that was taken is in the ledger as it was sent.

    receipt: it, or the file that `save` wrote. proofs: what `Client.proof` gave. Raises ProofError
    for a row without a proof, a hash that does not follow, and a row that is not what was sent.
    """
    known = receipt if isinstance(receipt, Receipt) else Receipt.load(receipt)
    given = [proofs] if isinstance(proofs, Mapping) else list(proofs)
    by_id = {}
    for proof in given:
        check_proof(proof)
        by_id[proof["row"]["prediction_id"]] = proof
    taken = [
        (sent, row)
        for sent, row in zip(known.sent, known.rows, strict=True)
        if row["status"] in ("accepted", "duplicate")
    ]
    if not taken:
        raise ProofError("the receipt has no row that was taken")
    used = []
    for sent, row in taken:
        if row["prediction_id"] not in by_id:
            raise ProofError(f"row {row['index']} has no proof")
        proof = by_id[row["prediction_id"]]
        _compare(known.model_id, sent, row, proof["row"])
        used.append(proof)
    batches = [proof["batch_index"] for proof in used]
    return Checked(
        rows=len(used),
        live=sum(proof["header"]["origin"] == "live" for proof in used),
        first_batch=min(batches),
        last_batch=max(batches),
        committed_at=max(proof["header"]["committed_at"] for proof in used),
    )


def check_proof(proof: Mapping[str, Any]) -> None:
    """Raises ProofError unless the proof's row leads to the hash of its batch."""
    try:
        _check_proof(proof)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, struct.error) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"this is not a proof of a known format: {error!r}") from error


def prediction_id(
    model_id: str, kind: str, symbol: str, as_of: datetime, horizon: int, unit: str
) -> UUID:
    """Identity of a prediction: 16 bytes of SHA-256 over its fields."""
    moment = (as_of - _FIRST_MOMENT) // timedelta(microseconds=1)
    fields = _text(model_id) + _text(kind) + _text(symbol)
    fields += struct.pack(">qh", moment, horizon) + _text(unit)
    return UUID(bytes=hashlib.sha256(fields).digest()[:16])


def _check_proof(proof: Mapping[str, Any]) -> None:
    if proof["format"] != FORMAT:
        raise ProofError("this is not a proof of a known format")
    header, row, columns = proof["header"], proof["row"], proof["columns"]
    described = _canonical({"version": 1, "columns": columns})
    if hashlib.sha256(described).hexdigest() != header["encoding"]:
        raise ProofError("the columns are not those of the batch's encoding")
    if set(row) != {name for name, _ in columns}:
        raise ProofError("the row has other columns than were committed")
    for name in ("model_id", "kind", "trading_day"):
        if row[name] != header[name]:
            raise ProofError(f"the row's {name} is not that of its batch")
    node = _hash(b"\x00", *(_encoded(row[name], kind) for name, kind in columns))
    path = [bytes.fromhex(sibling) for sibling in proof["path"]]
    root = _root(node, proof["position"], header["row_count"], path)
    link = _hash(
        b"\x02",
        bytes.fromhex(proof["previous_hash"]),
        struct.pack(">Q", proof["batch_index"]),
        root,
        _canonical(header),
    )
    if link.hex() != proof["hash"]:
        raise ProofError("the row does not lead to the hash of its batch")
    identity = prediction_id(
        row["model_id"],
        row["kind"],
        row["symbol"],
        datetime.fromisoformat(row["as_of"]),
        row["horizon"],
        row["horizon_unit"],
    )
    if str(identity) != row["prediction_id"]:
        raise ProofError("the row's identity is not that of its fields")


def _compare(
    model_id: str, sent: Mapping[str, Any], answer: Mapping[str, Any], row: Mapping[str, Any]
) -> None:
    """Raises ProofError unless a committed row is what was sent."""
    where = f"row {answer['index']}"
    try:
        stated = statement(dict(sent))
    except Refused as refused:
        raise ProofError(f"{where} as it was sent cannot be read: {refused}") from refused
    said: dict[str, Any] = {"model_id": model_id, "kind": stated.kind, "symbol": stated.row.symbol}
    said |= {"horizon": stated.row.horizon, "horizon_unit": stated.row.horizon_unit}
    if stated.row.decision_day is not None:
        said["trading_day"] = stated.row.decision_day.isoformat()
    for name, value in said.items():
        if row[name] != value:
            raise ProofError(f"{where}: {name} was committed as {row[name]}, not as {value}")
    if not _same_values(stated, row):
        raise ProofError(f"{where}: other numbers were committed than were sent")


def _same_values(stated: Statement, row: Mapping[str, Any]) -> bool:
    if stated.kind == "direction":
        return bool(row["confidence"] == stated.values[0])
    if stated.kind == "volatility":
        years = SESSIONS_A_YEAR if stated.unit == "year" else (1,)
        daily = [stated.values[0] / math.sqrt(sessions) for sessions in years]
        return any(_close(row["predicted_volatility"], value) for value in daily)
    if stated.kind == "time_to_hit":
        probability, target, sessions = stated.values
        if stated.unit == "log_return":
            target = row["reference_price"] * math.exp(target)
        form = stated.row.time_to_hit
        return bool(
            row["confidence"] == probability
            and _close(row["target_price"], target)
            and row["predicted_days"] == sessions
            and form is not None
            and row["hit_rule"] == form.rule
        )
    values: Sequence[float] = stated.values
    if stated.unit == "price":
        values = [math.log(value / row["reference_price"]) for value in values]
    return all(_close(row[name], value) for name, value in zip(QUANTILES, values, strict=True))


def _close(a: float, b: float) -> bool:
    return bool(abs(a - b) <= SAME * max(abs(b), 1.0))


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _root(node: bytes, position: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= position < size:
        raise ProofError(f"leaf {position} of a tree of {size}")
    last = size - 1
    for sibling in path:
        if last == 0:
            raise ProofError("the path is too long")
        while not position & 1 and position == last:  # no sibling: the node goes up as it is
            position, last = position >> 1, last >> 1
        node = _hash(b"\x01", sibling, node) if position & 1 else _hash(b"\x01", node, sibling)
        position, last = position >> 1, last >> 1
    while last and not position & 1 and position == last:
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the path is too short")
    return node


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">i", len(data)) + data


def _double(value: float) -> bytes:
    return bytes.fromhex("7ff8000000000000") if math.isnan(value) else struct.pack(">d", value)


_ENCODED: dict[str, Callable[[Any], bytes]] = {
    "boolean": lambda value: struct.pack(">?", value),
    "smallint": lambda value: struct.pack(">h", value),
    "integer": lambda value: struct.pack(">i", value),
    "bigint": lambda value: struct.pack(">q", value),
    "double precision": lambda value: _double(float(value)),
    "date": lambda value: struct.pack(">i", (date.fromisoformat(value) - _FIRST_DAY).days),
    "timestamp with time zone": lambda value: struct.pack(
        ">q", (datetime.fromisoformat(value) - _FIRST_MOMENT) // timedelta(microseconds=1)
    ),
    "uuid": lambda value: UUID(value).bytes,
    "text": _text,
    "jsonb": _text,
}


def _encoded(value: Any, kind: str) -> bytes:
    return b"\x00" if value is None else b"\x01" + _ENCODED[kind](value)
