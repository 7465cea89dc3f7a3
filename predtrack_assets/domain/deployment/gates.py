"""The deployment gate: six criteria on a model's own out-of-sample record, three outcomes each.

A criterion is passed when a one-sided bound (95 % by default), not the estimate, is beyond its
threshold; insufficient_evidence when the metric is missing or its sample below a floor; else
failed. A missing metric never passes, nor does a record that lacks what fell due (coverage).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.deployment.track_record import Record, Returns
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics import expanding, returns
from predtrack_assets.domain.statistics.effective_size import normal_quantile, wilson

PASSED, FAILED, INSUFFICIENT = "passed", "failed", "insufficient_evidence"
CRITERIA = (
    "accuracy",
    "skill",
    "market_outperformance",
    "sharpe_ratio",
    "max_drawdown",
    "calibration",
)
FIGURES = (*CRITERIA, "coverage")  # validated share of what fell due: no criterion, a floor
OF_RETURNS = {"market_outperformance", "sharpe_ratio", "max_drawdown"}  # of following BUY and SELL
CEILINGS = {"max_drawdown", "calibration"}  # the bound must stay below; elsewhere above
WINDOWS = 12  # shortest record, in windows that do not overlap, that skill is judged on


@dataclass(frozen=True)
class Thresholds:
    """Limits in force. Rates, returns a year and drawdowns are fractions; floors in n_eff, sessions.

    level: of every one-sided bound, at a single look; risk_free_rate: simple, a year.
    """

    accuracy: float = 0.65
    skill: float = 0.0
    market_outperformance: float = 0.03
    sharpe_ratio: float = 1.0
    max_drawdown: float = 0.15
    calibration: float = 0.10
    min_effective: float = 100.0
    min_sessions: int = 252
    min_coverage: float = 0.95
    level: float = 0.95
    risk_free_rate: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """The limits by name."""
        return asdict(self)


@dataclass(frozen=True)
class Criterion:
    """One criterion on W report days: estimate, bound, threshold, sample; NaN where missing."""

    value: Floats
    bound: Floats
    threshold: Floats
    n: Floats
    n_eff: Floats
    enough: NDArray[np.bool_]

    def status(self, name: str) -> NDArray[np.str_]:
        """Passed where the bound is beyond the threshold; a drawdown's quantile may equal it."""
        known = self.enough & ~np.isnan(self.value) & ~np.isnan(self.bound)
        if name == "max_drawdown":
            beyond = self.bound <= self.threshold
        elif name in CEILINGS:
            beyond = self.bound < self.threshold
        else:
            beyond = self.bound > self.threshold
        return np.select([~known, beyond], [INSUFFICIENT, PASSED], FAILED)


def evaluate(
    records: Sequence[Record],
    report_days: Days,
    thresholds: Thresholds,
    trials: Ints,
    retired: Sequence[Record] = (),
) -> pl.DataFrame:
    """One row per record and report day on which the record has anything to show.

    records: of one kind and horizon, whose Sharpe ratios tell how much trials vary; trials (W,):
    configurations tried by each report day. retired: records that are not judged any more; their
    Sharpe ratios count among the trials'. Columns: model_id, symbol, as_of_day, gate_status, one struct
    for each of FIGURES (value, bound, threshold, n, n_eff, status), psr, deflated_sharpe,
    trial_count, failure_reasons.
    """
    tried = [*records, *retired]
    sizes = [_sizes(r.returns.days, report_days) for r in tried]
    moments = [
        expanding.return_moments(r.returns.excess(_period(thresholds.risk_free_rate)), n)
        for r, n in zip(tried, sizes, strict=True)
    ]
    variance = _sharpe_variance(np.array([m.sharpe for m in moments]), sizes)
    frames = [
        _gate(record, report_days, thresholds, trials, m, v)
        for record, m, v in zip(records, moments, variance, strict=False)  # the judged come first
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def _gate(
    record: Record,
    report_days: Days,
    limits: Thresholds,
    trials: Ints,
    m: returns.Moments,
    variance: Floats,
) -> pl.DataFrame:
    n = _sizes(record.scores.days, report_days)
    accuracy, calibration = _rates(record, n, limits)
    outperformance, drawdown = _performance(record.returns, report_days, limits)
    criteria = {
        "accuracy": accuracy,
        "skill": _skill(record, n, limits),
        "market_outperformance": outperformance,
        "sharpe_ratio": _sharpe(m, variance, trials, outperformance.enough, limits),
        "max_drawdown": drawdown,
        "calibration": calibration,
    }
    covered = _covered(record, report_days, limits)
    figures = criteria | {"coverage": covered}
    status = np.stack(
        [
            *(c.status(name) for name, c in criteria.items()),
            np.where(covered.enough, PASSED, INSUFFICIENT),
        ]
    )
    overall = np.select(
        [(status == FAILED).any(axis=0), (status == PASSED).all(axis=0)],
        [FAILED, PASSED],
        INSUFFICIENT,
    )
    structs = [
        _struct(c, s).alias(name) for (name, c), s in zip(figures.items(), status, strict=True)
    ]
    frame = pl.DataFrame(
        [
            pl.Series("model_id", [record.model_id] * n.size, dtype=pl.String),
            pl.Series("symbol", [record.symbol] * n.size, dtype=pl.String),
            pl.Series("as_of_day", report_days).cast(pl.Date),
            pl.Series("gate_status", overall, dtype=pl.String),
            *structs,
            pl.Series("psr", returns.probabilistic_sharpe(m, _daily(limits.sharpe_ratio))),
            pl.Series("deflated_sharpe", returns.deflated_sharpe(m, variance, trials)),
            pl.Series("trial_count", trials),
        ]
    )
    shown = pl.Series(n > 0)
    return (
        frame.with_columns(pl.selectors.float().fill_nan(None))
        .with_columns(failure_reasons(limits))
        .filter(shown)
    )


def _struct(criterion: Criterion, status: NDArray[np.str_]) -> pl.Series:
    """A criterion as a column."""
    parts = ("value", "bound", "threshold", "n", "n_eff")
    numbers = (pl.Series(part, getattr(criterion, part)).fill_nan(None) for part in parts)
    return pl.struct(*numbers, pl.Series("status", status, dtype=pl.String), eager=True)


def failure_reasons(limits: Thresholds) -> pl.Expr:
    """A sentence for each figure that is not passed, with value, bound, threshold and sample.

    Where a figure is missing it says why, and where the sample is too small what it takes.
    """

    silence, short = pl.lit("no BUY or SELL to measure"), pl.lit("too few days to measure")

    def number(field: str, name: str) -> pl.Expr:
        value = pl.col(name).struct.field(field)
        shown = value.round(0).cast(pl.Int64) if field.startswith("n") else value.round_sig_figs(3)
        return shown.cast(pl.String)

    def sentence(name: str) -> pl.Expr:
        status = pl.col(name).struct.field("status")
        limit = "limit" if name in CEILINGS else "threshold"
        bound = pl.format(f"{100 * limits.level:g} % bound {{}}", number("bound", name))
        known = pl.format("{}, {}", number("value", name), bound.fill_null("too few days to bound"))
        small = (status == INSUFFICIENT) & ~_silent(name)
        floor = pl.when(small).then(pl.lit(f"; it takes {_floor(name, limits)}"))
        return pl.format(
            "{} {}: {}, " + limit + " {} (n {}, n_eff {}{})",
            pl.lit(name),
            status,
            known.fill_null(pl.when(_silent(name)).then(silence).otherwise(short)),
            *(number(f, name).fill_null("unknown") for f in ("threshold", "n", "n_eff")),
            floor.otherwise(pl.lit("")),
        )

    missing = [
        pl.when(pl.col(name).struct.field("status") != PASSED).then(sentence(name))
        for name in CRITERIA
    ]
    missing.append(
        pl.when(pl.col("coverage").struct.field("status") != PASSED).then(
            pl.format(
                "coverage {}: of {} predictions due {} were validated, it takes {};"
                " refused, expired and overdue ones count against it",
                pl.col("coverage").struct.field("status"),
                *(number(field, "coverage") for field in ("n", "value", "threshold")),
            )
        )
    )
    return pl.concat_list(missing).list.drop_nulls().alias("failure_reasons")


def _silent(name: str) -> pl.Expr:
    """Whether a criterion is about following recommendations, and there never was one."""
    if name not in OF_RETURNS:
        return pl.lit(False)
    return pl.col("market_outperformance").struct.field("value").is_null()


def _floor(name: str, limits: Thresholds) -> str:
    """The least sample that a criterion is judged on."""
    sessions = f"{limits.min_sessions:,} sessions"
    floors = {
        "accuracy": f"n_eff {limits.min_effective:g}",
        "calibration": f"n_eff {limits.min_effective:g}",
        "skill": f"{sessions} and n_eff {WINDOWS}",
        "max_drawdown": f"{max(limits.min_sessions, expanding.YEAR):,} sessions",
    }
    return floors.get(name, sessions)


def _sizes(days: Days, report_days: Days) -> Ints:
    """Number of days (W,) on or before each report day."""
    return np.searchsorted(days, report_days, side="right").astype(np.int64)


def _daily(annual: float) -> float:
    """A Sharpe ratio per session."""
    return annual / np.sqrt(returns.PERIODS)


def _period(annual: float) -> float:
    """A simple return per session."""
    return annual / returns.PERIODS


def _constant(value: float, like: Ints | Floats) -> Floats:
    return np.full(like.shape, value, np.float64)


def _rates(record: Record, n: Ints, limits: Thresholds) -> tuple[Criterion, Criterion]:
    """Accuracy, and calibration by the bound on its RMS error with the n_eff of its residuals.

    Wilson's interval on n_eff sees a month of memory at most, and events like within_5pct follow
    volatility for longer; the fixed-smoothing bound of the daily rates sees more of that but is
    blind where all rates are equal. The lower of the two counts.
    """
    s = record.scores
    rate, rows, n_eff = expanding.effective_sizes(s.hits, s.count, s.hits, n, record.horizon)
    low, _ = wilson(rate, n_eff, 2 * limits.level - 1)
    _, lower = expanding.mean_lower_bounds(s.hits / s.count, n, limits.level)
    _, _, residuals_eff = expanding.effective_sizes(*s.residuals(), n, record.horizon)
    count, hits, confidence = (
        expanding.totals(v, n) for v in (s.bins, s.bin_hits, s.bin_confidence)
    )
    rms, upper = expanding.calibration_bounds(count, hits, confidence, residuals_eff, limits.level)
    floor = limits.min_effective
    return (
        Criterion(
            rate, np.minimum(low, lower), _constant(limits.accuracy, n), rows, n_eff, n_eff >= floor
        ),
        Criterion(
            rms,
            upper,
            _constant(limits.calibration, n),
            rows,
            residuals_eff,
            residuals_eff >= floor,
        ),
    )


def _covered(record: Record, report_days: Days, limits: Thresholds) -> Criterion:
    """Validated share of what fell due. There is nothing to estimate, so it has no bound."""
    validated = expanding.totals(record.scores.count, _sizes(record.scores.days, report_days))
    due = expanding.totals(record.due.count, _sizes(record.due.days, report_days))
    share = np.divide(validated, due, out=np.full_like(due, np.nan), where=due > 0)
    limit, none = _constant(limits.min_coverage, due), np.full_like(due, np.nan)
    return Criterion(share, none, limit, due, none, share >= limit)


def _skill(record: Record, n: Ints, limits: Thresholds) -> Criterion:
    """Mean loss difference to no_change, averaged over symbols per day first (Diebold & Mariano)."""
    s = record.scores
    daily = s.loss_difference / np.maximum(s.count, 1)
    daily = np.where(np.abs(daily) < 1e-12, 0.0, daily)  # equal forecasts, but for rounding
    mean, low = expanding.mean_lower_bounds(daily, n, limits.level)
    windows = n / record.horizon
    rows = expanding.totals(s.count, n)
    enough = (windows >= WINDOWS) & (n >= limits.min_sessions)
    return Criterion(mean, low, _constant(limits.skill, n), rows, windows, enough)


def judge_strategy(
    followed: Returns, variance: float, trials: int, limits: Thresholds
) -> dict[str, Criterion]:
    """The three criteria of money, of a strategy's whole record, as a model's gate judges them.

    variance: of the daily Sharpe ratios of the `trials` strategies of its family, at least that of
    pure luck is taken. Each criterion is of one day, the last.
    """
    last = followed.days[-1:]
    n = _sizes(followed.days, last)
    moments = expanding.return_moments(followed.excess(_period(limits.risk_free_rate)), n)
    spread = _constant(max(variance, 1 / max(float(n[0]) - 1.0, 1.0)), n)
    outperformance, drawdown = _performance(followed, last, limits)
    sharpe = _sharpe(moments, spread, np.array([trials]), outperformance.enough, limits)
    return {
        "market_outperformance": outperformance,
        "sharpe_ratio": sharpe,
        "max_drawdown": drawdown,
    }


def _performance(r: Returns, report_days: Days, limits: Thresholds) -> tuple[Criterion, Criterion]:
    """Growth a year above that of the harder benchmark, and the drawdown of 252 sessions."""
    n = _sizes(r.days, report_days)
    enough = n >= limits.min_sessions
    growth = np.log1p(np.maximum(r.following, -0.999))
    excess = [
        expanding.bootstrap_lower_bounds(growth - np.log1p(benchmark), n, limits.level)
        for benchmark in r.benchmarks.T
    ]
    values, bounds = (np.array(part) * returns.PERIODS for part in zip(*excess, strict=True))
    harder = np.argmin(np.where(np.isnan(bounds), np.inf, bounds), axis=0)
    week = np.arange(n.size)
    years = _constant(limits.market_outperformance, n)
    sample = n.astype(np.float64)
    observed, worst = expanding.drawdown_bounds(r.following, n, limits.level)
    never = (
        expanding.totals(r.gross_exposure, n) == 0
    )  # nothing was recommended: nothing to measure
    values, bounds = np.where(never, np.nan, values), np.where(never, np.nan, bounds)
    observed, worst = np.where(never, np.nan, observed), np.where(never, np.nan, worst)
    return (
        Criterion(
            values[harder, week],
            bounds[harder, week],
            years,
            sample,
            sample / expanding.BLOCK,
            enough,
        ),
        Criterion(
            observed,
            worst,
            _constant(limits.max_drawdown, n),
            sample,
            sample / expanding.BLOCK,
            enough,
        ),
    )


def _sharpe(
    m: returns.Moments,
    variance: Floats,
    trials: Ints,
    enough: NDArray[np.bool_],
    limits: Thresholds,
) -> Criterion:
    """Annual Sharpe ratio and its bound; the threshold is never below what luck would give.

    PSR(threshold) and DSR reach the level exactly when the lower bound SR - z se lies above both
    the threshold and SR0, the largest ratio expected of that many trials without skill.
    """
    expected_max_sharpe = returns.expected_max_sharpe(variance, trials)
    threshold = np.maximum(_daily(limits.sharpe_ratio), expected_max_sharpe)
    low = m.sharpe - normal_quantile(limits.level) * returns.sharpe_error(m)
    year = np.sqrt(returns.PERIODS)
    return Criterion(m.sharpe * year, low * year, threshold * year, m.n, m.n, enough)


def _sharpe_variance(sharpes: Floats, sizes: Sequence[Ints]) -> Floats:
    """Variance (R, W) of the trials' per-period Sharpe ratios, at least that of pure luck, 1/(n - 1).

    With so few models their own variance alone would say too little.
    """
    known = ~np.isnan(sharpes)
    count = known.sum(axis=0)
    mean = np.where(known, sharpes, 0.0).sum(axis=0) / np.maximum(count, 1)
    among = np.where(known, np.square(sharpes - mean), 0.0).sum(axis=0) / np.maximum(count - 1, 1)
    expected_max_sharpe = 1 / np.maximum(np.array(sizes) - 1.0, 1.0)
    return np.maximum(expected_max_sharpe, np.where(count > 1, among, 0.0))
