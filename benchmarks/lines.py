"""The options of a run, and the line that each measurement becomes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.sandbox import Database, Sandbox
from predtrack_assets.domain.time.calendar import calendar

SESSIONS = 5_000
FIRST = date(2000, 1, 3)
PEAK_LIMIT_MB = 2_048

Line = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """prices: a price file in standard columns. scale: share of the simulated symbols. wanted: the
    case's name to whether it was asked for. say: tells the user what is going on."""

    prices: Path | None
    scale: float
    wanted: Callable[[str], bool]
    say: Callable[[str], None]

    def any_of(self, names: list[str]) -> bool:
        """Whether one of them was asked for."""
        return any(map(self.wanted, names))


def line(
    name: str,
    product_s: float,
    reference_s: float,
    rows: int,
    limit: float | None,
    peak_mb: float,
    **more: Any,
) -> Line:
    """limit is one of the ratio, unless limit_unit says that it is one of product_s.

    load: processes that ran or wanted to, over the last minute, what is measured among them.
    """
    ratio = product_s / reference_s
    judged = product_s if "limit_unit" in more else ratio
    return {
        "name": name,
        "product_s": round(product_s, 5),
        "reference_s": round(reference_s, 5),
        "ratio": round(ratio, 3),
        "limit": limit,
        "rows": rows,
        "peak_mb": peak_mb,
        "within_limit": None if limit is None else judged <= limit,
        "load": round(os.getloadavg()[0], 1),
        **more,
    }


def simulated(box: Sandbox, name: str, symbols: int, options: Options) -> Database:
    count = max(1, round(symbols * options.scale))
    return box.database(name, PREDTRACK_SOURCE="simulated", PREDTRACK_SIMULATED_SYMBOLS=str(count))


def span(sessions: int = SESSIONS) -> tuple[str, str]:
    """First and last of so many days."""
    market = calendar("XNYS")
    return FIRST.isoformat(), str(market.offset(FIRST, sessions - 1))
