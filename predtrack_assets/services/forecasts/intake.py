"""Take predictions of others: one validated path for the API, the command line and files.

What a row states is checked by itself (domain.forecasts.intake), then against what is known: the
symbol, its calendar, the close of the decision day. Reference price, sigma, climatology and moments
are the server's. The first statement stands: the same again is a duplicate, another a conflict.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from predtrack_assets.domain.forecasts.identity import prediction_id
from predtrack_assets.domain.forecasts.intake.rows import (
    MAX_ROWS,
    Refused,
    statement,
)
from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.domain.models.as_of_statistics import MIN_RETURNS
from predtrack_assets.domain.models.forecast import (
    QUANTILE_NAMES,
)
from predtrack_assets.services.forecasts.external_models import NAME, ModelRefused
from predtrack_assets.services.forecasts.intake_basis import (
    IntakeRow,
    basis_of,
    open_rows,
    place,
    values_of,
)
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import intake as queries
from predtrack_assets.warehouse.forecasts.ledger import seal

COLUMNS: dict[str, Any] = {"index": pl.Int64(), **PREDICTIONS}
SAME = 1e-12  # relative: a number that went through JSON and back is the same


class KeyReused(ValueError):
    """An idempotency key came again with another body."""


@dataclass(frozen=True)
class Sender:
    """Who hands in, and under which names the batch is remembered."""

    owner: str
    request_id: str
    key_id: str | None = None
    idempotency_key: str | None = None


def check_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """What is wrong with rows by themselves, without a database: one answer per row."""
    return [row.answer or {"index": row.index, "status": "accepted"} for row in _parse(rows)]


def take_predictions(
    transaction: Transaction,
    *,
    model: str,
    version: int,
    rows: Sequence[Any],
    sender: Sender,
    body: bytes,
    on_late: str = "replay",
    dry_run: bool = False,
) -> dict[str, Any]:
    """Accept what can be, seal it, and answer every row; all in this transaction.

    rows: decoded JSON objects, at most MAX_ROWS. body: what they were read from; its digest tells
    a repeated idempotency key from a reused one. on_late: `replay` or `reject` a row whose outcome
    could be known already. dry_run: answer, and write nothing (the caller rolls back).
    Raises ModelRefused for a model that is not registered or not the sender's, KeyReused, and
    ValueError for a batch that is empty or too large.
    """
    if not 1 <= len(rows) <= MAX_ROWS:
        raise ValueError(f"a batch has 1 to {MAX_ROWS:,} rows, not {len(rows):,}")
    digest = hashlib.sha256(body).digest()
    if sender.idempotency_key and (found := _answered(transaction, sender, digest)):
        return found
    if not NAME.fullmatch(model):
        raise ModelRefused("model_unknown", "this is no name that a model can have")
    registered = transaction.read(queries.MODEL, name=model, version=version)
    if registered.is_empty():
        raise ModelRefused("model_unknown", f"{model} version {version} is not registered")
    about = registered.row(0, named=True)
    if about["owner"] != sender.owner:
        raise ModelRefused("model_of_another_owner", f"{about['model_id']} belongs to another key")
    if about["status"] == "retired":
        raise ModelRefused("model_retired", f"{about['model_id']} is retired")

    parsed = _parse(rows)
    _refuse_kinds(parsed, about["kinds"])
    now = transaction.now
    place(transaction, parsed, now)
    frame = _complete(transaction, parsed, about["model_id"])
    frame = _first_statements(transaction, parsed, frame, about["model_id"])
    frame = _with_origin(parsed, frame, now, on_late)
    if len(frame):
        transaction.append(tables.PREDICTIONS, frame.drop("index"))
        sealed = seal(transaction, frame["trading_day"].min(), frame["trading_day"].max())  # type: ignore[arg-type]
    else:
        sealed = None
    answer = {
        "model_id": about["model_id"],
        "committed_at": now.isoformat(),
        "dry_run": dry_run,
        "counts": _counts(parsed),
        "sealed_batches": sealed.batches if sealed else 0,
        "rows": [row.answer for row in parsed],
    }
    if not dry_run:
        answer["batch"] = _remember(transaction, sender, about["model_id"], digest, answer)
    return answer


def _answered(transaction: Transaction, sender: Sender, digest: bytes) -> dict[str, Any] | None:
    """The answer that this key got before. Raises KeyReused where the body was another."""
    name = f"{sender.key_id or ''}/{sender.idempotency_key}"
    transaction.read(queries.KEY_LOCK, name=name)
    found = transaction.read(
        queries.BY_IDEMPOTENCY_KEY, key_id=sender.key_id, idempotency_key=sender.idempotency_key
    )
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    if row["body_sha256"] != digest:
        raise KeyReused("this idempotency key was used for another body")
    return {**json.loads(row["answer"]), "batch": row["batch_id"], "replayed": True}


def _parse(rows: Sequence[Any]) -> list[IntakeRow]:
    parsed = []
    for index, raw in enumerate(rows):
        row = IntakeRow(index, answer={})
        client_id = raw.get("client_id") if isinstance(raw, Mapping) else None
        named = {"index": index, **({"client_id": client_id} if isinstance(client_id, str) else {})}
        try:
            row.stated = statement(raw)
        except Refused as refused:
            row.answer = dict(named)
            row.refuse(refused)
        parsed.append(row)
    return parsed


def _refuse_kinds(rows: Sequence[IntakeRow], kinds: Sequence[str]) -> None:
    for row in open_rows(rows):
        assert row.stated
        row.answer = {"index": row.index}
        if row.stated.row.client_id:
            row.answer["client_id"] = row.stated.row.client_id
        if row.stated.kind not in kinds:
            row.refuse(
                Refused(
                    "kind_not_of_the_model",
                    f"/{row.stated.kind}",
                    f"the model was registered for {', '.join(kinds)}",
                )
            )


def _complete(transaction: Transaction, rows: Sequence[IntakeRow], model_id: str) -> pl.DataFrame:
    """Columns of PREDICTIONS and `index` of the rows that the server knows a close for."""
    wanted = open_rows(rows)
    if not wanted:
        return pl.DataFrame(schema=COLUMNS)
    basis = basis_of(transaction, wanted)
    frames = []
    for row in wanted:
        assert row.stated
        assert row.day
        key = (row.stated.row.symbol, row.day, row.stated.row.horizon, row.stated.kind)
        known = basis.get(key)
        if known is None:
            row.refuse(
                Refused(
                    "no_reference_price",
                    "/symbol",
                    f"there is no close of {key[0]} on {row.day}, or fewer than {MIN_RETURNS}"
                    " daily returns before it",
                )
            )
            continue
        try:
            values = values_of(row.stated, known)
        except Refused as refused:
            row.refuse(refused)
            continue
        stated = {**known, **values, "index": row.index, "model_id": model_id}
        frames.append({name: stated[name] for name in COLUMNS})
    return pl.DataFrame(frames, schema=COLUMNS)


def _first_statements(
    transaction: Transaction, rows: Sequence[IntakeRow], frame: pl.DataFrame, model_id: str
) -> pl.DataFrame:
    """The rows that are new; the others are answered as duplicates or conflicts."""
    if frame.is_empty():
        return frame
    existing = transaction.read(
        queries.EXISTING,
        model_id=model_id,
        first=frame["trading_day"].min(),
        last=frame["trading_day"].max(),
        symbols=frame["symbol"].unique().to_list(),
    )
    key = ("symbol", "kind", "trading_day", "horizon")
    stored = {tuple(r[k] for k in key): r for r in existing.iter_rows(named=True)}
    new = []
    for values in frame.iter_rows(named=True):
        row = rows[values["index"]]
        identity = tuple(values[k] for k in key)
        made = prediction_id(
            model_id, values["kind"], values["symbol"], values["as_of"], values["horizon"]
        )
        row.answer["prediction_id"] = str(made)
        first = stored.get(identity)
        if first is None:
            stored[identity] = values
            new.append(values["index"])
        elif _same(first, values):
            row.answer["status"] = "duplicate"
        else:
            row.answer |= {
                "status": "conflict",
                "code": "first_statement_stands",
                "message": "another statement of this model, symbol, day and horizon was first",
            }
    return frame.filter(pl.col("index").is_in(new))


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    names = (
        ["confidence"] if b["kind"] == "direction" else [*QUANTILE_NAMES, "predicted_volatility"]
    )
    return all(_equal(a[name], b[name]) for name in names)


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= SAME * max(abs(b), 1)


def _with_origin(
    rows: Sequence[IntakeRow], frame: pl.DataFrame, now: datetime, on_late: str
) -> pl.DataFrame:
    """Live where committed before the outcome could be known; late rows are replay or rejected."""
    live = pl.col("earliest_resolution_time") > pl.lit(now)
    frame = frame.with_columns(
        pl.when(live).then(pl.lit("live")).otherwise(pl.lit("replay")).alias("origin")
    )
    kept = []
    for values in frame.iter_rows(named=True):
        row = rows[values["index"]]
        seconds = (values["earliest_resolution_time"] - now).total_seconds()
        if values["origin"] == "replay" and on_late == "reject":
            row.refuse(
                Refused("late", "/decision_day", "the outcome could be known when this arrived")
            )
            continue
        kept.append(values["index"])
        row.answer |= {
            "status": "accepted",
            "origin": values["origin"],
            "decision_day": str(values["trading_day"]),
            "due_day": str(values["due_day"]),
            "reference_price": values["reference_price"],
            "earliest_resolution_time": values["earliest_resolution_time"].isoformat(),
            "seconds_before": seconds if seconds > 0 else None,
        }
    return frame.filter(pl.col("index").is_in(kept))


def _counts(rows: Sequence[IntakeRow]) -> dict[str, int]:
    found = Counter(row.answer["status"] for row in rows)
    return {name: found[name] for name in ("accepted", "duplicate", "conflict", "rejected")}


def _remember(
    transaction: Transaction, sender: Sender, model_id: str, digest: bytes, answer: dict[str, Any]
) -> int:
    counts = answer["counts"]
    return int(
        transaction.read(
            queries.RECEIPT,
            request_id=sender.request_id,
            key_id=sender.key_id,
            model_id=model_id,
            idempotency_key=sender.idempotency_key,
            digest=digest,
            accepted=counts["accepted"],
            duplicates=counts["duplicate"],
            conflicts=counts["conflict"],
            rejected=counts["rejected"],
            answer=json.dumps(answer, allow_nan=False),
        ).item()
    )
