"""e-BH: what its definition rejects, and how seldom that is wrong."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.statistics.multiple_testing import e_bh_critical


def rejected(e: np.ndarray, level: float) -> np.ndarray:
    """By the definition, for one day."""
    order = np.argsort(-e)
    most = max(
        (k for k in range(1, e.size + 1) if e[order[k - 1]] >= e.size / (level * k)), default=0
    )
    return np.isin(np.arange(e.size), order[:most])


def test_what_reaches_the_critical_value_is_what_the_definition_rejects() -> None:
    e = np.exp(np.random.default_rng(1).normal(2, 3, (300, 12)))
    e[0] = 12 / (0.1 * 3)  # on the boundary, and ties
    critical = e_bh_critical(e, 0.1)
    found = e >= critical[:, None]
    assert (found == np.array([rejected(day, 0.1) for day in e])).all()
    assert found.any(axis=1).any()
    assert not found.all()


def test_what_is_not_there_is_no_test() -> None:
    e = np.array([[np.nan, 20.0], [20.0, 19.0], [40.0, 1.0], [20.0, 20.0]])
    assert e_bh_critical(e, 0.05).tolist() == [20, 40, 40, 20]


def test_the_false_discovery_rate_holds_where_e_values_share_their_luck() -> None:
    """log e = z s - s^2 / 2 has mean 1 under the null; z shares a common part."""
    random = np.random.default_rng(2)
    common, own = random.standard_normal((2000, 1)), random.standard_normal((2000, 30))
    null = np.arange(30) < 24
    z = np.sqrt(0.5) * common + np.sqrt(0.5) * own + np.where(null, 0.0, 5.0)
    e = np.exp(2 * z - 2)
    found = e >= e_bh_critical(e, 0.1)[:, None]
    share = (found & null).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    assert share.mean() <= 0.1
    assert found[:, ~null].mean() > 0.5
