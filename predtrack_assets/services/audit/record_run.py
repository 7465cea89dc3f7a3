"""One audit event for what a run changed in a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Protocol

from predtrack_assets.services.audit.triggers import triggered_by
from predtrack_assets.warehouse.audit.trail import record_event
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.tables import Table


class Run(Protocol):
    """What an event tells of a run; Dagster's runs have it."""

    @property
    def run_id(self) -> str: ...
    @property
    def job_name(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


def record_run(
    transaction: Transaction,
    event_type: str,
    table: Table,
    days: tuple[date, date],
    written: Written,
    run: Run,
    also: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """An event on what a run changed in a table for decision or report days; none if nothing.

    days: first and last of the run. The payload says which run and job it was, what triggered it,
    how many rows were written, and what `also` holds.
    """
    if not written.changed:
        return
    first, last = (day.isoformat() for day in days)
    about = {"first": first, "last": last, "run": run.run_id, "job": run.job_name}
    about["triggered_by"] = triggered_by(run.tags)
    payload = {**about, **written.as_metadata(), **also}
    record_event(transaction, event_type, str(table), payload, "automated")
