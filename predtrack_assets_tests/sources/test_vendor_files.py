"""Files as vendors export them, and spellings of which only one reading is right, or none."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.sources.base import Batch, SourceError
from predtrack_assets.sources.file.dates import ORDERS, Triple, decide_order, read_date
from predtrack_assets.sources.file.numbers import STYLES, read_number
from predtrack_assets.sources.file.source import FileSource

TODAY = date(2024, 6, 28)
EXCHANGES = {"SAP.DE": "XETR", "BPZ.L": "XLON", "BHP.AX": "XASX"}
HEADER = "symbol,date,open,high,low,close,volume"
# Thursday and Friday of one week; 100 and 101 are their closes in every file.
DAYS = [date(2023, 8, 10), date(2023, 8, 11)]


def read(path: Path, symbol: str | None = None) -> Batch:
    source = FileSource(
        path,
        split_adjusted=True,
        today=TODAY,
        symbol=symbol,
        exchange_of=lambda s: EXCHANGES.get(s, "XNYS" if s.isalpha() else None),
    )
    batches = list(source.fetch(source.symbols(), date(1990, 1, 1), TODAY))
    return Batch(
        *(
            pl.concat([getattr(b, n) for b in batches])
            for n in ("bars", "actions", "rejects", "fetches")
        )
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "ABC.csv"
    path.write_text(text, encoding="utf-8")
    return path


def cells(batch: Batch) -> list[str]:
    """The cell that each refusal names."""
    return [json.loads(payload)["cell"] for payload in batch.rejects["payload"]]


VENDORS = {
    "Yahoo": "Date,Open,High,Low,Close,Adj Close,Volume\n"
    "2023-08-10,99,102,98,100,99.5,1234567\n2023-08-11,100,103,99,101,100.5,2000\n",
    "yfinance": "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits,Capital Gains\n"
    "2023-08-10 00:00:00-04:00,99,102,98,100,1234567,0.0,0.0,0.0\n"
    "2023-08-11 00:00:00-04:00,100,103,99,101,2000,0.0,0.0,0.0\n",
    "Stooq on the web": "Date,Open,High,Low,Close,Volume\n"
    "2023-08-10,99,102,98,100,1234567\n2023-08-11,100,103,99,101,2000\n",
    "Tiingo": "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,"
    "splitFactor\n"
    "2023-08-10T00:00:00.000Z,100,102,98,99,1234567,99,101,97,98,1234567,0.0,1.0\n"
    "2023-08-11T00:00:00.000Z,101,103,99,100,2000,100,102,98,99,2000,0.0,1.0\n",
    "Alpha Vantage": "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
    "2023-08-11,100,103,99,101,101,2000,0.0000,1.0\n2023-08-10,99,102,98,100,100,1234567,0.0000,1.0\n",
    "Investing": '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"08/11/2023","101.00","100.00","103.00","99.00","2.00K","1.00%"\n'
    '"08/10/2023","100.00","99.00","102.00","98.00","1.234567M","-0.10%"\n',
    "Investing, older": '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"Aug 11, 2023","101.00","100.00","103.00","99.00","2.00K","1.00%"\n'
    '"Aug 10, 2023","100.00","99.00","102.00","98.00","1.234567M","-0.10%"\n',
    "Investing in German": '"Datum","Date","Price","Open","High","Low","Vol."\n'
    '"","11.08.2023","101,00","100,00","103,00","99,00","2,00K"\n'
    '"","10.08.2023","100,00","99,00","102,00","98,00","1,234567M"\n',
    "Nasdaq": "Date,Close/Last,Volume,Open,High,Low\n"
    "08/11/2023,$101.00,2000,$100.00,$103.00,$99.00\n08/10/2023,$100.00,1234567,$99.00,$102.00,$98.00\n",
    "Polygon's API": "v,vw,o,c,h,l,t,n\n"
    "1234567,100.1,99,100,102,98,1691640000000,812\n2000,100.7,100,101,103,99,1691726400000,9\n",
    "semicolons": "Date;Open;High;Low;Close;Volume\n"
    "2023-08-10;99,0;102,5;98,0;100,0;1234567\n2023-08-11;100,0;103,0;99,0;101,0;2000\n",
    "tabs, BOM, trailing separators": "\ufeffDate\tOpen\tHigh\tLow\tClose\tVolume\t\n"
    "2023-08-10\t99\t102\t98\t100\t1234567\t\n2023-08-11\t100\t103\t99\t101\t2000\t\n",
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_one_symbol_files_of_vendors(tmp_path: Path, vendor: str) -> None:
    batch = read(written(tmp_path, VENDORS[vendor]), symbol="ABC")
    bars = batch.bars.sort("trading_day")
    assert cells(batch) == []
    assert bars.select("symbol", "trading_day", "open", "close", "volume").rows() == [
        ("ABC", DAYS[0], 99.0, 100.0, 1234567.0),
        ("ABC", DAYS[1], 100.0, 101.0, 2000.0),
    ]
    assert batch.actions.filter(pl.col("kind") == "split").is_empty()


SEVERAL = {
    "Stooq's archive": "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    "ABC.US,D,20230810,000000,99,102,98,100,1000,0\nABC.US,D,20230811,000000,100,103,99,101,2000,0\n"
    "XYZ.US,D,20230811,000000,9,11,8,10,500,0\n",
    "Polygon's flat files": "ticker,volume,open,close,high,low,window_start,transactions\n"
    "ABC,1000,99,100,102,98,1691640000000000000,4\nABC,2000,100,101,103,99,1691726400000000000,5\n"
    "XYZ,500,9,10,11,8,1691726400000000000,6\n",
    "yfinance.download": "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
    "Ticker,ABC,XYZ,ABC,XYZ,ABC,XYZ,ABC,XYZ,ABC,XYZ\nDate,,,,,,,,,,\n"
    "2023-08-10,100,,102,,98,,99,,1000,\n2023-08-11,101,10,103,11,99,8,100,9,2000,500\n",
    "yfinance.download, by ticker": "Ticker,ABC,ABC,ABC,ABC,ABC,XYZ,XYZ,XYZ,XYZ,XYZ\n"
    "Price,Open,High,Low,Close,Volume,Open,High,Low,Close,Volume\nDate,,,,,,,,,,\n"
    "2023-08-10,99,102,98,100,1000,,,,,\n2023-08-11,100,103,99,101,2000,9,11,8,10,500\n",
}


@pytest.mark.parametrize("vendor", SEVERAL)
def test_files_of_several_symbols(tmp_path: Path, vendor: str) -> None:
    batch = read(written(tmp_path, SEVERAL[vendor]))
    assert cells(batch) == []
    assert batch.bars.sort("symbol", "trading_day").rows() == [
        ("ABC", DAYS[0], 99.0, 102.0, 98.0, 100.0, 1000.0),
        ("ABC", DAYS[1], 100.0, 103.0, 99.0, 101.0, 2000.0),
        ("XYZ", DAYS[1], 9.0, 11.0, 8.0, 10.0, 500.0),
    ]


def test_a_symbol_is_given_once(tmp_path: Path) -> None:
    path = written(tmp_path, VENDORS["Nasdaq"])
    with pytest.raises(SourceError, match=r"no column symbol: .* name it, --symbol ABC"):
        read(path)
    for text in (f"{HEADER}\nABC,2023-08-10,1,1,1,1,1\n", SEVERAL["yfinance.download"]):
        with pytest.raises(SourceError, match="names its symbols"):
            read(written(tmp_path, text), symbol="ABC")


def test_the_jump_of_the_price_tells_which_splits_it_contains(tmp_path: Path) -> None:
    traded = f"{HEADER},split\nABC,2023-08-10,100,102,98,100,10,\nABC,2023-08-11,50,51,49,50,20,2\n"
    batch = read(written(tmp_path, traded))
    assert batch.bars["close"].to_list() == [100.0, 50.0]
    adjusted = traded.replace("100,102,98,100,10,", "50,51,49,50,20,")
    assert read(written(tmp_path, adjusted)).bars["close"].to_list() == [100.0, 50.0]


def test_a_split_after_the_last_price_rescales_nothing(tmp_path: Path) -> None:
    bars = f"{HEADER},split\nABC,2023-08-10,100,102,98,100,10,\nABC,2023-08-11,99,101,98,101,20,\n"
    announced = read(written(tmp_path, f"{bars}ABC,2023-08-14,,,,,,4\n"))
    assert announced.bars["close"].to_list()[:2] == [100.0, 101.0]
    assert announced.actions["value"].to_list() == [4.0]
    to_come = read(written(tmp_path, f"{bars}ABC,2024-12-16,,,,,,4\n"))
    assert to_come.bars["close"].to_list() == [100.0, 101.0]
    assert to_come.actions.is_empty()
    assert to_come.rejects["reason"].to_list() == ["future_day"]
    assert cells(to_come) == ["row 4, date: '2024-12-16' is a day to come"]


@pytest.mark.parametrize(
    ("symbol", "moment", "day"),
    [
        ("SAP.DE", datetime(2023, 8, 9, 22, tzinfo=UTC), DAYS[0]),
        ("SAP.DE", datetime(2023, 8, 10, 15, 30, tzinfo=UTC), DAYS[0]),
        ("BHP.AX", datetime(2023, 8, 9, 14, tzinfo=UTC), DAYS[0]),
        ("ABC", datetime(2023, 8, 11, 1, tzinfo=UTC), DAYS[0]),
        ("ABC", datetime(2023, 8, 10, tzinfo=UTC), DAYS[0]),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet", "whole.parquet"])
def test_a_moment_is_read_where_the_symbol_trades(
    tmp_path: Path, symbol: str, moment: datetime, day: date, suffix: str
) -> None:
    frame = pl.DataFrame({"symbol": [symbol], "date": [moment]}).with_columns(
        pl.lit(1.0).alias(c) for c in ("open", "high", "low", "close", "volume")
    )
    path = tmp_path / f"p.{suffix}"
    if suffix == "csv":
        frame.with_columns(pl.col("date").dt.strftime("%Y-%m-%dT%H:%MZ")).write_csv(path)
    else:
        whole = suffix != "parquet"
        epoch = pl.col("date").dt.epoch("ms")
        frame.with_columns(epoch if whole else pl.col("date")).write_parquet(path)
    assert read(path).bars["trading_day"].to_list() == [day]


def test_a_moment_of_an_unknown_exchange_is_not_read(tmp_path: Path) -> None:
    batch = read(written(tmp_path, f"{HEADER}\nA.1,2023-08-10T22:00Z,1,1,1,1,1\n"))
    assert cells(batch) == [
        "row 2, date: '2023-08-10T22:00Z' is a moment, and the time zone of A.1 is not known"
    ]


@pytest.mark.parametrize(
    ("symbol", "texts", "days"),
    [
        ("BPZ.L", ["03/02/2020", "04/02/2020", "05/02/2020"], [(2, 3), (2, 4), (2, 5)]),
        ("ABC", ["2.3.20", "2.4.20", "2.5.20"], [(2, 3), (2, 4), (2, 5)]),
        ("ABC", ["8/27/20", "8/28/20"], [(8, 27), (8, 28)]),
        ("ABC", ["20-08-27", "20-08-28", "20-09-30"], [(8, 27), (8, 28), (9, 30)]),
    ],
)
def test_sessions_tell_days_from_months(
    tmp_path: Path, symbol: str, texts: list[str], days: list[tuple[int, int]]
) -> None:
    rows = "".join(f"{symbol},{text},1,1,1,1,1\n" for text in texts)
    batch = read(written(tmp_path, f"{HEADER}\n{rows}"))
    assert [(d.month, d.day) for d in batch.bars["trading_day"]] == days
    assert set(batch.bars["trading_day"].dt.year()) == {2020}


def test_a_date_with_two_readings_is_refused_with_both(tmp_path: Path) -> None:
    text = f"{HEADER}\nABC,01/06/2020,1,1,1,1,1\nABC,03/03/2020,1,1,1,1,1\n"
    batch = read(written(tmp_path, text))
    assert batch.bars["trading_day"].to_list() == [date(2020, 3, 3)]
    assert cells(batch) == [
        "row 2, date: '01/06/2020' can be 2020-01-06 or 2020-06-01, and the file does not tell which"
    ]


@given(st.dates(date(1990, 1, 1), date(2029, 12, 31)), st.sampled_from("/-."))
def test_a_day_is_found_again_in_its_own_order(day: date, mark: str) -> None:
    for order, code in (("mdy", "%m{0}%d{0}%Y"), ("dmy", "%d{0}%m{0}%Y"), ("ymd", "%y{0}%m{0}%d")):
        found = read_date(day.strftime(code.format(mark)))
        assert isinstance(found, Triple)
        assert found.read(order) == day
    assert read_date(day.isoformat()) == day
    assert read_date(f"{day:%d}-{day:%b}-{day:%Y}") == day


@given(st.lists(st.dates(date(1990, 1, 1), TODAY), min_size=1), st.sampled_from(sorted(ORDERS)))
def test_no_order_is_decided_that_contradicts_the_writer(days: list[date], order: str) -> None:
    """Whatever was written in one order is read in it, or its order stays open."""
    code = {"mdy": "%m/%d/%y", "dmy": "%d/%m/%y", "ymd": "%y/%m/%d"}[order]
    triples = [read_date(day.strftime(code)) for day in days]
    beside = {triple: {"X"} for triple in triples if isinstance(triple, Triple)}
    assert order in decide_order(beside, lambda exchange, day: day in days)


@pytest.mark.parametrize(
    ("rows", "values", "cell"),
    [
        ('A,2023-08-10,"1,5","1,5","1,5","1,5","1.234"\n', [1.5, 1234.0], None),
        ('A,2023-08-10,1.5,1.5,1.5,1.5,"1,234"\n', [1.5, 1234.0], None),
        ("A,2023-08-10,$1.5,$1.5,$1.5,$1.5,1.2M\n", [1.5, 1200000.0], None),
        (
            'A,2023-08-10,452,452,452,452,"1,234"\n',
            None,
            "volume: '1,234' can be 1.234 or 1234, and the file does not tell which",
        ),
        ('A,2023-08-10,1,1,1,1,"12,34,567"\n', None, "volume: '12,34,567' is no number"),
        ("A,2023-08-10,1,1,1,1,1,234\n", None, "more fields than the header's 7, from '234' on"),
        ("A,2023-08-10,1,1,1,1\x00,1\n", None, r"close: '1\x00' is no number"),
        (",2023-08-10,1,1,1,1,1\n", None, "symbol: missing"),
        ("A,0020-08-10,1,1,1,1,1\n", None, "date: '0020-08-10' is no date"),
    ],
)
def test_numbers_are_right_or_the_cell_is_named(
    tmp_path: Path, rows: str, values: list[float] | None, cell: str | None
) -> None:
    batch = read(written(tmp_path, f"{HEADER}\n{rows}"))
    if values is not None:
        assert batch.bars.select("close", "volume").rows() == [tuple(values)]
    assert cells(batch) == ([] if cell is None else [f"row 2, {cell}"])


@given(st.floats(0, 1e12, allow_nan=False), st.integers(0, 6))
def test_a_number_is_found_again_in_its_style(value: float, decimals: int) -> None:
    american = f"{value:,.{decimals}f}"
    european = american.translate(str.maketrans({",": ".", ".": ","}))
    for style, text in zip(STYLES, (american, european), strict=True):
        assert read_number(text, style) == pytest.approx(round(value, decimals), rel=1e-14)


def test_a_ticker_may_be_called_missing(tmp_path: Path) -> None:
    text = f"{HEADER}\nNA,2023-08-10,1,1,1,1,1\nnull,2023-08-10,1,1,1,1,NA\n"
    batch = read(written(tmp_path, text))
    assert batch.bars.select("symbol", "volume").rows() == [("NA", 1.0), ("null", None)]


def test_a_symbol_with_a_null_byte_reaches_no_database(tmp_path: Path) -> None:
    batch = read(
        written(tmp_path, f"{HEADER}\nA\x00B,2023-08-10,1,1,1,1,1\nA,2023-08-10,1,1,1,1,1\n")
    )
    assert set(batch.bars["symbol"]) == {"A", "A\u2400B"}


def test_a_symbol_of_refused_rows_alone_is_not_also_missing(tmp_path: Path) -> None:
    batch = read(written(tmp_path, f"{HEADER}\nABC,2023-08-10,x,1,1,1,1\n"))
    assert batch.fetches.select("status", "category", "rows").rows() == [("ok", None, 0)]


def test_daily_bars_are_one_a_day(tmp_path: Path) -> None:
    rows = "ABC,2023-08-10,1,1,1,1,1\n" * 101
    with pytest.raises(SourceError, match="101 rows of ABC for 1 days"):
        read(written(tmp_path, f"{HEADER}\n{rows}"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04junk", "is a ZIP archive or an Excel workbook"),
        (b"\x1f\x8bjunk", "is compressed"),
        ("symbol,date".encode("utf-16"), "is UTF-16 text"),
        (b"\x1b[31m:bomb:\n1\n", r"it has \\x1b\[31m:bomb:"),
        (b"symbol,date,open,high,low,close\n", "lacks the column volume; it has"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read(path)


def test_a_link_to_itself_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.symlink_to(path)
    with pytest.raises(SourceError, match=r"cannot be read|there is no price file"):
        read(path)
