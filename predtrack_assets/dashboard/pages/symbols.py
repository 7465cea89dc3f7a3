"""Accuracy per symbol, shrunk toward all of them; and the forecasts of one symbol on one day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from predtrack_assets.dashboard import numbers, pictures
from predtrack_assets.dashboard.blocks import Cell, Column, Form, Grid, Page, bars
from predtrack_assets.dashboard.numbers import count, day, number, percent, plural
from predtrack_assets.dashboard.reading import Reading, Refused
from predtrack_assets.dashboard.scores import percents, sessions
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.market.queries import SYMBOLS
from predtrack_assets.warehouse.overview import (
    LAST_DECISION_DAY,
    REPORTED_CELLS,
    STATEMENTS_OF_DAY,
    SYMBOL_REPORT,
)


def page(reading: Reading) -> Page:
    """Symbols of the latest 30-day report of one model, kind and horizon."""
    reading.only("model", "kind", "horizon")
    cells = reading.keep("cells", lambda t: t.read(REPORTED_CELLS).to_dicts())
    kinds = {c["kind"]: KINDS[c["kind"]].label for c in cells}
    kind = reading.choice("kind", "Kind", kinds, "direction")
    names = sorted(
        {c["model_id"] for c in cells if c["kind"] == kind.chosen},
        key=lambda m: (m in BASELINES, m),
    )
    model = reading.choice("model", "Model", names)
    horizons = sorted(
        {c["horizon"] for c in cells if (c["kind"], c["model_id"]) == (kind.chosen, model.chosen)}
    )
    settings = get_settings()
    middle = str(settings.horizons[len(settings.horizons) // 2])
    horizon = reading.choice("horizon", "Horizon", {str(h): sessions(h) for h in horizons}, middle)
    rows: list[dict[str, Any]] = []
    if horizon.chosen:
        rows = reading.transaction.read(
            SYMBOL_REPORT, kind=kind.chosen, model=model.chosen, horizon=int(horizon.chosen)
        ).to_dicts()
    flagged = sum(r["needs_retraining"] for r in rows)
    lead = (
        "No symbol has been reported on yet: reports are made at the end of each week with results."
    )
    if rows:
        lead = (
            f"{plural(len(rows), 'symbol')} of {model.chosen}, {rows[0]['period_start']} to"
            f" {rows[0]['period_end']}; {flagged} called for retraining."
        )
    blocks: list[Any] = [
        Form([kind, model, horizon]),
        _report(rows),
        pictures.figure(reading, "ranking", "The best and the worst"),
    ]
    return Page("Symbols", lead, blocks)


def _report(rows: list[dict[str, Any]]) -> Grid:
    threshold = get_settings().retraining_threshold
    for row in rows:
        row |= {
            f"{name}_from": row[f"posterior_{name}"] - threshold for name in ("low", "mean", "high")
        }
    bar = bars(rows, "low_from", "mean_from", "high_from")
    rate = Column(
        "Correct, shrunk, 95 % interval",
        lambda r: Cell(
            percent(r["posterior_mean"]),
            percents(r["posterior_low"], r["posterior_high"]),
            bar=bar(r),
        ),
        numeric=True,
    )
    columns = [
        Column("Symbol", lambda r: Cell(r["symbol"], href=f"/symbols/{r['symbol']}")),
        rate,
        Column(
            "Correct, as counted",
            lambda r: Cell(
                percent(r["accuracy_rate"]),
                f"{r['accurate_predictions']:,} of {r['total_predictions']:,}",
            ),
            numeric=True,
        ),
        Column("n_eff", lambda r: count(r["n_eff"]), numeric=True),
        Column(
            "Retraining",
            lambda r: Cell("called for", tone="warn") if r["needs_retraining"] else "no",
        ),
    ]
    note = (
        "Rates are shrunk toward all symbols: one lucky month does not outrank a record. Dashed:"
        f" {percent(threshold, 0)}, below which a symbol is retrained."
    )
    return Grid(
        "symbols",
        "Accuracy per symbol",
        columns,
        rows,
        "Nothing here yet. `predtrack demo` fills it.",
        note,
    )


def of_symbol(reading: Reading, symbol: str) -> Page:
    """Every forecast of a symbol on a decision day, with its outcome."""
    reading.only("day")
    known = reading.keep("known", lambda t: set(t.read(SYMBOLS)["symbol"].to_list()))
    if symbol not in known:
        raise Refused(
            404, f"There is no symbol {symbol[:40]!r}. The symbols page lists those there are."
        )
    asked = _day(reading)
    rows: list[dict[str, Any]] = []
    if asked:
        rows = reading.transaction.read(STATEMENTS_OF_DAY, day=asked, symbol=symbol).to_dicts()
    lead = (
        f"Forecasts at the end of {asked}, with their outcomes."
        if asked
        else "Nothing is forecast yet."
    )
    form = Form((), ("day", "Decision day (YYYY-MM-DD)", day(asked) if asked else ""))
    return Page(symbol, lead, [form, _statements(rows, symbol, asked)])


def _day(reading: Reading) -> date | None:
    text = reading.given.get("day")
    if text is None:
        return reading.keep("decision_day", lambda t: t.read(LAST_DECISION_DAY).item())
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"day is {text[:40]!r}: a day is YYYY-MM-DD.") from None


def _statements(rows: list[dict[str, Any]], symbol: str, asked: date | None) -> Grid:
    columns = [
        Column(
            "Model",
            lambda r: Cell(
                r["model_id"],
                f"{r['kind'].replace('_', ' ')}, {_ahead(r)}",
                f"/ledger?id={r['prediction_id']}",
            ),
        ),
        Column("Forecast", _forecast, numeric=True),
        Column("Due", lambda r: Cell(day(r["due_day"]), r["origin"])),
        Column("Outcome", _outcome, numeric=True),
    ]
    note = ""
    if asked:
        week = timedelta(days=7)
        note = f"Other days: ?{urlencode({'day': str(asked - week)})} is a week before."
    empty = f"No forecast of {symbol} on this day: it may be no session, or before the first one."
    return Grid("forecasts", "Forecasts", columns, rows, empty, note)


def _ahead(row: Any) -> str:
    return (
        sessions(row["horizon"])
        if row["horizon_unit"] == "session"
        else f"{row['horizon']} minutes ahead"
    )


def _forecast(row: Any) -> Cell:
    if row["kind"] == "price" and row["predicted_price"] is not None:
        low, high = (_price(row, row[q]) for q in ("q05", "q95"))
        return Cell(
            number(row["predicted_price"], 2),
            f"90 % {low} to {high}; now {number(row['reference_price'], 2)}",
        )
    if row["kind"] == "volatility":
        return Cell(f"{percent(row['predicted_volatility'], 2)} a day")
    return Cell(percent(row["confidence"]), f"that it is {row['event']}")


def _price(row: Any, log_return: float | None) -> str:
    from math import exp

    return (
        numbers.MISSING
        if log_return is None
        else number(row["reference_price"] * exp(log_return), 2)
    )


def _outcome(row: Any) -> Cell:
    if row["status"] != "validated":
        return Cell(row["status"])
    if row["kind"] == "volatility":
        return Cell(f"{percent(row['realised_volatility'], 2)} a day")
    happened = {True: "occurred", False: "did not occur", None: ""}[row["occurred"]]
    if row["kind"] == "price":
        return Cell(number(row["actual_price"], 2), f"within 5{numbers.THIN}%: {happened}")
    return Cell(happened)
