"""How often any of many versions without skill wins its A/B test, and what the control of it costs.

`python -m benchmarks.ab_families` simulates and prints the tables of docs/guide/gates.md.
"""

from __future__ import annotations

import numpy as np

from benchmarks.gate_power import differences
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics import e_process

DATES = 3000
SIZES = (1, 10, 40)
RULES = ("20 each", "20 x tests so far", "by batch")


def levels(rule: str, versions: int, together: bool) -> Floats:
    """E-value (versions,) that each of so many versions has to reach."""
    order = np.arange(1, versions + 1)
    if rule == "20 each":
        return np.full(versions, e_process.PROMOTE_AT)
    if rule == "20 x tests so far":
        return (
            e_process.PROMOTE_AT
            * np.asarray(versions if together else order, np.float64)
            * np.ones(versions)
        )
    if together:
        return np.full(versions, e_process.threshold(1, versions), np.float64)
    return np.array([e_process.threshold(int(batch), 1) for batch in order])


def any_promoted(
    versions: int, together: bool, horizon: int = 1, runs: int = 200, seed: int = 0
) -> dict[str, float]:
    """Share of families of versions that are no better of which any wins, by rule.

    together: all of them over the same 3,000 dates; else one after the other, 1,000 dates each.
    """
    random = np.random.default_rng(seed)
    dates = DATES if together else DATES // 3
    won = dict.fromkeys(RULES, 0)
    for _ in range(runs):
        d = differences(random, versions, dates, horizon, 0.0)
        highest = e_process.e_process(d, horizon).max(axis=1)
        for rule in RULES:
            won[rule] += bool((highest >= levels(rule, versions, together)).any())
    return {rule: count / runs for rule, count in won.items()}


def delayed(
    share: float, horizon: int = 5, runs: int = 1000, dates: int = 3000
) -> dict[str, float]:
    """Share of nulls promoted at 20 where a share of decision days is closed on half of the exchanges.

    A result takes `horizon` sessions of the slower one. naive: stakes count union dates, as if each
    result were known `horizon` dates after its own.
    """
    random = np.random.default_rng(1)
    closed = random.random(dates + 4 * horizon) < share
    days = np.arange(dates)
    open_days = np.flatnonzero(~closed)
    later = np.searchsorted(open_days, days, side="right") + horizon - 1
    due = np.maximum(open_days[later], days + horizon)  # of the slower exchange
    z = random.standard_normal((runs, dates + 4 * horizon + 1))
    total = np.concatenate([np.zeros((runs, 1)), np.cumsum(z, axis=1)], axis=1)
    d = np.clip(0.15 * (total[:, due + 1] - total[:, days + 1]) / np.sqrt(horizon), -1, 1)
    seen = e_process.known_dates(days, np.maximum.accumulate(due))
    found = {
        "naive": e_process.e_process(d, horizon),
        "known": e_process.e_process(d, horizon, seen),
    }
    return {
        name: float((e.max(axis=1) >= e_process.PROMOTE_AT).mean()) for name, e in found.items()
    }


def dates_needed(gain: float, versions: int, horizon: int = 1, runs: int = 100) -> dict[str, int]:
    """Median of the decision dates that a version better by `gain` needs, one of so many together."""
    d = differences(np.random.default_rng(2), runs, DATES, horizon, gain)
    e = e_process.e_process(d, horizon)
    found = {}
    for rule in ("20 each", "by batch"):
        reached = e >= levels(rule, versions, together=True)[0]
        first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, DATES)
        found[rule] = int(np.median(first))
    return found


def main() -> None:
    """Print the tables."""
    for together in (True, False):
        for versions in SIZES:
            rates = any_promoted(versions, together)
            cells = " | ".join(f"{rates[rule]:.1%}" for rule in RULES)
            print(f"| {versions} | {'together' if together else 'one by one'} | {cells} |")
    for share in (0.0, 0.04, 0.2):
        rates = delayed(share)
        print(f"| {share:.0%} | {rates['naive']:.1%} | {rates['known']:.1%} |")
    for horizon, gain in ((1, 0.02), (1, 0.05), (5, 0.02), (5, 0.05)):
        for versions in SIZES:
            found = dates_needed(gain, versions, horizon).values()
            cells = " | ".join(f"{n:,}" if n < DATES else f"over {DATES:,}" for n in found)
            print(f"| {horizon} | {gain:g} | {versions} | {cells} |")


if __name__ == "__main__":
    main()
