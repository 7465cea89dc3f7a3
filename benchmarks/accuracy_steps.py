"""The measured steps of the accuracy cases (see steps.py)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from statistics import median
from typing import Any

import numpy as np

REPEATS = 5


def ece(rows: int) -> dict[str, Any]:
    """The expected calibration error beside NumPy's bincounts of the same rows."""
    from predtrack_assets.domain.statistics.calibration import BUCKETS
    from predtrack_assets.domain.statistics.calibration import ece as product

    random = np.random.default_rng(3)
    p = random.random(rows)
    y = (random.random(rows) < p).astype(np.float64)

    def reference() -> float:
        bucket = np.minimum((p * BUCKETS).astype(np.int64), BUCKETS - 1)
        count = np.bincount(bucket, minlength=BUCKETS)
        hits, said = (np.bincount(bucket, weights=w, minlength=BUCKETS) for w in (y, p))
        return float(np.abs(said - hits).sum() / count.sum())

    found, expected = product(p, y), reference()
    if abs(found - expected) > 1e-9:
        raise RuntimeError(f"the errors differ: {found} and {expected}")
    taken = [(_seconds(lambda: product(p, y)), _seconds(reference)) for _ in range(REPEATS)]
    product_s, reference_s = (median(column) for column in zip(*taken, strict=True))
    return {"product_s": product_s, "reference_s": reference_s, "rows": rows}


def _seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def accuracy_day(first: str, last: str) -> dict[str, Any]:
    """Sums of the last day and the reports of 30 days to it, the days before being summed already;
    beside one scan of the outcomes that were due on it."""
    from predtrack_assets.assets.resources import Database
    from predtrack_assets.days import Window
    from predtrack_assets.services.accuracy.day_sums import store_sums
    from predtrack_assets.services.accuracy.period_reports import period_report
    from predtrack_assets.warehouse.database.query import Query

    day = date.fromisoformat(last)
    scan = Query(
        "SELECT count(*) AS n, sum(brier) AS s FROM forecasts.outcomes WHERE due_day = :day"
    )
    with Database().transaction() as transaction:
        store_sums(transaction, Window(date.fromisoformat(first), day))

    def product() -> None:
        with Database().transaction() as transaction:
            store_sums(transaction, Window(day, day))
            period_report(transaction, "rolling_30d", day)

    def reference() -> int:
        return int(Database().read(scan, day=day)["n"][0])

    rows = reference()
    taken = [(_seconds(product), _seconds(reference)) for _ in range(REPEATS)]
    product_s, reference_s = (median(column) for column in zip(*taken, strict=True))
    return {"product_s": product_s, "reference_s": reference_s, "rows": rows}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {"ece": ece, "accuracy_day": accuracy_day}
