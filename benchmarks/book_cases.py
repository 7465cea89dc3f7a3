"""The paper book: fills a second of one processor, and twenty years into PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lines import Line, Options, line
from benchmarks.sandbox import Database, Sandbox

NAMES = ["book_fills", "book_twenty_years"]
FILLS_PER_SECOND = 50_000
CPU_LIMIT = 60.0  # seconds
SYMBOLS, DAYS = 500, 5_040

# Bars of the days on which something is filled: the database refuses a fill without one.
_BARS = """
    INSERT INTO market.symbols (symbol, exchange, asset_class, source)
    SELECT 'B' || lpad(n::text, 4, '0'), 'XNYS', 'stock', 'bench' FROM generate_series(0, %(last)s) n;
    INSERT INTO market.market_data (symbol, trading_day, open, high, low, close, volume, quality,
        source, knowledge_time)
    SELECT symbol, d::date, 1, 1, 1, 1, 1, 'good', 'bench', (d::date + 1)::timestamp AT TIME ZONE 'UTC'
    FROM market.symbols, generate_series(DATE '2000-01-03', DATE '2021-12-31', interval '1 day') d
    WHERE extract(isodow FROM d) < 6
"""


def book_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Both cases; their limits are processor seconds of the process that holds the book."""
    if not options.any_of(NAMES):
        return
    symbols = max(2, round(SYMBOLS * options.scale))
    database = box.database("book")
    if options.wanted("book_fills"):
        options.say("book: fills")
        done = database.step("book_fills", symbols=symbols, days=80)
        allowed = done["fills"] / FILLS_PER_SECOND
        yield line(
            "book_fills",
            done["cpu_s"],
            allowed,
            done["fills"],
            1.0,
            done["peak_mb"],
            fills_per_s=round(done["fills"] / done["cpu_s"]),
        )
    if options.wanted("book_twenty_years"):
        options.say("book: twenty years")
        _bars(database, symbols)
        done = database.step("book_twenty_years", symbols=symbols, days=DAYS)
        yield line(
            "book_twenty_years",
            done["product_s"],
            CPU_LIMIT,
            done["rows"],
            None,
            done["peak_mb"],
            cpu_s=round(done["cpu_s"], 2),
            cpu_limit=CPU_LIMIT,
            within_limit=done["cpu_s"] <= CPU_LIMIT,
            fills=done["fills"],
        )


def _bars(database: Database, symbols: int) -> None:
    with database.connect() as connection:
        for statement in _BARS.replace("%(last)s", str(symbols - 1)).split(";"):
            connection.execute(statement.encode())
