"""Coverage: everything that fell due is in exactly one place, as known on the day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.accuracy.coverage import coverage
from predtrack_assets.domain.accuracy.day_sums import KEYS, OUTCOME_COLUMNS, day_sums

CELL = {
    "model_id": "m", "kind": "price", "event": "within_5pct", "horizon": 5,
    "market_regime": "bull", "origin": "replay",
}  # fmt: skip
DAYS = np.array(["2024-03-04", "2024-03-05", "2024-03-06"], "datetime64[D]")


def on(days: list[str], **columns: list) -> pl.DataFrame:
    frame = pl.DataFrame({"due_day": np.array(days, "datetime64[D]"), **columns})
    return frame.with_columns(pl.lit(v).alias(k) for k, v in CELL.items())


def ended(days: list[str], status: list[str]) -> pl.DataFrame:
    """Outcomes of one symbol each."""
    frame = on(days, status=status, symbol=[f"S{i}" for i in range(len(days))])
    frame = frame.with_columns(trading_day=pl.col("due_day").dt.offset_by("-7d"))
    frame = frame.with_columns(pl.lit(None).alias(name) for name in OUTCOME_COLUMNS[1:])
    valid = pl.col("status") == "validated"
    return frame.with_columns(
        confidence=0.9, occurred=pl.when(valid).then(True), brier=pl.when(valid).then(0.01)
    )


DUE = on(["2024-03-04", "2024-03-06"], n=[5, 2])
ENDED = ended(["2024-03-04"] * 4 + ["2024-03-06"], ["validated"] * 3 + ["expired", "validated"])


def test_due_is_validated_expired_or_pending() -> None:
    sums = day_sums(ENDED, DUE)
    (monday, wednesday) = coverage(sums, DAYS, "daily").to_dicts()
    counts = ("due", "validated", "expired", "pending", "coverage")
    assert [monday[name] for name in counts] == [5, 3, 1, 1, 0.6]
    assert [wednesday[name] for name in counts] == [2, 1, 0, 1, 0.5]
    week = coverage(sums, DAYS, "weekly")
    assert week["due"].to_list() == [5, 5, 7]
    assert week["coverage"].to_list() == [0.6, 0.6, 4 / 7]


def test_without_outcomes_everything_is_pending() -> None:
    rows = coverage(day_sums(ENDED[:0], DUE), DAYS, "monthly")
    assert rows["pending"].to_list() == rows["due"].to_list() == [5, 5, 7]
    assert rows["coverage"].to_list() == [0.0, 0.0, 0.0]


def test_nothing_due_no_row() -> None:
    sums = day_sums(ENDED[:0], DUE[:0])
    assert coverage(sums, DAYS, "daily").is_empty()
    assert coverage(sums, DAYS[:0], "daily").schema == coverage(sums, DAYS, "daily").schema


@given(st.data())
def test_all_that_was_due_is_in_one_place_and_slices_add_up(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    days = [str(date(2024, 3, 4) + timedelta(data.draw(st.integers(0, 20)))) for _ in range(size)]
    statuses = data.draw(
        st.lists(st.sampled_from(["validated", "expired"]), min_size=size, max_size=size)
    )
    origins = data.draw(st.lists(st.sampled_from(["live", "replay"]), min_size=size, max_size=size))
    rows = ended(days, statuses).with_columns(pl.Series("origin", origins))
    pending = data.draw(st.integers(0, 3))
    due = rows.group_by(*KEYS, "due_day").agg(n=pl.len() + pending)
    sums, end = day_sums(rows, due), np.array(["2024-03-31"], "datetime64[D]")
    (whole,) = coverage(sums, end, "monthly").to_dicts()
    assert (whole["validated"], whole["expired"]) == tuple(
        statuses.count(name) for name in ("validated", "expired")
    )
    assert whole["pending"] == pending * len(due)
    apart = coverage(sums, end, "monthly", by=["origin"])
    assert set(apart["origin"]) == set(origins)
    assert apart.select(pl.col("due", "validated", "expired", "pending").sum()).row(0) == tuple(
        whole[name] for name in ("due", "validated", "expired", "pending")
    )
