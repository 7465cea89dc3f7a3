"""First passage of a geometric Brownian motion through a barrier."""

from __future__ import annotations

import numpy as np


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Standard normal distribution function.

    >>> normal_cdf(np.array([0.0, 1.96])).round(3).tolist()
    [0.5, 0.975]
    """
    from scipy.special import ndtr

    return ndtr(x)


def log_normal_cdf(x: np.ndarray) -> np.ndarray:
    """Logarithm of the standard normal distribution function.

    >>> round(float(log_normal_cdf(np.array(-40.0))), 1)  # where the function itself is 0
    -804.6
    """
    from scipy.special import log_ndtr

    return log_ndtr(x)


def hit_probability(
    log_distance: np.ndarray,
    sigma: np.ndarray,
    sessions: np.ndarray | float,
    drift: np.ndarray | float,
) -> np.ndarray:
    """P(the barrier is touched within `sessions`), for a Brownian motion of log price.

    log_distance: ln(target / price), any sign. sigma: daily volatility. drift: daily drift of
    log price; -sigma^2 / 2 for a driftless price. All broadcast; the result is in [0, 1].
    Source: reflection principle, e.g. Borodin and Salminen, Handbook of Brownian Motion (2002), 2.2.0.2.

    >>> sigma = np.array(0.02)
    >>> round(float(hit_probability(np.log(1.05), sigma, sessions=21, drift=-(sigma**2) / 2)), 3)
    0.58
    """
    b = np.abs(log_distance)
    toward = np.sign(log_distance) * drift
    scale = sigma * np.sqrt(sessions)
    direct = normal_cdf((-b + toward * sessions) / scale)
    # In logarithms: with a drift large beside sigma the two factors are infinite and zero.
    reflected = np.exp(2 * toward * b / sigma**2 + log_normal_cdf((-b - toward * sessions) / scale))
    return np.clip(np.where(b == 0, 1.0, direct + reflected), 0.0, 1.0)


def expected_hit_time(
    log_distance: np.ndarray, sigma: np.ndarray, deadline: int, drift: np.ndarray | float
) -> np.ndarray:
    """Mean sessions until the touch given that it happens by `deadline`, counted in whole sessions.

    >>> round(float(expected_hit_time(np.log(1.05), np.array(0.02), deadline=21, drift=0.0)), 1)
    7.6
    """
    by = [np.zeros_like(np.asarray(log_distance, dtype=float))]
    by += [hit_probability(log_distance, sigma, float(t), drift) for t in range(1, deadline + 1)]
    total = np.maximum(by[-1], 1e-300)
    mean = sum(t * (by[t] - by[t - 1]) for t in range(1, deadline + 1)) / total
    return np.clip(mean, 1.0, float(deadline))
