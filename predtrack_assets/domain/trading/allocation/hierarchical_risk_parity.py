"""Hierarchical risk parity: halves of a tree share by their variance (Lopez de Prado 2016)."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.types import Floats


def hierarchical_risk_parity(covariance: Floats) -> Floats:
    """Weights (S,) > 0 that sum to 1, of a covariance matrix (S, S).

    Three variants are in use; this one clusters the distances sqrt((1 - r) / 2) themselves, with
    single linkage and optimal leaf ordering, and splits in halves. Ties go by the order of rows.

    References: Lopez de Prado 2016, Building diversified portfolios that outperform out of sample.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    from predtrack_assets.domain.trading.allocation.covariance import cluster_variance

    size = covariance.shape[0]
    weights = np.ones(size)
    if size == 1:
        return weights
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / deviation[:, None] / deviation[None, :]
    distance = np.sqrt(np.maximum(1.0 - correlation, 0.0) / 2.0)
    condensed = distance[np.triu_indices(size, 1)]
    order = leaves_list(linkage(condensed, "single", optimal_ordering=True)).astype(np.int64)
    clusters = [order]
    while clusters:
        halves = [(c[: c.size // 2], c[c.size // 2 :]) for c in clusters if c.size > 1]
        for left, right in halves:
            first = cluster_variance(covariance, left)
            second = cluster_variance(covariance, right)
            share = 1.0 - first / (first + second)
            weights[left] *= share
            weights[right] *= 1.0 - share
        clusters = [half for pair in halves for half in pair]
    return weights
