"""Predictions of this project's models that somebody else wrote: they are not scored."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.forecasts.outcomes import NOT_BY_ITS_MODEL
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import IDENTITY, by_another_hand


class Hands:
    """Who wrote predictions, as the ledger tells; each decision day is looked at once."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._seen: set[object] = set()
        self._strange = pl.DataFrame(schema=IDENTITY)

    def with_reason(self, predictions: pl.DataFrame) -> pl.DataFrame:
        """The predictions, and NOT_BY_ITS_MODEL in a `reason` that is null where it holds."""
        days = predictions["trading_day"].unique().sort()
        new = days.filter(~days.is_in(list(self._seen)))
        if len(new):
            found = by_another_hand(self._transaction, new[0], new[-1])
            self._strange = pl.concat([self._strange, found]).unique()
            self._seen.update(new)
        if self._strange.is_empty():
            return predictions
        strange = self._strange.with_columns(strange=pl.lit(NOT_BY_ITS_MODEL))
        return predictions.join(
            strange, on=list(IDENTITY), how="left", maintain_order="left"
        ).select(pl.exclude("reason", "strange"), reason=pl.coalesce("reason", "strange"))
