"""Reading numbers back from JSON, with an error that says which field is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def field(data: Any, name: str, kind: type) -> Any:
    """data[name], which must be of type `kind`; raises ValueError otherwise."""
    if not isinstance(data, Mapping) or name not in data:
        raise ValueError(f"no field {name!r}")
    value = data[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"field {name!r} is not {kind.__name__}")
    return value


def numbers(data: Any, name: str, size: int) -> np.ndarray:
    """Finite float64 numbers of data[name]: shape (size,), or a single one, (), where size is 0."""
    values = field(data, name, list) if size else [field(data, name, object)]
    if len(values) != max(size, 1):
        raise ValueError(f"field {name!r} has {len(values)} numbers, not {max(size, 1)}")
    for value in values:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ValueError(f"field {name!r} holds {value!r}, not a finite number")
    return np.array(values if size else values[0], dtype=np.float64)
