"""Take predictions of others: one validated path for the API, the command line and files.

What a row states is checked by itself (domain.forecasts.intake), then against what is known: the
symbol, its calendar, the close of the decision day. Reference price, sigma, climatology and moments
are the server's. The first statement stands: the same again is a duplicate, another a conflict.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import polars as pl

from predtrack_assets.domain.forecasts.identity import prediction_ids
from predtrack_assets.domain.forecasts.intake.completion import (
    completed,
    with_first,
    with_log_returns,
)
from predtrack_assets.domain.forecasts.intake.rows import MAX_ROWS
from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.domain.models.as_of_statistics import MIN_RETURNS
from predtrack_assets.domain.models.forecast import QUANTILE_NAMES
from predtrack_assets.services.forecasts.external_models import NAME, ModelRefused
from predtrack_assets.services.forecasts.intake_basis import basis_of, place
from predtrack_assets.services.forecasts.intake_batch import CELL, Batch
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import intake as queries
from predtrack_assets.warehouse.forecasts.ledger import seal

# What statements fill: of the baseline's columns these are not taken.
FILLED = [
    *QUANTILE_NAMES, "predicted_price", "p_within_band", "predicted_volatility", "confidence",
    "target_price", "side", "hit_rule", "predicted_days",
]  # fmt: skip


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
    return [{"status": "accepted", **answer} for answer in Batch(rows).answers]


@dataclass(frozen=True)
class Post:
    """A batch as it was handed in.

    rows: decoded JSON objects, at most MAX_ROWS. body: what they were read from; its digest tells
    a repeated idempotency key from a reused one. on_late: `replay` or `reject` a row whose outcome
    could be known already. dry_run: answer, and write nothing (the caller rolls back).
    """

    model: str
    version: int
    rows: Sequence[Any]
    sender: Sender
    body: bytes
    on_late: str = "replay"
    dry_run: bool = False


def take_predictions(transaction: Transaction, **post: Any) -> dict[str, Any]:
    """Accept what can be of a Post, seal it, and answer every row; all in this transaction.

    Raises ModelRefused for a model that is not registered or not the sender's, KeyReused, and
    ValueError for a batch that is empty or too large.
    """
    (answer,) = take_posts(transaction, [Post(**post)])
    if isinstance(answer, ValueError):
        raise answer
    return answer


def take_posts(
    transaction: Transaction, posts: Sequence[Post]
) -> list[dict[str, Any] | ValueError]:
    """Take posts in one transaction, sealed once: an answer each, or why it was refused whole.

    What a post is refused for is found before anything of it is written.
    """
    found: list[_Taken | dict[str, Any] | ValueError] = []
    for post in posts:
        try:
            found.append(_take(transaction, post))
        except ValueError as error:
            found.append(error)
    taken = [each for each in found if isinstance(each, _Taken)]
    days = [day for each in taken for day in each.days]
    sealed = seal(transaction, min(days), max(days)) if days else None
    for each in taken:
        each.answer["sealed_batches"] = sealed.batches if sealed and each.days else 0
        if not each.post.dry_run:
            each.answer["batch"] = _remember(transaction, each)
    return [each.answer if isinstance(each, _Taken) else each for each in found]


@dataclass(frozen=True)
class _Taken:
    """A post whose rows are written and not sealed yet. days: first and last, of those."""

    post: Post
    model_id: str
    digest: bytes
    days: list[date]
    answer: dict[str, Any]


def _take(transaction: Transaction, post: Post) -> _Taken | dict[str, Any]:
    """Write what is new of a post; or the answer that its idempotency key got before."""
    if not 1 <= len(post.rows) <= MAX_ROWS:
        raise ValueError(f"a batch has 1 to {MAX_ROWS:,} rows, not {len(post.rows):,}")
    digest = hashlib.sha256(post.body).digest()
    if post.sender.idempotency_key and (found := _answered(transaction, post.sender, digest)):
        return found
    about = _model_of(transaction, post)
    batch = Batch(post.rows)
    batch.refuse(
        ~pl.col("kind").is_in(about["kinds"]),
        "kind_not_of_the_model",
        "",
        f"the model was registered for {', '.join(about['kinds'])}",
    )
    now = transaction.now
    place(transaction, batch, now)
    _complete(transaction, batch)
    new = _new_rows(transaction, batch, about["model_id"], now, post.on_late)
    if len(new):
        named = new.with_columns(model_id=pl.lit(about["model_id"]))
        transaction.insert(tables.PREDICTIONS, named.select(*PREDICTIONS, "origin"))
    answer = {
        "model_id": about["model_id"],
        "committed_at": now.isoformat(),
        "dry_run": post.dry_run,
        "counts": batch.counts(),
        "rows": batch.answers,
    }
    days = new["trading_day"].unique().sort().to_list() if len(new) else []
    return _Taken(post, about["model_id"], digest, [*days[:1], *days[-1:]], answer)


def _model_of(transaction: Transaction, post: Post) -> dict[str, Any]:
    """The registered model of a post. Raises ModelRefused."""
    if not NAME.fullmatch(post.model):
        raise ModelRefused("model_unknown", "this is no name that a model can have")
    registered = transaction.read(queries.MODEL, name=post.model, version=post.version)
    if registered.is_empty():
        raise ModelRefused(
            "model_unknown", f"{post.model} version {post.version} is not registered"
        )
    about = registered.row(0, named=True)
    if about["owner"] != post.sender.owner:
        raise ModelRefused("model_of_another_owner", f"{about['model_id']} belongs to another key")
    if about["status"] == "retired":
        raise ModelRefused("model_retired", f"{about['model_id']} is retired")
    return about


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


def _complete(transaction: Transaction, batch: Batch) -> None:
    """Put what the server knows beside the open rows, and their statements into its units."""
    if batch.open.is_empty():
        return
    basis = basis_of(transaction, batch.open.select(*CELL, "exchange")).drop(FILLED)
    batch.open = batch.open.join(basis, on=CELL, how="left", maintain_order="left")
    batch.refuse(
        pl.col("reference_price").is_null(),
        "no_reference_price",
        "/symbol",
        lambda row: (
            f"there is no close of {row['symbol']} on {row['trading_day']}, or fewer than"
            f" {MIN_RETURNS} daily returns before it"
        ),
    )
    batch.open = with_log_returns(batch.open)
    batch.refuse(
        pl.col("far").fill_null(False),
        "unit_suspect",
        "",
        lambda row: (
            f"a price of {row['reference_price'] * math.exp(min(row['away'], 20)):.6g} beside"
            f" a close of {row['reference_price']:.6g}: are these prices as traded, in the currency of"
            " the listing?"
        ),
    )
    batch.open = completed(batch.open)
    batch.refuse(
        pl.col("target_price") == pl.col("reference_price"),
        "target_is_complete_and_on_its_side",
        "/time_to_hit/target",
        lambda row: f"the target is the close of {row['trading_day']}: it is hit already",
    )


def _new_rows(
    transaction: Transaction, batch: Batch, model_id: str, now: datetime, on_late: str
) -> pl.DataFrame:
    """The rows that are first of their cell; every other row gets its answer here.

    Live is what was committed before its outcome could be known; late rows are replay, or rejected.
    """
    if batch.open.is_empty():
        return batch.open
    transaction.lock(tables.PREDICTIONS)  # what is not there stays so until it is inserted
    stored = transaction.read(
        queries.EXISTING,
        model_id=model_id,
        first=batch.open["trading_day"].min(),
        last=batch.open["trading_day"].max(),
        kinds=batch.open["kind"].unique().to_list(),
        horizons=batch.open["horizon"].unique().to_list(),
    )
    live = pl.col("earliest_resolution_time") > pl.lit(now)
    batch.open = with_first(batch.open, stored, CELL).with_columns(
        origin=pl.when(live).then(pl.lit("live")).otherwise(pl.lit("replay"))
    )
    if on_late == "reject":
        message = "the outcome could be known when this arrived"
        late = (pl.col("first") >= 0) & (pl.col("origin") == "replay")
        batch.refuse(late, "late", "/decision_day", message)
    cells = batch.open.select("kind", "symbol", "as_of", "horizon").iter_rows()
    ids = prediction_ids(model_id, cells)
    rows = batch.open.with_columns(prediction_id=pl.Series(ids, dtype=pl.String))
    new = pl.col("first") == pl.col("index")
    moment = pl.col("earliest_resolution_time")
    seconds = (moment - pl.lit(now)).dt.total_microseconds() / 1e6
    batch.answer(
        rows.filter(new).select(
            "index",
            "prediction_id",
            "origin",
            "reference_price",
            pl.lit("accepted").alias("status"),
            pl.col("trading_day").dt.to_string().alias("decision_day"),
            pl.col("due_day").dt.to_string(),
            moment.dt.strftime("%Y-%m-%dT%H:%M:%S%:z"),
            pl.when(seconds > 0).then(seconds).alias("seconds_before"),
        )
    )
    again = rows.filter(~new)
    known = pl.when("same").then(pl.lit("duplicate")).otherwise(pl.lit("conflict"))
    other = pl.when(~pl.col("same"))
    batch.answer(
        again.select(
            "index",
            "prediction_id",
            known.alias("status"),
            other.then(pl.lit("first_statement_stands")).alias("code"),
            other.then(
                pl.lit("another statement of this model, symbol, day and horizon was first")
            ).alias("message"),
        )
    )
    return rows.filter(new)


def _remember(transaction: Transaction, taken: _Taken) -> int:
    counts, sender = taken.answer["counts"], taken.post.sender
    return int(
        transaction.read(
            queries.RECEIPT,
            request_id=sender.request_id,
            key_id=sender.key_id,
            model_id=taken.model_id,
            idempotency_key=sender.idempotency_key,
            digest=taken.digest,
            accepted=counts["accepted"],
            duplicates=counts["duplicate"],
            conflicts=counts["conflict"],
            rejected=counts["rejected"],
            answer=msgspec.json.encode(taken.answer).decode(),
        ).item()
    )
