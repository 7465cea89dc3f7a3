"""The real yfinance client against a loopback server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.sources.base import Batch, SourceError
from predtrack_assets.sources.yahoo import FetchFailed, Throttle, YahooSource
from predtrack_assets_tests.sources.loopback import (
    NOT_FOUND,
    Loopback,
    LoopbackSession,
    Reply,
    chart,
    failure,
    serve,
)

START, END = date(2020, 8, 26), date(2020, 9, 2)
CLOSES: dict[date, float | None] = {
    date(2020, 8, 26): 126.5199966430664,
    date(2020, 8, 27): 125.01000213623047,
    date(2020, 8, 28): 124.80750274658203,
    date(2020, 8, 31): 129.0399932861328,
    date(2020, 9, 1): 134.17999267578125,
    date(2020, 9, 2): 131.39999389648438,
}
SPLIT = {date(2020, 8, 31): (4, 1)}


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def vendor() -> Iterator[Loopback]:
    with serve() as loopback:
        yield loopback


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(vendor: Loopback, clock: Clock, tmp_path: Path) -> Callable[..., YahooSource]:
    def make(**options: float) -> YahooSource:
        throttle = Throttle(1e6, first_pause=30.0, sleep=clock.sleep, clock=clock)
        timeout = options.get("timeout", 10.0)
        session = LoopbackSession(throttle, timeout)
        session.port = vendor.port
        return YahooSource(
            session,
            tmp_path / "yahoo",
            workers=int(options.get("workers", 1)),
            attempts=3,
            timeout=timeout,
            sleep=clock.sleep,
            now=lambda: datetime(2020, 12, 1, tzinfo=UTC),
        )

    return make


def _only(batches: Iterator[Batch]) -> Batch:
    (batch,) = batches
    return batch


def _log(batch: Batch) -> dict[str, dict[str, object]]:
    return {row["symbol"]: row for row in batch.fetches.iter_rows(named=True)}


def test_prices_and_volume_before_a_split_are_as_traded(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    vendor.replies["AAPL"] = [chart("AAPL", CLOSES, splits=SPLIT)]
    batch = _only(source().fetch(["AAPL"], START, END))
    closes = dict(batch.bars.select("trading_day", "close").iter_rows())
    assert closes[date(2020, 8, 28)] == 499.23  # printed that Friday
    assert closes[date(2020, 8, 31)] == 129.04
    assert batch.bars["volume"].to_list() == [250.0] * 3 + [1000.0] * 3
    assert batch.actions.rows() == [("AAPL", date(2020, 8, 31), "split", 4.0, False)]


def test_a_split_after_the_window_is_undone_and_asked_for(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    vendor.replies["AAPL"] = [chart("AAPL", CLOSES, splits=SPLIT)]
    batch = _only(source().fetch(["AAPL"], START, date(2020, 8, 27)))
    assert batch.bars["close"].to_list() == [506.08, 500.04]
    assert batch.actions.is_empty()
    (query,) = vendor.history_requests("AAPL")
    assert int(query["period2"]) > datetime(2020, 12, 1, tzinfo=UTC).timestamp()


def test_dividends_are_per_share_as_traded_on_the_ex_date(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    paid = {date(2020, 8, 27): 0.205, date(2020, 9, 1): 0.2}
    vendor.replies["AAPL"] = [chart("AAPL", CLOSES, splits=SPLIT, dividends=paid)]
    batch = _only(source().fetch(["AAPL"], START, END))
    dividends = batch.actions.filter(pl.col("kind") == "dividend")
    assert dividends["value"].to_list() == [0.82, 0.2]


def test_range_equals_day_by_day(vendor: Loopback, source: Callable[..., YahooSource]) -> None:
    vendor.replies["AAPL"] = [
        chart("AAPL", CLOSES, splits=SPLIT, dividends={date(2020, 9, 1): 0.2})
    ]
    whole = _only(source().fetch(["AAPL"], START, END))
    days = [_only(source().fetch(["AAPL"], day, day)) for day in CLOSES]
    assert_frame_equal(whole.bars, pl.concat([d.bars for d in days]))
    assert_frame_equal(whole.actions, pl.concat([d.actions for d in days]))


def test_null_prices_stay_missing_for_the_screen(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    vendor.replies["GAP"] = [chart("GAP", {**CLOSES, date(2020, 8, 27): None})]
    batch = _only(source().fetch(["GAP"], START, END))
    missing = batch.bars.filter(pl.col("trading_day") == date(2020, 8, 27))
    assert missing.select("open", "high", "low", "close").row(0) == (None,) * 4


def test_unknown_symbol_fails_alone(vendor: Loopback, source: Callable[..., YahooSource]) -> None:
    vendor.replies["GOOD"] = [chart("GOOD", CLOSES)]
    batch = _only(source(workers=4).fetch(["GONE", "GOOD"], START, END))
    log = _log(batch)
    assert (log["GONE"]["status"], log["GONE"]["category"]) == ("failed", "DELISTED")
    assert log["GONE"]["attempts"] == 1
    assert (log["GOOD"]["status"], log["GOOD"]["category"]) == ("ok", None)
    assert log["GOOD"]["rows"] == batch.bars.height == len(CLOSES)


def test_rate_limit_pauses_then_succeeds(
    vendor: Loopback, source: Callable[..., YahooSource], clock: Clock
) -> None:
    limited = Reply(b"Edge: Too Many Requests", 429, {"Retry-After": "77"})
    vendor.replies["SLOW"] = [limited, chart("SLOW", CLOSES)]
    batch = _only(source().fetch(["SLOW"], START, END))
    assert _log(batch)["SLOW"]["status"] == "ok"
    assert _log(batch)["SLOW"]["attempts"] == 2
    assert any(seconds > 76 for seconds in clock.slept)


def test_breaker_stops_the_whole_source(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    symbols = [f"RL{n}" for n in range(6)]
    vendor.refuses = True
    batch = _only(source().fetch(symbols, START, END))
    assert batch.fetches["category"].to_list() == ["RATE_LIMIT"] * 6
    assert sum(len(queries) for queries in vendor.asked.values()) == 4  # the breaker's patience
    assert not vendor.asked["RL5"]


def test_a_vendor_that_cannot_be_reached_is_soon_left_alone(
    vendor: Loopback, source: Callable[..., YahooSource], clock: Clock
) -> None:
    vendor.hangs_up = symbols = [f"S{n}" for n in range(40)]
    with pytest.raises(SourceError, match=r"Yahoo cannot be reached \(.*--source sample"):
        list(source().fetch(symbols, START, END))
    assert sum(len(queries) for queries in vendor.asked.values()) == 4  # the breaker's patience
    assert sum(clock.slept) < 20


def test_what_arrived_before_the_network_failed_is_kept(
    vendor: Loopback, source: Callable[..., YahooSource]
) -> None:
    vendor.replies["GOOD"] = [chart("GOOD", CLOSES)]
    vendor.hangs_up = lost = [f"LOST{n}" for n in range(4)]
    batch = _only(source().fetch(["GOOD", *lost], START, END))
    assert set(batch.bars["symbol"]) == {"GOOD"}
    assert [_log(batch)[name]["category"] for name in lost] == ["NETWORK"] * 4
    last = _log(batch)["LOST3"]
    assert last["attempts"] == 1
    assert str(last["message"]).startswith("not asked: 4 requests in a row failed")


@pytest.mark.parametrize(
    ("name", "reply", "status", "category", "attempts"),
    [
        ("HANG", Reply(b"", hangs=True), "failed", "TIMEOUT", 3),
        ("CUT", Reply(chart("CUT", CLOSES).body[:300]), "failed", "MALFORMED", 3),
        ("JUNK", Reply(b"<html>Oops</html>"), "failed", "MALFORMED", 3),
        ("ODD", Reply(b'{"chart": {"result": [{"meta": 5}]}}'), "failed", "MALFORMED", 3),
        ("LIST", Reply(b"[1, 2]"), "empty", "EMPTY", 1),
        ("DOWN", Reply(b"upstream", 503), "failed", "NETWORK", 3),
        ("LOST", Reply(b"abc", headers={"Content-Length": "999"}), "failed", "NETWORK", 3),
        ("NONE", chart("NONE", {}), "empty", "EMPTY", 1),
        (
            "YOUNG",
            failure(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"),
            "empty",
            "EMPTY",
            1,
        ),
        ("LATER", chart("LATER", {date(2020, 11, 2): 10.0}), "empty", "EMPTY", 1),
        ("BAD", failure(400, "Bad Request", "Invalid input"), "failed", "MALFORMED", 3),
        ("DEAD", NOT_FOUND, "failed", "DELISTED", 1),
    ],
)
def test_failures_have_categories(
    vendor: Loopback,
    source: Callable[..., YahooSource],
    name: str,
    reply: Reply,
    status: str,
    category: str,
    attempts: int,
) -> None:
    vendor.replies[name] = [reply]
    vendor.replies["FINE"] = [chart("FINE", CLOSES)]
    timeout = 0.5 if reply.hangs else 10.0
    batch = _only(source(timeout=timeout).fetch([name, "FINE"], START, END))
    row = _log(batch)[name]
    assert (row["status"], row["category"], row["attempts"]) == (status, category, attempts)
    assert set(batch.bars["symbol"]) == {"FINE"}
    assert _log(batch)["FINE"]["status"] == "ok"


@pytest.mark.parametrize("first", [Reply(b'{"chart": {"resu'), Reply(b"busy", 502)])
def test_a_bad_answer_is_not_remembered(
    vendor: Loopback, source: Callable[..., YahooSource], first: Reply
) -> None:
    vendor.replies["AGAIN"] = [first, chart("AGAIN", CLOSES)]
    batch = _only(source().fetch(["AGAIN"], START, END))
    assert _log(batch)["AGAIN"]["attempts"] == 2
    assert batch.bars.height == len(CLOSES)


def test_cache_is_private(source: Callable[..., YahooSource], tmp_path: Path) -> None:
    list(source().fetch([], START, END))
    assert (tmp_path / "yahoo").stat().st_mode & 0o077 == 0


def test_throttle_spaces_requests_evenly(clock: Clock) -> None:
    throttle = Throttle(2.0, sleep=clock.sleep, clock=clock)
    assert [throttle.wait() for _ in range(4)] == [1000.0, 1000.5, 1001.0, 1001.5]


def test_throttle_counts_simultaneous_refusals_once(clock: Clock) -> None:
    throttle = Throttle(100.0, patience=2, first_pause=30.0, sleep=clock.sleep, clock=clock)
    sent = [throttle.wait() for _ in range(4)]
    for moment in sent:
        throttle.refused(moment, None)
    assert throttle.wait() >= sent[-1] + 30  # one pause, breaker still closed
    throttle.refused(clock.now, None)
    with pytest.raises(FetchFailed, match="2 requests in a row"):
        throttle.wait()
