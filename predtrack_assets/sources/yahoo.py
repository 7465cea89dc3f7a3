"""Yahoo Finance through yfinance, politely: own pool, one throttle, retries by category.

yfinance's Close and dividends are split-adjusted up to today, so every request reaches up to today
and the answer is un-adjusted by the splits it lists and its prices contain.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import tenacity
import yfinance as yf
from curl_cffi import requests
from yfinance import exceptions as vendor
from yfinance.data import YfData

from predtrack_assets.clock import utc_now
from predtrack_assets.domain.market.actions import (
    ACTIONS,
    PRICES,
    empty_actions,
    round_price,
    split_factor,
    unadjust,
)
from predtrack_assets.domain.market.bars import BARS
from predtrack_assets.domain.market.contained_splits import splits_in_prices
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import (
    BATCH_ROWS,
    FETCHES,
    Batch,
    Revises,
    SourceError,
    empty_bars,
    within,
)

UNANSWERED = ("TIMEOUT", "NETWORK")
RETRIED = ("RATE_LIMIT", "TIMEOUT", "NETWORK", "MALFORMED")
_CHART = "/v8/finance/chart/"
_COLUMNS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Dividends": "dividend",
    "Stock Splits": "split",
}
# What yfinance and pandas raise on an answer of the wrong shape.
_WRONG_SHAPE = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)


class FetchFailed(Exception):
    """One symbol could not be had; `category` is one of base.CATEGORIES."""

    def __init__(self, category: str, message: str) -> None:
        super().__init__(message)
        self.category = category


class NotAsked(FetchFailed):
    """The breaker is open: the symbol was not asked for, and asking again is of no use."""


class Throttle:
    """Spaces requests evenly and holds back the whole source after a 429 or when nobody answers.

    Each such failure in a row doubles the pause, which starts at `first_pause` seconds after a 429
    (or is the server's Retry-After) and at `first_silence` where there was no answer. After
    `patience` of them the breaker opens for good and `wait` raises NotAsked.
    """

    def __init__(
        self,
        per_second: float,
        *,
        patience: int = 4,
        first_pause: float = 30.0,
        first_silence: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 1 / per_second
        self._patience = patience
        self._first_pause = first_pause
        self._first_silence = first_silence
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._failures = 0  # in a row
        self._failed_at = -float("inf")
        self._last = ("", "")  # category and reason of the last failure

    @property
    def silence(self) -> str | None:
        """Why the breaker is open, if it is because nobody answers."""
        category, reason = self._last
        return reason if self._is_open and category in UNANSWERED else None

    @property
    def _is_open(self) -> bool:
        return self._failures >= self._patience

    def wait(self) -> float:
        """Blocks until the next request may be sent; returns when that was, for the failures."""
        with self._lock:
            if self._is_open:
                category, reason = self._last
                raise NotAsked(
                    category, f"not asked: {self._failures} requests in a row failed ({reason})"
                )
            now = self._clock()
            slot = max(now, self._next)
            self._next = slot + self._interval
        if slot > now:
            self._sleep(slot - now)
        return slot

    def refused(self, sent: float, retry_after: float | None) -> None:
        """The request sent at `sent` was answered 429."""
        pause = retry_after or self._first_pause * 2.0**self._failures
        self._failed(sent, pause, "RATE_LIMIT", "429 Too Many Requests")

    def unanswered(self, sent: float, category: str, reason: str) -> None:
        """The request sent at `sent` was not answered; `category` is TIMEOUT or NETWORK."""
        self._failed(sent, self._first_silence * 2.0**self._failures, category, reason)

    def _failed(self, sent: float, pause: float, category: str, reason: str) -> None:
        """One failure more, unless the request was under way when an earlier one was counted."""
        with self._lock:
            if sent <= self._failed_at:
                return
            now = self._clock()
            self._failures += 1
            self._failed_at = max(now, sent)
            self._last = (category, reason)
            self._next = max(self._next, now + pause)

    def answered(self) -> None:
        """A request for prices was answered with anything but 429."""
        with self._lock:
            self._failures = 0


class YahooSession(requests.Session):
    """yfinance's HTTP session: throttled, and errors of the chart endpoint raised where they occur.

    yfinance answers any status >= 400 with calls to further hosts; raising here prevents that.
    """

    def __init__(self, throttle: Throttle, timeout: float) -> None:
        super().__init__(impersonate="chrome")
        self.throttle = throttle
        self._timeout = timeout

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = self._timeout
        is_chart = _CHART in urlsplit(url).path
        sent = self.throttle.wait()
        try:
            response = super().request(method, url, *args, **kwargs)
        except requests.exceptions.RequestException as error:
            self.throttle.unanswered(sent, _category(error), _text(error))
            raise
        if response.status_code == 429:
            self.throttle.refused(sent, _seconds(response.headers.get("Retry-After")))
            if is_chart:
                raise FetchFailed("RATE_LIMIT", "Too Many Requests (429)")
        elif is_chart:  # cookies and crumbs are handed out even to those who are refused prices
            self.throttle.answered()
            if response.status_code >= 400:
                _raise_for_chart(response)
        return response


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None


def _raise_for_chart(response: Any) -> None:
    """Raises FetchFailed for an error status; 401 and 403 are left to yfinance (stale crumb)."""
    status = response.status_code
    if status in (401, 403):
        return
    try:
        error = response.json()["chart"]["error"]
        message = f"{error['code']}: {error['description']} ({status})"
    except _WRONG_SHAPE:
        message = f"HTTP {status}"
    if status >= 500:
        raise FetchFailed("NETWORK", message)
    if status == 404:
        raise FetchFailed("DELISTED", message)  # the vendor's guess; the caller delists nothing
    no_data = "data doesn't exist" in message.lower()
    raise FetchFailed("EMPTY" if no_data else "MALFORMED", message)


@dataclass(frozen=True)
class _History:
    """One symbol's answer: bars (BARS), actions (ACTIONS), the row of FETCHES."""

    bars: pl.DataFrame
    actions: pl.DataFrame
    fetch: dict[str, Any]


class YahooSource:
    """Daily bars, splits and dividends of any symbol that Yahoo knows.

    As-traded prices are rounded to single precision (`round_price`), so that the same bar stays the
    same number after a later split. Yahoo revises the last days; the bar of an open session is
    filtered by the caller, through `end` and domain.bars.screen.
    """

    name = "yahoo"
    publication_delay = timedelta(minutes=30)
    exchange: str | None = None
    revises: Revises = "recent"

    def __init__(
        self,
        session: YahooSession,
        cache_dir: Path,
        *,
        workers: int = 4,
        attempts: int = 3,
        timeout: float = 20.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._session = session
        self._cache_dir = cache_dir
        self._workers = workers
        self._attempts = attempts
        self._timeout = timeout
        self._sleep = sleep
        self._now = now

    @classmethod
    def from_settings(cls, settings: Settings) -> YahooSource:
        """The source as configured; contacts nothing yet."""
        throttle = Throttle(settings.requests_per_second)
        return cls(
            YahooSession(throttle, settings.fetch_timeout),
            settings.home / "yahoo",
            workers=settings.fetch_workers,
            attempts=settings.fetch_attempts,
            timeout=settings.fetch_timeout,
        )

    def symbols(self) -> None:
        return None

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        self._prepare()
        days = (self._now().date() - start).days + 1
        size = max(1, min(500, BATCH_ROWS // max(days, 1)))
        wanted = list(dict.fromkeys(symbols))
        answered = False
        with ThreadPoolExecutor(self._workers, thread_name_prefix="yahoo") as pool:
            for first in range(0, len(wanted), size):
                group = wanted[first : first + size]
                found = list(pool.map(lambda s: self._history(s, start, end), group))
                answered |= any(h.fetch["category"] not in UNANSWERED for h in found)
                if (silence := self._session.throttle.silence) and not answered:
                    raise SourceError(
                        f"Yahoo cannot be reached ({silence}): check the network, or take prices "
                        "from elsewhere, --file or --source sample"
                    )
                yield Batch(
                    bars=pl.concat([h.bars for h in found]),
                    actions=pl.concat([h.actions for h in found]),
                    fetches=pl.DataFrame([h.fetch for h in found], schema=FETCHES),
                )

    def _prepare(self) -> None:
        """Points yfinance at a private cache (it keeps cookies there) and makes it raise."""
        self._cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        yf.set_tz_cache_location(str(self._cache_dir))
        yf.cache.get_tz_cache().lookup("")  # opens the database before threads race to do it
        yf.config.debug.hide_exceptions = False
        YfData.cache_get.cache_clear()

    def _history(self, symbol: str, start: date, end: date) -> _History:
        log: dict[str, Any] = {
            "symbol": symbol,
            "first_day": start,
            "last_day": end,
            "status": "ok",
            "category": None,
            "attempts": 0,
            "rows": 0,
            "message": None,
        }
        try:
            bars, actions = self._with_retries(symbol, start, end, log)
        except FetchFailed as error:
            status = "empty" if error.category == "EMPTY" else "failed"
            log |= {"status": status, "category": error.category, "message": str(error)[:500]}
            return _History(empty_bars(), empty_actions(), log)
        log["rows"] = bars.height
        if bars.is_empty():
            log |= {"status": "empty", "category": "EMPTY"}
        return _History(bars, actions, log)

    def _with_retries(
        self, symbol: str, start: date, end: date, log: dict[str, Any]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_retried),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=lambda _: YfData.cache_get.cache_clear(),  # it caches bad bodies too
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                log["attempts"] = attempt.retry_state.attempt_number
                return _as_traded(symbol, self._ask(symbol, start), start, end)
        raise AssertionError("tenacity ends by returning or raising")

    def _ask(self, symbol: str, start: date) -> pl.DataFrame:
        """trading_day and the values of _COLUMNS from start to now; raises FetchFailed."""
        try:
            answer = yf.Ticker(symbol, session=self._session).history(
                start=start.isoformat(),
                end=(self._now().date() + timedelta(days=2)).isoformat(),  # exclusive, any zone
                auto_adjust=False,
                actions=True,
                keepna=True,
                timeout=self._timeout,
            )
            days = answer.index.tz_localize(None).to_numpy().astype("datetime64[D]")
            values = {new: answer[old].to_numpy(dtype=float) for old, new in _COLUMNS.items()}
        except FetchFailed:
            raise
        except vendor.YFRateLimitError as error:
            raise FetchFailed("RATE_LIMIT", str(error)) from error
        except vendor.YFTzMissingError as error:
            raise FetchFailed("DELISTED", str(error)) from error
        except vendor.YFPricesMissingError as error:
            # Its text says "possibly delisted" unless the vendor gave the reason itself.
            named = "symbol may be delisted" in str(error).lower()
            raise FetchFailed("DELISTED" if named else "EMPTY", str(error)) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise FetchFailed(_category(error), _text(error)) from error
        except (*_WRONG_SHAPE, vendor.YFException) as error:
            raise FetchFailed("MALFORMED", _text(error)) from error
        return pl.DataFrame({"trading_day": days, **values}).with_columns(
            pl.col("trading_day").cast(pl.Date), pl.col(list(_COLUMNS.values())).fill_nan(None)
        )


def _category(error: Exception) -> str:
    if isinstance(error, ValueError):  # curl_cffi's and the standard JSON errors
        return "MALFORMED"
    return "TIMEOUT" if isinstance(error, requests.exceptions.Timeout) else "NETWORK"


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition('. See https://curl.se')[0]}"


def _is_retried(error: BaseException) -> bool:
    if not isinstance(error, FetchFailed) or isinstance(error, NotAsked):
        return False
    return error.category in RETRIED


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt; after a 429 the throttle itself waits."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, FetchFailed) and error.category == "RATE_LIMIT":
        return 0.0
    return tenacity.wait_exponential_jitter(initial=1, max=30)(state)


def _as_traded(
    symbol: str, answer: pl.DataFrame, start: date, end: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(BARS, ACTIONS) of the window, from Yahoo's split-adjusted answer up to today."""
    rows = answer.with_columns(symbol=pl.lit(symbol))
    stated = _actions(rows, "split")
    splits = splits_in_prices(rows, stated)
    bars = unadjust(within(rows, "trading_day", start, end).select(list(BARS)), splits)
    bars = bars.with_columns(round_price(pl.col(c)).alias(c) for c in PRICES)
    dividends = _actions(rows, "dividend")
    later = split_factor(dividends.rename({"ex_date": "trading_day"}), splits)
    cash = dividends.with_columns(value=(pl.col("value") * later).round_sig_figs(6))
    actions = within(pl.concat([stated, cash]), "ex_date", start, end)
    return bars, actions.sort(list(ACTIONS))


def _actions(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """ACTIONS from the column `kind`, 0 and missing being none."""
    return rows.filter(pl.col(kind) > 0).select(
        "symbol",
        pl.col("trading_day").alias("ex_date"),
        pl.lit(kind).alias("kind"),
        pl.col(kind).alias("value"),
        pl.lit(False).alias("inferred"),
    )
