"""What is predicted for given days from the rows known as of each: the body of the predictions asset.

The asset writes it down, replay compares it with what was written, lookahead poisons the future
under it. All three call this, so what is proven is what is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.forecasts.coherence import refuse_incoherent
from predtrack_assets.domain.forecasts.predict import predict
from predtrack_assets.domain.models.as_of_statistics import lookback
from predtrack_assets.domain.models.baselines import MODELS, Model
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.services.models.fits_in_force import Turns, fits_in_force, with_features
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)


@dataclass(frozen=True)
class Forecasts:
    """Predictions of one group of symbols for the days of one epoch.

    accepted: the columns of domain.forecasts.PREDICTIONS; refused: the same and `reason`.
    """

    epoch: Epoch
    group: int
    groups: int
    accepted: pl.DataFrame
    refused: pl.DataFrame

    def __str__(self) -> str:
        return f"{self.epoch.first} to {self.epoch.last}: {self.group} of {self.groups} groups"


def predicting_models(settings: Settings) -> tuple[Model, ...]:
    """The models whose predictions are written down."""
    return tuple(m for m in MODELS if settings.predict_baselines or m.role != "baseline")


def forecast_days(
    transaction: Transaction,
    asked: Window,
    horizons: tuple[int, ...],
    models: tuple[Model, ...],
    *,
    retired: bool = False,
    turns: Turns | None = None,
) -> Iterator[Forecasts]:
    """Predictions of every symbol for the trading days of `asked`; reads, never writes.

    Of day D only rows with knowledge_time <= as_of(D) are used. Beside `models`, which are not
    fitted, every version with a fit in force predicts: the newest trained through a day before D.
    retired: also versions that have been retired since. turns: these fits instead of those in force.
    """
    reach = lookback(max(horizons))
    if turns is None:
        turns = fits_in_force(transaction, asked.start, asked.end, retired=retired)
    rows_per_symbol = len(asked.days) * (len(models) + len(turns)) * len(KINDS) * len(horizons)
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        groups = symbol_groups(transaction, rows_per_symbol, without=("volatility",))
        for number, (exchange, symbols) in enumerate(groups, 1):
            first = sessions_before(exchange, epoch.first, reach)
            panel = read_panel(transaction, symbols, exchange, first, epoch)
            fitted = with_features(transaction, turns, symbols, epoch.first, epoch.last)
            frame = predict(panel, exchange, epoch.days, horizons, models, fitted)
            yield Forecasts(epoch, number, len(groups), *refuse_incoherent(frame))
