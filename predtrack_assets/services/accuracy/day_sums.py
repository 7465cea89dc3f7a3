"""Sum the outcomes of a window of days: one pass over each due day, again where outcomes came late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.accuracy.day_sums import SCHEMA, day_sums
from predtrack_assets.domain.accuracy.partition_figures import SUMMED, figures_of_sums
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy.day_sums import due_counts, outcomes_to_sum, read_sums
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.forecasts.queries import LATE_DUE_DAYS

ROWS_AT_ONCE = 400_000  # predictions whose outcomes are held in memory
NO_SUMS = pl.DataFrame(schema={**SCHEMA, "known_day": pl.Date})


def sums_of_window(transaction: Transaction, asked: Window) -> Iterator[pl.DataFrame]:
    """Rows of accuracy.day_sums whose known_day lies in the window, some due days at a time.

    A due day is summed as it was known at its end. An outcome that became known in the window after
    it fell due adds the sums of its due day, kind and horizon as known then.
    """
    first, last = asked.opens, asked.end
    due = due_counts(transaction, first, last)
    for start, end in _parts(due):
        outcomes = outcomes_to_sum(transaction, start, end)
        fallen = due.filter(pl.col("due_day").is_between(start, end))
        yield day_sums(outcomes, fallen).with_columns(known_day="due_day")
    late = transaction.read(LATE_DUE_DAYS, first=first, last=last)
    for (known_day, due_day), touched in late.group_by("known_day", "due_day", maintain_order=True):
        yield _as_known(transaction, due_day, known_day, touched)


def store_sums(transaction: Transaction, asked: Window) -> Written:
    """Make the stored sums of a window of days what its outcomes say."""
    sums = pl.concat([NO_SUMS, *sums_of_window(transaction, asked)])
    return transaction.replace(tables.DAY_SUMS, sums, asked.opens, asked.end)


def figures_of_window(transaction: Transaction, asked: Window) -> pl.DataFrame:
    """Coverage and skill of each due day of a window, as `figures_of_sums` gives them."""
    return figures_of_sums(read_sums(transaction, asked.start, asked.end, asked.end, SUMMED))


def _as_known(
    transaction: Transaction, due_day: date, known_day: date, touched: pl.DataFrame
) -> pl.DataFrame:
    """Sums of a due day as known at the end of a later one, of the kinds and horizons touched."""
    outcomes = outcomes_to_sum(transaction, due_day, due_day, known_day)
    cells = touched.select("kind", pl.col("horizon").cast(pl.Int64))
    sums = day_sums(outcomes, due_counts(transaction, due_day, due_day))
    sums = sums.join(cells, on=["kind", "horizon"], how="semi", maintain_order="left")
    return sums.with_columns(known_day=pl.lit(known_day))


def _parts(due: pl.DataFrame) -> Iterator[tuple[date, date]]:
    """First and last due days of parts of about ROWS_AT_ONCE predictions, or of one day."""
    days = due.group_by("due_day").agg(pl.col("n").sum()).sort("due_day")
    part = np.cumsum(days["n"].to_numpy()) // ROWS_AT_ONCE
    for number in np.unique(part):
        own = days["due_day"].filter(pl.Series(part == number))
        yield own[0], own[-1]
