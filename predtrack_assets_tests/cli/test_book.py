"""predtrack book run: published results to the cent, and faults named with their row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from predtrack_assets.cli import main
from predtrack_assets.settings import PROJECT_ROOT

HEADER = "symbol,date,open,high,low,close,volume,split,dividend\n"
ORDERS = "decided_at,symbol,side,quantity,weight,kind,limit,stop,tif\n"

# LEAN's EquitySplitHoldings: AAPL short over its 7:1 of 2014-06-09.
AAPL = """AAPL,2014-06-05,646.25,649.35,642.61,647.35,10445282,,
AAPL,2014-06-06,650.00,651.25,644.48,645.57,12116671,,
AAPL,2014-06-09,92.69,93.88,91.75,93.70,72875948,7,
AAPL,2014-06-10,94.64,95.05,93.57,94.25,60833696,,
AAPL,2014-06-11,94.13,94.76,92.86,93.86,43961198,,
"""
# LEAN's DelistingEvents.
AAA = """AAA,2007-05-15,27.00,27.65,27.00,27.17,190500,,
AAA,2007-05-16,27.22,27.25,26.34,26.74,127400,,
AAA,2007-05-17,26.28,26.55,26.15,26.35,73600,,
AAA,2007-05-18,25.71,26.00,25.60,25.80,50000,,
"""
# LEAN's DividendRegression, its 33 dividends as one of 13.26 in all.
SPY = """SPY,1998-01-02,97.31,97.53,96.53,97.36,2150000,,
SPY,1998-01-05,97.84,98.44,96.78,97.75,4030800,,
SPY,2005-12-16,126.00,126.50,125.50,126.36,9000000,,13.26
SPY,2005-12-30,124.60,125.00,124.30,124.55,8000000,,
"""


class Files:
    """Writes files of a test and runs the command on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        self.arguments = ["predtrack", "book", "run"]

    def write(self, **texts: str) -> Files:
        for option, text in texts.items():
            path = self.folder / f"{option}.csv"
            path.write_text(text, encoding="utf-8")
            self.arguments += [f"--{option}", str(path)]
        return self

    def run(self, *more: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", [*self.arguments, *more])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    def json(self, *more: str) -> dict[str, Any]:
        code, out, err = self.run(*more, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Files:
    return Files(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("rules", "equity"), [("lean", 98_919.60), ("default", 98_917.92)])
def test_a_short_over_a_split(files, rules, equity):
    """LEAN's factor 0.1428572 leaves 1,077 shares and cash for 0.9996; exactly it is 1,078."""
    orders = ORDERS + "2014-06-05T16:00:00-04:00,AAPL,sell,154,,,,,\n"
    found = files.write(prices=HEADER + AAPL, orders=orders).json("--rules", rules)
    assert (found["equity"], found["fees"]) == (equity, 1)
    assert found["reconciliation"]["passed"]


def test_the_factor_of_an_adjustment_file_is_the_split_that_it_rounds(files):
    prices = HEADER + AAPL.replace(",7,", ",6.99999720000112,")
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,sell,154,,market,,,gtc\n"
    found = files.write(prices=prices, orders=orders)
    assert found.json()["equity"] == 98_917.92
    assert found.json("--rules", "lean")["equity"] == 98_919.60


@pytest.mark.parametrize("rules", ["lean", "default"])
def test_a_forced_exit(files, rules):
    orders = ORDERS + "2007-05-15T21:00:00Z,AAA,,,1,,,,\n"
    actions = "symbol,ex_date,kind,value,known_at\nAAA,2007-05-18,delisting,,\n"
    files.write(prices=HEADER + AAA, orders=orders, actions=actions)
    found = files.json("--rules", rules)
    assert (found["equity"], found["cash"], found["fees"]) == (94_421.60, 94_421.60, 36.70)
    assert found["positions"] == []
    assert [fill["quantity"] for fill in found["fills"]] == [3670, 3670]


def test_dividends_of_eight_years(files):
    orders = ORDERS + "1998-01-02T21:00:00Z,SPY,buy,,0.5,,,,\n"
    found = files.write(prices=HEADER + SPY, orders=orders).json("--rules", "lean")
    assert (found["equity"], found["fees"]) == (120_462.08, 2.56)
    assert found["dividends"] == 6_789.12


def test_fees_and_slippage_override_the_rules(files):
    prices = (
        HEADER + "A,2020-01-06,100,100,100,100,100000,,\nA,2020-01-07,100,100,100,100,100000,,\n"
    )
    files.write(prices=prices, orders=ORDERS + "2020-01-06T22:00:00Z,A,buy,100,,,,,\n")
    found = files.json("--fees", "bps:10", "--slippage-bps", "5", "--capital", "50000.50")
    assert (found["fees"], found["slippage"], found["cash"]) == (10.01, 5, 39_985.49)
    found = files.json("--fees", "none")
    assert (found["fees"], found["cash"], found["equity"]) == (0, 90_000, 100_000)


def test_an_order_decided_within_a_bar_is_not_filled_by_it(files):
    orders = ORDERS + "2014-06-06T14:00:00Z,AAPL,buy,1,,,,,\n"  # New York opened at 13:30Z
    found = files.write(prices=HEADER + AAPL, orders=orders).json()
    assert [fill["filled_at"] for fill in found["fills"]] == ["2014-06-09T13:30:00+00:00"]


def test_sydney_opens_before_its_date_begins_in_utc(files):
    """Its session of the 7th opens at 23:00Z of the 6th: a decision at 24:00Z waits for the 8th."""
    header = HEADER.replace("\n", ",exchange\n")
    rows = "".join(f"BHP,2020-01-0{n},10,10,10,10,1000000,,,XASX\n" for n in (6, 7, 8))
    orders = ORDERS + "2020-01-07T00:00:00Z,BHP,buy,1,,,,,\n2020-01-06T22:00:00Z,BHP,buy,2,,,,,\n"
    found = files.write(prices=header + rows, orders=orders).json()
    days = {fill["quantity"]: fill["trading_day"] for fill in found["fills"]}
    assert days == {1: "2020-01-08", 2: "2020-01-07"}


def test_late_knowledge_comes_by_the_actions_file(files):
    prices = HEADER + AAPL.replace(",7,", ",,")
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,buy,100,,,,,\n"
    actions = "symbol,ex_date,kind,value,known_at\nAAPL,2014-06-09,split,7,2014-06-11T12:00:00Z\n"
    found = files.write(prices=prices, orders=orders, actions=actions).json()
    assert found["positions"][0]["quantity"] == 700


def test_parquet_and_rules_of_a_file_do_too(files, tmp_path):
    pl.read_csv((HEADER + AAPL).encode(), try_parse_dates=True).write_parquet(
        tmp_path / "p.parquet"
    )
    (tmp_path / "rules.json").write_text('{"lot": "0.000001", "fees": "none"}', encoding="utf-8")
    files.write(orders=ORDERS + "2014-06-05T21:00:00Z,AAPL,buy,0.5,,,,,\n")
    files.arguments += ["--prices", str(tmp_path / "p.parquet")]
    found = files.json("--rules", str(tmp_path / "rules.json"))
    assert found["positions"][0]["quantity"] == 3.5


def test_the_text_shows_cash_positions_and_checks(files):
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,sell,154,,,,,\n"
    code, out, _ = files.write(prices=HEADER + AAPL, orders=orders).run()
    assert code == 0
    for part in ("98,917.92", "-1,078", "R12 ok", "1 fills, 0 orders still open"):
        assert part in out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("2014-06-05T", "2014-06-05 "), ""),
        (("21:00:00Z", "21:00:00"), "orders.csv row 2: decided_at 2014-06-05T21:00:00 has no time"),
        (("AAPL,sell", "APPL,sell"), "orders.csv row 2: the prices file has no 'APPL'"),
        (("sell", "short"), "orders.csv row 2: side is 'short'; say buy, sell"),
        (("154", "-154"), "orders.csv row 2: quantity is -154; it is above 0"),
        (("154", "many"), "orders.csv row 2: quantity is 'many', which is not a number"),
        (("154,", "154,1"), "orders.csv row 2: give either quantity or weight"),
        (("market", "limit"), "orders.csv row 2: a limit order needs limit"),
        (("market,,", "market,,9"), "orders.csv row 2: a market order takes no stop"),
        (("gtc", "ioc"), "orders.csv row 2: tif is 'ioc'; say opg, day, gtc"),
        (("quantity", "shares"), "orders.csv row 2: give either quantity or weight"),
        (("symbol", "ticker"), "orders.csv: no column symbol; it has decided_at, ticker"),
    ],
)
def test_faults_of_orders_are_named_with_their_row(files, change, said):
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,sell,154,,market,,,gtc\n"
    files.write(prices=HEADER + AAPL, orders=orders.replace(*change))
    code, out, err = files.run("--json")
    assert code == (1 if said else 0)
    assert said in err
    assert not said or out == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("646.25", ""), "prices.csv row 2: open is empty; it is a number above 0"),
        (("646.25", "NaN"), "prices.csv row 2: open is NaN; it is a number above 0"),
        (("646.25", "-1"), "prices.csv row 2: open is -1; it is a number above 0"),
        (("651.25", "640"), "prices.csv row 3: high 640 is below low 644.48"),
        (("645.57", "700"), "prices.csv row 3: close 700 is outside low 644.48 to high 651.25"),
        (("12116671", "-5"), "prices.csv row 3: volume is -5; it is a number 0 or more"),
        (("2014-06-06", "06/06/2014"), "prices.csv row 3: date is '06/06/2014'; write 2014-06-09"),
        (("2014-06-06", "2014-06-05"), "row 2: AAPL has more than one row of 2014-06-05"),
        (("948,7,", "948,x,"), "prices.csv row 4: split is 'x', which is not new shares per old"),
        (("948,7,", "948,,x"), "prices.csv row 4: dividend is 'x', which is not a number"),
        (("volume", "vol"), "prices.csv: no column volume"),
    ],
)
def test_faults_of_prices_are_named_with_their_row(files, change, said):
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,sell,154,,market,,,gtc\n"
    code, _, err = files.write(prices=HEADER + AAPL.replace(*change), orders=orders).run()
    if "volume" in change:
        files.write(prices=HEADER.replace(*change) + AAPL)
        code, _, err = files.run()
    assert code == 1
    assert said in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rules", "zipline"), "--rules zipline: say default, lean or name a JSON file"),
        (("--fees", "low"), "fees 'low': say none, ib or bps:N"),
        (("--slippage-bps", "x"), "--slippage-bps x: a number, 0 or more"),
        (("--capital", "0"), "capital 0 is not above 0"),
    ],
)
def test_faults_of_options_are_sentences(files, options, said):
    orders = ORDERS + "2014-06-05T21:00:00Z,AAPL,sell,154,,market,,,gtc\n"
    code, _, err = files.write(prices=HEADER + AAPL, orders=orders).run(*options)
    assert code == 1
    assert said in err


def test_it_loads_neither_dagster_nor_a_database_driver(tmp_path):
    """A fresh interpreter, as an outside tool starts it."""
    (tmp_path / "p.csv").write_text(HEADER + AAPL, encoding="utf-8")
    (tmp_path / "o.csv").write_text(ORDERS, encoding="utf-8")
    code = (
        "import sys; from predtrack_assets.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: print(sorted({n.split('.')[0] for n in sys.modules}))"
    )
    command = [sys.executable, "-c", code, "book", "run", "--orders", "o.csv", "--prices", "p.csv"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT_ROOT)},
    )
    loaded = done.stdout.splitlines()[-1]
    for name in ("dagster", "psycopg", "scipy", "numba", "pandas", "pyarrow"):
        assert f"'{name}'" not in loaded
