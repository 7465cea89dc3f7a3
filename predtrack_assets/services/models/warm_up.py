"""Sessions with features that the fits of a window need before it, and which of them are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from predtrack_assets.days import Window, month_ends, sessions_of
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.features.profiles import SESSIONS_WITH_FEATURES

LONGEST_FEATURE = 252  # sessions of prices behind the first day whose features are complete


@dataclass(frozen=True)
class WarmUp:
    """What the first fit of a window lacks.

    start: the day from which on prices and features make up for it, not before the source begins.
    stored, stored_last: sessions with features up to the first fit, and up to the last one.
    cutoff: the last day of the first fit. first_fit: of the first fit that has enough once they are
    there; None: none has.
    """

    start: date
    stored: int
    stored_last: int
    needed: int
    cutoff: date
    first_fit: date | None


def missing_warm_up(
    warehouse: Database, asked: Window, settings: Settings, begins: date | None = None
) -> WarmUp | None:
    """What the first fit that `asked` may use lacks; None where nothing, or where no month precedes it.

    begins: the first day that the source has prices of, where that is known.
    """
    cutoffs = _cutoffs(asked, settings)
    if not cutoffs:
        return None
    needed = settings.min_training_sessions
    days = sessions_of(settings.exchanges)
    earliest = max(settings.first_day, begins or settings.first_day)
    days = days[(days >= np.datetime64(earliest)) & (days <= np.datetime64(asked.end))]
    upto = int(np.searchsorted(days, np.datetime64(cutoffs[0]), side="right"))
    stored, stored_last = (
        warehouse.read(
            SESSIONS_WITH_FEATURES, feature_set=STANDARD.id, first=settings.first_day, last=cutoff
        ).item()
        for cutoff in (cutoffs[0], cutoffs[-1])
    )
    if stored >= needed or not len(days):
        return None
    first = max(upto - needed - LONGEST_FEATURE, 0)
    ends = np.searchsorted(days, np.array(cutoffs, "datetime64[D]"), side="right")
    enough = [cutoff for cutoff, end in zip(cutoffs, ends, strict=True) if end - first >= needed]
    return WarmUp(
        days[first].item(), stored, stored_last, needed, cutoffs[0], enough[0] if enough else None
    )


def _cutoffs(asked: Window, settings: Settings) -> list[date]:
    """The last trading days of the months whose fits the days of a window may use."""
    first, last = (day.replace(day=1) - timedelta(days=1) for day in (asked.start, asked.end))
    first = max(first, settings.first_day)
    return month_ends(first, last) if first <= last else []
