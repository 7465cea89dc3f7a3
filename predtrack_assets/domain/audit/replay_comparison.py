"""Stored rows beside the same rows recomputed: how many are equal, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.digest import column_bits, frame_digest

ABSENT = "(no such row)"


@dataclass(frozen=True)
class Mismatch:
    """One stored value that came out differently; row: its key, as text."""

    row: str
    column: str
    stored: str
    recomputed: str

    def __str__(self) -> str:
        if self.column == ABSENT:
            return f"{self.row}: {self.stored}, {self.recomputed}"
        return f"{self.row}: {self.column} stored {self.stored}, recomputed {self.recomputed}"


@dataclass
class Parity:
    """Counts of rows per group (model and kind, or feature set).

    equal, compared: of rows that could be recomputed. unreplayable: by group and reason, of
    those that should have been and could not. foreign: the same of rows that no code here made.
    not_predicted: rows computed now that were never stored.
    """

    equal: Counter[tuple[str, ...]] = field(default_factory=Counter)
    compared: Counter[tuple[str, ...]] = field(default_factory=Counter)
    unreplayable: Counter[tuple[tuple[str, ...], str]] = field(default_factory=Counter)
    foreign: Counter[tuple[tuple[str, ...], str]] = field(default_factory=Counter)
    not_predicted: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every row that this code made could be recomputed, and is equal."""
        return self.equal.total() == self.compared.total() and not self.unreplayable

    @property
    def proves(self) -> bool:
        """Whether it holds, of one row at least."""
        return self.holds and self.compared.total() > 0

    def __add__(self, other: Parity) -> Parity:
        return Parity(
            self.equal + other.equal,
            self.compared + other.compared,
            self.unreplayable + other.unreplayable,
            self.foreign + other.foreign,
            self.not_predicted + other.not_predicted,
            self.mismatches + other.mismatches,
        )


def compare(
    stored: pl.DataFrame,
    recomputed: pl.DataFrame,
    key: Sequence[str],
    by: Sequence[str],
    show: int = 5,
    places: Sequence[str] = (),
    whole: str | None = None,
) -> Parity:
    """Compare all columns of `stored` with those of `recomputed`, rows paired by `key`.

    recomputed: the same columns in types that can be cast to those of `stored`; NaN equals null.
    by: columns that name a group. At most `show` mismatches are described. places: what the numbers
    of a vector of that many are called. whole: a column of days; a day with stored rows must have
    all that are computed, and one that lacks is a mismatch.
    """
    columns = stored.columns
    now = recomputed.select(pl.col(c).cast(t) for c, t in stored.schema.items())
    values = [c for c in columns if c not in key]
    left = stored.with_columns(pl.Series("digest", frame_digest(stored.select(values))))
    right = now.with_columns(pl.Series("digest_now", frame_digest(now.select(values))))
    pairs = left.select(*key, "digest").join(
        right.select(*key, "digest_now"), on=key, how="left", maintain_order="left"
    )
    same = pairs["digest"].eq_missing(pairs["digest_now"])
    groups = stored.select(by).with_columns(same.alias("same")).group_by(by, maintain_order=True)
    counts = groups.agg(pl.col("same").sum(), pl.len()).rows()
    new = now.join(stored.select(key), on=key, how="anti", nulls_equal=True)
    lacking = new.clear()
    if whole is not None:
        lacking = new.join(stored.select(whole).unique(), on=whole, how="semi")
    gone = lacking.group_by(by, maintain_order=True).len().rows()
    absent = [
        Mismatch(_name(row), ABSENT, "not stored", "computed now")
        for row in lacking.select(key).sort(key).head(show).iter_rows(named=True)
    ]
    return Parity(
        equal=Counter({tuple(row[:-2]): row[-2] for row in counts if row[-2]}),
        compared=Counter({tuple(row[:-2]): row[-1] for row in counts})
        + Counter({tuple(row[:-1]): row[-1] for row in gone}),
        not_predicted=len(new) - len(lacking),
        mismatches=_mismatches(stored.filter(~same), now, key, values, show, places) + absent,
    )


def _mismatches(
    wrong: pl.DataFrame,
    now: pl.DataFrame,
    key: Sequence[str],
    values: list[str],
    show: int,
    places: Sequence[str],
) -> list[Mismatch]:
    """The first column that differs, of the first rows that do."""
    result = []
    for row in wrong.sort(key).head(show).iter_slices(1):
        name = _name(row.select(key).row(0, named=True))
        other = now.join(row.select(key), on=key, how="semi")
        if other.is_empty():
            result.append(Mismatch(name, ABSENT, "stored", "not computed now"))
            continue
        differs = [not np.array_equal(column_bits(row[c]), column_bits(other[c])) for c in values]
        column = values[differs.index(True)]
        result.append(Mismatch(name, *_shown(column, row[column][0], other[column][0], places)))
    return result


def _shown(column: str, stored: object, now: object, places: Sequence[str]) -> tuple[str, str, str]:
    """A column and its two values as text; of vectors the first place that differs, by its name."""
    if not isinstance(stored, bytes) or not isinstance(now, bytes) or len(stored) != len(now):
        return column, repr(stored), repr(now)
    left, right = np.frombuffer(stored, "<f8"), np.frombuffer(now, "<f8")
    same = (left.view(np.int64) == right.view(np.int64)) | (np.isnan(left) & np.isnan(right))
    place = int(np.flatnonzero(~same)[0])
    name = places[place] if len(places) == len(left) else f"{column}[{place + 1}]"
    return name, repr(float(left[place])), repr(float(right[place]))


def _name(key: Mapping[str, object]) -> str:
    """A row's key in words. Of a horizon of sessions the day says the moment, and the unit nothing."""
    plain = ("horizon_unit", "as_of") if key.get("horizon_unit") == "session" else ()
    return " ".join(str(value) for column, value in key.items() if column not in plain)
