"""Fetch, screen, store: how bars of a source become rows, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import sessions_of
from predtrack_assets.domain.market.actions import ACTIONS, LOOKBACK
from predtrack_assets.domain.market.bars import SYMBOL_PATTERN, screen
from predtrack_assets.domain.time.calendar import as_of_array, calendar
from predtrack_assets.services.market.renewed_flags import renew_flags
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import TOLD, Batch, PriceSource
from predtrack_assets.sources.routing import routes
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import sessions_before

NEAR = timedelta(days=10)
NAMED = 10  # symbols that a message names


@dataclass
class IngestReport:
    """What an ingest stored, refused and could not get.

    unplaced: symbols whose exchange is not known. exchanges: whose sessions are trading days.
    unseen_days: other exchanges with sessions that are none, each with one of its symbols.
    """

    bars: Written = field(default_factory=Written)
    actions: Written = field(default_factory=Written)
    quarantined: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    symbols_asked: int = 0
    symbols_covered: int = 0
    worst: Counter[str] = field(default_factory=Counter)
    unplaced: list[str] = field(default_factory=list)
    exchanges: tuple[str, ...] = ()
    unseen_days: dict[str, str] = field(default_factory=dict)

    @property
    def failed_share(self) -> float:
        """Share of all symbols of the window that the source failed to give.

        Symbols that are covered already count as given: a run that asks again for the one that is
        missing is not a failed run because that one is missing still.
        """
        failed = sum(n for category, n in self.failures.items() if category != "EMPTY")
        return failed / max(self.symbols_asked + self.symbols_covered, 1)

    @property
    def advice(self) -> list[str]:
        """Sentences that say what is not known, and what to do about it."""
        found = []
        if self.unplaced:
            named = ", ".join(self.unplaced[:NAMED])
            more = f" and {len(self.unplaced) - NAMED:,} more" if len(self.unplaced) > NAMED else ""
            found.append(
                f"exchange not known: {named}{more}. Their bars are refused. Give --exchange CODE"
                " (PREDTRACK_DEFAULT_EXCHANGE), or symbols with the suffixes of Yahoo;"
                " docs/guide/exchanges.md lists both"
            )
        if self.unseen_days:
            wanted = ",".join((*self.exchanges, *self.unseen_days))
            named = ", ".join(f"{e} ({symbol})" for e, symbol in self.unseen_days.items())
            found.append(
                f"some sessions of {named} are no trading days here, so nothing is predicted on them;"
                f" begin a home with PREDTRACK_EXCHANGES={wanted} to have them"
            )
        return found


def symbols_to_fetch(
    transaction: Transaction, source: PriceSource, settings: Settings, first: date, last: date
) -> list[str]:
    """What the source brings by itself, else the universe's members of the window and the indices."""
    own = source.symbols()
    if own is not None:
        return own
    members = transaction.read(
        market_queries.MEMBERS, universe=settings.universe, first=first, last=last
    )["symbol"]
    return sorted({*members, settings.benchmark, settings.vix})


def ingest(
    transaction: Transaction,
    source: PriceSource,
    settings: Settings,
    first: date,
    last: date,
    run_id: str,
    say: Callable[[str], None],
) -> IngestReport:
    """Bring the window [first, last] up to date from `source`; days that are settled are not asked for.

    say: called with a line of progress after each batch.
    """
    report = IngestReport(exchanges=settings.exchanges)
    symbols = symbols_to_fetch(transaction, source, settings, first, last)
    listed = listed_symbols(transaction, source, settings, symbols)
    named = listed.filter(pl.col("symbol").str.contains(SYMBOL_PATTERN))
    placed = named.filter(pl.col("exchange").is_not_null())
    transaction.append(tables.SYMBOLS, placed.with_columns(source=pl.lit(source.name)))
    report.unplaced = named.filter(pl.col("exchange").is_null())["symbol"].to_list()
    report.unseen_days = _unseen_days(placed, settings)
    last = min(last, transaction.now.date() - timedelta(days=1))
    if last < first:
        return report
    seen_days = _asked_near(transaction, source, symbols, first, last)
    for asked, start in _requests(transaction, source, settings, symbols, first, last):
        for judged in _ahead(_judged(transaction, source, settings, listed, asked, start, last)):
            _store(transaction, source, judged, start, last, run_id, report, seen_days)
            changed = renew_flags(transaction, judged.bars, listed, start, last, settings.max_jump)
            report.bars += Written(updated=changed)
            report.symbols_asked += len(judged.fetches)
            say(
                f"{report.symbols_asked} of {len(symbols)} symbols, {report.bars.inserted:,} new bars"
            )
    report.symbols_covered = len(symbols) - report.symbols_asked
    return report


def listed_symbols(
    transaction: Transaction, source: PriceSource, settings: Settings, symbols: Sequence[str]
) -> pl.DataFrame:
    """symbol, exchange, asset_class, currency of `symbols`: as on record, else by their names.

    A name that does not tell the exchange takes the source's, or settings.default_exchange; without
    one exchange and asset_class are null. Raises ValueError for an exchange without a calendar.
    """
    otherwise = settings.default_exchange or source.exchange
    if otherwise:
        calendar(otherwise)
    asked = pl.DataFrame({"symbol": sorted(set(symbols))}, schema={"symbol": pl.String})
    known = transaction.read(market_queries.SYMBOLS).join(asked, on="symbol", how="semi")
    new = asked.join(known, on="symbol", how="anti")["symbol"]
    return pl.concat([known.cast(pl.String), routes(new, otherwise)]).sort("symbol")


def _unseen_days(placed: pl.DataFrame, settings: Settings) -> dict[str, str]:
    """Exchanges with sessions on days that are no trading days, each with one of its symbols."""
    seen = sessions_of(settings.exchanges)
    examples = placed.group_by("exchange").agg(pl.col("symbol").first()).sort("exchange")
    return {
        exchange: symbol
        for exchange, symbol in examples.iter_rows()
        if len(np.setdiff1d(calendar(exchange).sessions, seen))
    }


def _requests(
    transaction: Transaction,
    source: PriceSource,
    settings: Settings,
    symbols: list[str],
    first: date,
    last: date,
) -> list[tuple[list[str], date]]:
    """(symbols, first day) to ask for: whole windows not covered yet, and what may still be revised."""
    if source.revises == "anything":
        return [(symbols, first)]
    covered = set(
        transaction.read(
            market_queries.COVERED_SYMBOLS,
            source=source.name,
            symbols=symbols,
            first=first,
            last=last,
        )["symbol"]
    )
    requests = [([s for s in symbols if s not in covered], first)]
    if source.revises == "recent":
        recent = sessions_before(
            calendar(settings.exchanges[0]), transaction.now.date(), settings.refetch_sessions
        )
        if recent <= last:
            requests.append(([s for s in symbols if s in covered], max(first, recent)))
    return [(asked, start) for asked, start in requests if asked]


def _asked_near(
    transaction: Transaction, source: PriceSource, symbols: list[str], first: date, last: date
) -> list[date]:
    """Days that a source which brings its own symbols was asked for within NEAR of them.

    It was asked for everything it had, so what it brings of them now it had not then: a symbol that
    was missing in the file of a night is known from the moment of this load.
    """
    if source.symbols() is None:
        return []
    asked = transaction.read(
        market_queries.ASKED_OF_SOURCE,
        source=source.name, symbols=symbols, first=first, last=last,
    )  # fmt: skip
    return sorted(
        {
            start + timedelta(days=n)
            for begins, ends, at in asked.iter_rows()
            for start in [max(begins, first, at.date() - NEAR)]
            for n in range((min(ends, last) - start).days + 1)
        }
    )


@dataclass(frozen=True)
class _Judged:
    """A batch ready to be stored: frames in the columns of their tables."""

    bars: pl.DataFrame
    actions: pl.DataFrame
    rejects: pl.DataFrame
    fetches: pl.DataFrame
    kept: pl.DataFrame  # TOLD: actions that are reported, or of which the answer could not tell


def _judged(
    transaction: Transaction,
    source: PriceSource,
    settings: Settings,
    listed: pl.DataFrame,
    symbols: list[str],
    first: date,
    last: date,
) -> Iterator[_Judged]:
    """Fetch and screen, batch by batch. Reads here, so that iterating needs no database."""
    previous = transaction.read(
        market_queries.LAST_CLOSES, symbols=symbols, before=first, since=first - LOOKBACK
    )
    traded = transaction.read(market_queries.TRADED, symbols=symbols, before=first)["symbol"]
    stored = _stored_actions(transaction, symbols, first, last)
    before = stored.filter(pl.col("ex_date") < first)
    exchanges = listed["exchange"].drop_nulls().unique().to_list()
    sessions = {name: calendar(name).sessions for name in exchanges}
    source_name = pl.lit(source.name).alias("source")

    def judge(batch: Batch) -> _Judged:
        untold = _untold(stored.filter(pl.col("ex_date") >= first), batch)
        screened = screen(
            batch.bars,
            routes=listed,
            sessions=sessions,
            last_complete=last,
            previous=previous,
            traded=traded.to_list(),
            actions=pl.concat([before, batch.actions, untold]),
            max_jump=settings.max_jump,
        )
        known = _knowledge_times(screened.accepted, listed, source.publication_delay)
        ex_day_ends = pl.Series("knowledge_time", as_of_array(batch.actions["ex_date"].to_numpy()))
        rejects = pl.concat([batch.rejects, screened.rejects])
        return _Judged(
            known.with_columns(source_name),
            batch.actions.with_columns(source_name, ex_day_ends.dt.replace_time_zone("UTC")),
            rejects.with_columns(source_name),
            batch.fetches.with_columns(source_name),
            pl.concat([batch.actions, untold]).select(list(TOLD)),
        )

    return map(judge, source.fetch(symbols, first, last))


def _ahead(batches: Iterator[_Judged]) -> Iterator[_Judged]:
    """The same, each made in a thread while the one before it is being stored."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        upcoming = thread.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = thread.submit(next, batches, None)
            yield batch


def _store(
    transaction: Transaction,
    source: PriceSource,
    judged: _Judged,
    first: date,
    last: date,
    run_id: str,
    report: IngestReport,
    seen_days: list[date],
) -> None:
    """Write one batch: its bars, actions, refusals and log. seen_days: see `_asked_near`."""
    seen = transaction.now
    report.bars += transaction.revise(tables.MARKET_DATA, judged.bars, seen, seen_days)
    report.actions += transaction.revise(tables.CORPORATE_ACTIONS, judged.actions, seen, seen_days)
    answered = judged.fetches.filter(pl.col("status") == "ok")["symbol"].to_list()
    withdrawn = transaction.withdraw_missing_actions(
        judged.kept, answered, first, last, source.name
    )
    report.actions += Written(deleted=withdrawn)
    transaction.append(tables.QUARANTINE, judged.rejects.unique())
    transaction.append(tables.FETCH_LOG, judged.fetches.with_columns(run_id=pl.lit(run_id)))
    _count(report, judged.bars, judged.rejects, judged.fetches)


def _untold(stored: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """The stored actions (ACTIONS) of the window that `batch` neither reports nor could: they stay."""
    silent = stored.join(batch.actions, on=list(TOLD), how="anti")
    if batch.told is None or silent.is_empty():
        return silent.clear()
    return silent.join(batch.told(silent.select(list(TOLD))), on=list(TOLD), how="anti")


def _stored_actions(
    transaction: Transaction, symbols: list[str], first: date, last: date
) -> pl.DataFrame:
    """Stored actions of the window, and between the last bar before it and it, as ACTIONS.

    An ex-date may have no bar of its own; its action then explains the step into the window.
    """
    stored = transaction.read(
        market_queries.ACTIONS_AS_OF,
        symbols=symbols,
        first=first - LOOKBACK,
        last=last,
        as_of=transaction.now,
    )
    return stored.with_columns(inferred=pl.lit(False)).cast(ACTIONS)


def _knowledge_times(bars: pl.DataFrame, listed: pl.DataFrame, delay: timedelta) -> pl.DataFrame:
    """Add knowledge_time: the session's close plus the source's delay, at the latest the day's end."""
    exchange_of = listed.select("symbol", "exchange")
    days = bars.join(exchange_of, on="symbol").select("exchange", "trading_day").unique()
    closes = [
        group.with_columns(
            pl.Series("close_utc", calendar(name).closes_utc(group["trading_day"].to_numpy())),
            pl.Series("day_end", as_of_array(group["trading_day"].to_numpy())),
        )
        for (name,), group in days.group_by("exchange")
    ]
    if not closes:
        return bars.with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("knowledge_time"))
    known = pl.min_horizontal(pl.col("close_utc") + delay, "day_end").dt.replace_time_zone("UTC")
    table = pl.concat(closes).select("exchange", "trading_day", known.alias("knowledge_time"))
    return (
        bars.join(exchange_of, on="symbol", how="left", maintain_order="left")
        .join(table, on=["exchange", "trading_day"], how="left", maintain_order="left")
        .drop("exchange")
    )


def _count(
    report: IngestReport, accepted: pl.DataFrame, rejects: pl.DataFrame, fetches: pl.DataFrame
) -> None:
    for column, frame, counter in (
        ("reason", rejects, report.quarantined),
        ("flag", accepted.filter(pl.col("flag").is_not_null()), report.flagged),
        ("category", fetches.filter(pl.col("category").is_not_null()), report.failures),
    ):
        counter.update(dict(frame.group_by(column).len().iter_rows()))
    troubled = pl.concat(
        [rejects.select("symbol"), accepted.filter(pl.col("flag").is_not_null()).select("symbol")]
    )
    report.worst.update(dict(troubled.group_by("symbol").len().iter_rows()))
