"""Predictions of others, taken on a real database: accepted, duplicate, conflict, rejected."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest

from predtrack_assets.domain.forecasts.intake.completion import completed, with_log_returns
from predtrack_assets.domain.statistics.first_passage import hit_probability
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.forecasts.external_models import ModelRefused, register_model
from predtrack_assets.services.forecasts.intake import KeyReused, Sender, take_predictions
from predtrack_assets.services.forecasts.intake_batch import Batch
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 6, 1)
DAY = "2021-05-03"
SENDER = Sender("ann", "request-1", "k1234567")


@pytest.fixture
def market(database_url: str) -> str:
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAPL", "MSFT"])
    ]
    graph.store_bars(database_url, pl.concat(walks))
    with Database(url=database_url).transaction() as transaction:
        register_model(
            transaction,
            name="tilt",
            version=1,
            kinds=["direction", "price", "volatility", "time_to_hit"],
            owner="ann",
        )
    return database_url


def take(
    url: str, rows: list[dict[str, Any]], sender: Sender = SENDER, **options: Any
) -> dict[str, Any]:
    with Database(url=url).transaction() as transaction:
        return take_predictions(
            transaction,
            model="tilt",
            version=1,
            rows=rows,
            sender=sender,
            body=json.dumps(rows).encode(),
            **options,
        )


def up(p: float = 0.56, **fields: Any) -> dict[str, Any]:
    return {
        "symbol": "AAPL",
        "horizon": 5,
        "decision_day": DAY,
        "direction": {"p_up": p},
    } | fields


def fan(url: str, symbol: str = "MSFT") -> list[float]:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT close FROM market.market_data WHERE symbol = %s AND trading_day = %s",
            [symbol, DAY],
        ).fetchone()
    assert row
    return [row[0] * factor for factor in (0.95, 0.97, 0.99, 1.0, 1.01, 1.03, 1.06)]


def test_statements_are_completed_sealed_and_verify(market: str) -> None:
    quantiles = fan(market)
    answer = take(
        market,
        [
            up(),
            {"symbol": "MSFT", "horizon": 5, "decision_day": DAY, "price": {"quantiles": quantiles}},
            {"symbol": "MSFT", "horizon": 5, "decision_day": DAY, "volatility": {"sd": 0.3, "per": "year"}},
        ],
    )  # fmt: skip
    assert answer["counts"] == {"accepted": 3, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert [row["origin"] for row in answer["rows"]] == ["replay"] * 3
    with psycopg.connect(market) as connection:
        stored = connection.execute(
            "SELECT prediction_id::text, kind, confidence, predicted_price, q95, sigma, climatology"
            " FROM forecasts.predictions ORDER BY kind"
        ).fetchall()
    assert [row[0] for row in stored] == [answer["rows"][i]["prediction_id"] for i in (0, 1, 2)]
    assert stored[0][2] == 0.56
    assert stored[1][3] == pytest.approx(quantiles[3])
    assert stored[1][4] == pytest.approx(np.log(1.06))
    assert all(row[5] > 0 for row in stored)
    with Database(url=market).transaction(READER) as transaction:
        verdict = verify(transaction)
    assert verdict.good
    assert (verdict.rows, verdict.rows_good) == (3, 3)


def hit(**form: Any) -> dict[str, Any]:
    about = {"target": 0.03, "unit": "log_return", "p_hit": 0.4, "expected_sessions": 2.5} | form
    return {"symbol": "AAPL", "horizon": 5, "decision_day": DAY, "time_to_hit": about}


def test_a_target_of_ones_own_is_completed_and_sealed(market: str) -> None:
    close = fan(market, "AAPL")[3]
    rows = [hit(), hit(), hit(rule="close"), hit(target=close, unit="price") | {"horizon": 6}]
    answer = take(market, [*rows, hit(target=close * 0.9, unit="price") | {"horizon": 7}])
    assert [row["status"] for row in answer["rows"]] == [
        "accepted", "duplicate", "conflict", "rejected", "accepted",
    ]  # fmt: skip
    assert answer["rows"][3]["code"] == "target_is_complete_and_on_its_side"
    with psycopg.connect(market) as connection:
        stored = connection.execute(
            "SELECT target_price, side, hit_rule, predicted_days, confidence, climatology, sigma"
            " FROM forecasts.predictions ORDER BY horizon"
        ).fetchall()
    assert stored[0][:5] == (pytest.approx(close * np.exp(0.03)), "above", "touch", 2.5, 0.4)
    assert stored[1][:2] == (pytest.approx(close * 0.9), "below")
    for horizon, row in ((5, stored[0]), (7, stored[1])):
        sigma, away = np.array(row[6]), np.log(row[0] / close)
        rate = hit_probability(away, sigma, horizon, -(sigma**2) / 2)
        assert row[5] == pytest.approx(float(rate))
    with Database(url=market).transaction(READER) as transaction:
        assert verify(transaction).good


def test_the_first_statement_stands(market: str) -> None:
    take(market, [up(0.56)])
    again = take(market, [up(0.56), up(0.57, horizon=6), up(0.58, horizon=6)])
    assert [row["status"] for row in again["rows"]] == ["duplicate", "accepted", "conflict"]
    other = take(market, [up(0.61)])
    assert other["rows"][0]["status"] == "conflict"
    assert other["rows"][0]["code"] == "first_statement_stands"


def test_a_key_that_comes_again_gets_the_same_answer(market: str) -> None:
    sender = Sender("ann", "request-2", "k1234567", "batch-of-monday")
    first = take(market, [up()], sender)
    again = take(market, [up()], sender)
    assert again["batch"] == first["batch"]
    assert again["rows"] == first["rows"]
    with pytest.raises(KeyReused):
        take(market, [up(0.6)], sender)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "APPL"}, "symbol_unknown"),
        ({"decision_day": "2021-05-01"}, "day_not_a_session"),
        ({"decision_day": "2099-01-02"}, "day_in_future"),
        ({"decision_day": "2021-01-05"}, "no_reference_price"),
        ({"horizon": 0}, "horizon_is_1_to_252_sessions_or_1_to_1440_minutes"),
        ({"horizon": 30, "horizon_unit": "minute"}, "horizon_unit_unsupported"),
        ({"horizon": "5"}, "wrong_type"),
        ({"direction": {"p_up": 1.5}}, "confidence_is_0_to_1"),
        ({"direction": {"p_up": float("nan")}}, "not_a_number"),
        ({"direction": {"p_up": 0.5, "p_down": 0.5}}, "unknown_field"),
        ({"volatility": {"sd": 0.01}}, "exactly_one_form"),
        (hit(p_hit=1.0) | {"direction": None}, "confidence_is_0_to_1"),
        (hit(expected_sessions=6) | {"direction": None}, "predicted_days_is_within_the_horizon"),
        (hit(target=-1, unit="price") | {"direction": None}, "target_price_is_positive"),
        (hit(target=9.0) | {"direction": None}, "unit_suspect"),
        ({"due_day": "2021-05-11"}, "due_day_disagrees"),
        ({"exchange": "XLON"}, "exchange_disagrees"),
        ({"note": "a\u0000b"}, "text_invalid"),
        ({"direction": None, "price": {"quantiles": [1, 2, 3]}}, "quantiles_incomplete"),
        ({"direction": None, "price": {"quantiles": [7, 6, 5, 4, 3, 2, 1]}}, "quantiles_are_in_order"),
        ({"direction": None, "price": {"quantiles": [1, 1, 1, 1, 1, 1, 1e6]}}, "unit_suspect"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_code_and_the_rest_goes_on(
    market: str, change: dict[str, Any], code: str
) -> None:
    answer = take(market, [up(**change), up(symbol="MSFT")])
    assert answer["rows"][0]["status"] == "rejected"
    assert answer["rows"][0]["code"] == code
    assert answer["rows"][0]["message"]
    assert answer["rows"][1]["status"] == "accepted"


def test_late_rows_are_refused_where_that_is_asked_for(market: str) -> None:
    answer = take(market, [up()], on_late="reject")
    assert answer["rows"][0]["code"] == "late"


def test_models_belong_to_who_registered_them(market: str) -> None:
    with pytest.raises(ModelRefused, match="another key"):
        take(market, [up()], Sender("bob", "request-3"))
    with Database(url=market).transaction() as transaction:
        with pytest.raises(ModelRefused) as reserved:
            register_model(transaction, name="no_change", version=1, kinds=["price"], owner="ann")
        assert reserved.value.code == "name_reserved"
        with pytest.raises(ModelRefused) as named:
            register_model(transaction, name="../x", version=1, kinds=["price"], owner="ann")
        assert named.value.code == "model_name"


@pytest.mark.parametrize(("exchange", "sessions"), [("XNYS", 252), ("24/7", 365)])
def test_a_volatility_a_year_is_of_the_sessions_of_its_calendar(
    exchange: str, sessions: int
) -> None:
    batch = Batch([{"symbol": "A", "horizon": 5, "volatility": {"sd": 0.4, "per": "year"}}])
    known = {"exchange": exchange, "reference_price": 100.0, "sigma": 0.01, "climatology": 0.5}
    rows = batch.open.with_columns(pl.lit(value).alias(name) for name, value in known.items())
    daily = completed(with_log_returns(rows))["predicted_volatility"].item()
    assert daily == pytest.approx(0.4 / np.sqrt(sessions))
