"""How often the gate lets a model through: worlds whose truth is known, and the table in docs/gates.md.

`python -m benchmarks.gate_power` simulates and rewrites the tables between the markers there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from predtrack_assets.domain import e_process
from predtrack_assets.domain.gate_records import BINS, Record, Returns, Scores
from predtrack_assets.domain.gates import Thresholds, evaluate
from predtrack_assets.domain.models import QUANTILE_LEVELS
from predtrack_assets.domain.recommendations import daily_returns, follow, recommend
from predtrack_assets.domain.scores import crps_from_quantiles

Floats = NDArray[np.float64]

DOCS = Path(__file__).resolve().parent.parent / "docs" / "gates.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"
START = np.datetime64("2000-01-03")
LIMITS = Thresholds()
TRIALS = 10
YEARS = (0.5, 1, 2, 3, 5, 8)
SHARES = (0.0, 0.02, 0.05, 0.10, 0.20, 0.30)


def simulate(
    seed: int,
    sessions: int,
    share: float,
    *,
    symbols: int = 10,
    horizon: int = 5,
    correlation: float = 0.3,
    volatility: float = 0.012,
    believed: float | None = None,
) -> Record:
    """A price model that foresees `share` of the variance of daily returns, and says what it knows.

    Returns of all symbols share a factor (`correlation`), outcomes of `horizon` sessions overlap.
    believed: the share that the model takes itself to foresee; with share 0 and believed above it,
    it acts on noise.
    """
    random = np.random.default_rng(seed)
    believed = share if believed is None else believed
    shape = (sessions + horizon, symbols)

    def common(scale: float) -> Floats:
        own, factor = random.standard_normal(shape), random.standard_normal((shape[0], 1))
        return scale * (np.sqrt(1 - correlation) * own + np.sqrt(correlation) * factor)

    foreseen = common(volatility * np.sqrt(share))
    returns = foreseen + common(volatility * np.sqrt(1 - share))
    heard = foreseen if share else common(volatility * np.sqrt(believed))
    ahead = np.lib.stride_tricks.sliding_window_view(returns, horizon, axis=0)[1:].sum(axis=-1)
    median = np.lib.stride_tricks.sliding_window_view(heard, horizon, axis=0)[1:].sum(axis=-1)
    spread = volatility * np.sqrt(horizon)
    return _record(median, ahead, returns, spread, spread * np.sqrt(1 - believed), horizon)


def _record(
    median: Floats, ahead: Floats, returns: Floats, spread: float, left: float, horizon: int
) -> Record:
    """Scores and returns of normal forecasts (D, S) of the sums `ahead` of daily log `returns`."""
    days = START + np.arange(len(median) + horizon)
    within = (ahead >= median + np.log(0.95)) & (ahead <= median + np.log(1.05))
    said = np.full_like(median, ndtr(-np.log(0.95) / left) - ndtr(-np.log(1.05) / left))
    still = np.broadcast_to(ndtri(QUANTILE_LEVELS) * spread, (median.size, QUANTILE_LEVELS.size))
    own = median.reshape(-1, 1) + ndtri(QUANTILE_LEVELS) * left
    gain = crps_from_quantiles(still, QUANTILE_LEVELS, ahead.ravel()) - crps_from_quantiles(
        own, QUANTILE_LEVELS, ahead.ravel()
    )
    scores = scores_of(days[horizon:][: len(median)], said, within, gain.reshape(median.shape))
    position = recommend(median, spread / np.sqrt(horizon), horizon).astype(np.float64)
    filled = np.concatenate([position, np.full((horizon, position.shape[1]), np.nan)])[
        : len(returns)
    ]
    followed = follow(filled.T, np.expm1(returns.T), horizon)
    following, held = daily_returns(followed)
    active = followed.weight > 0
    series = Returns(
        days[: len(returns)][active], following[active], held[active, None], followed.placed[active]
    )
    return Record("simulated", horizon, scores, series)


def scores_of(
    days: NDArray[np.datetime64], p: Floats, y: NDArray[np.bool_], gain: Floats
) -> Scores:
    """Daily sums of probabilities, events and gains (D, S)."""
    count = np.full(len(p), p.shape[1], np.float64)
    cell = np.minimum((p * BINS).astype(int), BINS - 1) + BINS * np.arange(len(p))[:, None]
    bins = [
        np.bincount(cell.ravel(), weight.ravel(), len(p) * BINS).reshape(-1, BINS)
        for weight in (np.ones_like(p), y * 1.0, p)
    ]
    return Scores(days, count, y.sum(axis=1) * 1.0, gain.sum(axis=1), *bins)


def overlapping(
    random: np.random.Generator, shape: tuple[int, int], horizon: int, rho: float
) -> Floats:
    """Standard normal (T, S), each the sum of `horizon` innovations, correlated over symbols."""
    size = (shape[0] + horizon - 1, shape[1])
    z = np.sqrt(1 - rho) * random.standard_normal(size)
    z += np.sqrt(rho) * random.standard_normal((size[0], 1))
    return np.lib.stride_tricks.sliding_window_view(z, horizon, axis=0).sum(-1) / np.sqrt(horizon)


AT_LIMIT = (("accuracy", "skill", "sharpe_ratio"), ("calibration", "market_outperformance"))


def at_the_limit(
    criteria: tuple[str, ...], seed: int, sessions: int = 756, symbols: int = 10, horizon: int = 5
) -> Record:
    """A record whose truth lies exactly at the threshold of each of `criteria`, one of AT_LIMIT."""
    random = np.random.default_rng(seed)
    days = START + np.arange(sessions)
    shape = (sessions, symbols)
    events = overlapping(random, shape, horizon, 0.3) < NormalDist().inv_cdf(LIMITS.accuracy)
    off = LIMITS.calibration if "calibration" in criteria else 0.0
    gain = overlapping(random, shape, horizon, 0.3)
    scores = scores_of(days, np.full(shape, LIMITS.accuracy + off), events, gain)
    daily = 0.01 * random.standard_t(5, sessions) / np.sqrt(5 / 3)
    if "sharpe_ratio" in criteria:
        following = daily + LIMITS.sharpe_ratio * 0.01 / np.sqrt(252)
    else:
        following = np.expm1(daily + LIMITS.market_outperformance / 252)
    market = np.zeros((sessions, 1))
    returns = Returns(days, following, market, np.ones(sessions))
    return Record("simulated", horizon, scores, returns)


def statuses(records: list[Record], at: list[int]) -> NDArray[np.str_]:
    """Status of the whole gate (records, len(at)) after so many sessions."""
    report = START + np.array(at)
    return np.array(
        [
            evaluate([r], report, LIMITS, np.full(len(at), TRIALS))["gate_status"].to_numpy()
            for r in records
        ]
    )


def false_pass_rates(simulations: int = 500) -> dict[str, float]:
    """Share of records exactly at the limit of a criterion that pass that criterion."""
    rates = {}
    for criteria in AT_LIMIT:
        passed = dict.fromkeys(criteria, 0)
        for seed in range(simulations):
            record = at_the_limit(criteria, seed)
            # One trial: the threshold itself is judged, not the luck of trials on top of it.
            result = evaluate([record], record.scores.days[-1:], LIMITS, np.array([1]))
            for name in criteria:
                passed[name] += result[name].struct.field("status").item() == "passed"
        rates |= {name: count / simulations for name, count in passed.items()}
    return rates


def ever_passed(simulations: int = 40, years: int = 8) -> int:
    """How many models that act on noise pass at any of the weekly looks of so many years."""
    weeks = list(range(5, 252 * years, 5))
    records = [simulate(s, 252 * years, 0.0, believed=0.1) for s in range(simulations)]
    return int((statuses(records, weeks) == "passed").any(axis=1).sum())


def power(simulations: int = 60) -> NDArray[np.float64]:
    """Share of simulated models that have passed, (SHARES, YEARS)."""
    at = [int(252 * y) + 5 for y in YEARS]
    table = np.zeros((len(SHARES), len(YEARS)))
    for i, share in enumerate(SHARES):
        believed = share or 0.1
        records = [simulate(s, max(at), share, believed=believed) for s in range(simulations)]
        table[i] = (statuses(records, at) == "passed").mean(axis=0)
    return table


def differences(
    random: np.random.Generator, runs: int, dates: int, horizon: int, mean: float
) -> Floats:
    """Score differences (runs, dates) in [-1, 1] that overlap for `horizon` dates, of given mean."""
    z = np.stack([overlapping(random, (dates, 1), horizon, 0.0)[:, 0] for _ in range(runs)])
    return np.clip(mean + 0.15 * z, -1, 1)


def sequential_rates(
    horizon: int, mean: float, runs: int = 500, dates: int = 1500, seed: int = 0
) -> tuple[float, float]:
    """Share promoted by (the e-process, a z-test at 5 %), both looked at on every date."""
    d = differences(np.random.default_rng(seed), runs, dates, horizon, mean)
    e = e_process.e_process(d, horizon).max(axis=1) >= e_process.PROMOTE_AT
    n = np.arange(1, dates + 1)
    deviation = np.sqrt(np.maximum(np.cumsum(d**2, 1) / n - (np.cumsum(d, 1) / n) ** 2, 1e-12))
    z = (np.cumsum(d, 1) / n / deviation * np.sqrt(n))[:, 20:]
    return float(e.mean()), float((z.max(axis=1) > norm.isf(0.05)).mean())


def tables() -> str:
    """The simulated tables as Markdown."""
    head = "| share of variance foreseen | " + " | ".join(f"{y:g} years" for y in YEARS) + " |"
    lines = ["Passing the whole gate, 10 symbols, horizon 5, correlation 0.3, 10 trials:", "", head]
    lines.append("|---|" + "---|" * len(YEARS))
    for share, row in zip(SHARES, power(), strict=True):
        name = f"{share:.0%}" if share else "none (acts on noise)"
        lines.append(f"| {name} | " + " | ".join(f"{p:.0%}" for p in row) + " |")
    lines += [
        "",
        f"Of 40 models that act on noise, {ever_passed()} passed at any weekly look in 8 years.",
    ]
    lines += ["", "Passing one criterion with the truth exactly at its limit (nominal 5 %):", ""]
    lines += ["| criterion | passed |", "|---|---|"]
    lines += [f"| {name} | {rate:.1%} |" for name, rate in false_pass_rates().items()]
    lines += [
        "",
        "A/B test looked at on each of 1,500 dates, spread 0.15 of the largest difference:",
        "",
    ]
    lines += ["| horizon | true mean | e-process promotes | z-test promotes |", "|---|---|---|---|"]
    for horizon in (1, 5, 21):
        for mean in (0.0, 0.02, 0.05):
            e, z = sequential_rates(horizon, mean)
            lines.append(f"| {horizon} | {mean:g} | {e:.1%} | {z:.1%} |")
    return "\n".join(lines)


def main() -> None:
    """Rewrite the tables in docs/gates.md."""
    text = DOCS.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
