"""The command `predtrack book`: anybody's orders, executed by the book's rules, without a database."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

book = typer.Typer(
    no_args_is_help=True,
    help="The paper book: orders against prices as traded, to the cent. Needs no database.",
)

FAILED = 1
MONEY = (
    "cash", "receivable", "equity", "fees", "slippage", "dividends", "interest", "borrow"
)  # fmt: skip


@book.command("run")
def book_run(
    orders: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Orders, CSV or Parquet.")
    ],
    prices: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Bars as traded, CSV or Parquet.")
    ],
    rules: Annotated[
        str, typer.Option(help="default, lean, or a JSON file with the fields that differ.")
    ] = "default",
    capital: Annotated[str, typer.Option(help="Cash at the beginning.")] = "100000",
    actions: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Splits, dividends, delistings."),
    ] = None,
    fees: Annotated[
        str | None, typer.Option(help="none, ib or bps:N; without it those of the rules.")
    ] = None,
    slippage_bps: Annotated[
        str | None, typer.Option(help="Basis points against us; without it those of the rules.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Execute orders against prices, and print cash, positions, equity, fees and 12 checks.

    \b
    prices   symbol, date, open, high, low, close, volume, split, dividend; as traded, not adjusted.
             split: new shares per old (7, 0.1, 1:10), dividend: cash a share, both on the ex-date.
             exchange (XNYS where it is left out) tells when a bar begins and ends.
    orders   decided_at (RFC 3339, like 2014-06-05T21:00:00Z), symbol,
             side (buy, sell) with quantity, or weight: the share of equity to hold afterwards,
             negative for a short; kind (market, limit, stop, stop_limit), limit, stop,
             tif (gtc, day, opg); also oco_group, reduce_only, tag.
    actions  symbol, ex_date, kind (split, dividend, delisting), value, known_at (RFC 3339).

    \b
    An order is filled by a bar that begins after its decision, so at the next open at the earliest.
    A market order that is decided at the close of day t is filled at the open of t+1.
    default: exact splits, whole shares, IB fees, no slippage, at most 10 % of a bar's volume, buys
    within cash. lean: as QuantConnect's LEAN, so that its published results come out.

    \b
    predtrack book run --orders orders.csv --prices prices.csv --capital 100000 --json

    Ends 0, or 1 where a file is wrong (which row, and what to do) or a check has a fault.
    """
    from predtrack_assets.services.trading.book_run import run_files

    chosen = _rules(rules, fees, slippage_bps)
    result = run_files(orders, prices, actions, chosen, _number("--capital", capital))
    for warning in result["warnings"]:
        typer.echo(warning, err=True)
    typer.echo(json.dumps(result, default=_plain) if as_json else _text(result))
    sys.exit(0 if result["reconciliation"]["passed"] else FAILED)


def _rules(name: str, fees: str | None, slippage_bps: str | None) -> Any:
    from predtrack_assets.domain.trading.execution.fees import parse_fees
    from predtrack_assets.domain.trading.execution.slippage import SlippageRule
    from predtrack_assets.domain.trading.rules import PROFILES, rules_of

    if name in PROFILES:
        chosen = PROFILES[name]
    elif not Path(name).is_file():
        raise ValueError(f"--rules {name}: say {', '.join(PROFILES)} or name a JSON file")
    else:
        try:
            settings = json.loads(Path(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"--rules {name} is not JSON: {error}") from error
        if not isinstance(settings, dict):
            raise ValueError(f"--rules {name} holds no JSON object")
        chosen = rules_of(settings)
    if fees is not None:
        rule = parse_fees(fees)._replace(rounded=not chosen.exact_fills)
        chosen = replace(chosen, fees=rule)
    if slippage_bps is not None:
        bps = _number("--slippage-bps", slippage_bps)
        chosen = replace(chosen, slippage=SlippageRule("bps", bps))
    return chosen


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ValueError(f"{option} {text}: a number, 0 or more")
    return number


def _plain(value: Any) -> Any:
    """Decimals as JSON numbers, days and moments in ISO 8601."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat()


def _text(result: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{result['rules']} rules, {result['first_day']} to {result['last_day']},"
        f" capital {result['capital']:,.2f}",
        "",
    ]
    lines += [f"{name:<12}{result[name]:>18,.2f}" for name in MONEY]
    lines += ["", f"{'position':<12}{'quantity':>18}{'mark':>14}{'value':>18}{'unrealised':>16}"]
    for held in result["positions"]:
        stale = " stale" if held["stale"] else ""
        lines.append(
            f"{held['symbol']:<12}{held['quantity'].normalize():>18,f}{held['mark']:>14,.4f}"
            f"{held['market_value']:>18,.2f}{held['unrealised']:>16,.2f}{stale}"
        )
    counts = f"{len(result['fills'])} fills, {len(result['open_orders'])} orders still open"
    lines += ["", f"{counts}, {len(result['refused'])} rejected or cancelled"]
    lines += [f"  {r['decided_at'].isoformat()} {r['symbol']} {r['event']}: {r['reason']}"
              for r in result["refused"][:10]]  # fmt: skip
    lines.append("")
    for check in result["reconciliation"]["checks"]:
        verdict = "ok" if not check["faults"] else f"{check['faults']} FAULTS"
        lines.append(f"{check['name']:<4}{verdict:<12}{check['claim']}")
        lines += [f"      {offender}" for offender in check["offenders"]]
    return "\n".join(lines)
