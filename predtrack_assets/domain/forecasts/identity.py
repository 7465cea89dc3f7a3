"""What makes a prediction that one and no other: model, kind, symbol, moment, horizon and its unit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

SESSION, MINUTE = "session", "minute"
UNITS = (SESSION, MINUTE)
KEY = ("trading_day", "symbol", "model_id", "kind", "horizon", "horizon_unit", "as_of")

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of PostgreSQL's timestamps


def prediction_id(
    model_id: str, kind: str, symbol: str, as_of: datetime, horizon: int, unit: str = SESSION
) -> UUID:
    """Identity of a prediction: the first 16 bytes of SHA-256 over its fields.

    Parameters: as_of an aware time, whole microseconds; horizon in `unit`, one of UNITS.
    Texts have their length in bytes before them (4 bytes, big-endian), so that no two predictions
    join to the same bytes; as_of is microseconds since 2000-01-01 UTC (8 bytes), the horizon 2
    bytes. forecasts.prediction_id() of the database computes the same.

    >>> from datetime import UTC, datetime
    >>> as_of = datetime(2024, 3, 6, tzinfo=UTC)
    >>> joined = ("m|price|A", "price", "B"), ("m", "price", "A|price|B")
    >>> len({prediction_id(*names, as_of, 5) for names in joined})
    2
    """
    fields = (
        _text(model_id),
        _text(kind),
        _text(symbol),
        _moment(as_of),
        horizon.to_bytes(2, "big", signed=True),
        _text(unit),
    )
    return UUID(bytes=hashlib.sha256(b"".join(fields)).digest()[:16])


def prediction_ids(
    model_id: str, cells: Iterable[tuple[str, str, datetime, int]], unit: str = SESSION
) -> list[str]:
    """`prediction_id`, as text, of many cells (kind, symbol, as_of, horizon) of a model.

    >>> from datetime import UTC, datetime
    >>> as_of = datetime(2024, 3, 6, tzinfo=UTC)
    >>> many = prediction_ids("m", [("price", "A", as_of, 5)])
    >>> many == [str(prediction_id("m", "price", "A", as_of, 5))]
    True
    """
    model, end = _text(model_id), _text(unit)
    kinds = lru_cache(None)(lambda kind: model + _text(kind))
    symbols = lru_cache(None)(_text)
    moments = lru_cache(None)(_moment)
    found = []
    for kind, symbol, as_of, horizon in cells:
        fields = kinds(kind) + symbols(symbol) + moments(as_of)
        fields += horizon.to_bytes(2, "big", signed=True) + end
        text = hashlib.sha256(fields).hexdigest()
        found.append(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}")
    return found


def _moment(as_of: datetime) -> bytes:
    return ((as_of - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "big") + data
