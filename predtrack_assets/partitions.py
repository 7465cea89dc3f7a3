"""Trading-day partitions, and the decorators that give every day asset the same ones.

One partition is one UTC day on which at least one configured exchange has a session. All day
assets share TRADING_DAYS and ONE_RUN, so that a whole history is a single Dagster run.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np
from dagster._core.definitions.partitions.context import partition_loading_context

from predtrack_assets.days import Window, month_ends, sessions_of
from predtrack_assets.domain.time.calendar import FIRST_DAY, LAST_DAY, all_days
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.sources import sample

# Beta since 1.5 and the base of every run here; without this, each asset warns at load.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)

ONE_RUN = dg.BackfillPolicy.single_run()
OWNERS = ("team:predtrack",)
KINDS = frozenset({"postgres", "python"})


def bounds(settings: Settings) -> tuple[date, date]:
    """First and last day that may be a partition: those of the settings, within those of the sample
    where that is the source. Raises ValueError where the last lies before the first."""
    first, last = settings.first_day, settings.last_day or LAST_DAY
    if settings.source == "sample":
        first, last = max(first, sample.FIRST_DAY), min(last, sample.LAST_DAY)
    if last < first:
        raise ValueError(f"no trading day from first_day {first} to last_day {last}")
    return first, min(last, LAST_DAY)


def trading_days(settings: Settings) -> dg.TimeWindowPartitionsDefinition:
    """Daily partitions from settings.first_day, keyed YYYY-MM-DD, each exactly one UTC day.

    They end where a finite source ends, so that a finished history has no missing partition. Days
    on which no exchange of settings.exchanges has a session are excluded. Raises ValueError for an
    unknown exchange and for a first_day outside the calendar snapshot.
    """
    if not FIRST_DAY <= settings.first_day <= LAST_DAY:
        raise ValueError(f"first_day must lie between {FIRST_DAY} and {LAST_DAY}")
    first, last = bounds(settings)
    sessions = sessions_of(settings.exchanges)
    sessions = sessions[(sessions >= np.datetime64(first)) & (sessions <= np.datetime64(last))]
    closed = np.setdiff1d(all_days(first, last), sessions)
    exclusions: list[str | datetime] = []
    if np.is_busday(sessions).all():  # a cron string in place of a date for every weekend day
        closed = closed[np.is_busday(closed)]
        exclusions.append("0 0 * * 6,0")
    exclusions += closed.astype("datetime64[us]").tolist()
    return _listed_once(
        dg.TimeWindowPartitionsDefinition(
            start=first.isoformat(),
            end=None if last == LAST_DAY else (last + timedelta(days=1)).isoformat(),
            fmt="%Y-%m-%d",
            timezone="UTC",
            cron_schedule="0 0 * * *",
            exclusions=exclusions,
        )
    )


def _listed_once(days: dg.TimeWindowPartitionsDefinition) -> dg.TimeWindowPartitionsDefinition:
    """`days`, whose keys are listed once for each last day there is.

    Dagster lists them for each check, and to walk through 25 years takes 0.2 s. A subclass could
    not be stored in its events, hence an attribute of the object.
    """
    walk = days.get_partition_keys

    @functools.lru_cache(maxsize=2)
    def until(_last: str | None) -> tuple[str, ...]:
        return tuple(walk())

    def get_partition_keys(
        current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        with partition_loading_context(current_time, dynamic_partitions_store):
            return until(days.get_last_partition_key())

    object.__setattr__(days, "get_partition_keys", get_partition_keys)
    return days


def months_of(settings: Settings) -> dg.TimeWindowPartitionsDefinition:
    """Monthly partitions, keyed YYYY-MM, of the whole months within `bounds`."""
    first, last = bounds(settings)
    end = (last + timedelta(days=1)).strftime("%Y-%m")
    return dg.MonthlyPartitionsDefinition(
        start_date=first.strftime("%Y-%m"),
        end_date=None if last == LAST_DAY else end,
        fmt="%Y-%m",
        timezone="UTC",
    )


TRADING_DAYS = trading_days(get_settings())

MONTHS = months_of(get_settings())
"""Months of data that close a fit: partition 2011-02 ends with February and is in force from March on."""

SYMBOLS = dg.DynamicPartitionsDefinition(name="symbols")
"""Symbols that have a model of their own."""


def window(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Window:
    """The days that a run asks an asset or a check for: one partition or a range of them.

    Raises what Dagster raises when the run is not partitioned.
    """
    keys = context.partition_key_range
    return Window(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def day_asset(
    *,
    schema: str,
    code_version: str,
    owners: Sequence[str] = OWNERS,
    kinds: Iterable[str] = KINDS,
    group: str | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for the table `schema`.<name of the function>, one partition per trading day.

    The schema is also the group, unless another is given. options are those of `dg.asset`.
    """
    return dg.asset(
        key_prefix=[schema],
        group_name=group or schema,
        code_version=code_version,
        owners=owners,
        kinds=set(kinds),
        partitions_def=TRADING_DAYS,
        backfill_policy=ONE_RUN,
        **options,
    )


def day_multi_asset(
    *,
    schema: str,
    specs: Sequence[dg.AssetSpec],
    code_version: str,
    owners: Sequence[str] = OWNERS,
    kinds: Iterable[str] = KINDS,
    **options: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.multi_asset` for tables of one schema that are computed together.

    Each spec is `dg.AssetSpec("table", description=..., deps=...)`; its own code_version, owners
    and kinds win over the shared ones. options are those of `dg.multi_asset`.
    """
    return dg.multi_asset(
        specs=[
            spec.replace_attributes(
                key=spec.key.with_prefix(schema),
                group_name=schema,
                code_version=spec.code_version or code_version,
                owners=spec.owners or owners,
                kinds=spec.kinds or set(kinds),
            )
            for spec in specs
        ],
        partitions_def=TRADING_DAYS,
        backfill_policy=ONE_RUN,
        **options,
    )


def months(context: dg.AssetExecutionContext) -> list[date]:
    """The last trading days of the months that a run asks for, in order."""
    keys = context.partition_key_range
    return month_ends(date.fromisoformat(f"{keys.start}-01"), date.fromisoformat(f"{keys.end}-01"))
