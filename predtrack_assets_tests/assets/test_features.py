"""The feature store through the graph: a range is its days, corrections count from when they came."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.features import indicators
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.warehouse.database.transaction import READER
from predtrack_assets.warehouse.features.store import FeatureRows, read_features
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.test_range_is_day_by_day import market_file, revise, utc

STORE = ["features/feature_store"]
FIRST, LAST = date(2021, 4, 1), date(2021, 4, 14)
BEFORE = date(2021, 1, 4)


@pytest.fixture
def priced(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database with bars, actions and conditions of the window and the months before it."""
    monkeypatch.setenv("PREDTRACK_SOURCE", "file")
    monkeypatch.setenv("PREDTRACK_FILE", str(market_file(tmp_path / "prices.csv")))
    monkeypatch.setenv("PREDTRACK_FILE_PRICES", "as_traded")
    graph.run_reference(database_url)
    market = ["market/market_data", "market/corporate_actions", "market/market_conditions"]
    graph.run(database_url, BEFORE, LAST, market)
    return database_url


def stored(url: str) -> FeatureRows:
    with Warehouse(url=url).transaction(READER) as transaction:
        return read_features(transaction, STANDARD, None, FIRST, LAST)


def changed_cells(a: FeatureRows, b: FeatureRows) -> set[tuple[str, date]]:
    assert a.symbols.tolist() == b.symbols.tolist()
    different = (a.values.view(np.int64) != b.values.view(np.int64)).any(axis=1)
    return set(zip(a.symbols[different], a.days[different].tolist(), strict=True))


def test_a_range_is_its_days_and_a_rerun_changes_nothing(priced: str) -> None:
    revise(priced, "PAYS", date(2021, 3, 30), 44.0, utc(2021, 4, 10, 0, 31))  # on a Saturday
    with graph.copy_of(priced) as daily:
        first = graph.run(priced, FIRST, LAST, STORE)
        graph.run_day_by_day(daily, FIRST, LAST, STORE)
        rows = graph.contents(priced)
        assert graph.differences(rows, graph.contents(daily)) == {}
    found = stored(priced)
    assert {"BHP.AX", "BTC-USD", "NEWS", "^GSPC"} <= set(found.symbols)
    assert graph.counts(first)["features/feature_store"]["inserted"] == len(found)
    assert graph.changed(graph.run(priced, FIRST, LAST, STORE)) == {}
    assert graph.changed(graph.run(priced, LAST, LAST, STORE)) == {}
    assert graph.changed(graph.run_reference(priced)) == {}
    assert graph.differences(graph.contents(priced), rows) == {}


def test_a_correction_counts_from_the_day_it_was_seen(priced: str) -> None:
    graph.run(priced, FIRST, LAST, STORE)
    before = stored(priced)
    revise(priced, "PAYS", date(2021, 3, 30), 44.0, utc(2021, 4, 8, 12))
    graph.run(priced, FIRST, LAST, STORE)
    changed = changed_cells(before, stored(priced))
    own_days = [d for s, d in changed if s == "PAYS"]
    assert min(own_days) == date(2021, 4, 8)
    assert len(own_days) == len([d for d in graph.trading_days(date(2021, 4, 8), LAST)
                                 if np.is_busday(d)])  # fmt: skip
    assert {s for s, _ in changed} == {"PAYS"}


def test_a_bar_that_is_gone_takes_its_vector_with_it(priced: str) -> None:
    graph.run(priced, FIRST, LAST, STORE)
    graph.execute(
        priced,
        "INSERT INTO features.feature_store (symbol, trading_day, feature_set, vector)"
        " SELECT 'GONE', '2021-04-12', feature_set, vector FROM features.feature_store"
        " WHERE symbol = 'GONE' LIMIT 1",
    )
    again = graph.counts(graph.run(priced, FIRST, LAST, STORE))["features/feature_store"]
    assert (again["deleted"], again["inserted"], again["updated"]) == (1, 0, 0)


def test_conditions_of_a_symbol_are_indicators_in_its_own_prices(priced: str) -> None:
    graph.run(priced, FIRST, LAST, STORE)
    shown = graph.frame(
        priced,
        "SELECT * FROM market.symbol_conditions WHERE symbol = 'PAYS' AND trading_day = %s",
        LAST,
    ).row(0, named=True)
    bars = graph.frame(
        priced,
        "SELECT high, low, close FROM market.market_data_current WHERE symbol = 'PAYS'"
        " AND trading_day <= %s AND extract(isodow FROM trading_day) < 6 ORDER BY trading_day",
        LAST,
    )
    high, low, close = (bars[name].to_numpy()[None, :] for name in ("high", "low", "close"))
    bottom, _, top = indicators.bollinger(close)
    line, signal, _ = indicators.macd(close)
    expected = {
        "close": close,
        "rsi_14": indicators.rsi(close),
        "atr_14": indicators.atr(high, low, close),
        "bb_upper": top,
        "bb_lower": bottom,
        "macd_line": line,
        "macd_signal": signal,
    }
    for name, values in expected.items():
        assert shown[name] == pytest.approx(values[0, -1], rel=1e-9), name
    assert shown["detected_regime"] is None, "after four months"


def test_code_that_changed_without_a_new_version_is_noticed(priced: str) -> None:
    graph.execute(priced, "UPDATE features.feature_sets SET code_hash = repeat('0', 64)")
    result = graph.run_reference(priced)
    assert graph.counts(result)["features/feature_sets"]["conflicting"] == 1
