"""Two normal states with Markov switching: fitted by EM, filtered forward (Hamilton 1989).

Compiled: import it inside functions only. Parameters: mean and variance of the calm and of the
volatile state, probabilities of staying in each.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats

ITERATIONS = 60


def fitted(returns: Floats) -> Floats:
    """(6,): mean_calm, var_calm, mean_wild, var_wild, stay_calm, stay_wild; calm varies less.

    60 steps of EM (Baum et al. 1970) from half and twice the variance. returns: (T,), no NaN.
    """
    return _em(np.ascontiguousarray(returns, np.float64), ITERATIONS)


def filtered(states: Floats, returns: Floats) -> Floats:
    """P(calm) on each day (T,) given the returns up to that day, and none after it."""
    return _forward(np.ascontiguousarray(returns, np.float64), states)[:, 0].copy()


@jit
def _forward(r: Floats, p: Floats) -> Floats:
    """Filtered probabilities of both states (T, 2), from even odds."""
    found = np.empty((r.size, 2))
    calm, wild = 0.5, 0.5
    for t in range(r.size):
        a = calm * p[4] + wild * (1.0 - p[5])
        b = 1.0 - a
        za, zb = (r[t] - p[0]) ** 2 / p[1], (r[t] - p[2]) ** 2 / p[3]
        least = min(za, zb)
        a *= np.exp(-0.5 * (za - least)) / np.sqrt(p[1])
        b *= np.exp(-0.5 * (zb - least)) / np.sqrt(p[3])
        calm, wild = a / (a + b), b / (a + b)
        found[t, 0], found[t, 1] = calm, wild
    return found


@jit
def _em(r: Floats, iterations: int) -> Floats:
    n = r.size
    mean = 0.0
    for t in range(n):
        mean += r[t] / n
    variance = 0.0
    for t in range(n):
        variance += (r[t] - mean) ** 2 / n
    floor = 1e-6 * variance + 1e-12
    p = np.array([mean, 0.5 * variance + floor, mean, 2.0 * variance + floor, 0.95, 0.90])
    forward = np.empty((n, 2))
    for _ in range(iterations):
        calm, wild = 0.5, 0.5
        for t in range(n):  # as _forward, which another compiled function may not call
            a = calm * p[4] + wild * (1.0 - p[5])
            b = 1.0 - a
            za, zb = (r[t] - p[0]) ** 2 / p[1], (r[t] - p[2]) ** 2 / p[3]
            least = min(za, zb)
            a *= np.exp(-0.5 * (za - least)) / np.sqrt(p[1])
            b *= np.exp(-0.5 * (zb - least)) / np.sqrt(p[3])
            calm, wild = a / (a + b), b / (a + b)
            forward[t, 0], forward[t, 1] = calm, wild
        # Smoothed backward (Kim 1994), with the expected numbers of stays.
        weight = np.zeros(2)
        first, second = np.zeros(2), np.zeros(2)
        stays, left = np.zeros(2), np.zeros(2)
        s0, s1 = forward[n - 1, 0], forward[n - 1, 1]
        for t in range(n - 1, -1, -1):
            weight[0] += s0
            weight[1] += s1
            first[0] += s0 * r[t]
            first[1] += s1 * r[t]
            second[0] += s0 * r[t] * r[t]
            second[1] += s1 * r[t] * r[t]
            if t == 0:
                break
            f0, f1 = forward[t - 1, 0], forward[t - 1, 1]
            ahead0 = f0 * p[4] + f1 * (1.0 - p[5])
            ahead1 = 1.0 - ahead0
            j00 = f0 * p[4] * s0 / ahead0
            j01 = f0 * (1.0 - p[4]) * s1 / ahead1
            j10 = f1 * (1.0 - p[5]) * s0 / ahead0
            j11 = f1 * p[5] * s1 / ahead1
            stays[0] += j00
            stays[1] += j11
            left[0] += j00 + j01
            left[1] += j10 + j11
            s0, s1 = j00 + j01, j10 + j11
        for k in range(2):
            centre = first[k] / (weight[k] + 1e-12)
            p[2 * k] = centre
            p[2 * k + 1] = max(second[k] / (weight[k] + 1e-12) - centre * centre, floor)
            p[4 + k] = min(max(stays[k] / (left[k] + 1e-12), 0.5), 0.999)
    if p[1] > p[3]:
        p = np.array([p[2], p[3], p[0], p[1], p[5], p[4]])
    return p
