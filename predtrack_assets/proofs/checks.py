"""The proofs as asset checks: counts out of counts, every week, beside the tables they prove.

Dagster runs an asset's checks whenever somebody materializes it. There a proof takes a sample, which
it says; all of it is for runs of checks alone, as those of the weekly job.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.engine.adapter import markdown
from predtrack_assets.domain.audit.replay_comparison import Parity
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.proofs.lookahead import Verdict, lookahead, sample_days, with_a_future
from predtrack_assets.proofs.replay import replay
from predtrack_assets.proofs.stages import REPLAYED, RESOLVED, STAGES, Stage, decision_days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.embedded_server import database_url
from predtrack_assets.warehouse.database.scratch import POISONS, scratch_database

RECENT_DAYS = 30  # replayed in one go, every row
SAMPLED_DAYS = 5  # of the whole history: replayed each alone, and their future poisoned
SHOWN = 20
NOTHING = "Nothing was there to prove."
NO_FUTURE = "Nothing is stored after the days with predictions: there is no future to poison."
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
SAMPLE = "one day, beside a materialization; the job `prove` takes {whole}"


def _key(stage: Stage) -> dg.AssetKey:
    return dg.AssetKey(stage.asset)


def _specs(name: str, stages: tuple[Stage, ...], description: str) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=_key(stage), description=description) for stage in stages]


@dg.multi_asset_check(
    name="prove_replay_parity",
    description="What is stored, computed again from what was known on its day.",
    specs=_specs(
        "replay_parity",
        REPLAYED,
        f"Rows of the last {RECENT_DAYS} days, and of {SAMPLED_DAYS} random ones each computed alone,"
        " come out again bit for bit.",
    ),
    can_subset=True,
)
def replay_parity(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """One result per table: rows equal out of rows compared."""
    settings, stages, days = get_settings(), _asked(context), _stored_days(warehouse)
    parities = {stage: Parity() for stage in stages}
    sampled = _beside_assets(context)
    if len(days):
        last, recent = days[-1].item(), days[-RECENT_DAYS:][0].item()
        for first, sample in (
            ((last, 1),) if sampled else ((recent, None), (date.min, SAMPLED_DAYS))
        ):
            found = replay(
                warehouse, settings, first, last, sample, _seed(days), stages, context.log.info
            )
            parities = {stage: parities[stage] + found[stage] for stage in stages}
    nothing = not any(parity.compared for parity in parities.values())
    for stage, parity in parities.items():
        yield dg.AssetCheckResult(
            asset_key=_key(stage),
            check_name="replay_parity",
            passed=parity.holds and not nothing,
            severity=WARN if parity.holds else ERROR,
            description=NOTHING if nothing else None,
            metadata=_parity_metadata(parity)
            | _sample(sampled, f"the last {RECENT_DAYS} days and {SAMPLED_DAYS} others"),
        )


@dg.multi_asset_check(
    name="prove_no_lookahead",
    description="Random days, once everything known later is poisoned, in a copy.",
    specs=_specs(
        "no_lookahead",
        STAGES,
        f"The future of {SAMPLED_DAYS} random days, poisoned in five ways, changes no digest.",
    ),
    can_subset=True,
)
def no_lookahead(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """One result per table: digests equal out of digests compared."""
    settings, days = get_settings(), _stored_days(warehouse)
    verdict, sampled = Verdict(), _beside_assets(context)
    # A sample takes what those asked for are computed from, and no more.
    needed = 1 + max(STAGES.index(stage) for stage in _asked(context))
    stages: tuple[Stage, ...] = STAGES[:needed] if sampled else STAGES
    ahead = with_a_future(warehouse, days)
    if len(ahead):
        seed = _seed(days)
        chosen = sample_days(ahead, 1 if sampled else SAMPLED_DAYS, seed)
        poisons = (POISONS[seed % len(POISONS)],) if sampled else POISONS
        url = warehouse.url or database_url(settings)
        with scratch_database(url, settings.sql_dir) as scratch:
            verdict = lookahead(scratch, settings, chosen, stages, poisons, context.log.info)
    for stage in _asked(context):
        alarms = [str(alarm) for alarm in verdict.of(stage)]
        digests = verdict.digests // len(stages)
        yield dg.AssetCheckResult(
            asset_key=_key(stage),
            check_name="no_lookahead",
            passed=not alarms and digests > 0,
            severity=ERROR if alarms else WARN,
            description=None if digests else NO_FUTURE if len(days) else NOTHING,
            metadata={
                "digests_equal": digests - len(alarms),
                "digests_compared": digests,
                "days": [str(day) for day in verdict.days],
                **({"alarms": _list(alarms)} if alarms else {}),
                **_sample(sampled, f"{SAMPLED_DAYS} days, each poisoned in {len(POISONS)} ways"),
            },
        )


PROOFS = [replay_parity, no_lookahead]


def _asked(context: dg.AssetCheckExecutionContext) -> tuple[Stage, ...]:
    chosen = {key.asset_key for key in context.selected_asset_check_keys}
    return tuple(stage for stage in (*STAGES, RESOLVED) if _key(stage) in chosen)


def _beside_assets(context: dg.AssetCheckExecutionContext) -> bool:
    """Whether the run also materializes assets: then it is one that people wait for."""
    return bool(context.job_def.asset_layer.selected_asset_keys)


def _sample(sampled: bool, whole: str) -> dict[str, str]:
    return {"sample": SAMPLE.format(whole=whole)} if sampled else {}


def _stored_days(warehouse: Warehouse) -> Days:
    return decision_days(warehouse, date.min, date.max)


def _seed(days: Days) -> int:
    """Other random days each time that there are new ones, the same until then."""
    return int(days[-1].astype("datetime64[D]").astype(int))


def _parity_metadata(parity: Parity) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "rows_equal": parity.equal.total(),
        "rows_compared": parity.compared.total(),
        "not_replayable": parity.unreplayable.total(),
        "of_other_models": parity.foreign.total(),
        "never_stored": parity.not_predicted,
    }
    apart = {"not_replayable": parity.unreplayable, "of_other_models": parity.foreign}
    for name, counts in apart.items():
        if counts:
            metadata[f"{name}_because"] = _list(
                f"{rows:,} of {' '.join(group)}: {reason}"
                for (group, reason), rows in sorted(counts.items())
            )
    if parity.mismatches:
        metadata["mismatches"] = _list(str(mismatch) for mismatch in parity.mismatches)
    return metadata


def _list(lines: Iterator[str] | list[str]) -> dg.MarkdownMetadataValue:
    return markdown(pl.DataFrame({"": list(lines)[:SHOWN]}))
