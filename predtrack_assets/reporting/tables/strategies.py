"""Tables of strategies: what they earned, with the uncertainty of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from predtrack_assets.services.trading.strategy_report import StrategyReport, strategy_reports
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database

BASELINES = ("buy_and_hold", "equal_weight")


def strategies_table(warehouse: Database) -> RenderableType:
    """Every strategy's paper book in one row, and a sentence on what that shows."""
    with warehouse.transaction() as transaction:
        reports = strategy_reports(transaction, get_settings())
    if not reports:
        return "No strategy has a paper book yet: they begin with the first day that is run."
    table = Table(title="Paper books of strategies, after fees and slippage", title_justify="left")
    for name in ("strategy", "days", "equity", "a year", "volatility", "Sharpe (95 %)", "DSR", "trials",
                 "drawdown", "above benchmark a year", "trades", "won", "turnover", "cost"):  # fmt: skip
        first = name == "strategy"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for report in reports:
        table.add_row(*_cells(report))
    return Group(table, *_sentences(reports))


def _cells(report: StrategyReport) -> list[str]:
    record, trades = report.record, report.trades
    if record is None:
        return [report.strategy_id, "1", f"{report.equity:,.0f}", *["-"] * 11]
    return [
        report.strategy_id,
        f"{record.n:,}",
        f"{report.equity:,.0f}",
        _percent(record.growth),
        _percent(record.volatility),
        f"{record.sharpe:.2f} ({record.sharpe_low:.2f} to {record.sharpe_high:.2f})",
        f"{record.dsr:.2f}",
        str(record.trials),
        _percent(record.max_drawdown),
        f"{_percent(record.excess)} ({_percent(record.excess_low)} to {_percent(record.excess_high)})",
        str(trades.trades),
        _percent(trades.win_rate),
        f"{report.turnover:.1f}x",
        _percent((report.fees + report.slippage) / report.capital),
    ]


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
