"""Deployment stage: gates, paired tests of challengers, and the champions that come of both."""

from collections.abc import Iterator
from itertools import product

import dagster as dg

from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.deployment.champions import select_champions
from predtrack_assets.domain.deployment.judging import judge
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.partitions import day_asset, day_multi_asset, window
from predtrack_assets.reporting.tables.decisions import champion_lines
from predtrack_assets.reporting.tables.gates import gates_markdown
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.champion_weeks import (
    EvaluationContext,
    ab_test_rows,
    begun_tests,
    deploy_champions,
    selections_of,
)
from predtrack_assets.services.deployment.gate_evidence import gate_evidence, live_days, thresholds
from predtrack_assets.services.deployment.track_records import GATED_KINDS, record_epochs
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit.ab_test_digests import digests_of_tests
from predtrack_assets.warehouse.database.transaction import READER, Written
from predtrack_assets.warehouse.deployment import ab_tests, improvements, queries

PRICES = [dg.AssetKey(["market", "market_data"]), dg.AssetKey(["market", "corporate_actions"])]


@day_asset(schema="deployment", deps=[outcomes, *PRICES], code_version="5")
def deployment_gates(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Passed, failed or insufficient evidence: each model's own record, at the end of each week."""
    settings = get_settings()
    limits = thresholds(settings)
    asked = window(context)
    written = Written()
    with warehouse.transaction() as transaction:
        for epoch in record_epochs(transaction, asked.days, asked.opens):
            report_days = last_days_of("W", epoch.days)
            if not len(report_days):
                continue
            frame = judge(gate_evidence(transaction, epoch, settings), report_days, limits)
            new = transaction.append(tables.DEPLOYMENT_GATES, frame)
            if new.inserted:
                first = as_of(report_days[0].item())
                decisions.note_thresholds(transaction, limits.as_dict(), first)
                decisions.note_gates(transaction, frame)
            written += new
            context.log.info(f"{epoch.first} to {epoch.last}: {written.inserted:,} new gates")
    if written.conflicting:
        context.log.warning(
            f"{written.conflicting:,} earlier gate decisions would differ today"
            " (other settings, trials or outcomes); they are kept as decided"
        )
    with warehouse.transaction(READER) as transaction:
        results = gates_markdown(transaction, asked.end)
        counts = transaction.read(queries.GATE_COUNTS, first=asked.start, last=asked.end)
    attach(context, {"gates": dg.MetadataValue.md(results)})
    rows = rows_of_partitions(warehouse, tables.DEPLOYMENT_GATES, asked)
    return materialized(written, per_day=rows.join(counts, on="day", how="left"))


@day_multi_asset(
    schema="deployment",
    specs=[
        dg.AssetSpec(
            "ab_tests",
            description="Champion against challengers on paired forecasts, by a betting e-process.",
            deps=[deployment_gates],
        ),
        dg.AssetSpec(
            "deployments",
            description="Champions: what passed its gate and beat the champion before it.",
            deps=[deployment_gates],
        ),
    ],
    code_version="4",
)
def champions(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    settings = get_settings()
    asked = window(context)
    tested, deployed = Written(), Written()
    with warehouse.transaction() as transaction:
        for epoch in record_epochs(transaction, asked.days, asked.opens):
            report_days = [day.item() for day in last_days_of("W", epoch.days)]
            if not report_days:
                continue
            known = EvaluationContext(transaction, epoch, settings, live_days(transaction, epoch))
            for kind, horizon in product(GATED_KINDS, settings.gated_horizons):
                selections = selections_of(known, kind, horizon)
                batches = transaction.read(ab_tests.COHORTS, kind=kind, scope=f"h{horizon}").item()
                select_champions([*selections.values()], report_days, batches)
                for scope, selection in selections.items():
                    begun = begun_tests(transaction, scope, selection)
                    states = ab_test_rows(selection, scope, begun)
                    tested += transaction.append(tables.AB_TESTS, states)
                    deployed += deploy_champions(transaction, selection.deployed, scope)
            context.log.info(f"{epoch.first} to {epoch.last}: {deployed.inserted:,} deployments")
        span = (asked.start, asked.end)
        digests = digests_of_tests(transaction)
        record_run(transaction, "ab_test", tables.AB_TESTS, span, tested, context.run, digests)
        improvements.note_disabled(transaction, as_of(asked.end))
    tests = rows_of_partitions(warehouse, tables.AB_TESTS, asked)
    yield materialized(tested, ["deployment", "ab_tests"], tests)
    yield materialized(
        deployed,
        ["deployment", "deployments"],
        champions=dg.MetadataValue.md(f"```\n{champion_lines(warehouse)}\n```"),
    )
