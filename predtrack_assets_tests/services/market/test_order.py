"""Days loaded in any order end as days loaded in order, and flags follow the bars that are stored."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from predtrack_assets_tests import graph
from predtrack_assets_tests.services.market.test_ingest import Vendor, action, prices, take, walk

FIRST, LAST = date(2021, 3, 1), date(2021, 4, 9)
BARS = "SELECT * FROM market.market_data ORDER BY symbol, trading_day, knowledge_time"
INCIDENTAL = "recorded_at"


def troubled(seed: int) -> pl.DataFrame:
    """Two symbols whose bars jump, stand still without volume, and leave days out."""
    parts = []
    for number, symbol in enumerate(("AAA", "BBB")):
        bars = walk(symbol, FIRST, LAST, seed + number)
        random = np.random.default_rng(seed + number)
        for day in random.choice(bars["trading_day"].to_numpy(), 4, replace=False):
            bars = prices(bars, day.astype(object), random.choice([0.4, 2.5]))
        still = pl.Series(random.random(len(bars)) < 0.3)
        close = pl.when(still).then(None).otherwise(pl.col("close")).forward_fill()
        close = close.fill_null(strategy="backward")
        stood = [
            pl.when(still).then(close).otherwise(pl.col(c)).alias(c) for c in bars.columns[2:6]
        ]
        volume = pl.when(still | (pl.col("trading_day") < date(2021, 3, 8))).then(0.0)
        bars = bars.with_columns(*stood, volume.otherwise(pl.col("volume")).alias("volume"))
        parts.append(bars.filter(pl.Series(random.random(len(bars)) < 0.9)))
    return pl.concat(parts)


def stored(url: str) -> pl.DataFrame:
    return graph.frame(url, BARS).drop(INCIDENTAL)


@pytest.mark.parametrize("seed", range(4))
def test_days_in_any_order_end_as_one_load(database_url: str, seed: int) -> None:
    vendor = Vendor(troubled(seed))
    days = graph.trading_days(FIRST, LAST)
    edges = np.sort(np.random.default_rng(seed).choice(np.arange(1, len(days)), 4, replace=False))
    parts = [part.tolist() for part in np.split(np.array(days), edges)]
    with graph.copy_of(database_url) as whole:
        take(whole, vendor, FIRST, LAST)
        expected = stored(whole)
    assert expected["flag"].drop_nulls().n_unique() >= 2
    for part in np.random.default_rng(seed + 100).permutation(len(parts)):
        take(database_url, vendor, parts[part][0], parts[part][-1])
    assert stored(database_url).equals(expected)
    report = take(database_url, vendor, FIRST, LAST)
    assert report.bars.changed == 0, "no price changed"


def test_a_bar_that_comes_between_is_what_the_next_is_judged_by(database_url: str) -> None:
    bars = prices(walk("AAA", FIRST, LAST), date(2021, 3, 10), 2.5)
    late = pl.col("trading_day") == date(2021, 3, 10)
    take(database_url, Vendor(bars.filter(~late)), FIRST, LAST)
    flags = "SELECT trading_day FROM market.market_data WHERE flag = 'jump'"
    assert graph.frame(database_url, flags)["trading_day"].to_list() == [date(2021, 3, 11)]
    take(database_url, Vendor(bars.filter(late)), date(2021, 3, 10), date(2021, 3, 10))
    assert graph.frame(database_url, flags)["trading_day"].to_list() == [date(2021, 3, 10)]


def test_a_split_that_is_told_later_explains_without_a_revision(database_url: str) -> None:
    bars = prices(walk("AAA", FIRST, LAST), date(2021, 3, 10), 0.25)
    take(database_url, Vendor(bars), FIRST, LAST)
    before = stored(database_url)
    assert before["flag"].drop_nulls().to_list() == ["jump"]
    report = take(
        database_url, Vendor(bars, action("AAA", date(2021, 3, 10), "split", 4.0)), FIRST, LAST
    )
    after = stored(database_url)
    assert report.bars.updated == 1
    assert after["quality"].unique().to_list() == ["good"]
    same = pl.exclude("quality", "flag")
    assert after.select(same).equals(before.select(same))


@pytest.mark.parametrize(
    ("others", "near", "late"),
    [(["BBB"], True, True), (["BBB"], False, False), ([], True, False)],
    ids=["missing in the file of that night", "in a file of years later", "a file of its own"],
)
def test_a_symbol_missing_in_the_file_of_a_night_is_known_when_it_comes(
    database_url: str, others: list[str], near: bool, late: bool
) -> None:
    day = date(2021, 3, 10)
    fetched = datetime(2021 if near else 2024, 3, 11, tzinfo=UTC)
    graph.execute(
        database_url,
        "INSERT INTO market.fetch_log (run_id, source, symbol, first_day, last_day, status, attempts,"
        " rows, fetched_at) VALUES ('r', 'vendor', 'BBB', %s, %s, 'ok', 1, 1, %s)",
        day - timedelta(days=1), day, fetched,
    )  # fmt: skip
    bars = pl.concat([walk(symbol, day, day) for symbol in ["AAA", *others]])
    take(database_url, Vendor(bars), day, day)
    known = stored(database_url).filter(pl.col("symbol") == "AAA")["knowledge_time"].item()
    assert (known.date() > day) == late
