"""Models stage: fits of the registered versions, pooled ones by month and symbols' own on demand."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np

from predtrack_assets.artifacts import load
from predtrack_assets.assets.features import feature_store
from predtrack_assets.assets.fitting import Fitter, Report, Training, training_data
from predtrack_assets.assets.importance import importance_plot, importance_since
from predtrack_assets.assets.market import prices
from predtrack_assets.assets.models import model_registry
from predtrack_assets.domain.fitted import EVERY_SYMBOL, POOLED, SYMBOL
from predtrack_assets.domain.learners.pooled import PooledFit, fit_pooled
from predtrack_assets.domain.learners.selection import candidates, choose_families
from predtrack_assets.domain.learners.symbol import SymbolFit, fit_symbol
from predtrack_assets.domain.learners.training_data import TrainingData
from predtrack_assets.partitions import KINDS, MONTHS, ONE_RUN, OWNERS, SYMBOLS, months
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse import registry
from predtrack_assets.warehouse.warehouse import Warehouse


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="1",
    owners=OWNERS,
    kinds={*KINDS, "lightgbm"},
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    pool="training",
    deps=[
        model_registry,
        *(
            dg.AssetDep(key, partition_mapping=dg.TimeWindowPartitionMapping())
            for key in [*prices.keys, feature_store.key]
        ),
    ],
)
def pooled_models(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Fits of the pooled version through the last trading day of each month, used from the next day on.

    A month fitted before from the same data, choices and code is left as it is.
    """
    settings = get_settings()
    training = Training(warehouse, settings, pooled_fitter(settings), context.run.run_id)
    for cutoff, data in training_data(warehouse, settings, months(context), None):
        training.fit(cutoff, data)
        context.log.info(f"{cutoff}: {len(training.report.fitted)} fitted")
    for month, metadata in _by_month(training.report).items():
        context.add_asset_metadata(metadata, partition_key=month)
    return _result(training.report)


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="1",
    owners=OWNERS,
    kinds=set(KINDS),
    partitions_def=SYMBOLS,
    backfill_policy=ONE_RUN,
    pool="training",
    deps=[dg.AssetDep(pooled_models, partition_mapping=dg.AllPartitionMapping())],
)
def symbol_models(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Corrections of the newest pooled fit to a symbol's own past, as far as it bears them.

    Of the days through which that fit was made. Symbols are partitions once they are asked for.
    """
    settings = get_settings()
    newest = warehouse.read(registry.NEWEST_FIT, model_id=POOLED.model_id, scope=EVERY_SYMBOL)
    if newest.is_empty():
        raise dg.Failure("no pooled fit to correct: materialize models/pooled_models first")
    fit = newest.row(0, named=True)
    pooled = PooledFit.from_bytes(load(fit["artifact_id"], fit["artifact_uri"], fit["sha256"]))
    reports = Report()
    for symbol in context.partition_keys:
        fitter = symbol_fitter(symbol, pooled, fit["sha256"])
        training = Training(warehouse, settings, fitter, context.run.run_id, reports)
        for cutoff, data in training_data(warehouse, settings, [fit["trained_through"]], [symbol]):
            training.fit(cutoff, data)
    return _result(reports)


def pooled_fitter(settings: Settings) -> Fitter:
    """How the pooled version is fitted."""

    def fit(
        data: TrainingData, cutoff: np.datetime64, choices: Mapping[str, Any] | None
    ) -> PooledFit:
        return fit_pooled(data, settings.horizons, cutoff=cutoff, choices=choices)

    def choose(data: TrainingData, cutoff: np.datetime64) -> tuple[dict[str, Any], list[Any]]:
        choices, trials = choose_families(data, settings.horizons, cutoff)
        return choices, list(trials)

    return Fitter(
        POOLED, EVERY_SYMBOL, fit, choose, candidates(settings.horizons), explain=importance_since
    )


def symbol_fitter(symbol: str, pooled: PooledFit, sha256: str) -> Fitter:
    """How the version of one symbol is fitted on top of a pooled fit with that hash."""

    def fit(data: TrainingData, cutoff: np.datetime64, _: Mapping[str, Any] | None) -> SymbolFit:
        return fit_symbol(data, pooled, cutoff=cutoff)

    return Fitter(SYMBOL, symbol, fit, basis=sha256)


def _result(report: Report) -> dg.MaterializeResult:
    """Counts of rows and fits; Dagster repeats them for every partition of the run."""
    counts = report.written.as_metadata()
    counts["rows_unchanged"] += len(report.unchanged)
    fits = {"fits": len(report.fitted), "fits_unchanged": len(report.unchanged)}
    return dg.MaterializeResult(metadata={**counts, **fits, "fits_skipped": len(report.skipped)})


def _by_month(report: Report) -> dict[str, dict[str, Any]]:
    """Metadata of each month: its fit or why there is none; scores where families were chosen."""
    last = max(report.choices, default=None)
    result: dict[str, dict[str, Any]] = {
        f"{cutoff:%Y-%m}": {"skipped": reason} for cutoff, reason in report.skipped.items()
    }
    for cutoff, choices in report.choices.items():
        metadata: dict[str, Any] = {"fit": report.fits[cutoff], "families": choices["families"]}
        if choices["cutoff"] == str(cutoff) or cutoff == last:
            metadata["walk_forward_scores"] = dg.MetadataValue.md(scores_table(choices["scores"]))
        if cutoff in report.importance:
            metadata["importance"] = importance_plot(report.importance[cutoff])
        result[f"{cutoff:%Y-%m}"] = metadata
    return result


def scores_table(scores: list[dict[str, Any]]) -> str:
    """Trials of the choice in force as a Markdown table; skill against the simplest family."""
    lines = [
        "| kind | sessions | family | score | value | skill | difference, 95 % interval | n_eff | |",
        "|---|---:|---|---|---:|---:|---|---:|---|",
    ]
    for s in scores:
        gap = ""
        if s["difference"] is not None:
            gap = f"{s['difference']:+.2g} ({s['low']:+.2g} .. {s['high']:+.2g}) to {s['against']}"
        value, skill = ("" if s[k] is None else f"{s[k]:.4g}" for k in ("score", "skill"))
        n_eff = "" if s["n_eff"] is None else f"{s['n_eff']:,.0f}"
        chosen = "chosen" if s["chosen"] else ""
        cells = (
            s["kind"],
            s["horizon"],
            s["family"],
            s["metric"],
            value,
            skill,
            gap,
            n_eff,
            chosen,
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)
