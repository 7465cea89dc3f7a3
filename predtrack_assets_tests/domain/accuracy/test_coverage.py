"""Coverage: everything that fell due is in exactly one place, as known on the day."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.coverage import coverage, ended_of, with_coverage

KEYS = {"model_id": "m", "kind": "price", "horizon": 5}
DAYS = np.array(["2024-03-04", "2024-03-05", "2024-03-06"], "datetime64[D]")


def on(days: list[str], **columns: list) -> pl.DataFrame:
    frame = pl.DataFrame({"due_day": np.array(days, "datetime64[D]"), **columns})
    return frame.with_columns(pl.lit(v).alias(k) for k, v in KEYS.items())


DUE = on(["2024-03-04", "2024-03-06"], n=[5, 2])
OUTCOMES = on(
    ["2024-03-04"] * 4 + ["2024-03-06"], status=["validated"] * 3 + ["expired", "validated"]
)
ENDED = on(
    ["2024-03-04", "2024-03-04", "2024-03-06"], status=["validated", "expired", "validated"],
    n=[3, 1, 1],
)  # fmt: skip


def test_due_is_validated_expired_or_pending() -> None:
    (monday, wednesday) = coverage(ENDED, DUE, DAYS, "daily").to_dicts()
    counts = ("due", "validated", "expired", "pending", "coverage")
    assert [monday[name] for name in counts] == [5, 3, 1, 1, 0.6]
    assert [wednesday[name] for name in counts] == [2, 1, 0, 1, 0.5]
    week = coverage(ENDED, DUE, DAYS, "weekly")
    assert week["due"].to_list() == [5, 5, 7]
    assert week["coverage"].to_list() == [0.6, 0.6, 4 / 7]


def test_without_outcomes_everything_is_pending() -> None:
    rows = coverage(ENDED[:0], DUE, DAYS, "monthly")
    assert rows["pending"].to_list() == rows["due"].to_list() == [5, 5, 7]
    assert rows["coverage"].to_list() == [0.0, 0.0, 0.0]


def test_nothing_due_no_row() -> None:
    assert coverage(ENDED, DUE[:0], DAYS, "daily").is_empty()
    assert (
        coverage(ENDED, DUE, DAYS[:0], "daily").schema == coverage(ENDED, DUE, DAYS, "daily").schema
    )


def test_a_report_gets_the_coverage_of_its_kind_and_window() -> None:
    report = pl.DataFrame(
        {
            "model_id": ["m", "m", "other"],
            "kind": ["price"] * 3,
            "horizon": pl.Series([5, 5, 5], dtype=pl.Int16),
            "score": ["brier", "crps", "brier"],
            "period": ["daily"] * 3,
            "period_end": DAYS[[0, 0, 0]],
        }
    )
    found = with_coverage(report, ended_of(OUTCOMES), DUE, DAYS, "daily")
    assert found["due"].to_list() == [5, 5, None]
    assert found["coverage"].to_list() == [0.6, 0.6, None]
    assert found.select(report.columns).equals(report)
