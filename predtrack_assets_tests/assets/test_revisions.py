"""What arrives late changes what follows, never what was known, said or resolved before."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.test_range_is_day_by_day import CHAIN
from predtrack_assets_tests.graph import utc

BEFORE = (date(2021, 1, 4), date(2021, 3, 31))
AFTER = (date(2021, 4, 1), date(2021, 4, 9))
REVISED = date(2021, 3, 24)
SEEN = utc(2021, 4, 2, 0, 31)  # Good Friday, so news of the Monday after
HEARD = date(2021, 4, 5)
NEW_CLOSE = 70.0
SPLIT_DAY = date(2021, 3, 26)


def market(first: date, last: date) -> pl.DataFrame:
    days = calendar("XNYS").between(first, last)
    return pl.concat(
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAA", "BBB", "^GSPC"])
    )


@pytest.fixture
def lived(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose days up to the end of March have been computed; bars go on."""
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")
    monkeypatch.setenv("PREDTRACK_EXPIRE_AFTER", "3")
    graph.run_reference(database_url)
    graph.store_bars(database_url, market(BEFORE[0], AFTER[1]))
    graph.run(database_url, *BEFORE, CHAIN)
    return database_url


def revision(url: str) -> None:
    flat = dict.fromkeys(("open", "high", "low", "close"), NEW_CLOSE)
    row = {"symbol": "AAA", "date": REVISED, **flat, "volume": 1.0, "knowledge_time": SEEN}
    graph.store_bars(url, pl.DataFrame([row]))


def outcomes(url: str, day: date) -> pl.DataFrame:
    """Price outcomes of AAA that fell due on a day, oldest revision first."""
    return graph.frame(
        url,
        "SELECT model_id, horizon, resolved_day, status, actual_price, relative_error,"
        " knowledge_time FROM forecasts.outcomes"
        " WHERE symbol = 'AAA' AND kind = 'price' AND due_day = %s ORDER BY knowledge_time",
        day,
    )


def subset(rows: graph.Rows, table: str) -> set[tuple]:
    return set(rows[table])


def test_a_late_revision_changes_nothing_before_it_and_all_that_follows(lived: str) -> None:
    before = graph.contents(lived)
    old_close = outcomes(lived, REVISED)["actual_price"][0]
    with graph.copy_of(lived) as undisturbed:
        revision(lived)
        as_of = (
            "SELECT close FROM market.market_data_as_of(%s) WHERE (symbol, trading_day) = (%s, %s)"
        )
        for moment, close in ((utc(2021, 4, 2, 0, 30), old_close), (SEEN, NEW_CLOSE)):
            known = graph.frame(lived, as_of, moment, "AAA", REVISED)
            assert known["close"].to_list() == [close]

        graph.run(lived, *AFTER, CHAIN)
        graph.run(undisturbed, *AFTER, CHAIN)
        after, other = graph.contents(lived), graph.contents(undisturbed)

    # What was written stays, and outcomes of the revised day get a second revision.
    for table in ("forecasts.predictions", "forecasts.outcomes", "market.market_conditions"):
        assert subset(before, table) <= subset(after, table), table
    revised = outcomes(lived, REVISED)
    assert revised["resolved_day"].unique().sort().to_list() == [REVISED, HEARD]
    first = revised.filter(resolved_day=REVISED)
    second = revised.filter(resolved_day=HEARD)
    assert len(first) == len(second) == 8, "4 models, 2 horizons"
    assert set(first["actual_price"]) == {old_close}
    assert set(second["actual_price"]) == {NEW_CLOSE}
    assert set(second["knowledge_time"]) == {utc(2021, 4, 6)}
    current = graph.frame(
        lived,
        "SELECT DISTINCT actual_price FROM forecasts.price_predictions"
        " WHERE symbol = 'AAA' AND validation_date = %s",
        REVISED,
    )
    assert current["actual_price"].to_list() == [NEW_CLOSE]

    # Predictions differ from those of an undisturbed life for AAA, from the day it was heard of.
    differ = subset(after, "forecasts.predictions") - subset(other, "forecasts.predictions")
    assert differ
    column = graph.frame(lived, "SELECT * FROM forecasts.predictions LIMIT 0").columns
    shown = [name for name in column if name != "recorded_at"]
    symbol, day = shown.index("symbol"), shown.index("trading_day")
    assert {row[symbol] for row in differ} == {"AAA"}
    assert min(row[day] for row in differ) == HEARD.isoformat()

    # Living through the old days again, with today's knowledge in the database, changes nothing.
    assert graph.changed(graph.run(lived, *BEFORE, CHAIN)) == {}
    assert graph.changed(graph.run(lived, *AFTER, CHAIN)) == {}
    assert graph.differences(graph.contents(lived), after) == {}


def test_a_split_told_late_corrects_the_outcomes_it_spoiled(lived: str) -> None:
    spoiled = outcomes(lived, date(2021, 3, 29)).filter(horizon=4)
    graph.store_action(lived, "AAA", SPLIT_DAY, "split", 2.0, SEEN)
    graph.run(lived, AFTER[0], date(2021, 4, 7), CHAIN)
    corrected = outcomes(lived, date(2021, 3, 29)).filter(horizon=4)
    assert len(corrected) == 2 * len(spoiled)
    later = corrected.filter(resolved_day=HEARD)
    assert later["actual_price"].to_list() == [2 * p for p in spoiled["actual_price"]]
    untouched = outcomes(lived, date(2021, 3, 25))
    assert untouched["resolved_day"].unique().to_list() == [date(2021, 3, 25)]

    graph.store_action(lived, "AAA", SPLIT_DAY, "split", None, utc(2021, 4, 8, 12))
    graph.run(lived, date(2021, 4, 8), AFTER[1], CHAIN)
    withdrawn = outcomes(lived, date(2021, 3, 29)).filter(horizon=4, resolved_day=date(2021, 4, 8))
    assert withdrawn["actual_price"].to_list() == spoiled["actual_price"].to_list()
    assert graph.changed(graph.run(lived, BEFORE[0], AFTER[1], CHAIN)) == {}


def test_a_late_price_turns_expired_into_validated(lived: str) -> None:
    gap = date(2021, 4, 1)
    graph.store_bars(lived, market(date(2021, 4, 12), date(2021, 4, 16)))
    with graph.copy_of(lived) as url:
        graph.execute(
            url,
            "DELETE FROM market.market_data WHERE symbol = 'AAA' AND trading_day = %s",
            gap,
        )
        graph.run(url, gap, gap, CHAIN)
        assert outcomes(url, gap).is_empty()
        status = (
            "SELECT DISTINCT status FROM forecasts.prediction_status"
            " WHERE symbol = 'AAA' AND due_day = %s"
        )
        assert graph.frame(url, status, gap)["status"].to_list() == ["pending"]

        graph.run(url, date(2021, 4, 5), AFTER[1], CHAIN)
        expired = outcomes(url, gap)
        assert set(expired["status"]) == {"expired"}
        assert set(expired["resolved_day"]) == {date(2021, 4, 7)}, "three sessions on"
        assert set(graph.frame(url, status, gap)["status"]) == {"expired"}

        late = (
            market(gap, gap)
            .filter(symbol="AAA")
            .with_columns(knowledge_time=pl.lit(utc(2021, 4, 14, 15)))
        )
        graph.store_bars(url, late)
        graph.run(url, date(2021, 4, 12), date(2021, 4, 16), CHAIN)
        both = outcomes(url, gap)
        assert both.filter(status="expired").height == expired.height
        validated = both.filter(status="validated")
        assert validated.height == expired.height
        assert set(validated["resolved_day"]) == {date(2021, 4, 14)}
        assert set(graph.frame(url, status, gap)["status"]) == {"validated"}
        assert graph.changed(graph.run(url, gap, date(2021, 4, 16), CHAIN)) == {}


@pytest.mark.slow
def test_corrections_inside_the_window_are_the_same_in_a_range_and_day_by_day(lived: str) -> None:
    window = (date(2021, 4, 1), date(2021, 4, 9))
    graph.execute(
        lived,
        "DELETE FROM market.market_data WHERE (symbol, trading_day) IN (('BBB', %s), ('AAA', %s))",
        *(date(2021, 4, 1), date(2021, 4, 7)),
    )
    revision(lived)
    for symbol, day, known in (
        ("BBB", date(2021, 4, 1), utc(2021, 4, 8, 12)),  # after it had expired
        ("AAA", date(2021, 4, 7), utc(2021, 4, 8, 3)),  # a day late
    ):
        bar = market(AFTER[0], AFTER[1]).filter(symbol=symbol, date=day)
        graph.store_bars(lived, bar.with_columns(knowledge_time=pl.lit(known)))
    graph.store_action(lived, "BBB", SPLIT_DAY, "split", 2.0, utc(2021, 4, 3, 18))  # a Saturday
    graph.store_action(lived, "BBB", SPLIT_DAY, "split", None, utc(2021, 4, 7, 18))
    graph.store_action(lived, "AAA", date(2021, 4, 6), "dividend", 1.0, utc(2021, 4, 6, 9))
    with graph.copy_of(lived) as daily:
        graph.run(lived, *window, CHAIN)
        graph.run_day_by_day(daily, *window, CHAIN)
        rows = graph.contents(lived)
        assert graph.differences(rows, graph.contents(daily)) == {}
    statuses = "SELECT status FROM forecasts.outcomes WHERE symbol = 'BBB' AND due_day = %s"
    assert set(graph.frame(lived, statuses, AFTER[0])["status"]) == {"expired", "validated"}
    assert graph.changed(graph.run(lived, BEFORE[0], AFTER[1], CHAIN)) == {}


DAY = date(2021, 4, 1)
LATER = "UPDATE market.market_data SET open = {0}, high = {0}, low = {0}, close = {0}"
POISONS = {
    "deleted": "DELETE FROM market.market_data WHERE trading_day > '2021-04-01'",
    "huge": LATER.format("1e9") + " WHERE trading_day > '2021-04-01'",
    "tiny": LATER.format("1e-9") + " WHERE trading_day > '2021-04-01'",
    "permuted": "UPDATE market.market_data SET trading_day = date '2021-04-14' - (trading_day -"
    " date '2021-04-01') WHERE trading_day > '2021-04-01' AND symbol <> 'BBB'",
    "revised": "INSERT INTO market.market_data (symbol, trading_day, open, high, low, close,"
    " volume, quality, source, knowledge_time) SELECT symbol, trading_day, 1e9, 1e9, 1e9, 1e9, 1,"
    " 'good', source, '2021-04-02T00:00:01Z' FROM market.market_data",
    "split": "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred,"
    " source, knowledge_time) VALUES ('AAA', '2021-03-31', 'split', 1e6, false, 'file',"
    " '2021-04-02T00:00:01Z'), ('AAA', '2021-04-05', 'split', 1e6, false, 'file', '2021-04-01')",
}


def test_the_future_in_the_database_changes_no_prediction(lived: str) -> None:
    """Later bars, revisions and actions, or none at all: the same rows for the same day."""
    select = ["market/market_conditions", "forecasts/predictions"]
    with graph.copy_of(lived) as honest:
        graph.run(honest, DAY, DAY, select)
        expected = graph.contents(honest)
    for name, poison in POISONS.items():
        with graph.copy_of(lived) as url:
            graph.execute(url, poison)
            graph.run(url, DAY, DAY, select)
            found = graph.contents(url)
        for table in ("forecasts.predictions", "market.market_conditions"):
            assert found[table] == expected[table], (name, table)
