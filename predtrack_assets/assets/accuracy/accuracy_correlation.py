"""Accuracy by the market's regime, as of the end of each month."""

from datetime import date

import dagster as dg
import polars as pl

from predtrack_assets.assets.accuracy.day_sums import day_sums
from predtrack_assets.assets.accuracy.reports import Periods, report, sums_known
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.accuracy import accuracy_correlation as regimes
from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import day_asset
from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.accuracy import ahead, by_model, leading, middle_horizon
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import symbol_reports
from predtrack_assets.warehouse.database.transaction import Transaction


def _month_ends(days: Days) -> Days:
    return last_days_of("M", days)


PERIODS: Periods = {"monthly": _month_ends, "rolling_365d": _month_ends}


@day_asset(schema="accuracy", deps=[day_sums], code_version="2")
def accuracy_correlation(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy in each market regime of the decision day against all others, tested by date.

    At the end of each month, of the month and of the 365 days before.
    """
    return report(
        context,
        warehouse,
        tables.ACCURACY_CORRELATION,
        sums_known,
        regimes.accuracy_correlation,
        PERIODS,
        regime_plot,
    )


def regime_plot(transaction: Transaction, last: date) -> dict[str, Picture]:
    """Rate per regime of the latest report over a year, per kind, of two models at most."""
    horizon = middle_horizon()
    first = leading(transaction, last, horizon)
    rows = transaction.read(symbol_reports.BY_REGIME, last=last, horizon=horizon).sort("place")
    panels = {}
    for kind in WITH_EVENT:
        for model, shown in by_model(rows.filter(kind=kind), first[kind], most=2):
            labels = shown.select(pl.format("{}{} · {}", "market_regime", "mark", "dates"))
            panels[f"{kind} · {model}"] = figures.Ranked(
                labels.to_series().to_list(),
                *(shown[f"accuracy_{name}"].to_numpy() for name in ("rate", "low", "high")),
            )
    what = f"calls {ahead(horizon)}, 365 days as of {last}"
    return {"regimes": figures.by_regime(panels, what)}
