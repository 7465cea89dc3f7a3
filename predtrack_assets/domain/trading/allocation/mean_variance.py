"""Minimum variance within bounds, as a quadratic program (Markowitz 1952)."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.types import Floats

DECIMALS = 6


def minimum_variance(covariance: Floats, cap: float = 1.0) -> Floats:
    """Weights (S,) in [0, cap] that sum to 1 and vary least; cap is at least 1 / S.

    Solved by Clarabel, an interior-point method that calls no BLAS. Raises ArithmeticError when it
    finds no solution.
    """
    import clarabel  # type: ignore[import-untyped]
    from scipy import sparse

    size = covariance.shape[0]
    bound = max(cap, 1.0 / size)
    scaled = np.triu(covariance / np.diag(covariance).max())
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    eye = sparse.identity(size, format="csc")
    rows = sparse.vstack([np.ones((1, size)), -eye, eye], format="csc")
    limits = np.concatenate([[1.0], np.zeros(size), np.full(size, bound)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(2 * size)]
    problem = sparse.csc_matrix(scaled), np.zeros(size), rows, limits, cones, settings
    solution = clarabel.DefaultSolver(*problem).solve()
    if str(solution.status) != "Solved":
        raise ArithmeticError(f"minimum variance of {size} symbols: {solution.status}")
    return np.maximum(np.array(solution.x), 0.0)
