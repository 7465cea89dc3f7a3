"""Trading stage: what strategies want, and the paper books that follow them to the cent."""

from collections.abc import Iterator

import dagster as dg

from predtrack_assets.assets.forecasts.predictions import predictions
from predtrack_assets.assets.metadata import materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.partitions import day_asset, day_multi_asset, window
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.services.trading.decide import decide
from predtrack_assets.services.trading.portfolio_days import run_portfolios
from predtrack_assets.services.trading.strategies_in_use import strategies_in_use
from predtrack_assets.services.trading.strategy_periods import strategy_periods
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables

PRICES = [dg.AssetKey(["market", "market_data"]), dg.AssetKey(["market", "corporate_actions"])]
CHAMPION = dg.AssetKey(["deployment", "deployments"])


@day_multi_asset(
    schema="trading",
    specs=[
        dg.AssetSpec(
            "signals",
            description="What each strategy says of each symbol on the days on which it rebalances.",
            deps=[*PRICES, predictions, CHAMPION],
        ),
        dg.AssetSpec(
            "target_weights",
            description="Allocation over the signals: shares of equity, in millionths.",
            deps=[*PRICES, predictions, CHAMPION],
        ),
    ],
    code_version="1",
)
def trading_decisions(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    settings, asked = get_settings(), window(context)
    with warehouse.transaction() as transaction:
        decided = decide(transaction, asked, strategies_in_use(settings), settings)
    if decided.signals.conflicting:
        context.log.warning(
            f"{decided.signals.conflicting:,} signals would come out otherwise today (a model that"
            " predicted later, other code): what was decided stands"
        )
    for name, table, written in (
        ("signals", tables.TRADING_SIGNALS, decided.signals),
        ("target_weights", tables.TARGET_WEIGHTS, decided.weights),
    ):
        rows = rows_of_partitions(warehouse, table, asked)
        yield materialized(written, ["trading", name], rows)


@day_asset(schema="trading", deps=[trading_decisions], code_version="1")
def portfolio_state(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Paper books, one fold over days: orders, fills, journal, positions, trades and each day's state."""
    settings = get_settings()
    asked = window(context)
    with warehouse.transaction() as transaction:
        done = run_portfolios(transaction, asked, strategies_in_use(settings), settings)
        span = (asked.start, asked.end)
        record_run(
            transaction, "portfolio", tables.PORTFOLIO_STATE, span, done.written, context.run,
            {"digests": done.digests},
        )  # fmt: skip
    for reason in done.skipped:
        context.log.info(f"Not run: {reason}")
    rows = rows_of_partitions(warehouse, tables.PORTFOLIO_STATE, asked)
    return materialized(
        done.written, per_day=rows, books=sorted(done.digests), not_run=list(done.skipped)
    )


@day_asset(schema="trading", deps=[portfolio_state], code_version="1")
def strategy_performance(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """What each book earned per day, week and month, beside the benchmark."""
    asked = window(context)
    with warehouse.transaction() as transaction:
        frame = strategy_periods(transaction, asked, get_settings())
        written = transaction.replace(tables.STRATEGY_PERFORMANCE, frame, asked.start, asked.end)
    rows = rows_of_partitions(warehouse, tables.STRATEGY_PERFORMANCE, asked)
    return materialized(written, per_day=rows)
