"""Proofs and checkpoints of the stored ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from predtrack_assets.domain.audit.ledger.batches import batch_link, moment
from predtrack_assets.domain.audit.ledger.chain import GENESIS, Link, faults_of_chain
from predtrack_assets.domain.audit.ledger.checkpoint import CheckpointError, sign, tree_of_batches
from predtrack_assets.domain.audit.ledger.proof import build_proof, check_proof, with_checkpoint
from predtrack_assets.warehouse.audit.batches import BATCHES_OF_GROUP, DAY_OF, LINKS, read_row
from predtrack_assets.warehouse.audit.trail import trail_links
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import CLOCK, LedgerError, encodings


def prove(
    transaction: Transaction, prediction_id: UUID, checkpoint: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The inclusion proof of a stored prediction, checked; on to `checkpoint` if there is one.

    Raises LedgerError where there is no such row or no batch holds it, ProofError where the stored
    row or ledger is not what was committed.
    """
    transaction.freeze()
    group = transaction.read(DAY_OF, prediction_id=str(prediction_id))
    if group.is_empty():
        raise LedgerError(f"there is no prediction {prediction_id}")
    named = group.row(0, named=True)
    for batch in transaction.read(BATCHES_OF_GROUP, **named).iter_rows(named=True):
        ids = batch["prediction_ids"]
        position, inside = divmod(ids.find(prediction_id.bytes), 16)
        if position < 0 or inside:
            continue
        encoding = encodings(transaction).get(batch["encoding"])
        if encoding is None:
            raise LedgerError(f"batch {batch['batch_index']}: its encoding is unknown")
        row = read_row(transaction, encoding, named, prediction_id)
        proof = build_proof(row, encoding, batch, position)
        if checkpoint is not None:
            hashes = [link.hash for link in _links(transaction, checkpoint["batches"])]
            proof = with_checkpoint(proof, checkpoint, hashes)
        check_proof(proof)
        return proof
    raise LedgerError(
        f"prediction {prediction_id} is in no batch yet: `predtrack ledger seal` commits to it"
    )


def checkpoint(transaction: Transaction, private_key: bytes) -> dict[str, str | int]:
    """A signed tree head of the ledger and the audit trail as they are now.

    Raises LedgerError where a link of either does not verify: a broken chain is not signed.
    """
    transaction.freeze()
    links, events = _links(transaction), trail_links(transaction)
    for name, chain in (("batch", links), ("event", events)):
        if found := _first_fault(chain):
            raise LedgerError(f"{name} {found[0]} {found[1]}: `predtrack ledger verify` says more")
    return sign({**_head(links, events), "signed_at": moment(_now(transaction))}, private_key)


def check_against(transaction: Transaction, old: Mapping[str, Any]) -> tuple[int, int]:
    """Raises CheckpointError unless the chains still begin as the checkpoint says.

    Links are recomputed from roots, headers and events, rows are not read. Returns how many
    batches and events have been added since.
    """
    transaction.freeze()
    links, events = _links(transaction), trail_links(transaction)
    for name, chain, size in (("batch", links, old["batches"]), ("event", events, old["events"])):
        if len(chain) < size:
            raise CheckpointError(f"the ledger ends at {name} {len(chain)}, it had {size}")
        if found := _first_fault(chain[:size]):
            raise CheckpointError(f"{name} {found[0]} {found[1]}")
    now = _head(links[: old["batches"]], events[: old["events"]])
    for name in ("hash", "root", "event_hash"):
        if now[name] != old[name]:
            raise CheckpointError(f"the ledger was rewritten: {name} is not what was signed")
    return len(links) - old["batches"], len(events) - old["events"]


def _head(links: list[Link], events: list[Link]) -> dict[str, str | int]:
    return {
        "batches": len(links),
        "hash": (links[-1].hash if links else GENESIS).hex(),
        "root": tree_of_batches([link.hash for link in links]).hex(),
        "events": len(events),
        "event_hash": (events[-1].hash if events else GENESIS).hex(),
    }


def _links(transaction: Transaction, size: int | None = None) -> list[Link]:
    links = [batch_link(b) for b in transaction.read(LINKS).iter_rows(named=True)]
    return links[:size]


def _first_fault(chain: list[Link]) -> tuple[int, str] | None:
    return next(faults_of_chain(chain), None)


def _now(transaction: Transaction) -> Any:
    return transaction.read(CLOCK).item()
