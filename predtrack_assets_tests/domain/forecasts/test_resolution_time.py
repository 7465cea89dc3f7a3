"""When an outcome can first be known, by the hours of its exchange."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from predtrack_assets.domain.forecasts.resolution_time import (
    earliest_resolution_times,
    is_retroactive,
)

DECIDED = {
    # (exchange, decision day, horizon, early close of the due session in UTC)
    "demo": ("XNYS", date(2012, 12, 21), 1, datetime(2012, 12, 24, 18, tzinfo=UTC)),
    "winter": ("XNYS", date(2024, 12, 20), 2, datetime(2024, 12, 24, 18, tzinfo=UTC)),
    "summer": ("XNYS", date(2025, 7, 2), 1, datetime(2025, 7, 3, 17, tzinfo=UTC)),
    "after Thanksgiving": ("XNYS", date(2026, 11, 25), 1, datetime(2026, 11, 27, 18, tzinfo=UTC)),
    "London": ("XLON", date(2024, 12, 23), 1, datetime(2024, 12, 24, 12, 30, tzinfo=UTC)),
}


def predictions(kind: str = "price") -> pl.DataFrame:
    """One prediction a case, whose writer states the end of the due day."""
    rows = [
        (exchange, kind, day, horizon, datetime.combine(close.date(), close.time(), UTC))
        for exchange, day, horizon, close in DECIDED.values()
    ]
    names = ["exchange", "kind", "trading_day", "horizon", "earliest_resolution_time"]
    end = pl.col("earliest_resolution_time").dt.truncate("1d") + timedelta(days=1)
    return pl.DataFrame(rows, names, orient="row").with_columns(
        earliest_resolution_time=end,
        horizon_unit=pl.lit("session"),
        as_of=(pl.col("trading_day") + timedelta(days=1)).cast(pl.Datetime("us", "UTC")),
    )


def test_close_resolves_at_the_actual_close() -> None:
    assert earliest_resolution_times(predictions()).to_list() == [c for *_, c in DECIDED.values()]


@pytest.mark.parametrize("case", DECIDED)
def test_sealed_between_the_early_close_and_the_regular_one_is_retroactive(case: str) -> None:
    close = DECIDED[case][-1]
    row = predictions()[list(DECIDED).index(case)]
    verdicts = [
        is_retroactive(row, close + timedelta(minutes=m)).item() for m in (-1, 0, 1, 60, 179)
    ]
    assert verdicts == [False, True, True, True, True]


def test_path_resolves_at_the_next_opening() -> None:
    moments = earliest_resolution_times(predictions("time_to_hit"))
    assert moments.dt.hour().to_list() == [14, 14, 13, 14, 8]


def test_earlier_statement_of_the_writer_holds_and_no_exchange_means_never() -> None:
    rows = predictions().with_columns(
        earliest_resolution_time=pl.col("trading_day").cast(pl.Datetime("us", "UTC"))
    )
    assert (earliest_resolution_times(rows) == rows["earliest_resolution_time"]).all()
    nowhere = predictions().with_columns(exchange=pl.lit(None, pl.String))
    assert (
        earliest_resolution_times(nowhere).dt.date().to_list() == nowhere["trading_day"].to_list()
    )


def test_minutes_resolve_that_many_after_the_decision_on_any_exchange() -> None:
    decided = datetime(2024, 3, 5, 15, 30, tzinfo=UTC)
    minutes = pl.lit("minute").alias("horizon_unit")
    for kind, after in (("price", 30), ("time_to_hit", 1)):
        rows = predictions(kind).with_columns(minutes, as_of=decided, horizon=30).head(1)
        rows = pl.concat([rows, rows.with_columns(exchange=pl.lit(None, pl.String))])
        rows = rows.with_columns(earliest_resolution_time=pl.lit(decided + timedelta(hours=1)))
        assert earliest_resolution_times(rows).to_list() == [decided + timedelta(minutes=after)] * 2
