"""Models stage: fits of the registered versions, pooled ones by month and symbols' own on demand."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import numpy as np
from pydantic import Field

from predtrack_assets.assets.features import feature_store
from predtrack_assets.assets.market import prices
from predtrack_assets.assets.metadata import shown
from predtrack_assets.assets.models.registry import model_registry
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.models.fitted_model import EVERY_SYMBOL, POOLED, SYMBOL, Procedure
from predtrack_assets.domain.models.learners.pooled import PooledFit, fit_pooled
from predtrack_assets.domain.models.learners.selection import (
    Regimes,
    Trial,
    candidates,
    choose_families,
)
from predtrack_assets.domain.models.learners.symbol import SymbolFit, fit_symbol
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.domain.models.learners.tuned import Tuned
from predtrack_assets.partitions import (
    KINDS,
    MONTHS,
    ONE_RUN,
    OWNERS,
    SYMBOLS,
    TRADING_DAYS,
    months,
)
from predtrack_assets.reporting.plots.importance import importance_plot
from predtrack_assets.services.audit.triggers import triggered_by
from predtrack_assets.services.models.fits_in_force import tuned_versions
from predtrack_assets.services.models.fitting import Fitter, Report, Training, training_data
from predtrack_assets.services.models.importance import importance_since
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.stores.artifacts import load
from predtrack_assets.warehouse.database.transaction import READER, Written
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.models.retraining import Cause, pooled_fit


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="3",
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

    A month fitted before from the same data, choices and code is left as it is. Versions that tuning
    has registered are fitted beside it, from the month in which they were tuned on.
    """
    settings = get_settings()
    cause = Cause(triggered_by(context.run.tags), "refit of the month")
    training = Training(warehouse, settings, pooled_fitter(settings), context.run.run_id, cause)
    report, asked = training.report, months(context)
    tuned = _tuned(warehouse, settings, context.run.run_id, cause)
    if training.retired and not tuned:
        context.log.warning(f"{training.retired}: no month is fitted")
        report.skipped = dict.fromkeys(asked, training.retired)
        asked = []
    for cutoff, data in training_data(warehouse, settings, asked, None):
        training.fit(cutoff, data)
        for other, through in tuned:
            if cutoff >= through:
                other.fit(cutoff, data)
        context.log.info(f"{cutoff}: {len(report.fitted)} fitted")
        if cutoff in report.unvalidated:
            lacking = "; ".join(report.unvalidated[cutoff])
            context.log.warning(f"{cutoff}: the simplest families by default. {lacking}")
    about = _by_month(report)
    for other, _ in tuned:
        for month, metadata in _by_month(other.report).items():
            named = {f"{other.fitter.procedure.model_id} {what}": v for what, v in metadata.items()}
            about[month] = about.get(month, {}) | named
    for month, metadata in about.items():
        context.add_asset_metadata(metadata, partition_key=month)
    return _result(report, *(other.report for other, _ in tuned))


def _tuned(
    warehouse: Warehouse, settings: Settings, run_id: str, cause: Cause
) -> list[tuple[Training, date]]:
    """Trainings of the tuned versions that are not retired, each with the day it is tuned through.

    What was chosen by the results of that day must not be fitted to less: it has seen the rest.
    """
    with warehouse.transaction(READER) as transaction:
        known = tuned_versions(transaction).values()
    return [
        (
            Training(warehouse, settings, pooled_fitter(settings, procedure), run_id, cause),
            date.fromisoformat(procedure.hyperparameters["tuned_through"]),
        )
        for procedure, status in known
        if status != "retired"
    ]


class Retraining(dg.Config):
    """Why symbols are fitted, and from what was known on which day."""

    through: str | None = Field(
        None,
        description="Last trading day to use, YYYY-MM-DD; none: that of the newest pooled fit.",
    )
    reason: str = Field("asked for by hand", description="Stays on record with the fit.")


@dg.asset(
    key_prefix=["models"],
    group_name="models",
    code_version="2",
    owners=OWNERS,
    kinds=set(KINDS),
    partitions_def=SYMBOLS,
    backfill_policy=ONE_RUN,
    pool="training",
    deps=[dg.AssetDep(pooled_models, partition_mapping=dg.AllPartitionMapping())],
)
def symbol_models(
    context: dg.AssetExecutionContext, config: Retraining, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Corrections of a pooled fit to a symbol's own past, as far as it bears them.

    The retraining sensor asks for them through the day of its report, on the newest pooled fit of
    that day or before. Symbols are partitions once they are asked for.
    """
    settings = get_settings()
    if config.through and not TRADING_DAYS.has_partition_key(config.through):
        raise dg.Failure(f"{config.through!r} is no trading day that is over (YYYY-MM-DD)")
    through = date.fromisoformat(config.through) if config.through else date.max
    with warehouse.transaction(READER) as transaction:
        fit = pooled_fit(transaction, POOLED.model_id, through)
    if fit is None:
        known = f" through {config.through} or before" if config.through else ""
        raise dg.Failure(f"no pooled fit{known} to correct: materialize models/pooled_models first")
    pooled = PooledFit.from_bytes(load(fit.artifact_id, fit.artifact_uri, fit.sha256))
    cutoff = through if config.through else fit.trained_through
    cause = Cause(triggered_by(context.run.tags), config.reason)
    symbols = warehouse.read(market_queries.SYMBOLS)
    classes = dict(symbols.select("symbol", "asset_class").iter_rows())
    reports: dict[str, Report] = {}
    for symbol in context.partition_keys:
        fitter = symbol_fitter(symbol, pooled, fit.sha256)
        training = Training(warehouse, settings, fitter, context.run.run_id, cause)
        if refused := training.retired or _unfit(classes.get(symbol)):
            training.report.skipped[cutoff] = refused
        else:
            for _, data in training_data(warehouse, settings, [cutoff], [symbol]):
                training.fit(cutoff, data)
        symbol_report = reports[symbol] = training.report
        if cutoff in symbol_report.skipped:
            context.log.warning(f"{symbol} is not fitted: {symbol_report.skipped[cutoff]}")
        about = (
            {"fit": symbol_report.fits[cutoff], "corrects": fit.artifact_id}
            if cutoff in symbol_report.fits
            else {"skipped": symbol_report.skipped[cutoff]}
        )
        context.add_asset_metadata(about, partition_key=symbol)
    return _result(*reports.values())


def _unfit(asset_class: str | None) -> str:
    """Why a symbol of that asset class (None: not known) has no model of its own; else empty."""
    if asset_class is None:
        return "no such symbol is registered: no prices of it have been stored"
    return "nothing is predicted of volatility indices" if asset_class == "volatility" else ""


def pooled_fitter(settings: Settings, procedure: Procedure = POOLED) -> Fitter:
    """How the pooled version is fitted, or one that was tuned."""
    tuned = Tuned.from_json(procedure.hyperparameters.get("tuned", {}))

    def fit(
        data: TrainingData, cutoff: np.datetime64, choices: Mapping[str, Any] | None
    ) -> PooledFit:
        return fit_pooled(
            tuned.mask(data),
            settings.horizons,
            cutoff=cutoff,
            choices=tuned.choices(choices),
            overrides=tuned.overrides(),
        )

    def choose(
        data: TrainingData, cutoff: np.datetime64, regimes: Regimes
    ) -> tuple[dict[str, Any], list[Trial]]:
        return choose_families(tuned.mask(data), settings.horizons, cutoff, regimes)

    every = candidates(settings.horizons)
    return Fitter(procedure, EVERY_SYMBOL, fit, choose, every, explain=importance_since)


def symbol_fitter(symbol: str, pooled: PooledFit, sha256: str) -> Fitter:
    """How the version of one symbol is fitted on top of a pooled fit with that hash."""

    def fit(data: TrainingData, cutoff: np.datetime64, _: Mapping[str, Any] | None) -> SymbolFit:
        return fit_symbol(data, pooled, cutoff=cutoff)

    return Fitter(SYMBOL, symbol, fit, basis=sha256)


def _result(*reports: Report) -> dg.MaterializeResult:
    """Counts of rows and fits; Dagster repeats them for every partition of the run."""
    counts = sum((report.written for report in reports), Written()).as_metadata()
    fits = {
        "fits": sum(len(report.fitted) for report in reports),
        "fits_unchanged": sum(len(report.unchanged) for report in reports),
        "fits_restored": sum(len(report.restored) for report in reports),
        "fits_skipped": sum(len(report.skipped) for report in reports),
        "fits_retired": sum(
            reason.endswith(" is retired")
            for report in reports
            for reason in report.skipped.values()
        ),
    }
    counts["rows_unchanged"] += fits["fits_unchanged"]
    return dg.MaterializeResult(metadata={**counts, **fits})


def _by_month(report: Report) -> dict[str, dict[str, Any]]:
    """Metadata of each month: its fit or why there is none; scores where families were chosen."""
    last = max(report.choices, default=None)
    result: dict[str, dict[str, Any]] = {
        f"{cutoff:%Y-%m}": {"skipped": reason} for cutoff, reason in report.skipped.items()
    }
    for cutoff, choices in report.choices.items():
        metadata: dict[str, Any] = {"fit": report.fits[cutoff], "families": choices["families"]}
        if cutoff in report.unvalidated:
            metadata["not_validated"] = report.unvalidated[cutoff]
        if choices["cutoff"] == str(cutoff) or cutoff == last:
            metadata["walk_forward_scores"] = dg.MetadataValue.md(scores_table(choices["scores"]))
        if cutoff in report.importance:
            metadata["importance"] = shown(importance_plot(report.importance[cutoff]))
        result[f"{cutoff:%Y-%m}"] = metadata
    return result


def scores_table(scores: list[dict[str, Any]]) -> str:
    """Trials of the choice in force as a Markdown table; skill against no_change."""
    lines = [
        "| kind | sessions | family | score | value | skill, 95 % interval | n | n_eff"
        " | difference, 95 % interval | |",
        "|---|---:|---|---|---:|---|---:|---:|---|---|",
    ]
    for s in scores:
        gap = skill = ""
        if s["difference"] is not None:
            gap = f"{s['difference']:+.2g} ({s['low']:+.2g} .. {s['high']:+.2g}) to {s['against']}"
        if (
            s.get("baseline") is not None
        ):  # fits made before there was one have it against the simplest
            skill = skill_with_interval(s["skill"], s["skill_low"], s["skill_high"])
        cells = (
            s["kind"],
            s["horizon"],
            s["family"],
            s["metric"],
            "" if s["score"] is None else f"{s['score']:.4g}",
            skill,
            f"{s['n']:,}",
            "" if s["n_eff"] is None else f"{s['n_eff']:,.0f}",
            gap,
            f"{'chosen: ' if s['chosen'] else ''}{s.get('reason', '')}",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def skill_with_interval(skill: float | None, low: float | None, high: float | None) -> str:
    """`+0.012 (-0.003 .. +0.027)`; without the interval where there is none."""
    if skill is None:
        return "-"
    return f"{skill:+.3f}" + (
        "" if low is None or high is None else f" ({low:+.3f} .. {high:+.3f})"
    )
