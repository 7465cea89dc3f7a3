"""How far back a window's fits reach, and what a backfill says of it before it starts."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest

from predtrack_assets.cli.backfill_inputs import (
    FEATURE_STORE,
    POOLED_MODELS,
    first_day_of_inputs,
    with_source_of_home,
)
from predtrack_assets.days import Window
from predtrack_assets.services.models.warm_up import WarmUp, missing_warm_up
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph

FEBRUARY = Window(date(2021, 2, 1), date(2021, 2, 26))
JANUARY_ENDS = date(2021, 1, 29)
NEEDED = 30


@pytest.fixture(autouse=True)
def few_sessions_are_enough(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", str(NEEDED))
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)


def store_features(url: str, first: date, last: date) -> None:
    with psycopg.connect(url) as connection:
        connection.cursor().executemany(
            "INSERT INTO features.feature_store (symbol, trading_day, feature_set, vector)"
            " VALUES ('AAA', %s, 'standard-v1', '\\x0000000000000000')",
            [(day,) for day in graph.trading_days(first, last)],
        )


def lacking(url: str, asked: Window = FEBRUARY, begins: date | None = None) -> WarmUp | None:
    return missing_warm_up(Database(url=url), asked, get_settings(), begins)


def test_an_empty_home_needs_its_sessions_and_the_longest_feature_before_them(
    database_url: str,
) -> None:
    found = lacking(database_url)
    assert found is not None
    assert (found.stored, found.needed, found.cutoff) == (0, NEEDED, JANUARY_ENDS)
    assert found.first_fit == JANUARY_ENDS
    before = graph.trading_days(found.start, JANUARY_ENDS)
    assert len(before) == NEEDED + 252


def test_a_home_with_enough_sessions_lacks_nothing(database_url: str) -> None:
    days = graph.trading_days(date(2020, 11, 1), JANUARY_ENDS)[-NEEDED:]
    store_features(database_url, days[1], JANUARY_ENDS)
    found = lacking(database_url)
    assert found is not None
    assert found.stored == NEEDED - 1
    store_features(database_url, days[0], days[0])
    assert lacking(database_url) is None


def test_prices_that_begin_late_put_off_the_first_fit(database_url: str) -> None:
    begins = date(2021, 1, 4)
    found = lacking(database_url, Window(date(2021, 2, 1), date(2021, 4, 30)), begins)
    assert found is not None
    assert found.start == begins
    assert found.first_fit == date(2021, 2, 26), "19 sessions in January, 38 by the end of February"
    none = lacking(database_url, FEBRUARY, begins)
    assert none is not None
    assert none.first_fit is None


def test_days_of_the_first_month_have_no_fit_to_wait_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", "2021-02-01")
    assert lacking(database_url) is None


def test_a_backfill_says_first_what_it_adds_or_what_to_run(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = get_settings()
    start = first_day_of_inputs(settings, FEBRUARY, {POOLED_MODELS, FEATURE_STORE}, None)
    said = " ".join(capsys.readouterr().err.split())
    assert start is not None
    assert f"Warm-up: prices and features from {start} on" in said
    with pytest.raises(ValueError, match=f"First run predtrack backfill --from {start}"):
        first_day_of_inputs(settings, FEBRUARY, {POOLED_MODELS}, None)
    assert first_day_of_inputs(settings, FEBRUARY, {FEATURE_STORE}, None) is None
    late = first_day_of_inputs(settings, FEBRUARY, {POOLED_MODELS, FEATURE_STORE}, FEBRUARY.start)
    assert late == FEBRUARY.start
    assert "Prices begin too late for a fit" in " ".join(capsys.readouterr().err.split())
    store_features(database_url, JANUARY_ENDS - timedelta(days=60), JANUARY_ENDS)
    assert first_day_of_inputs(settings, FEBRUARY, {POOLED_MODELS}, None) is None


@pytest.mark.parametrize(
    ("stored", "named", "source"),
    [
        ((), None, "yahoo"),
        (("sample",), None, "sample"),
        (("sample",), "file", "file"),
        (("file", "yahoo"), None, "yahoo"),
    ],
)
def test_a_home_keeps_its_source_unless_another_is_named(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stored: tuple[str, ...],
    named: str | None,
    source: str,
) -> None:
    store_symbols(database_url, *stored)
    if named:
        monkeypatch.setenv("PREDTRACK_SOURCE", named)
    monkeypatch.setenv("PREDTRACK_FILE", "prices.csv")
    with_source_of_home(get_settings())
    assert get_settings().source == source
    assert bool(capsys.readouterr().err) == (stored == ("sample",)), "a mixture is said"
    monkeypatch.delenv("PREDTRACK_SOURCE", raising=False)


def test_a_file_is_to_be_named_again(database_url: str) -> None:
    store_symbols(database_url, "file")
    with pytest.raises(ValueError, match="name the file again"):
        with_source_of_home(get_settings())


def store_symbols(url: str, *sources: str) -> None:
    with psycopg.connect(url) as connection:
        for source in sources:
            connection.execute(
                "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
                " VALUES (%s, 'XNYS', 'stock', %s)",
                [source.upper(), source],
            )
