"""Statements of others: what a row may hold, and the code of each thing that is wrong with it.

A row names a symbol, a decision day, a horizon and exactly one form. Nothing is coerced or rounded:
what is not understood is refused with a code, a pointer and a sentence. Codes are the names of the
database's constraints where one exists.

The client is built with this very file, so it needs the standard library and msgspec, no more.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Literal

import msgspec

MAX_ROWS = 10_000
MAX_SAMPLES = 1_000
SHOWN = 64  # characters of a refused value
QUANTILE_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
LEVELS = tuple(f"{level:g}" for level in QUANTILE_LEVELS)
SESSION = "session"
KINDS = ("price", "direction", "volatility", "time_to_hit")

QUANTILES_CROSS = "quantiles_are_in_order"
PROBABILITY = "confidence_is_0_to_1"
HORIZON = "horizon_is_1_to_252_sessions_or_1_to_1440_minutes"


class Normal(msgspec.Struct, forbid_unknown_fields=True):
    """A normal distribution of the log return over the horizon."""

    mean: float
    sd: float


class Price(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A distribution of the price at the due moment.

    quantiles: seven values at 0.05 to 0.95, as a list or by level; unit: prices or log returns.
    samples: draws of the price or return, reduced to the seven quantiles.
    """

    median: float | None = None
    quantiles: list[float] | dict[str, float] | None = None
    normal: Normal | None = None
    samples: list[float] | None = None
    unit: Literal["price", "log_return"] = "price"


class Direction(msgspec.Struct, forbid_unknown_fields=True):
    """p_up: probability that the total return is positive."""

    p_up: float


class Volatility(msgspec.Struct, forbid_unknown_fields=True):
    """sd: expected standard deviation of log returns, per day or per year."""

    sd: float
    per: Literal["day", "year"] = "day"


class TimeToHit(msgspec.Struct, forbid_unknown_fields=True):
    """That the price reaches a target within the horizon.

    target: as traded, or with unit `log_return` ln(target / close); rule: touched within a session,
    or closed beyond; p_hit: its probability; expected_sessions: until the hit, given that it happens.
    """

    target: float
    p_hit: float
    expected_sessions: float
    rule: Literal["touch", "close"] = "touch"
    unit: Literal["price", "log_return"] = "price"


class Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One statement. decision_day: session of the symbol's exchange; absent: the last completed."""

    symbol: str
    horizon: int
    horizon_unit: Literal["session", "minute"] = "session"
    exchange: str | None = None
    decision_day: date | None = None
    due_day: date | None = None
    client_id: str | None = None
    inputs_sha256: str | None = None
    note: str | None = None
    price: Price | None = None
    direction: Direction | None = None
    volatility: Volatility | None = None
    time_to_hit: TimeToHit | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a row is not taken: code, JSON pointer into the row, and a sentence."""

    code: str
    pointer: str
    message: str


class Refused(ValueError):
    """A row is not taken; `refusal` says why."""

    def __init__(self, code: str, pointer: str, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, pointer, message)


class Unreadable(ValueError):
    """A body is no JSON that can be told apart from another: nothing of it is taken."""


@dataclass(frozen=True)
class Statement:
    """A row that holds together, in numbers.

    price: the seven quantiles in `unit`; direction: p_up; volatility: sd and whether it is per
    year; time_to_hit: p_hit, target in `unit`, expected sessions.
    """

    row: Row
    kind: str
    unit: str
    values: tuple[float, ...]


# What no text of a database can be, or nobody means: control characters, halves of surrogate pairs.
_ODD = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


_SPACE = re.compile(r"\s")
_LONGEST = {"symbol": 1_000, "exchange": 64, "client_id": 64, "note": 200, "inputs_sha256": 64}


class _NotANumber:
    """What stands where JSON had NaN, Infinity or -Infinity."""


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Raises Unreadable for malformed text and for keys that repeat."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            raise Unreadable(f"the key {twice[:SHOWN]!r} stands twice in one object")
        return found

    try:
        return json.loads(body, object_pairs_hook=unique, parse_constant=lambda _: _NotANumber())
    except Unreadable:
        raise
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise Unreadable(f"the body is no JSON: {error}") from None
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None


def statement(raw: Any) -> Statement:
    """The statement that a decoded row makes. Raises Refused with the first thing that is wrong."""
    try:
        row = msgspec.convert(raw, Row, strict=True)
    except msgspec.ValidationError as error:
        _refuse_odd_values(raw, "")  # a better reason, where there is one
        raise _as_refusal(str(error)) from None
    _check_names(row)
    forms = [name for name in KINDS if getattr(row, name) is not None]
    if len(forms) != 1:
        raise Refused(
            "exactly_one_form", "", f"a row has one of {', '.join(KINDS)}, not {len(forms)}"
        )
    if row.horizon_unit != SESSION:
        raise Refused(
            "horizon_unit_unsupported", "/horizon_unit", "minutes are not taken yet: give sessions"
        )
    if not 1 <= row.horizon <= 252:
        raise Refused(HORIZON, "/horizon", f"a horizon is 1 to 252 sessions, not {row.horizon}")
    if row.price is not None:
        return _price(row, row.price)
    if row.direction is not None:
        return _direction(row, row.direction)
    if row.time_to_hit is not None:
        return _time_to_hit(row, row.time_to_hit)
    assert row.volatility is not None
    return _volatility(row, row.volatility)


def _price(row: Row, form: Price) -> Statement:
    given = [n for n in ("quantiles", "normal", "samples") if getattr(form, n) is not None]
    if len(given) != 1:
        raise Refused(
            "exactly_one_form",
            "/price",
            "a price has one of quantiles, normal, samples: a point gives no probability",
        )
    unit = "log_return" if form.normal is not None else form.unit
    if form.quantiles is not None:
        values = _seven(form.quantiles)
    elif form.normal is not None:
        values = _of_normal(form.normal)
    else:
        assert form.samples is not None
        values = _of_samples(form.samples)
    _check_finite("/price", *values, 0.0 if form.median is None else form.median)
    if unit == "price" and min(values) <= 0:
        raise Refused("predicted_price_is_positive", "/price", "a price is above 0")
    if any(a > b for a, b in pairwise(values)):
        raise Refused(
            QUANTILES_CROSS, "/price/quantiles", "quantiles never fall from left to right"
        )
    if form.median is not None and not math.isclose(form.median, values[len(values) // 2]):
        raise Refused("median_disagrees", "/price/median", "the median is not the quantile of 0.5")
    return Statement(row, "price", unit, values)


def _seven(given: list[float] | Mapping[str, float]) -> tuple[float, ...]:
    if isinstance(given, list):
        if len(given) != len(LEVELS):
            raise Refused(
                "quantiles_incomplete",
                "/price/quantiles",
                f"seven quantiles at {', '.join(LEVELS)} are needed, not {len(given)}",
            )
        return tuple(given)
    try:
        by_level = {f"{float(level):g}": value for level, value in given.items()}
    except ValueError:
        raise Refused(
            "quantile_level", "/price/quantiles", f"levels are {', '.join(LEVELS)}"
        ) from None
    if set(by_level) != set(LEVELS) or len(by_level) != len(given):
        lacking = [level for level in LEVELS if level not in by_level]
        raise Refused(
            "quantiles_incomplete",
            "/price/quantiles",
            f"needed are {', '.join(LEVELS)}"
            + (f"; lacking {', '.join(lacking)}" if lacking else " and no others"),
        )
    return tuple(by_level[level] for level in LEVELS)


def _of_normal(form: Normal) -> tuple[float, ...]:
    _check_finite("/price/normal", form.mean, form.sd)
    if not 0 < form.sd <= 10:
        raise Refused("sd_is_positive", "/price/normal/sd", "sd is above 0 and at most 10")
    return tuple(NormalDist(form.mean, form.sd).inv_cdf(level) for level in QUANTILE_LEVELS)


def _of_samples(samples: list[float]) -> tuple[float, ...]:
    if not 20 <= len(samples) <= MAX_SAMPLES:
        raise Refused(
            "samples_20_to_1000", "/price/samples", f"20 to {MAX_SAMPLES} samples are taken"
        )
    _check_finite("/price/samples", *samples)
    return tuple(_quantile(sorted(samples), level) for level in QUANTILE_LEVELS)


def _quantile(ordered: list[float], level: float) -> float:
    """The median-unbiased quantile of sorted samples (Hyndman and Fan, type 8)."""
    place = min(max(level * (len(ordered) + 1 / 3) - 2 / 3, 0.0), len(ordered) - 1.0)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _direction(row: Row, form: Direction) -> Statement:
    _check_finite("/direction/p_up", form.p_up)
    if not 0 < form.p_up < 1:
        raise Refused(
            PROBABILITY, "/direction/p_up", f"p_up lies between 0 and 1, not {form.p_up:g}"
        )
    return Statement(row, "direction", "probability", (form.p_up,))


def _time_to_hit(row: Row, form: TimeToHit) -> Statement:
    _check_finite("/time_to_hit", form.p_hit, form.target, form.expected_sessions)
    if not 0 < form.p_hit < 1:
        raise Refused(
            PROBABILITY, "/time_to_hit/p_hit", f"p_hit lies between 0 and 1, not {form.p_hit:g}"
        )
    if form.unit == "price" and form.target <= 0:
        raise Refused("target_price_is_positive", "/time_to_hit/target", "a price is above 0")
    if not 0 < form.expected_sessions <= row.horizon:
        raise Refused(
            "predicted_days_is_within_the_horizon",
            "/time_to_hit/expected_sessions",
            f"expected_sessions lies above 0 and within the horizon, {row.horizon}",
        )
    return Statement(
        row, "time_to_hit", form.unit, (form.p_hit, form.target, form.expected_sessions)
    )


def _volatility(row: Row, form: Volatility) -> Statement:
    _check_finite("/volatility/sd", form.sd)
    if not 0 < form.sd <= 100:
        raise Refused(
            "predicted_volatility_is_positive", "/volatility/sd", "sd is above 0 and at most 100"
        )
    return Statement(row, "volatility", form.per, (form.sd,))


def is_plain(text: str) -> bool:
    """Whether a text has no control character and no half of a surrogate pair."""
    return _ODD.search(text) is None


def _check_names(row: Row) -> None:
    for name in ("symbol", "exchange", "client_id", "note", "inputs_sha256"):
        text = getattr(row, name)
        if text is None:
            continue
        if _ODD.search(text):
            raise _odd_text(f"/{name}")
        if len(text) > _LONGEST[name]:
            raise Refused(
                "text_too_long", f"/{name}", f"{name} has at most {_LONGEST[name]} characters"
            )
    if not 1 <= len(row.symbol) <= 32 or "|" in row.symbol or _SPACE.search(row.symbol):
        raise Refused(
            "symbol_has_1_to_32_characters_and_no_space",
            "/symbol",
            "a symbol has 1 to 32 characters, no space and no bar",
        )


def _check_finite(pointer: str, *values: float) -> None:
    if not all(map(math.isfinite, values)):
        raise Refused("not_a_number", pointer, "numbers are finite")


def _odd_text(pointer: str) -> Refused:
    return Refused("text_invalid", pointer, "text has no control characters or surrogates")


def _refuse_odd_values(value: Any, pointer: str) -> None:
    """Refuse NaN, infinities, and text that a database cannot hold, wherever they stand."""
    if isinstance(value, _NotANumber) or (isinstance(value, float) and not math.isfinite(value)):
        raise Refused("not_a_number", pointer, "numbers are finite")
    if isinstance(value, str):
        if _ODD.search(value):
            raise _odd_text(pointer)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _refuse_odd_values(key, pointer)
            _refuse_odd_values(part, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _refuse_odd_values(part, f"{pointer}/{index}")


def _as_refusal(message: str) -> Refused:
    """A refusal made of msgspec's sentence: `Expected ..., got ... - at `$.a.b``."""
    text, _, place = message.partition(" - at `$")
    pointer = place.rstrip("`").replace("[...]", "").replace("[", "/").replace("]", "")
    if "unknown field" in text:
        return Refused("unknown_field", pointer.replace(".", "/"), text[:200])
    if "missing required field" in text:
        return Refused("field_missing", pointer.replace(".", "/"), text[:200])
    return Refused("wrong_type", pointer.replace(".", "/"), text[:200])


# Columns of a flat table, and where in a row their values belong.
FLAT: dict[str, tuple[str, ...]] = {
    "p_up": ("direction", "p_up"),
    "sd": ("volatility", "sd"),
    "per": ("volatility", "per"),
    "unit": ("price", "unit"),
    "p_hit": ("time_to_hit", "p_hit"),
    "target": ("time_to_hit", "target"),
    "target_unit": ("time_to_hit", "unit"),
    "expected_sessions": ("time_to_hit", "expected_sessions"),
    "rule": ("time_to_hit", "rule"),
    **{
        f"q{round(level * 100):02d}": ("price", "quantiles", f"{level:g}")
        for level in QUANTILE_LEVELS
    },
}


def nested(flat_rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Flat columns as rows with one form each: FLAT says where; empty cells are left out.

    >>> nested([{"symbol": "AAPL", "horizon": 5, "p_up": 0.56, "sd": None}])
    [{'symbol': 'AAPL', 'horizon': 5, 'direction': {'p_up': 0.56}}]
    """
    rows = []
    for flat in flat_rows:
        row: dict[str, Any] = {}
        for name, value in flat.items():
            if value is None:
                continue
            *way, last = FLAT.get(name, (name,))
            place = row
            for part in way:
                place = place.setdefault(part, {})
            place[last] = _plain(value)
        rows.append(row)
    return rows


def _plain(value: Any) -> Any:
    """A cell as JSON has it; a midnight without a zone is the day that it stands for."""
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        value = value.date()
    return value.isoformat() if isinstance(value, date) else value
