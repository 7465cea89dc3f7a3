"""Triple-barrier labels and a small logistic regression, in a fixed order of operations.

Lopez de Prado 2018, chapter 3. Compiled: import it inside functions only.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats


@jit
def triple_barrier(
    returns: Floats, high: Floats, low: Floats, start: int, horizon: int, width: float
) -> Floats:
    """(label, last column) of a long position from the close of column `start` of one symbol (T,).

    high, low: multiples of each close. Right (1) where the price gains `width` (a fraction) before
    it loses as much within `horizon` columns, or has gained at their end; both in one bar is the
    loss. (nan, start) where a return is missing or the columns end before it is known.
    """
    found = np.array([np.nan, float(start)])
    wealth = 1.0
    for day in range(start + 1, start + horizon + 1):
        if day >= returns.size or np.isnan(returns[day]):
            return found
        wealth *= 1.0 + returns[day]
        if wealth * low[day] <= 1.0 - width:
            found[0], found[1] = 0.0, float(day)
            return found
        if wealth * high[day] >= 1.0 + width:
            found[0], found[1] = 1.0, float(day)
            return found
    found[0], found[1] = (1.0 if wealth > 1.0 else 0.0), float(start + horizon)
    return found


@jit
def logistic(x: Floats, y: Floats, penalty: float) -> Floats:
    """Coefficients (K,) of P(y = 1) = 1 / (1 + exp(-x b)), x (N, K), by 25 Newton steps.

    penalty: ridge on all but the first column, which is the constant.
    """
    n, k = x.shape
    b = np.zeros(k)
    for _ in range(25):
        gradient, hessian = np.zeros(k), np.zeros((k, k))
        for row in range(n):
            score = 0.0
            for i in range(k):
                score += x[row, i] * b[i]
            p = 1.0 / (1.0 + np.exp(-score))
            for i in range(k):
                gradient[i] += x[row, i] * (y[row] - p)
                for j in range(k):
                    hessian[i, j] += x[row, i] * x[row, j] * p * (1.0 - p)
        for i in range(k):
            hessian[i, i] += 1e-9
            if i > 0:
                gradient[i] -= penalty * b[i]
                hessian[i, i] += penalty
        for i in range(k):  # Gauss-Jordan; the Hessian is positive definite
            pivot = hessian[i, i]
            for j in range(k):
                hessian[i, j] /= pivot
            gradient[i] /= pivot
            for row in range(k):
                if row != i:
                    factor = hessian[row, i]
                    for j in range(k):
                        hessian[row, j] -= factor * hessian[i, j]
                    gradient[row] -= factor * gradient[i]
        for i in range(k):
            b[i] += gradient[i]
    return b
