"""The whole ledger, checked: every link, every tree, every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from predtrack_assets.domain.audit.ledger.batches import batch_link, fault_of_tree
from predtrack_assets.domain.audit.ledger.chain import Link, fault_of_link, faults_of_chain
from predtrack_assets.domain.audit.ledger.comparison import FINDINGS, compare
from predtrack_assets.domain.forecasts.resolution_time import earliest_resolution_times
from predtrack_assets.services.audit.acknowledgements import split
from predtrack_assets.warehouse.audit.batches import (
    BATCHES_OF_DAYS,
    LIVE_ROWS,
    RETAINED_FROM,
    SIZE,
    batch_pages,
    judged_columns,
)
from predtrack_assets.warehouse.audit.decision_records import decisions
from predtrack_assets.warehouse.audit.trail import trail_links
from predtrack_assets.warehouse.database.read_ahead import read_ahead
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import (
    GROUPS,
    by_days,
    read_rows,
    span_of,
)

Progress = Callable[[str, int, int], None]  # what, done, of how many


@dataclass
class Verdict:
    """What verifies, and what does not. findings: columns of comparison.FINDINGS, sorted by batch;
    pruned: rows that retention dropped, whose leaves verify; decision_faults: the rows of
    decision_records.decisions that have a fault; acknowledged: findings that an audit event names
    (see acknowledgements), which are no longer among `findings`."""

    batches: int = 0
    batches_good: int = 0
    rows: int = 0
    rows_good: int = 0
    pruned: int = 0
    events: int = 0
    events_good: int = 0
    decisions: int = 0
    decisions_good: int = 0
    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDINGS))
    acknowledged: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDINGS))
    event_faults: list[tuple[int, str]] = field(default_factory=list)
    decision_faults: list[dict[str, Any]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing at all was found."""
        return self.findings.is_empty() and not self.event_faults and not self.decision_faults


def verify(transaction: Transaction, progress: Progress = lambda *_: None) -> Verdict:
    """Walk the chain and its trees, then compare every row with its leaf, then the audit trail,
    then every deployment and override with its event and permit.

    Reads as of one moment; the transaction must be new.
    """
    transaction.freeze()
    verdict = Verdict(**transaction.read(SIZE).row(0, named=True))
    wrong = list(_faults_of_chain(transaction, verdict, progress))
    frames = [pl.DataFrame(wrong, schema=FINDINGS, orient="row")]
    frames += _compared(transaction, verdict, date.min, date.max, progress)
    found = pl.concat(frames).sort("batch_index", "position", nulls_last=[True, False])
    links = trail_links(transaction)
    verdict.event_faults = list(faults_of_chain(links))
    verdict.events = len(links)
    verdict.events_good = len(links) - len(verdict.event_faults)
    faulty = [index for index, _ in verdict.event_faults]
    verdict.findings, verdict.acknowledged = split(transaction, found, faulty)
    decided = decisions(transaction, faulty)
    verdict.decision_faults = decided.filter(pl.col("fault").is_not_null()).to_dicts()
    verdict.decisions = len(decided)
    verdict.decisions_good = len(decided) - len(verdict.decision_faults)
    return verdict


def verify_days(transaction: Transaction, first: date, last: date) -> Verdict:
    """The trees and rows of the decision days [first, last], and each link by itself."""
    verdict = Verdict()
    batches = transaction.read(BATCHES_OF_DAYS, first=first, last=last)
    wrong = []
    for batch in batches.iter_rows(named=True):
        link = batch_link(batch)
        before = Link(link.index - 1, b"", b"", b"", link.previous_hash) if link.index > 1 else None
        if fault := fault_of_link(link, before) or _fault_of_tree(batch):
            wrong.append(_finding(batch, fault))
    verdict.batches = len(batches)
    verdict.batches_good = len(batches) - len(wrong)
    verdict.rows = int(batches["row_count"].sum())
    frames = [pl.DataFrame(wrong, schema=FINDINGS, orient="row")]
    frames += _compared(transaction, verdict, first, last, lambda *_: None, batches)
    found = pl.concat(frames).sort("batch_index", "position", nulls_last=[True, False])
    verdict.findings, verdict.acknowledged = split(transaction, found)
    return verdict


def _faults_of_chain(
    transaction: Transaction, verdict: Verdict, progress: Progress
) -> Iterator[tuple[Any, ...]]:
    before, committed = None, None
    done = 0
    for page in batch_pages(transaction):
        for batch in page.iter_rows(named=True):
            link = batch_link(batch)
            fault = fault_of_link(link, before) or _fault_of_tree(batch)
            if fault is None and committed is not None and batch["committed_at"] < committed:
                fault = link.index, "was committed before the one before it"
            if fault:
                yield _finding(batch, fault)
            else:
                verdict.batches_good += 1
            before, committed = link, batch["committed_at"]
        done += len(page)
        progress("batches", done, verdict.batches)


def _fault_of_tree(batch: dict[str, Any]) -> tuple[int, str] | None:
    fault = fault_of_tree(batch)
    return None if fault is None else (batch["batch_index"], fault)


def _finding(batch: dict[str, Any], fault: tuple[int, str]) -> tuple[Any, ...]:
    return fault[0], None, None, batch["trading_day"], fault[1]


def _compared(
    transaction: Transaction,
    verdict: Verdict,
    first: date,
    last: date,
    progress: Progress,
    batches: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """Findings of rows against leaves, part by part; the next part is read meanwhile.

    batches: those of the days, where they have been read.
    """
    columns = judged_columns(transaction)
    retained = transaction.read(RETAINED_FROM).item()
    groups = transaction.read(GROUPS, first=first, last=last).with_columns(
        size=pl.max_horizontal("stored", "sealed")
    )
    spans = [span_of(part) for part in by_days(groups, "size")]

    def read(span: tuple[date, date]) -> tuple[pl.DataFrame, pl.DataFrame]:
        sealed = (
            transaction.read(BATCHES_OF_DAYS, first=span[0], last=span[1])
            if batches is None
            else batches.filter(pl.col("trading_day").is_between(*span))
        )
        rows = read_rows(transaction, columns, *span)
        if rows["live"].any() or (sealed["origin"] == "live").any():
            rows = _with_earliest_resolution(transaction, rows, span)
        return sealed, rows

    findings = []
    for sealed, rows in read_ahead(read, spans):
        compared = compare(sealed, rows, retained)
        verdict.rows_good += compared.good
        verdict.pruned += compared.pruned
        findings.append(compared.findings)
        progress("rows", verdict.rows_good, verdict.rows)
    return findings


def _with_earliest_resolution(
    transaction: Transaction, rows: pl.DataFrame, span: tuple[date, date]
) -> pl.DataFrame:
    """The rows, earliest_resolution_time of those that may be live no later than the calendar says."""
    judged = transaction.read(LIVE_ROWS, first=span[0], last=span[1]).unique("prediction_id")
    judged = judged.select("prediction_id", calendar=earliest_resolution_times(judged))
    joined = rows.join(judged, on="prediction_id", how="left", maintain_order="left")
    earliest = pl.min_horizontal("earliest_resolution_time", "calendar")
    return joined.with_columns(earliest_resolution_time=earliest).drop("calendar")
