"""`predtrack status`, `report`, `models`, `compare`, `best`: the answers, as sentences, tables, a page."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from predtrack_assets.cli.command import DAY, Home, Json, ready_database, show

if TYPE_CHECKING:
    from predtrack_assets.warehouse.database.transaction import Database

Since = Annotated[datetime | None, typer.Option(**DAY, help="Of what fell due from this day on.")]
AsOf = Annotated[
    datetime | None, typer.Option("--as-of", **DAY, help="As it was known then; else now.")
]
Kind = Annotated[
    str | None, typer.Option(help="price, direction, time_to_hit or volatility; else all.")
]
Horizon = Annotated[int | None, typer.Option(help="Sessions ahead; else all.")]


def status(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is stored, data faults and every score.")
    ] = False,
    as_of: AsOf = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """The answer in twenty lines: what is better than its baseline, what it earned, who is champion.

    predtrack status --as-of 2012-12-31
    """
    from rich.console import Group

    from predtrack_assets.reporting.tables.headline import headline
    from predtrack_assets.services.accuracy.scoreboard import scoreboard_as_of
    from predtrack_assets.warehouse.database.transaction import READER

    warehouse = ready_database(home)
    with warehouse.transaction(READER) as transaction:
        board = scoreboard_as_of(transaction, _day(as_of))
    lines = headline(board)
    data = {"as_of": board and board.day, "headline": lines, "rows": board.rows if board else []}
    if everything and not as_json:
        from predtrack_assets.reporting.tables.summary import summary

        show(data, lambda: Group(*lines, "", summary(warehouse)), as_json)
        return
    more = "More: predtrack report (pictures), predtrack best, predtrack status --all"
    show(data, lambda: Group(*lines, more), as_json)


def report(
    model: Annotated[
        list[str] | None, typer.Option(help="Of this model; again for more. Else all.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Only this symbol in the part that tells symbols apart.")
    ] = None,
    since: Since = None,
    horizon: Horizon = None,
    as_of: AsOf = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file that is written.")
    ] = Path("report.html"),
    home: Home = None,
) -> None:
    """Write the answer as one HTML page with pictures of the whole record.

    The page holds all it needs: open it, mail it, print it. Skill over time, calibration, coverage,
    what following each model earned beside buy and hold, and skill per symbol.

    predtrack report --model pooled-v1 --since 2010-01-01 -o pooled.html
    """
    warehouse = ready_database(home)
    path = write_report(
        warehouse,
        output,
        models=model,
        symbol=symbol,
        since=_day(since),
        horizon=horizon,
        day=_day(as_of),
    )
    typer.echo(f"{path}: open it in a browser")


def models(kind: Kind = None, as_json: Json = False, home: Home = None) -> None:
    """Every registered model: role, state, kinds, owner, and the days it has predicted.

    predtrack models --kind volatility
    """
    from predtrack_assets.reporting.tables.models import models_table
    from predtrack_assets.services.known_names import known_kind
    from predtrack_assets.warehouse.accuracy.scoreboard import MODELS

    asked = kind and known_kind(kind)
    found = ready_database(home).read(MODELS, kind=asked)
    show(found, lambda: models_table(found), as_json)


def compare(
    model: Annotated[str, typer.Argument(help="A model.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    since: Since = None,
    as_of: AsOf = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Is one model better than another? Difference of their skills on the same predictions.

    predtrack compare pooled-v1 filtered_history-v1
    """
    from predtrack_assets.reporting.tables.models import comparison_table
    from predtrack_assets.services.accuracy import comparison
    from predtrack_assets.services.known_names import known_models
    from predtrack_assets.warehouse.database.transaction import READER

    with ready_database(home).transaction(READER) as transaction:
        known_models(transaction, [model, other])
        found = comparison.compare(transaction, model, other, _day(since), _day(as_of))
    show(found, lambda: comparison_table(found, model, other), as_json)


def best(
    symbol: Annotated[str | None, typer.Option(help="Of this symbol; else all.")] = None,
    kind: Kind = None,
    horizon: Horizon = None,
    since: Since = None,
    as_of: AsOf = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Which model is best for which symbol: skill over the record with its interval, shrunken.

    predtrack best --symbol IBM --kind volatility
    """
    import polars as pl

    from predtrack_assets.domain.accuracy.symbol_skill import best_models
    from predtrack_assets.domain.models.baselines import BASELINES
    from predtrack_assets.reporting.tables.models import best_table
    from predtrack_assets.services.accuracy.comparison import skills_by_symbol
    from predtrack_assets.services.known_names import known_horizon, known_kind, known_symbol
    from predtrack_assets.warehouse.database.transaction import READER

    asked = {"symbol": symbol, "kind": kind and known_kind(kind), "horizon": horizon}
    with ready_database(home).transaction(READER) as transaction:
        if symbol is not None:
            known_symbol(transaction, symbol)
        skills = skills_by_symbol(transaction, _day(since), _day(as_of))
    if horizon is not None:
        known_horizon(horizon, skills["horizon"])
    chosen = [pl.col(name) == value for name, value in asked.items() if value is not None]
    candidates = skills.filter(~pl.col("model_id").is_in(sorted(BASELINES)), *chosen)
    found = best_models(candidates)
    show(found, lambda: best_table(found), as_json)


def recommendations(
    day: Annotated[
        datetime | None, typer.Option(**DAY, help="Decision day; without it the last one.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What this model would advise, champion or not.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """BUY, SELL or HOLD of the champions of a day, and their outcome; none without a champion.

    predtrack recommendations --model pooled-v1 --day 2013-02-28
    """
    from predtrack_assets.reporting.tables import decisions
    from predtrack_assets.services.known_names import known_models

    warehouse = ready_database(home)
    asked = _day(day)
    if model is not None:
        with warehouse.transaction() as transaction:
            known_models(transaction, [model])
        found = decisions.signals_of(warehouse, model, asked)
        show(found, lambda: decisions.signals_table(found, model), as_json)
        return
    if as_json:
        show(decisions.recommended_on(warehouse, asked), lambda: "", as_json)
        return
    show(None, lambda: decisions.recommendations_table(warehouse, asked), as_json)


def gaps(as_json: Json = False, home: Home = None) -> None:
    """Sessions without a bar, per symbol, between its first and its last bar.

    predtrack gaps --json
    """
    from predtrack_assets.reporting.tables.stored import gaps_found, gaps_table

    warehouse = ready_database(home)
    if as_json:
        show(gaps_found(warehouse), lambda: "", as_json)
        return
    show(None, lambda: gaps_table(warehouse), as_json)


def write_report(
    warehouse: Database,
    output: Path,
    *,
    models: list[str] | None = None,
    symbol: str | None = None,
    since: date | None = None,
    horizon: int | None = None,
    day: date | None = None,
) -> Path:
    """Write the page of a record, and say where. Raises ValueError where there is none."""
    from predtrack_assets.reporting.pages.report import report_page
    from predtrack_assets.services.accuracy.record import read_record
    from predtrack_assets.services.known_names import known_horizon, known_models, known_symbol
    from predtrack_assets.warehouse.accuracy.scoreboard import RECORDED
    from predtrack_assets.warehouse.database.transaction import READER

    if not output.parent.is_dir():
        raise ValueError(f"there is no directory {output.parent} to write {output.name} into")
    with warehouse.transaction(READER) as transaction:
        every = transaction.read(RECORDED)
        if models:
            known_models(transaction, models)
        if symbol is not None:
            known_symbol(transaction, symbol)
        record = read_record(
            transaction, day, since=since, models=models or None, horizon=horizon, symbol=symbol
        )
    if record is None:
        raise ValueError("no prediction has fallen due yet: `predtrack backfill` computes outcomes")
    if horizon is not None and record.board.rows.is_empty():
        known_horizon(horizon, every["horizon"])
    output.write_text(report_page(record), encoding="utf-8")
    return output


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
