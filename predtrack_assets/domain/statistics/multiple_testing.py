"""e-BH: which of many e-values are large enough, at a false discovery rate, however dependent."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def e_bh_critical(e_values: ArrayLike, level: float) -> Floats:
    """The e-value from which on each row's hypotheses are rejected (T,): e-Benjamini-Hochberg.

    e_values: (T, K), NaN where there is none. Sorted descending, the k largest are rejected, k the
    largest with e_(k) >= K / (level k); the value returned is K / (level max(k, 1)). The share of
    false rejections is at most `level` in expectation, whatever the dependence (Wang, Ramdas 2022).
    """
    e = np.asarray(e_values, np.float64)
    tests = np.isfinite(e).sum(axis=1)
    descending = -np.sort(-np.where(np.isfinite(e), e, 0.0), axis=1)
    ranks = np.arange(1, e.shape[1] + 1)
    # The same quotient as is returned: what is rejected is what reaches it, to the last bit.
    asked = tests[:, None] / (level * ranks)
    rejected = np.where(descending >= asked, ranks, 0).max(axis=1, initial=0)
    return tests / (level * np.maximum(rejected, 1))
