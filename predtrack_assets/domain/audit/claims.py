"""Claims: a figure that was stated about a model's past, and whether it is the right one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Claim:
    """A metric of a model, prediction kind and horizon over the period that ends on `as_of`.

    metric: a column of calibration_summary; period: a name in windows.PERIODS.
    """

    metric: str
    model_id: str
    kind: str
    horizon: int
    as_of: date
    period: str = "rolling_30d"


def matches(claimed: str, value: float | None) -> bool:
    """Whether `value` is the claimed number to the decimals that the claim has.

    No value matches nothing. Raises ValueError for a claim that is no finite number.
    """
    try:
        stated = Decimal(claimed)
    except InvalidOperation as error:
        raise ValueError(f"{claimed!r} is not a number") from error
    if not stated.is_finite():
        raise ValueError(f"{claimed!r} is not a finite number")
    if value is None or not math.isfinite(value):
        return False
    unit = Decimal(1).scaleb(min(int(stated.as_tuple().exponent), 0))
    return abs(Decimal(value) - stated) <= unit / 2
