"""Files as people bring them: other orders, other units, other faults."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.actions import adjust
from predtrack_assets.sources.base import Batch, SourceError
from predtrack_assets.sources.file.source import FileSource

DAY = date(2020, 1, 6)
HEADER = "symbol,date,open,high,low,close,adj_close,volume"


def _as_traded(symbols: int = 3, days: int = 60) -> pl.DataFrame:
    """Clean as-traded rows with a 2:1 split on day 30 and a dividend of 0.5 on day 45, both in the
    columns and in adj_close."""
    rng = np.random.default_rng(5)
    frames = []
    for n in range(symbols):
        close = np.round(50 * np.exp(np.cumsum(0.01 * rng.standard_normal(days))), 2)
        close[30:] = np.round(close[30:] / 2, 2)
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [f"S{n}"] * days,
                    "date": [DAY + timedelta(days=d) for d in range(days)],
                    "open": close,
                    "high": close + 0.5,
                    "low": close - 0.5,
                    "close": close,
                    "volume": np.full(days, 1000.0),
                    "split": [2.0 if d == 30 else 0.0 for d in range(days)],
                    "dividend": [0.5 if d == 45 else 0.0 for d in range(days)],
                }
            )
        )
    prices = pl.concat(frames)
    keyed = prices.rename({"date": "trading_day"})
    actions = pl.concat(
        [
            keyed.filter(pl.col(kind) > 0).select(
                "symbol",
                pl.col("trading_day").alias("ex_date"),
                pl.lit(kind).alias("kind"),
                pl.col(kind).alias("value"),
                pl.lit(False).alias("inferred"),
            )
            for kind in ("split", "dividend")
        ]
    )
    adjusted = adjust(keyed, actions, DAY + timedelta(days=999), "total_return")
    return prices.with_columns(adj_close=adjusted["close"].round(6))


def _split_adjusted(traded: pl.DataFrame) -> pl.DataFrame:
    before = pl.col("date") < DAY + timedelta(days=30)
    halved = pl.when(before).then(0.5).otherwise(1.0)
    return traded.with_columns(
        *((pl.col(c) * halved).alias(c) for c in ("open", "high", "low", "close", "dividend")),
        volume=pl.col("volume") / halved,
    )


def _write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


def _source(path: Path, *, split_adjusted: bool = False) -> FileSource:
    return FileSource(path, split_adjusted=split_adjusted)


def _all(source: FileSource, start: date = DAY, end: date = date(2020, 12, 31)) -> Batch:
    batches = list(source.fetch(source.symbols(), start, end))
    return Batch(
        pl.concat([b.bars for b in batches]).sort("symbol", "trading_day"),
        pl.concat([b.actions for b in batches]).sort("symbol", "ex_date", "kind"),
        pl.concat([b.rejects for b in batches]),
        pl.concat([b.fetches for b in batches]),
    )


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_as_traded_with_stated_actions(tmp_path: Path, suffix: str) -> None:
    traded = _as_traded()
    batch = _all(_source(_write(traded, tmp_path / f"p{suffix}")))
    assert_frame_equal(
        batch.bars, traded.rename({"date": "trading_day"}).select(batch.bars.columns)
    )
    assert batch.rejects.is_empty()
    assert batch.actions.filter(pl.col("symbol") == "S0").rows() == [
        ("S0", DAY + timedelta(days=30), "split", 2.0, False),
        ("S0", DAY + timedelta(days=45), "dividend", 0.5, False),
    ]


def test_actions_are_inferred_where_none_are_stated(tmp_path: Path) -> None:
    bare = _as_traded().drop("split", "dividend")
    actions = _all(_source(_write(bare, tmp_path / "p.parquet"))).actions
    assert actions["inferred"].all()
    assert actions.select("symbol", "kind").rows() == [
        (f"S{n}", kind) for n in range(3) for kind in ("split", "dividend")
    ]
    assert actions.filter(pl.col("kind") == "split")["value"].to_list() == [2.0] * 3
    cash = actions.filter(pl.col("kind") == "dividend")["value"].to_list()
    assert cash == pytest.approx([0.5] * 3, abs=1e-3)


def test_stated_splits_with_inferred_dividends(tmp_path: Path) -> None:
    partial = _as_traded().drop("dividend")
    actions = _all(_source(_write(partial, tmp_path / "p.parquet"))).actions
    assert actions.select("kind", "inferred").unique().sort("kind").rows() == [
        ("dividend", True),
        ("split", False),
    ]
    assert actions.height == 6


@pytest.mark.parametrize("dropped", [(), ("dividend",)])
def test_split_adjusted_prices_are_unadjusted(tmp_path: Path, dropped: tuple[str, ...]) -> None:
    traded = _as_traded()
    path = _write(_split_adjusted(traded).drop(*dropped), tmp_path / "p.parquet")
    batch = _all(_source(path, split_adjusted=True))
    expected = traded.rename({"date": "trading_day"}).select(batch.bars.columns)
    assert_frame_equal(batch.bars, expected, abs_tol=1e-9)
    cash = batch.actions.filter(pl.col("kind") == "dividend")["value"].to_list()
    assert cash == pytest.approx([0.5] * 3, abs=1e-3)


def test_dividend_before_a_split_is_scaled_to_the_shares_of_its_day(tmp_path: Path) -> None:
    adjusted = _split_adjusted(_as_traded(symbols=1)).with_columns(
        dividend=pl.when(pl.col("date") == DAY + timedelta(days=10)).then(0.25).otherwise(0.0)
    )
    batch = _all(_source(_write(adjusted, tmp_path / "p.parquet"), split_adjusted=True))
    assert batch.actions.filter(pl.col("kind") == "dividend")["value"].to_list() == [0.5]


def test_a_split_after_the_window_is_undone(tmp_path: Path) -> None:
    traded = _as_traded()
    path = _write(_split_adjusted(traded), tmp_path / "p.parquet")
    batch = _all(_source(path, split_adjusted=True), DAY, DAY)
    assert batch.bars["close"].to_list() == traded.filter(pl.col("date") == DAY)["close"].to_list()
    assert batch.actions.is_empty()


def test_without_a_split_column_adjusted_prices_stay_as_given(tmp_path: Path) -> None:
    given = _split_adjusted(_as_traded()).drop("split", "dividend")
    batch = _all(_source(_write(given, tmp_path / "p.parquet"), split_adjusted=True))
    assert batch.bars["close"].to_list() == given["close"].to_list()
    assert set(batch.actions["kind"]) == {"dividend"}


def test_without_adj_close_nothing_is_inferred(tmp_path: Path) -> None:
    bare = _as_traded().drop("split", "dividend", "adj_close")
    assert _all(_source(_write(bare, tmp_path / "p.csv"))).actions.is_empty()


@pytest.mark.parametrize("split_adjusted", [True, False])
@pytest.mark.parametrize("dropped", [(), ("dividend",), ("split", "dividend")])
@pytest.mark.parametrize("order", ["symbol", "date"])
def test_range_equals_day_by_day(
    tmp_path: Path, split_adjusted: bool, dropped: tuple[str, ...], order: str
) -> None:
    frame = _as_traded()
    frame = (_split_adjusted(frame) if split_adjusted else frame).drop(*dropped)
    path = _write(frame.sort(order, maintain_order=True), tmp_path / "p.parquet")
    source = _source(path, split_adjusted=split_adjusted)
    start, end = DAY + timedelta(days=27), DAY + timedelta(days=47)
    whole = _all(source, start, end)
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    singly = [_all(source, day, day) for day in days]
    bars = pl.concat([s.bars for s in singly]).sort("symbol", "trading_day")
    assert_frame_equal(whole.bars, bars, check_exact=True)
    actions = pl.concat([s.actions for s in singly]).sort("symbol", "ex_date", "kind")
    assert_frame_equal(whole.actions, actions, check_exact=True)
    assert not actions.is_empty()


def test_batches_hold_whole_symbols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from predtrack_assets.sources import base

    monkeypatch.setattr(base.group_by_rows, "__defaults__", (130,))
    source = _source(_write(_as_traded(5), tmp_path / "p.parquet"))
    batches = list(source.fetch(source.symbols(), DAY, date(2020, 12, 31)))
    assert [b.bars["symbol"].unique().sort().to_list() for b in batches] == [
        ["S0", "S1"],
        ["S2", "S3"],
        ["S4"],
    ]


def test_unreadable_cells_are_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        f"{HEADER}\n"
        "A,2020-01-06,1,2,1,1.5,1.5,10\n"
        "A,2020-01-07,one,2,1,1.5,1.5,10\n"
        "A,yesterday,1,2,1,1.5,1.5,10\n"
        ",2020-01-08,1,2,1,1.5,1.5,10\n"
        "A,2020-01-09,1,2,,NaN,NA,10\n"
        "A,2020-01-10,1,2\n"
    )
    batch = _all(_source(path))
    assert batch.rejects.select("symbol", "trading_day", "reason").rows() == [
        ("A", date(2020, 1, 7), "malformed"),
        ("A", None, "malformed"),
        ("", date(2020, 1, 8), "malformed"),
    ]
    assert json.loads(batch.rejects["payload"][0])["open"] == "one"
    assert json.loads(batch.rejects["payload"][1])["date"] == "yesterday"
    # Missing and NaN can be read; judging them is the screen's.
    assert batch.bars["trading_day"].to_list() == [date(2020, 1, d) for d in (6, 9, 10)]
    assert batch.bars["low"].to_list() == [1.0, None, None]
    assert np.isnan(batch.bars["close"][1])


@pytest.mark.parametrize("column", ["split", "dividend"])
@pytest.mark.parametrize("value", ["-1", "inf", "NaN", "2:1"])
def test_impossible_actions_are_malformed(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER},{column}\nA,2020-01-06,1,2,1,1.5,1.5,10,{value}\n")
    batch = _all(_source(path))
    assert batch.rejects["reason"].to_list() == ["malformed"]
    assert batch.bars.is_empty()


def test_rejects_belong_to_their_window(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\nA,2020-01-06,x,2,1,1.5,1.5,10\nA,2020-01-07,y,2,1,1.5,1.5,10\n")
    (batch,) = _source(path).fetch(["A"], date(2020, 1, 7), date(2020, 1, 7))
    assert batch.rejects["trading_day"].to_list() == [date(2020, 1, 7)]
    (other,) = _source(path).fetch(["B"], date(2020, 1, 6), date(2020, 1, 7))
    assert other.rejects.is_empty()


@pytest.mark.parametrize(
    "text",
    ["2020-01-06", "2020/01/06", "20200106", "06-Jan-20", "2020-01-06 00:00:00"],
)
def test_date_spellings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\nA,{text},1,2,1,1.5,1.5,10\n")
    assert _all(_source(path)).bars["trading_day"].to_list() == [DAY]


def test_foreign_types_and_names_are_understood(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "Ticker": ["A"],
            "Date": [DAY],
            "Open": [1],
            "High": ["2"],
            "Low": [1.0],
            "Close": [1.5],
            "Adj Close": [1.5],
            "Volume": [10],
            "Remark": ["?"],
        }
    ).with_columns(pl.col("Date").cast(pl.Datetime("ms")), pl.col("Low").cast(pl.Decimal(10, 2)))
    batch = _all(_source(_write(frame, tmp_path / "p.parquet")))
    assert batch.bars.rows() == [("A", DAY, 1.0, 2.0, 1.0, 1.5, 10.0)]


def test_symbols_are_kept_as_written(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f'{HEADER}\n" a b ",2020-01-06,1,2,1,1.5,1.5,10\n')
    source = _source(path)
    assert source.symbols() == [" a b "]
    assert _all(source).bars["symbol"].to_list() == [" a b "]


@pytest.mark.parametrize(
    ("spelled", "days"),
    [
        (["02/01/2020", "13/01/2020"], [date(2020, 1, 2), date(2020, 1, 13)]),
        (["01/02/2020", "01/13/2020"], [date(2020, 1, 2), date(2020, 1, 13)]),
        (["02/01/2020", "13/01/2020", "01/14/2020"], []),
    ],
)
def test_days_before_months_are_told_from_the_whole_file(
    tmp_path: Path, spelled: list[str], days: list[date]
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([HEADER, *(f"A,{text},1,2,1,2,2,10" for text in spelled)]))
    source = FileSource(path, split_adjusted=True)
    (batch,) = source.fetch(["A"], date(2020, 1, 1), date(2020, 12, 31))
    assert batch.bars["trading_day"].to_list() == days
    assert len(batch.rejects) == len(spelled) - len(days)


def test_rows_without_a_date_in_parquet_are_not_lost(tmp_path: Path) -> None:
    frame = _as_traded(1, 3).with_columns(
        date=pl.when(pl.col("date") == DAY).then(None).otherwise("date")
    )
    batch = _all(_source(_write(frame, tmp_path / "p.parquet")))
    assert batch.rejects.select("trading_day", "reason").rows() == [(None, "malformed")]
    assert batch.bars.height == 2


def _lacking(path: Path) -> None:
    path.write_text("symbol,date,close\nA,2020-01-06,1\n")


def _garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("name", "prepare", "message"),
    [
        ("none.csv", lambda path: None, "there is no price file"),
        ("empty.csv", lambda path: path.write_text(""), "is empty"),
        ("empty.parquet", lambda path: path.write_text(""), "is empty"),
        ("short.csv", _lacking, "lacks the columns open, high, low, volume"),
        ("noise.csv", _garbage, "lacks the columns|cannot be read"),
        ("noise.parquet", _garbage, "cannot be read"),
        ("folder.csv", lambda path: path.mkdir(), "is a directory"),
        (
            "twice.csv",
            lambda path: path.write_text(f"{HEADER},Ticker\nA,2020-01-06,1,2,1,1,1,1,B\n"),
            "more than one column symbol",
        ),
    ],
)
def test_unusable_files_give_one_clear_error(
    tmp_path: Path, name: str, prepare: Any, message: str
) -> None:
    path = tmp_path / name
    prepare(path)
    with pytest.raises(SourceError, match=message):
        _source(path).symbols()
    with pytest.raises(SourceError, match=message):
        list(_source(path).fetch(["A"], DAY, DAY))


def test_header_alone_is_an_empty_market(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\n")
    assert _source(path).symbols() == []
    (batch,) = _source(path).fetch(["A"], DAY, DAY)
    assert batch.fetches["status"].to_list() == ["empty"]
