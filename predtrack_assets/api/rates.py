"""How much a caller may ask in a while, counted in this process: requests, rows, failed keys."""

from __future__ import annotations

import math

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from predtrack_assets.api.problems import Problem

FAILURES = RateLimitItemPerMinute(60)


class Rates:
    """Limits a key: requests a second, rows a minute; and an address: wrong keys a minute."""

    def __init__(self, requests: int, rows: int) -> None:
        storage = MemoryStorage()
        self._exact = MovingWindowRateLimiter(storage)
        self._counted = SlidingWindowCounterRateLimiter(
            storage
        )  # a moment a row is too much to keep
        self._requests = RateLimitItemPerSecond(requests)
        self._rows = RateLimitItemPerMinute(rows)

    def request(self, key_id: str) -> None:
        """Count a request. Raises Problem 429."""
        if not self._exact.hit(self._requests, "request", key_id):
            raise self._problem(self._exact, self._requests, "requests", "request", key_id)

    def rows(self, key_id: str, count: int) -> None:
        """Count rows that were posted. Raises Problem 429."""
        if not self._counted.hit(self._rows, "rows", key_id, cost=count):
            raise self._problem(self._counted, self._rows, "rows", "rows", key_id)

    def failure(self, address: str) -> None:
        """Count a key that opened nothing. Raises Problem 429."""
        if not self._exact.hit(FAILURES, "failure", address):
            raise self._problem(self._exact, FAILURES, "failures", "failure", address)

    @staticmethod
    def _problem(
        limiter: MovingWindowRateLimiter | SlidingWindowCounterRateLimiter,
        limit: RateLimitItem,
        name: str,
        *identity: str,
    ) -> Problem:
        from predtrack_assets.clock import utc_now

        found = limiter.get_window_stats(limit, *identity)
        wait = max(1, math.ceil(found.reset_time - utc_now().timestamp()))
        policy = f'"{name}";q={limit.amount};w={limit.get_expiry()}'
        return Problem(
            429,
            f"more than {limit.amount:,} {name} in {limit.get_expiry()} s: wait {wait} s",
            code="rate_limit",
            headers={
                "Retry-After": str(wait),
                "RateLimit-Policy": policy,
                "RateLimit": f'"{name}";r={found.remaining};t={wait}',
            },
        )
