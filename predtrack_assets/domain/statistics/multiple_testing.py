"""e-BH: which of many e-values are large enough, at a false discovery rate, however dependent."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats


def e_bh_critical(e_values: ArrayLike, level: float) -> Floats:
    """The e-value from which on each row's hypotheses are rejected (T,): e-Benjamini-Hochberg.

    e_values: (T, K), NaN where there is none. Sorted descending, the k largest are rejected, k the
    largest with e_(k) >= K / (level k); the value returned is K / (level max(k, 1)). The share of
    false rejections is at most `level` in expectation, whatever the dependence (Wang, Ramdas 2022).

    >>> e_bh_critical([[100.0, 90.0, 1.0]], level=0.05).tolist()  # two of three are rejected
    [30.0]
    """
    e = np.asarray(e_values, np.float64)
    tests = np.isfinite(e).sum(axis=1)
    descending = -np.sort(-np.where(np.isfinite(e), e, 0.0), axis=1)
    ranks = np.arange(1, e.shape[1] + 1)
    # The same quotient as is returned: what is rejected is what reaches it, to the last bit.
    asked = tests[:, None] / (level * ranks)
    rejected = np.where(descending >= asked, ranks, 0).max(axis=1, initial=0)
    return tests / (level * np.maximum(rejected, 1))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values (n,) that control the false discovery rate (Benjamini & Hochberg 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(-p, kind="stable")
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum.accumulate(p[order] * p.size / np.arange(p.size, 0, -1))
    return adjusted


def discoveries(p: ArrayLike, families: ArrayLike, fdr: float) -> NDArray[np.bool_]:
    """Which of n hypotheses Benjamini-Hochberg rejects at `fdr`, within each of many families.

    p (n,); families (n,): whole numbers from 0.

    >>> discoveries([0.01, 0.04, 0.2], families=[0, 0, 0], fdr=0.10).tolist()
    [True, True, False]
    """
    p, families = np.asarray(p, np.float64), np.asarray(families, np.int64)
    order = np.lexsort((p, families))
    family = families[order]
    size = np.bincount(families, minlength=1)
    rank = 1 + np.arange(p.size) - (np.cumsum(size) - size)[family]
    last = np.zeros(size.size, np.int64)  # the largest rank whose p is small enough
    np.maximum.at(last, family, np.where(p[order] <= fdr * rank / size[family], rank, 0))
    rejected = np.zeros(p.size, dtype=bool)
    rejected[order] = rank <= last[family]
    return rejected


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values (n,) that control the family-wise error rate (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(p.size)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return np.minimum(adjusted, 1.0)
