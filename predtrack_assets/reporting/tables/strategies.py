"""Tables of strategies: what they earned, with the uncertainty of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from predtrack_assets.services.deployment.strategy_gates import strategy_gates
from predtrack_assets.services.trading.strategy_report import StrategyReport, strategy_reports
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database

COLUMNS = (
    "strategy", "equity", "a year", "Sharpe", "95 %", "DSR", "trials", "drawdown", "above index a year",
    "95 %", "trades", "cost", "gate",
)  # fmt: skip
BASELINES = ("buy_and_hold", "equal_weight")


def strategies_table(warehouse: Database) -> RenderableType:
    """Every strategy's paper book in one row, and a sentence on what that shows."""
    settings = get_settings()
    with warehouse.transaction() as transaction:
        reports = strategy_reports(transaction, settings)
    gates = strategy_gates(reports, settings)
    if not reports:
        return "No strategy has a paper book yet: they begin with the first day that is run."
    table = Table(title="Paper books of strategies, after fees and slippage", title_justify="left")
    for name in COLUMNS:
        first = name == "strategy"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for report in reports:
        gate = gates.get(report.strategy_id)
        verdict = "baseline" if gate is None else gate.status.removesuffix("_evidence")
        table.add_row(*_cells(report), verdict)
    return Group(table, *_sentences(reports))


def _cells(report: StrategyReport) -> list[str]:
    """In the order of COLUMNS, but for the last."""
    record = report.record
    if record is None:
        return [report.strategy_id, f"{report.equity:,.0f}", *["-"] * (len(COLUMNS) - 3)]
    return [
        report.strategy_id,
        f"{report.equity:,.0f}",
        _percent(record.growth),
        _number(record.sharpe),
        _interval(_number(record.sharpe_low), _number(record.sharpe_high)),
        _number(record.dsr),
        str(record.trials),
        _percent(record.max_drawdown),
        _percent(record.excess),
        _interval(_percent(record.excess_low), _percent(record.excess_high)),
        str(report.trades.trades),
        _percent((report.fees + report.slippage) / report.capital),
    ]


def _interval(low: str, high: str) -> str:
    return "-" if low == "-" else f"{low} to {high}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.1%}"


def _sentences(reports: Sequence[StrategyReport]) -> list[str]:
    """Whether anything is shown at all, and whether it was before the fact."""
    shown = [
        r.strategy_id
        for r in reports
        if r.record is not None
        and r.record.dsr >= 0.95
        and r.record.excess_low > 0
        and not r.strategy_id.startswith(BASELINES)
    ]
    live = sum(report.live_decisions for report in reports)
    edge = (
        f"Beyond luck and above the benchmark: {', '.join(shown)}."
        if shown
        else "None is above the benchmark beyond luck: its interval holds 0, or its DSR is below 0.95."
    )
    origin = (
        f"{live:,} decisions were committed before the fact."
        if live
        else "All decisions are replayed: nothing here was committed before the fact."
    )
    survivors = (
        "Symbols that are followed today have survived until today; that flatters every row."
    )
    return [edge, origin, survivors]
