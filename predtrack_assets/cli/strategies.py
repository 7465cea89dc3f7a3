"""`predtrack strategies`: which there are, and what their paper books earned."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from predtrack_assets.cli.command import Home, ready_database
from predtrack_assets.settings import get_settings

strategies = typer.Typer(
    no_args_is_help=True, help="Strategies and what their paper books earned, honestly."
)


@strategies.command("list")
def list_() -> None:
    """Every strategy that can be run, the project's own and those of installed packages."""
    from rich.table import Table

    from predtrack_assets.reporting.tables.text import wide_console
    from predtrack_assets.services.trading.strategies_in_use import known_strategies

    table = Table()
    for name in ("strategy", "runs", "rebalance", "allocation", "what it does"):
        table.add_column(name)
    in_use = get_settings().strategies
    for name, strategy in known_strategies().items():
        table.add_row(
            strategy.strategy_id,
            "yes" if name in in_use else "no",
            strategy.rebalance,
            strategy.allocation,
            strategy.description,
        )
    wide_console().print(table)


@strategies.command("performance")
def performance(
    as_json: Annotated[
        bool, typer.Option("--json", help="All figures, as one JSON array.")
    ] = False,
    home: Home = None,
) -> None:
    """What each paper book earned: growth, Sharpe with its interval, deflated by the trials, drawdown.

    Beside it the excess over the benchmark with its interval, trades, turnover, cost, and the gate: the
    criteria of money that models are judged by. --json tells why a gate is not passed.
    """
    from predtrack_assets.reporting.tables.strategies import strategies_table
    from predtrack_assets.reporting.tables.text import wide_console
    from predtrack_assets.services.deployment.strategy_gates import strategy_gates
    from predtrack_assets.services.trading.strategy_report import strategy_reports

    warehouse = ready_database(home)
    if not as_json:
        wide_console().print(strategies_table(warehouse))
        return
    with warehouse.transaction() as transaction:
        reports = strategy_reports(transaction, get_settings())
    gates = strategy_gates(reports, get_settings())
    rows = [
        {
            **{name: value for name, value in report._asdict().items() if name != "daily"},
            "gate": gates[report.strategy_id]._asdict() if report.strategy_id in gates else None,
            "record": None if report.record is None else report.record._asdict(),
            "trades": report.trades._asdict(),
        }
        for report in reports
    ]
    text = json.dumps(_without_nan(rows), default=str)
    typer.echo(text)


def _without_nan(value: object) -> object:
    """NaN as null, which JSON has."""
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and value != value else value
