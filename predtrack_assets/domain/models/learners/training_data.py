"""Features and labels of many symbols and days, and the examples of one horizon in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from predtrack_assets.domain.models.labels import LABELS

OWN_COLUMNS = ("log_sigma", "relative_drift")
"""What every model is given beside the features: ln(sigma) and drift / sigma."""

MAX_EXAMPLES = 100_000


@dataclass(frozen=True)
class TrainingData:
    """Rows of symbols on decision days, sorted by (day, symbol).

    features: float64 (n, f), NaN where unknown; columns: their f names. day: datetime64[D] (n,).
    symbol: (n,). sigma, drift: float64 (n,), daily. labels: (name, horizon) to value float64 (n,)
    and end datetime64[D] (n,), as in domain/labels. Raises ValueError where shapes or order are
    not so.
    """

    features: np.ndarray
    columns: tuple[str, ...]
    day: np.ndarray
    symbol: np.ndarray
    sigma: np.ndarray
    drift: np.ndarray
    labels: Mapping[tuple[str, int], tuple[np.ndarray, np.ndarray]]

    def __post_init__(self) -> None:
        n = len(self.day)
        if self.features.shape != (n, len(self.columns)):
            raise ValueError(f"features {self.features.shape}: {n} rows, {len(self.columns)} names")
        parts = {"symbol": self.symbol, "sigma": self.sigma, "drift": self.drift}
        parts |= {f"{k} {i}": v for k, pair in self.labels.items() for i, v in enumerate(pair)}
        for name, values in parts.items():
            if len(values) != n:
                raise ValueError(f"{name} has {len(values)} rows, not {n}")
        same_day = self.day[1:] == self.day[:-1]
        ordered = (self.day[1:] > self.day[:-1]) | (
            same_day & (self.symbol[1:] > self.symbol[:-1]).astype(bool)
        )
        if not ordered.all():
            raise ValueError("rows are not sorted by day and symbol, or are repeated")

    def take(self, rows: np.ndarray | slice) -> TrainingData:
        """The rows of a boolean mask, of ascending numbers or, without a copy, of a slice."""
        return replace(
            self,
            features=self.features[rows],
            day=self.day[rows],
            symbol=self.symbol[rows],
            sigma=self.sigma[rows],
            drift=self.drift[rows],
            labels={key: (value[rows], end[rows]) for key, (value, end) in self.labels.items()},
        )

    def known_by(self, cutoff: np.datetime64) -> TrainingData:
        """Rows decided by `cutoff` (datetime64[D]), labels that end later blanked."""
        data = self.take(slice(int(np.searchsorted(self.day, cutoff, side="right"))))
        labels = {
            key: (
                np.where(end > cutoff, np.nan, value),
                np.where(end > cutoff, np.datetime64("NaT"), end),
            )
            for key, (value, end) in data.labels.items()
        }
        return replace(data, labels=labels)

    def refuse_after(self, cutoff: np.datetime64) -> None:
        """Raise ValueError if any row is decided, or any label ends, after `cutoff`."""
        if (self.day > cutoff).any():
            raise ValueError(f"rows decided after the cutoff {cutoff}")
        for (name, horizon), (_, end) in self.labels.items():
            late = int((end > cutoff).sum())
            if late:
                raise ValueError(f"{late} labels {name} {horizon} end after the cutoff {cutoff}")


@dataclass(frozen=True)
class Examples:
    """Rows of one horizon of which every label is known at the deadline.

    x: float64 (n, f + 2), features and OWN_COLUMNS. day, end: datetime64[D]; end is the deadline
    for touches too: were early touches known before misses are, they would be over-represented.
    z: ln(S_T / S_0) / (sigma sqrt(h)). up: 0/1. above, below: int64, sessions to touch or 0.
    variance: (realised volatility / sigma)^2. stride: the days are every stride-th decision day.
    """

    horizon: int
    columns: tuple[str, ...]
    x: np.ndarray
    day: np.ndarray
    end: np.ndarray
    sigma: np.ndarray
    z: np.ndarray
    up: np.ndarray
    above: np.ndarray
    below: np.ndarray
    variance: np.ndarray
    stride: int = 1

    def __len__(self) -> int:
        return len(self.day)

    @property
    def overlap(self) -> int:
        """Consecutive days of which the outcomes share sessions."""
        return -(-self.horizon // self.stride)

    def take(self, rows: np.ndarray) -> Examples:
        """The rows of a boolean mask or of ascending numbers."""
        per_row = ("x", "day", "end", "sigma", "z", "up", "above", "below", "variance")
        return replace(self, **{name: getattr(self, name)[rows] for name in per_row})


def inputs(features: np.ndarray, sigma: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """Features with OWN_COLUMNS appended, float64 (n, f + 2) contiguous, NaN for what is not finite."""
    x = np.empty((len(features), features.shape[1] + len(OWN_COLUMNS)))
    x[:, :-2] = features
    with np.errstate(divide="ignore", invalid="ignore"):
        x[:, -2] = np.log(sigma)
        x[:, -1] = drift / sigma
    x[~np.isfinite(x)] = np.nan
    return x


def examples(
    data: TrainingData, horizon: int, *, thin: bool = False, limit: int = MAX_EXAMPLES
) -> Examples:
    """The examples of one horizon; raises ValueError where a label of LABELS is not given.

    thin: only every k-th day, counted back from the last: k a third of the horizon, more if there
    are over `limit` rows. Labels of neighbouring days overlap: those left out tell little.
    """
    absent = [name for name in LABELS if (name, horizon) not in data.labels]
    if absent:
        raise ValueError(f"no labels {', '.join(absent)} for horizon {horizon}")
    value = {name: data.labels[name, horizon][0] for name in LABELS}
    known = np.isfinite(data.sigma) & (data.sigma > 0)
    for each in value.values():
        known &= np.isfinite(each)
    rows = np.flatnonzero(known)
    stride = max(-(-horizon // 3), -(-len(rows) // limit)) if thin else 1
    if stride > 1:
        days, position = np.unique(data.day[rows], return_inverse=True)
        rows = rows[(len(days) - 1 - position) % stride == 0]
    sigma = data.sigma[rows]
    return Examples(
        horizon=horizon,
        columns=(*data.columns, *OWN_COLUMNS),
        x=inputs(data.features[rows], sigma, data.drift[rows]),
        day=data.day[rows],
        end=data.labels["return", horizon][1][rows],
        sigma=sigma,
        z=value["return"][rows] / (sigma * np.sqrt(horizon)),
        up=value["up"][rows],
        above=value["hit_above"][rows].astype(np.int64),
        below=value["hit_below"][rows].astype(np.int64),
        variance=np.square(value["volatility"][rows] / sigma),
        stride=stride,
    )
