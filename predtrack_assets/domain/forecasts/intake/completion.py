"""A statement beside the close that the server knows: its columns in the ledger's units."""

from __future__ import annotations

import math

import numpy as np

from predtrack_assets.domain.forecasts.intake.rows import Refused, Statement
from predtrack_assets.domain.models.forecast import QUANTILE_NAMES


def in_log_returns(stated: Statement, reference: float) -> dict[str, float]:
    """Columns q05..q95 and predicted_price of a price's statement, given S0 as traded.

    Raises Refused (`unit_suspect`) where the median is more than a factor 5 away from S0, as prices
    from before a split are, and log returns sent as prices.
    """
    values = np.asarray(stated.values)
    returns = values if stated.unit == "log_return" else np.log(values / reference)
    median = float(returns[len(returns) // 2])
    if abs(median) > math.log(5):
        raise Refused(
            "unit_suspect",
            "/price",
            f"a median of {reference * math.exp(min(median, 20)):.6g} beside a close of"
            f" {reference:.6g}: are these prices as traded, in the currency of the listing?",
        )
    columns = dict(zip(QUANTILE_NAMES, returns.tolist(), strict=True))
    return {**columns, "predicted_price": reference * math.exp(columns["q50"])}
