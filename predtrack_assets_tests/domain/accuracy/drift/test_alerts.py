"""Alerts: one for each drift, and nothing said twice."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.drift.alerts import SUBJECT, transitions

FIRST = date(2020, 1, 3)
CALM = 35
DRIFTED = {
    "subject": pl.String, "name": pl.String, "model_id": pl.String, "kind": pl.String,
    "horizon": pl.Int16, "as_of_day": pl.Date, "statistic": pl.String, "value": pl.Float64,
    "critical_value": pl.Float64, "p_value": pl.Float64, "p_adjusted": pl.Float64,
}  # fmt: skip
SAID = {name: DRIFTED[name] for name in (*SUBJECT, "as_of_day")} | {"event": pl.String}


def week(number: int) -> date:
    return FIRST + timedelta(weeks=number)


def drifted(*weeks: int, **other: Any) -> pl.DataFrame:
    row = {
        "subject": "feature", "name": "rsi_14", "statistic": "psi", "value": 0.4,
        "critical_value": 0.2, "p_value": 0.001, "p_adjusted": 0.02,
    }  # fmt: skip
    rows = [{**row, "as_of_day": week(w), **other} for w in weeks]
    return pl.DataFrame(rows, schema=DRIFTED)


def run(signs: pl.DataFrame, said: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    days = np.array([week(w) for w in range(first, last + 1)], "datetime64[D]")
    inside = pl.col("as_of_day") > days[0].item() - timedelta(days=CALM)
    return transitions(signs.filter(inside), said, days, CALM)


def words(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(*(pl.col(name).cast(kind) for name, kind in SAID.items()))


def events(frame: pl.DataFrame) -> list[tuple[str, date, str]]:
    return list(frame.select("name", "as_of_day", "event").iter_rows())


NOTHING = pl.DataFrame(schema=SAID)


def test_a_drift_that_goes_on_is_one_alert_that_closes_when_it_was_calm() -> None:
    found = run(drifted(2, 3, 4, 7), NOTHING, 0, 20)
    assert events(found) == [("rsi_14", week(2), "opened"), ("rsi_14", week(12), "closed")]
    opened, closed = found.iter_rows(named=True)
    assert (opened["statistic"], opened["value"], opened["severity"]) == ("psi", 0.4, "warning")
    assert closed["statistic"] is None


def test_a_new_drift_after_that_is_a_new_alert() -> None:
    found = run(drifted(2, 9), NOTHING, 0, 20)
    assert [w for _, w, _ in events(found)] == [week(2), week(7), week(9), week(14)]


def test_saying_it_again_says_nothing() -> None:
    signs = drifted(2, 3, 9)
    said = words(run(signs, NOTHING, 0, 20))
    assert run(signs, said, 0, 20).is_empty()
    assert run(signs, said, 5, 9).is_empty()


def test_week_by_week_says_what_all_weeks_at_once_say() -> None:
    signs = pl.concat([drifted(1, 2, 8), drifted(3, name="adx_14", model_id="m", kind="price")])
    together = run(signs, NOTHING, 0, 16)
    said = NOTHING
    for number in range(17):
        known = signs.filter(pl.col("as_of_day") <= week(number))
        said = pl.concat([said, words(run(known, said, number, number))])
    assert sorted(events(said)) == sorted(events(together))


def test_what_turns_out_not_to_be_so_is_taken_back() -> None:
    said = words(run(drifted(2, 3), NOTHING, 0, 5))
    found = run(drifted(), said, 0, 5)
    assert events(found) == [("rsi_14", week(2), "closed")]
    assert run(drifted(), words(found), 0, 5).is_empty(), "the last word of that day"


def test_subjects_are_told_apart_by_model_kind_and_horizon() -> None:
    other = {"subject": "performance", "name": "crps", "kind": "price", "statistic": "e_value"}
    signs = pl.concat(
        [drifted(1, model_id=model, horizon=h, **other) for model in "ab" for h in (1, 5)]
    )
    found = run(signs, NOTHING, 0, 2)
    assert found.select("model_id", "horizon").rows() == [("a", 1), ("a", 5), ("b", 1), ("b", 5)]
    assert set(found["severity"]) == {"critical"}


def test_the_strongest_statistic_is_named() -> None:
    signs = pl.concat([drifted(1), drifted(1, statistic="missing", p_adjusted=0.01)])
    assert run(signs, NOTHING, 0, 2)["statistic"].to_list() == ["missing"]
