"""The price's distribution: ordered, as wide as told, and of one mind with the direction."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.models.learners.linear import constant
from predtrack_assets.domain.models.learners.price import fit_price
from predtrack_assets.domain.models.learners.volatility import Volatility


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_quantiles_are_ordered_and_the_median_agrees_with_p_up(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    z = np.round(random.normal(size=n), 1)  # with ties, also at zero
    x, p_up = np.zeros((n, 3)), random.uniform(0.001, 0.999, n)
    quantiles = fit_price(None, x, z, random.uniform(0.3, 0.7, n)).quantiles(x, p_up)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    median = quantiles[:, 3]
    assert (median[p_up > 0.5] >= 0).all()
    assert (median[p_up < 0.5] <= 0).all()


def test_without_a_spread_it_is_the_empirical_distribution() -> None:
    z = np.random.default_rng(1).standard_t(4, size=20_000) + 0.1
    x, p_up = np.zeros((len(z), 3)), np.full(len(z), (z > 0).mean())
    quantiles = fit_price(None, x, z, p_up).quantiles(x[:1], p_up[:1])[0]
    np.testing.assert_allclose(quantiles, np.quantile(z, QUANTILE_LEVELS), atol=0.01)


def test_location_and_spread_are_taken_out_of_the_residuals() -> None:
    random = np.random.default_rng(2)
    p_up = np.repeat([0.3, 0.7], 20_000)
    location = np.where(p_up > 0.5, 0.5244, -0.5244)  # of a normal with that p_up
    z = 2.0 * (random.normal(size=len(p_up)) + location)
    x = np.zeros((len(p_up), 3))
    fitted = fit_price(Volatility(constant(2 * np.log(2.0), 3), 3), x, z, p_up)
    quantiles = fitted.quantiles(x[:2], np.array([0.3, 0.7]))
    for row, rising in enumerate((0.3, 0.7)):
        np.testing.assert_allclose(
            quantiles[row], np.quantile(z[p_up == rising], QUANTILE_LEVELS), atol=0.06
        )
