"""Coverage: share of due predictions that were validated. No score may hide what never was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import merged
from predtrack_assets.domain.accuracy.report_windows import column, table, windows
from predtrack_assets.domain.numerics.types import Days

KEYS = ["model_id", "kind", "horizon"]
COUNTS = ["due", "validated", "expired"]


def coverage(
    sums: pl.DataFrame, report_days: Days, period: str, by: Sequence[str] = ()
) -> pl.DataFrame:
    """One row per model, kind, horizon and window in which anything fell due.

    sums: as `day_sums` gives them; report_days: sorted datetime64[D], the windows' last days;
    period: a name in report_windows.PERIODS; by: slices (market_regime, origin) to tell apart.
    due = validated + expired + pending; coverage = validated / due. Raises ValueError for an unknown period.
    """
    keys = [*KEYS, *by]
    rows = merged(sums, keys, COUNTS).filter(pl.col("due") > 0)
    view = windows(rows, keys, report_days, period)
    due, validated, expired = view.sums([column(view.rows, name) for name in COUNTS])
    whole = {"due": due, "validated": validated, "expired": expired}
    whole["pending"] = due - validated - expired
    counts = {name: values.astype(np.int64) for name, values in whole.items()}
    return table({**view.labels(), **counts, "coverage": validated / due}, [*keys, "period_end"])
