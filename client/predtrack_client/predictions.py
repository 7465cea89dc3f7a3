"""Predictions as they are written down: one class a form, and the check that the server makes too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, ClassVar, Literal

import msgspec

from predtrack_client.frames import is_frame, rows_of_frame
from predtrack_client.rows import Refusal, Refused, statement


class _Symbol(msgspec.Struct, omit_defaults=True):
    symbol: str


class Prediction(_Symbol, kw_only=True, omit_defaults=True):
    """What every form has.

    symbol: as the server names it. horizon: sessions of the symbol's exchange. decision_day: a
    completed session of that exchange; None: the last one. exchange, due_day: only compared.
    """

    form: ClassVar[str] = ""

    horizon: int
    horizon_unit: Literal["session", "minute"] = "session"
    decision_day: date | None = None
    due_day: date | None = None
    exchange: str | None = None
    client_id: str | None = None
    inputs_sha256: str | None = None
    note: str | None = None

    def row(self) -> dict[str, Any]:
        """The row as the server takes it.

        >>> Direction("AAPL", horizon=5, p_up=0.56).row()
        {'symbol': 'AAPL', 'horizon': 5, 'direction': {'p_up': 0.56}}
        """
        values: dict[str, Any] = msgspec.to_builtins(self)
        common = Prediction.__struct_fields__
        form = {name: value for name, value in values.items() if name not in common}
        return {name: values[name] for name in common if name in values} | {self.form: form}


class Direction(Prediction, kw_only=True, omit_defaults=True):
    """p_up: probability, above 0 and below 1, that the total return is positive."""

    form: ClassVar[str] = "direction"

    p_up: float


class Price(Prediction, kw_only=True, omit_defaults=True):
    """A distribution of the price at the due moment, given in one of three ways.

    quantiles: seven, at 0.05, 0.1, 0.25, 0.5, 0.75, 0.9 and 0.95, as a list or by level. normal:
    (mean, sd) of the log return. samples: 20 to 1,000 draws. unit: of quantiles and samples,
    `price` (as traded, in the currency of the listing) or `log_return`.
    """

    form: ClassVar[str] = "price"

    quantiles: list[float] | dict[str, float] | None = None
    normal: tuple[float, float] | None = None
    samples: list[float] | None = None
    unit: Literal["price", "log_return"] = "price"

    def row(self) -> dict[str, Any]:
        """The row as the server takes it."""
        row = super().row()
        if self.normal is not None:
            row["price"]["normal"] = {"mean": self.normal[0], "sd": self.normal[1]}
        return row


class Volatility(Prediction, kw_only=True, omit_defaults=True):
    """sd: expected standard deviation of daily log returns; per year it is that times sqrt(252)."""

    form: ClassVar[str] = "volatility"

    sd: float
    per: Literal["day", "year"] = "day"


class TimeToHit(Prediction, kw_only=True, omit_defaults=True):
    """That the price reaches a target within the horizon.

    target: as traded, or with unit `log_return` ln(target / close). rule: touched within a session,
    or closed beyond. expected_sessions: until the hit, given that it happens.
    """

    form: ClassVar[str] = "time_to_hit"

    target: float
    p_hit: float
    expected_sessions: float
    rule: Literal["touch", "close"] = "touch"
    unit: Literal["price", "log_return"] = "price"


Rows = Iterable[Prediction | Mapping[str, Any]]


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with row `index` (from 0): a code, where in the row, and a sentence."""

    index: int
    code: str
    pointer: str
    message: str

    def __str__(self) -> str:
        return f"row {self.index} {self.pointer}: {self.code}: {self.message}"


def as_rows(rows: Rows | Any) -> list[dict[str, Any]]:
    """Rows as the server takes them, of predictions, dicts, or a pandas or Polars frame."""
    if is_frame(rows):
        return rows_of_frame(rows)
    return [row.row() if isinstance(row, Prediction) else dict(row) for row in rows]


def check_rows(rows: Rows | Any) -> list[Fault]:
    """What is wrong with rows by themselves, asking nobody: the server's own rules of a row.

    Whether the symbol is known and the day a session, only the server can say (`dry_run`).

    >>> print(check_rows([Direction("AAPL", horizon=0, p_up=0.5)])[0].code)
    horizon_is_1_to_252_sessions_or_1_to_1440_minutes
    """
    found = []
    for index, row in enumerate(as_rows(rows)):
        try:
            statement(row)
        except Refused as refused:
            why: Refusal = refused.refusal
            found.append(Fault(index, why.code, why.pointer, why.message))
    return found
