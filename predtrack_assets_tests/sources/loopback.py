"""A loopback server in the place of Yahoo, and chart answers of Yahoo's shape."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from predtrack_assets.sources.yahoo import YahooSession

CHART = "/v8/finance/chart/"


@dataclass(frozen=True)
class Reply:
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass
class Loopback:
    """replies: per symbol, in order, the last for ever; a symbol without any is unknown (404).
    refuses: whether everything is answered 429. hangs_up: symbols whose every query ends in a
    closed connection."""

    replies: dict[str, Sequence[Reply]] = field(default_factory=dict)
    refuses: bool = False
    hangs_up: Sequence[str] = ()
    asked: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def history_requests(self, symbol: str) -> list[dict[str, str]]:
        """Queries for prices, without those by which yfinance learns the time zone."""
        return [query for query in self.asked[symbol] if "period1" in query]

    def reply(self, symbol: str, query: dict[str, str]) -> Reply:
        """Time-zone queries are answered well, so that the script applies to prices alone."""
        self.asked[symbol].append(query)
        if self.refuses:
            return Reply(b"Edge: Too Many Requests", 429)
        script = self.replies.get(symbol, [NOT_FOUND])
        if "period1" not in query:
            return chart(symbol, {}) if symbol in self.replies else NOT_FOUND
        return script[min(len(self.history_requests(symbol)), len(script)) - 1]


@contextmanager
def serve() -> Iterator[Loopback]:
    vendor = Loopback()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if not url.path.startswith(CHART):
                self._send(Reply(b"crumb"))
                return
            symbol = unquote(url.path.removeprefix(CHART))
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            reply = vendor.reply(symbol, query)
            if symbol not in vendor.hangs_up:
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            if reply.hangs:
                vendor.released.wait(30)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        vendor.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class LoopbackSession(YahooSession):
    """The product's session, with every host replaced by the loopback server."""

    port: int

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(url)._replace(scheme="http", netloc=f"127.0.0.1:{self.port}")
        return super().request(method, parts.geturl(), *args, **kwargs)


def chart(
    symbol: str,
    closes: Mapping[date, float | None],
    *,
    splits: Mapping[date, tuple[int, int]] | None = None,
    dividends: Mapping[date, float] | None = None,
) -> Reply:
    """An answer with close c, open c - 1, high c + 1, low c - 2 and volume 1000, as Yahoo gives
    them: prices and dividends divided by later splits, volume multiplied."""
    stamps = [_opening(day) for day in closes]
    values = list(closes.values())
    quote = {
        name: [None if c is None else c + shift for c in values]
        for name, shift in (("open", -1.0), ("high", 1.0), ("low", -2.0), ("close", 0.0))
    }
    quote["volume"] = [None if c is None else 1000 for c in values]
    events: dict[str, Any] = {}
    if splits:
        events["splits"] = {
            str(_opening(day)): {
                "date": _opening(day),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for day, (new, old) in splits.items()
        }
    if dividends:
        events["dividends"] = {
            str(_opening(day)): {"date": _opening(day), "amount": cash}
            for day, cash in dividends.items()
        }
    result: dict[str, Any] = {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "max"],
        },
        "indicators": {"quote": [quote if values else {}], "adjclose": [{}]},
    }
    if values:
        result["timestamp"] = stamps
        result["indicators"]["adjclose"] = [{"adjclose": values}]
    if events:
        result["events"] = events
    return Reply(json.dumps({"chart": {"result": [result], "error": None}}).encode())


def failure(status: int, code: str, description: str) -> Reply:
    error = {"code": code, "description": description}
    return Reply(json.dumps({"chart": {"result": None, "error": error}}).encode(), status)


def _opening(day: date) -> int:
    return int(datetime.combine(day, time(14, 30), UTC).timestamp())


NOT_FOUND = failure(404, "Not Found", "No data found, symbol may be delisted")
