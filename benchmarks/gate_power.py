"""How often the gate lets a model through: worlds whose truth is known, and the table in docs/guide/gates.md.

`python -m benchmarks.gate_power` simulates and rewrites the tables between the markers there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from predtrack_assets.domain.deployment.gates import Thresholds, evaluate
from predtrack_assets.domain.deployment.track_record import BINS, Due, Record, Returns, Scores
from predtrack_assets.domain.forecasts.recommendations import recommend
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics import e_process
from predtrack_assets.domain.statistics.scoring_rules import crps_from_quantiles
from predtrack_assets.domain.trading.following import daily_returns, follow

DOCS = Path(__file__).resolve().parent.parent / "docs" / "guide" / "gates.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"
START = np.datetime64("2000-01-03")
LIMITS = Thresholds()
LEVELS = (0.95, 0.99)
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
    active = followed.capital_deployed > 0
    series = Returns(
        days[: len(returns)][active],
        following[active],
        held[active, None],
        followed.gross_exposure[active],
        followed.net_exposure[active] / followed.capital_deployed[active],
    )
    return Record("simulated", horizon, scores, series, Due(scores.days, scores.count))


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


@dataclass(frozen=True)
class World:
    """Where the truth lies exactly at the threshold of each of `criteria`.

    memory: autocorrelation from date to date of the log volatility, which all symbols share and on
    which the events depend ("within" a fixed width); 0: events as likely on every date.
    """

    criteria: tuple[str, ...]
    memory: float = 0.0


CALM = (
    World(("accuracy", "skill", "sharpe_ratio")),
    World(("calibration", "market_outperformance")),
)
CLUSTERED = (
    World(("accuracy",), 0.97),
    World(("accuracy",), 0.99),
    World(("accuracy",), 0.995),
    World(("calibration",), 0.99),
)
SWING = 0.5  # standard deviation of the log volatility
THREE_YEARS, EIGHT_YEARS = 756, 2016  # sessions


@cache
def width(rate: float) -> float:
    """What |z| exp(SWING x) stays below with probability `rate`, for standard normal z and x."""
    at, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def miss(width: float) -> float:
        return float(weight @ (2 * ndtr(width / np.exp(SWING * at)) - 1)) - rate

    return float(brentq(miss, 1e-3, 50))


def clustered(
    random: np.random.Generator, shape: tuple[int, int], horizon: int, memory: float
) -> NDArray[np.bool_]:
    """Events (T, S) at the limit of the accuracy that come and go with volatility."""
    news = random.standard_normal(shape[0])
    news[1:] *= np.sqrt(1 - memory**2)
    volatility = np.exp(SWING * lfilter([1.0], [1.0, -memory], news))
    moved = np.abs(overlapping(random, shape, horizon, 0.3)) * volatility[:, None]
    return moved < width(LIMITS.accuracy)


def at_the_limit(
    world: World,
    seed: int,
    sessions: int = THREE_YEARS,
    symbols: int = 10,
    horizon: int = 5,
) -> Record:
    """A record from a world, one of CALM or CLUSTERED."""
    criteria = world.criteria
    random = np.random.default_rng(seed)
    days = START + np.arange(sessions)
    shape = (sessions, symbols)
    if world.memory:
        events = clustered(random, shape, horizon, world.memory)
    else:
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
    # Where only scores are judged, two sessions of returns spare the time of judging them.
    kept = 2 if world.memory else sessions
    nothing = np.zeros(kept)
    returns = Returns(days[:kept], following[:kept], market[:kept], np.ones(kept), nothing)
    return Record("simulated", horizon, scores, returns, Due(days, scores.count))


def statuses(records: list[Record], at: list[int], level: float = 0.95) -> NDArray[np.str_]:
    """Status of the whole gate (records, len(at)) after so many sessions."""
    report = START + np.array(at)
    limits, trials = replace(LIMITS, level=level), np.full(len(at), TRIALS)
    return np.array(
        [evaluate([r], report, limits, trials)["gate_status"].to_numpy() for r in records]
    )


def passes(
    world: World, simulations: int, sessions: Sequence[int], level: float
) -> dict[str, NDArray[np.bool_]]:
    """Whether records at the limit of a criterion pass it, (simulations, looks) per criterion.

    sessions: how long the record is at each look.
    """
    limits = replace(LIMITS, level=level)
    report = START + np.array(sessions) - 1
    # One trial: the threshold itself is judged, not the luck of trials on top of it.
    trials = np.ones(len(sessions), np.int64)
    found: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in world.criteria}
    for seed in range(simulations):
        result = evaluate([at_the_limit(world, seed, max(sessions))], report, limits, trials)
        for name, rows in found.items():
            rows.append((result[name].struct.field("status") == "passed").to_numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def one_look(
    worlds: Sequence[World] = CALM, simulations: int = 500, level: float = 0.95
) -> dict[str, float]:
    """Share of records at the limit that pass at their only look, after three years."""
    found = (passes(world, simulations, [THREE_YEARS], level) for world in worlds)
    return {name: float(rows.mean()) for part in found for name, rows in part.items()}


def looks(
    simulations: int = 150, worlds: Sequence[World] = (*CALM, *CLUSTERED)
) -> Iterator[tuple[str, float, list[tuple[float, float, float]]]]:
    """Criterion, memory, and per level how many pass: after 3 years, after 8, at any week of 8."""
    weeks = [*range(6, EIGHT_YEARS, 5), EIGHT_YEARS]
    third = weeks.index(THREE_YEARS)
    for world in worlds:
        found = [passes(world, simulations, weeks, level) for level in LEVELS]
        for name in world.criteria:
            rates = [
                (rows[:, third].mean(), rows[:, -1].mean(), rows.any(axis=1).mean())
                for rows in (part[name] for part in found)
            ]
            yield name, world.memory, rates


def ever_passed(simulations: int = 40, years: int = 8) -> int:
    """How many models that act on noise pass at any of the weekly looks of so many years."""
    weeks = list(range(5, 252 * years, 5))
    records = [simulate(s, 252 * years, 0.0, believed=0.1) for s in range(simulations)]
    return int((statuses(records, weeks) == "passed").any(axis=1).sum())


def power(simulations: int = 60) -> NDArray[np.float64]:
    """Share of simulated models that have passed, (LEVELS, SHARES, YEARS)."""
    at = [int(252 * y) + 5 for y in YEARS]
    table = np.zeros((len(LEVELS), len(SHARES), len(YEARS)))
    for i, share in enumerate(SHARES):
        believed = share or 0.1
        records = [simulate(s, max(at), share, believed=believed) for s in range(simulations)]
        for j, level in enumerate(LEVELS):
            table[j, i] = (statuses(records, at, level) == "passed").mean(axis=0)
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
    lines = [
        "Passing the whole gate, 10 symbols, horizon 5, correlation 0.3, 10 trials,"
        " at level 0.95 / 0.99:",
        "",
        "| share of variance foreseen | " + " | ".join(f"{y:g} years" for y in YEARS) + " |",
        "|---|" + "---|" * len(YEARS),
    ]
    for share, *rows in zip(SHARES, *power(), strict=True):
        name = f"{share:.0%}" if share else "none (acts on noise)"
        cells = (" / ".join(f"{p:.0%}" for p in pair) for pair in zip(*rows, strict=True))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"Of 40 models that act on noise, {ever_passed()} passed at any weekly look in 8 years.",
        "",
        "Passing one criterion with the truth exactly at its limit, at level 0.95 / 0.99"
        " (nominal at one look: 5 % / 1 %):",
        "",
        "| criterion | one look, after 3 years | one look, after 8 years | any week of 8 years |",
        "|---|---|---|---|",
    ]
    for criterion, memory, rates in looks():
        name = f"{criterion}, volatility with memory {memory:g}" if memory else criterion
        cells = (" / ".join(f"{p:.1%}" for p in pair) for pair in zip(*rates, strict=True))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
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
    """Rewrite the tables in docs/guide/gates.md."""
    found = tables()  # first: it takes minutes, and somebody may edit the page meanwhile
    text = DOCS.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{found}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
