"""What the columns of a price file mean, by the names that vendors give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from predtrack_assets.domain.market.actions import PRICES
from predtrack_assets.sources.base import SourceError

REQUIRED = ("symbol", "date", *PRICES, "volume")
OPTIONAL = ("adj_close", "split", "dividend")
ROLES = (*REQUIRED, *OPTIONAL)
NUMBERS = tuple(role for role in ROLES if role not in ("symbol", "date"))

# Yahoo, yfinance, Stooq (angle brackets), Tiingo, Alpha Vantage, Investing, Nasdaq, Polygon, Quandl.
_ALIASES = {
    "symbol": "ticker code",
    "date": "timestamp datetime window_start t",
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c price close/last last",
    "volume": "v vol vol.",
    "adj_close": "adjclose adjusted_close adj._close adj_close*",
    "split": "stock_splits splits splitfactor split_factor split_coefficient split_ratio",
    "dividend": "dividends divcash div_cash dividend_amount ex-dividend",
}
_ROLE_OF = {alias: role for role, names in _ALIASES.items() for alias in names.split()}
_ROLE_OF |= {role: role for role in ROLES}

_AS_TRADED = {"splitfactor", "divcash", "split_coefficient", "dividend_amount", "ex-dividend"}


@dataclass(frozen=True)
class Columns:
    """names: all column names as they stand in the file; roles: role to the name that fills it.

    stooq: the names stand in angle brackets. as_traded: the names are those of a vendor whose
    unadjusted columns are as traded (Tiingo, Alpha Vantage, Quandl).
    """

    names: tuple[str, ...]
    roles: dict[str, str]
    stooq: bool
    as_traded: bool

    @property
    def unread(self) -> list[str]:
        """Columns that nothing is read from."""
        used = set(self.roles.values())
        return [name for name in self.names if name not in used]


def plain_name(name: str) -> str:
    """'<TICKER>', ' Adj Close', 'adjClose' -> ticker, adj_close, adjclose."""
    return name.strip().lstrip("\ufeff").strip("<>").strip().lower().replace(" ", "_")


def read_columns(names: Sequence[str], path: Path, symbol: str | None) -> Columns:
    """The roles of the columns of `path`; raises SourceError where one is missing or filled twice.

    symbol: of a file that holds one symbol and has no column for it, else None.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        if role := _ROLE_OF.get(plain_name(name)):
            found.setdefault(role, []).append(name)
    twice = {role: names for role, names in found.items() if len(names) > 1}
    if twice:
        parts = "; ".join(f"{role} ({', '.join(of_role)})" for role, of_role in twice.items())
        raise SourceError(f"{path} has more than one column {parts}: keep one")
    if symbol is not None and "symbol" in found:
        raise SourceError(
            f"--symbol {symbol} is for a file of one symbol; {path} names its symbols in the column"
            f" {found['symbol'][0]}"
        )
    missing = [role for role in REQUIRED if role not in found]
    if symbol is not None:
        missing.remove("symbol")
    if missing == ["symbol"]:
        raise SourceError(
            f"{path} has no column symbol: if it holds one symbol, name it, --symbol"
            f" {path.stem.split('_')[0].upper()}"
        )
    if missing:
        raise SourceError(_lacking(missing, names, path))
    plain = {plain_name(name) for name in names}
    return Columns(
        tuple(names),
        {role: of_role[0] for role, of_role in found.items()},
        stooq=any(name.strip().startswith("<") for name in names),
        as_traded=bool(plain & _AS_TRADED),
    )


def _lacking(missing: Sequence[str], names: Sequence[str], path: Path) -> str:
    shown = ", ".join(_shown(names))
    noun = "column" if len(missing) == 1 else "columns"
    return (
        f"{path} lacks the {noun} {', '.join(missing)}; it has {shown}. "
        f"Rename them to {', '.join(REQUIRED)} (optional: {', '.join(OPTIONAL)})"
    )


def _shown(names: Sequence[str]) -> Iterator[str]:
    """The first names, control characters as escapes, as the file may be no text at all."""
    for name in names[:12]:
        text = name if name.isprintable() else repr(name)[1:-1]
        yield text if len(text) <= 40 else f"{text[:40]}..."
