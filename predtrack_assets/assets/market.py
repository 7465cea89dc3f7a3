"""Market stage: bars, corporate actions and the market's condition."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from predtrack_assets.assets.metadata import materialized, rows_of_partitions, rows_of_table
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.partitions import day_asset, day_multi_asset, window
from predtrack_assets.services.market.condition_days import condition_days
from predtrack_assets.services.market.ingest import IngestReport, ingest
from predtrack_assets.settings import get_settings
from predtrack_assets.sources.routing import make_source
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Written
from predtrack_assets.warehouse.market import queries as market_queries


@dg.asset(
    key_prefix=["market"],
    group_name="market",
    code_version="1",
    owners=["team:predtrack"],
    kinds={"postgres", "python"},
)
def universe_members(warehouse: Warehouse) -> dg.MaterializeResult:
    """Dated index membership; the built-in lists where nothing better was loaded."""
    from predtrack_assets.sources.universes import built_in_membership

    members = built_in_membership().with_columns(source=pl.lit("builtin"))
    with warehouse.transaction() as transaction:
        loaded = transaction.read(market_queries.LOADED_UNIVERSES)["universe"].to_list()
        members = members.filter(~pl.col("universe").is_in(loaded))
        written = transaction.append(tables.UNIVERSE_MEMBERS, members)
    return materialized(written, **rows_of_table(warehouse, tables.UNIVERSE_MEMBERS))


@day_multi_asset(
    schema="market",
    specs=[
        dg.AssetSpec(
            "market_data",
            deps=[universe_members],
            description="Daily bars as traded, every revision kept, faults quarantined or flagged.",
        ),
        dg.AssetSpec(
            "corporate_actions",
            deps=[universe_members],
            description="Splits and cash dividends by ex-date, as revisions.",
        ),
    ],
    code_version="1",
    pool="prices",
)
def prices(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Fetch the window from the configured source, screen every bar, store what is new or changed."""
    settings = get_settings()
    asked = window(context)
    source = make_source(settings)
    with warehouse.transaction() as transaction:
        report = ingest(
            transaction,
            source,
            settings,
            asked.opens,  # so that bars of closed days are refused, not missed
            asked.end,
            context.run.run_id,
            context.log.info,
        )
    if report.failed_share > settings.max_failed_share:
        raise dg.Failure(
            f"{report.failed_share:.0%} of the symbols could not be fetched from"
            f" {source.name}, more than PREDTRACK_MAX_FAILED_SHARE={settings.max_failed_share:.0%}."
            " What did arrive is stored; market.fetch_log says why the rest did not. Run it again later.",
            metadata=_metadata(report),
        )
    _warn(context, report)
    yield materialized(
        report.bars,
        ["market", "market_data"],
        rows_of_partitions(warehouse, tables.MARKET_DATA, asked),
        **_metadata(report),
    )
    yield materialized(
        report.actions,
        ["market", "corporate_actions"],
        rows_of_partitions(warehouse, tables.CORPORATE_ACTIONS, asked),
    )


def _metadata(report: IngestReport) -> dict[str, Any]:
    return {
        "symbols_asked": report.symbols_asked,
        "symbols_already_covered": report.symbols_covered,
        "quarantined": dict(report.quarantined),
        "flagged": dict(report.flagged),
        "failures": dict(report.failures),
        "most_troubled": dict(report.worst.most_common(10)),
        "advice": report.advice,
    }


def _warn(context: dg.AssetExecutionContext, report: IngestReport) -> None:
    for what, counter in (
        ("refused, see market.quarantine", report.quarantined),
        ("kept but flagged suspect", report.flagged),
        ("symbols not fetched, see market.fetch_log", report.failures),
    ):
        if counter:
            parts = ", ".join(f"{n:,} {reason}" for reason, n in counter.most_common())
            context.log.warning(f"{counter.total():,} {what}: {parts}")
    for advice in report.advice:
        context.log.warning(advice)


@day_asset(schema="market", deps=[prices], code_version="1")
def market_conditions(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Regime, returns, volatility level and breadth of the market, as of each day's end."""
    settings = get_settings()
    written, asked = Written(), window(context)
    with warehouse.transaction() as transaction:
        for epoch, frame in condition_days(transaction, asked, settings):
            written += transaction.replace(tables.MARKET_CONDITIONS, frame, epoch.first, epoch.last)
        known = settings.benchmark in set(transaction.read(market_queries.SYMBOLS)["symbol"])
    if not known:
        context.log.warning(
            f"No bars of the benchmark {settings.benchmark}: the market is the equal-weight index of"
            " the stocks. PREDTRACK_BENCHMARK names a symbol of the source instead."
        )
    rows = rows_of_partitions(warehouse, tables.MARKET_CONDITIONS, asked)
    return materialized(written, per_day=rows, benchmark=settings.benchmark)
