"""The prices that forecasts rest on: how fresh, what is missing, what was refused, the market now."""

from __future__ import annotations

from typing import Any

from predtrack_assets.dashboard.blocks import Cell, Column, Fact, Facts, Grid, Page
from predtrack_assets.dashboard.numbers import count, day, moment, number, percent, plural
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.services.market.gaps import gap_report
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.queries import QUARANTINE_REASONS, SPAN, SUSPECT_FLAGS
from predtrack_assets.warehouse.overview import FETCHES, LAST_FETCH, MARKET_NOW, STALE_SYMBOLS

GAPS_SHOWN = 50


def page(reading: Reading) -> Page:
    """Freshness, gaps, quarantine, fetches and market conditions."""
    reading.only()
    kept: dict[str, Any] = reading.keep(
        "data", _facts, also=reading.transaction.read(LAST_FETCH).item()
    )
    span = kept["span"]
    lead = "No prices are stored yet: `predtrack demo` loads the sample, `predtrack backfill` your own."
    if span["last"] is not None:
        stale = len(kept["stale"])
        lead = (
            f"{plural(span['symbols'], 'symbol')}, {span['first']} to {span['last']};"
            f" {stale or 'none'} behind the exchange, {plural(len(kept['gaps']), 'gap')} in between."
        )
    return Page(
        "Data",
        lead,
        [
            _market(kept["market"]),
            _stale(kept["stale"]),
            _gaps(kept["gaps"]),
            _faults(kept["faults"]),
            _fetches(kept["fetches"]),
        ],
    )


def _facts(transaction: Transaction) -> dict[str, Any]:
    span = transaction.read(SPAN).row(0, named=True)
    gaps: list[Any] = []
    if span["last"] is not None:
        gaps = gap_report(transaction, span["first"], span["last"]).to_dicts()
    refused = transaction.read(QUARANTINE_REASONS).rename({"reason": "why"}).to_dicts()
    flagged = transaction.read(SUSPECT_FLAGS).rename({"flag": "why"}).to_dicts()
    return {
        "span": span,
        "gaps": gaps,
        "stale": transaction.read(STALE_SYMBOLS).to_dicts(),
        "faults": [{"what": "quarantined", **r} for r in refused]
        + [{"what": "kept, suspect", **r} for r in flagged],
        "fetches": transaction.read(FETCHES).to_dicts(),
        "market": transaction.read(MARKET_NOW).to_dicts(),
    }


def _market(rows: list[dict[str, Any]]) -> Facts:
    if not rows:
        return Facts(
            [Fact("Market regime", "not known", "no conditions are computed yet")], "The market"
        )
    now = rows[0]
    return Facts(
        [
            Fact(
                "Regime",
                now["market_regime"],
                f"of {now['benchmark']} at the close of {now['trading_day']}",
            ),
            Fact(
                "From its 50-day mean",
                percent(now["distance_to_ma50"]),
                f"day's return {percent(now['daily_return'], 2)}",
            ),
            Fact(
                "Volatility index",
                number(now["vix_level"], 1),
                f"{now['vix_source'] or 'source not known'}, per cent a year",
            ),
            Fact(
                "Above their own mean",
                percent(now["market_breadth"], 0),
                f"of {count(now['symbols_counted'])} symbols",
            ),
        ],
        "The market",
    )


def _stale(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Symbol", lambda r: Cell(r["symbol"], r["exchange"], f"/symbols/{r['symbol']}")),
        Column("Last bar", lambda r: day(r["last_bar"]) if r["last_bar"] else "none"),
        Column(
            "Behind",
            lambda r: plural(r["days_behind"], "day") if r["days_behind"] is not None else "always",
            numeric=True,
        ),
    ]
    return Grid(
        "stale",
        "Symbols behind their exchange",
        columns,
        rows,
        "Every symbol has the newest bar of its exchange.",
        "At most 100.",
    )


def _gaps(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Symbol", lambda r: Cell(r["symbol"], r["exchange"])),
        Column("Missing from", lambda r: day(r["first_missing"])),
        Column("to", lambda r: day(r["last_missing"])),
        Column("Sessions", lambda r: f"{r['sessions']:,}", numeric=True),
    ]
    more = len(rows) - GAPS_SHOWN
    note = (
        f"The longest {GAPS_SHOWN}; {more:,} more, none of them longer: `predtrack gaps`."
        if more > 0
        else ""
    )
    return Grid(
        "gaps",
        "Sessions without a bar",
        columns,
        rows[:GAPS_SHOWN],
        "No session is missing between a symbol's first and last bar.",
        note,
    )


def _faults(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Reason", lambda r: Cell(r["why"], r["what"])),
        Column("Bars", lambda r: f"{r['rows']:,}", numeric=True),
        Column("Symbols", lambda r: f"{r['symbols']:,}", numeric=True),
    ]
    return Grid(
        "faults", "Refused and suspect bars", columns, rows, "No bar was refused or is suspect."
    )


def _fetches(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Source", lambda r: Cell(r["source"], moment(r["latest"]))),
        Column(
            "Answer",
            lambda r: Cell(
                r["status"],
                " ".join(filter(None, (r["category"], r["example"]))),
                tone="bad" if r["status"] == "failed" else "",
            ),
        ),
        Column(
            "Requests",
            lambda r: Cell(f"{r['requests']:,}", plural(r["symbols"], "symbol")),
            numeric=True,
        ),
    ]
    return Grid(
        "fetches", "The last run's requests", columns, rows, "No source has been asked yet."
    )
