"""Recommendations in SQL are those of the domain, and are given by the champion of their day alone."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist

import numpy as np
import polars as pl
import psycopg
import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.deployment.gates import PASSED
from predtrack_assets.domain.forecasts.recommendations import (
    BAND,
    COST,
    advised,
    implied_median,
    recommend,
    was_right,
)
from predtrack_assets_tests.builders.ledgers import commit, predictions
from predtrack_assets_tests.graph import execute, frame
from predtrack_assets_tests.services.deployment.test_decisions import (
    DAY,
    add_gate,
    insert,
    own_gate,
)

LEVELS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
QUANTILES = ["q05", "q10", "q25", "q50", "q75", "q90", "q95"]
TYPES = {"U": "text[]", "f": "float8[]", "i": "integer[]"}
SIDES = {"SELL": -1.0, "HOLD": 0.0, "BUY": 1.0}


def computed(url: str, expression: str, **columns: object) -> np.ndarray:
    """An expression over rows of columns, evaluated by the database; NULL is NaN."""
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    values = psycopg.sql.SQL(", ").join(
        psycopg.sql.SQL("%s::" + TYPES[array.dtype.kind]) for array in arrays.values()
    )
    query = psycopg.sql.SQL(
        "SELECT ({expression})::float8 FROM unnest({values}) WITH ORDINALITY AS r ({names}, place)"
        " ORDER BY place"
    ).format(expression=psycopg.sql.SQL(expression), values=values, names=names)
    with psycopg.connect(url) as connection:
        rows = connection.execute(query, [array.tolist() for array in arrays.values()])
        return np.array([row[0] for row in rows], np.float64)


def moment(day: date) -> datetime:
    """24:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


# -- the rule ----------------------------------------------------------------------------------


def test_sql_and_python_advise_the_same(database_url: str) -> None:
    random = np.random.default_rng(11)
    n = 3_000
    kind = random.choice(["price", "direction", "time_to_hit", "volatility"], n)
    median = random.normal(0, 0.03, n)
    p_up = np.concatenate([[0.0, 1.0], random.uniform(0, 1, n - 2)])
    sigma, horizon = random.uniform(0.002, 0.05, n), random.choice([1, 5, 21, 252], n)
    total = random.normal(0, 0.05, n)
    sides = computed(
        database_url,
        "forecasts.advised(kind, median, p_up, sigma, horizon)",
        kind=kind,
        median=median,
        p_up=p_up,
        sigma=sigma,
        horizon=horizon,
    )
    expected = advised(kind, median, p_up, sigma, horizon)
    np.testing.assert_array_equal(sides, expected)
    assert set(expected[kind == "price"]) == set(expected[kind == "direction"]) == {-1, 0, 1}
    position = random.integers(-1, 2, n)
    right = computed(
        database_url,
        "forecasts.was_right(position, total, sigma, horizon)::integer",
        position=position,
        total=total,
        sigma=sigma,
        horizon=horizon,
    )
    np.testing.assert_array_equal(right, was_right(position, total, sigma, horizon))


def test_sql_has_the_constants_of_the_domain(database_url: str) -> None:
    query = "SELECT forecasts.recommendation_band(), forecasts.recommendation_cost()"
    assert frame(database_url, query).row(0) == (BAND, COST)


def test_the_normal_quantile_is_exact(database_url: str) -> None:
    tails = 10.0 ** -np.arange(1, 300, 7)
    p = np.concatenate([tails, 1 - tails[:2], np.linspace(0.001, 0.999, 999)])
    expected = [NormalDist().inv_cdf(x) for x in p]
    found = computed(database_url, "forecasts.normal_quantile(p)", p=p)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
    ends = computed(database_url, "forecasts.normal_quantile(p)", p=[0.0, 1.0, -0.1, 1.1])
    np.testing.assert_array_equal(ends, [-math.inf, math.inf, math.nan, math.nan])


# -- the view ----------------------------------------------------------------------------------


def said(days: int = 4, models: tuple[str, ...] = ("first", "second", "own")) -> pl.DataFrame:
    """Predictions of several models with medians that make BUYs, SELLs and HOLDs."""
    random = np.random.default_rng(13)
    rows = predictions(days, ("AAA", "BBB", "CCC", "DDD"), models, DAY)
    q = np.sort(random.normal(random.normal(0, 0.03, (len(rows), 1)), 0.02, (len(rows), 7)), axis=1)
    price = pl.col("kind") == "price"
    rows = rows.with_columns(
        pl.when(price).then(pl.Series(q[:, k])).alias(name) for k, name in enumerate(QUANTILES)
    )
    uniform = pl.Series(random.uniform(0.05, 0.95, len(rows)))
    direction = pl.col("kind") == "direction"
    return rows.with_columns(
        pl.when(price)
        .then(pl.col("reference_price") * pl.col("q50").exp())
        .alias("predicted_price"),
        pl.when(direction).then(uniform).otherwise("confidence").alias("confidence"),
    )


def resolve(url: str) -> None:
    """Outcomes of all predictions but those of symbol DDD."""
    execute(
        url,
        "INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of, due_day,"
        " resolved_day, status, confidence, occurred, brier, actual_return, knowledge_time)"
        " SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, due_day, 'validated',"
        " confidence, true, 0.25, 0.1 * sin(ascii(symbol) * 5 + extract(day FROM trading_day)),"
        " (due_day + 1)::timestamp AT TIME ZONE 'UTC'"
        " FROM forecasts.predictions WHERE symbol <> 'DDD'",
    )


@pytest.fixture
def championed(database_url: str) -> str:
    """price h5: none on the first day, then `first`, then `second`, and `own` for BBB alone."""
    insert_champion(database_url, "first", DAY + timedelta(days=1))
    insert_champion(database_url, "second", DAY + timedelta(days=2))
    gate = own_gate(database_url, "BBB")  # registers `own` as fitted per symbol, before commit does
    commit(database_url, said())
    begin = moment(DAY + timedelta(days=3))
    insert(database_url, model_id="own", gate_id=gate, scope="h5:BBB", valid_from=begin)
    return database_url


def insert_champion(url: str, model: str, day: date) -> None:
    """Deploy a model for price h5 from the end of a day on."""
    gate = add_gate(url, model, PASSED)
    insert(url, model_id=model, gate_id=gate, valid_from=moment(day))


def test_only_the_champion_of_the_day_recommends(championed: str) -> None:
    found = frame(
        championed,
        "SELECT trading_day, kind, horizon, symbol, model_id, scope, origin, validation_status"
        " FROM forecasts.recommendations ORDER BY trading_day, symbol",
    )
    day = [DAY + timedelta(days=n) for n in range(4)]
    given = [(r[0], r[3], r[4], r[5]) for r in found.iter_rows()]
    assert given == [
        *((day[1], symbol, "first", "h5") for symbol in ("AAA", "BBB", "CCC", "DDD")),
        *((day[2], symbol, "second", "h5") for symbol in ("AAA", "BBB", "CCC", "DDD")),
        (day[3], "AAA", "second", "h5"),
        (day[3], "BBB", "own", "h5:BBB"),
        (day[3], "CCC", "second", "h5"),
        (day[3], "DDD", "second", "h5"),
    ]
    assert found.select("kind", "horizon", "origin", "validation_status").unique().rows() == [
        ("price", 5, "replay", "pending")
    ]


def test_a_recommendation_says_what_the_domain_says_of_the_stored_forecast(championed: str) -> None:
    resolve(championed)
    gate = add_gate(championed, "first", PASSED, kind="direction")
    insert(championed, kind="direction", model_id="first", gate_id=gate, valid_from=moment(DAY))
    rows = frame(
        championed,
        "SELECT r.*, p.q05, p.q10, p.q25, p.q50, p.q75, p.q90, p.q95, p.sigma, p.confidence"
        " FROM forecasts.recommendations r JOIN forecasts.predictions p ON p.prediction_id = r.id",
    )
    assert rows["kind"].value_counts().sort("kind").rows() == [("direction", 16), ("price", 12)]
    kind = rows["kind"].to_numpy()
    sigma, horizon, p_up, gone = (
        rows[c].cast(pl.Float64).to_numpy()
        for c in ("sigma", "horizon", "confidence", "actual_return")
    )
    q = rows.select(pl.col(QUANTILES).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    side = rows["recommendation"].replace_strict(SIDES).to_numpy()
    assert set(side) == set(SIDES.values())
    np.testing.assert_array_equal(side, advised(kind, q[:, 3], p_up, sigma, horizon))
    known = rows["symbol"].to_numpy() != "DDD"
    assert rows["was_right"].is_null().to_list() == (~known).tolist()
    right = was_right(side, gone, sigma, horizon)
    np.testing.assert_array_equal(rows["was_right"].to_numpy()[known], right[known])
    earned = rows["return_after_cost"].to_numpy()
    np.testing.assert_allclose(earned[known], (side * gone - COST * abs(side))[known], atol=1e-15)

    spread = sigma * np.sqrt(horizon)
    median = implied_median(p_up, sigma, horizon)
    z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    q = np.where((kind == "price")[:, None], q, median[:, None] + z * spread[:, None])
    target = rows["current_price"].to_numpy() * np.exp(q[:, 3])
    np.testing.assert_allclose(rows["target_price"].to_numpy(), target, rtol=1e-12)


def test_a_recommendation_is_live_only_if_its_champion_was_named_before_the_fact(
    database_url: str,
) -> None:
    future = datetime.now(UTC).date() + timedelta(days=9)
    live = predictions(2, ("AAA",), ("first",), future).with_columns(origin=pl.lit("live"))
    replayed = predictions(1, ("AAA",), ("first",), DAY + timedelta(days=2))
    commit(database_url, live, replayed)
    insert_champion(database_url, "first", DAY)
    found = frame(database_url, "SELECT origin FROM forecasts.recommendations ORDER BY trading_day")
    assert found["origin"].to_list() == ["replay", "live", "live"]


def test_every_prediction_is_a_signal(database_url: str) -> None:
    rows = said(2, ("first", "second"))
    commit(database_url, rows)
    resolve(database_url)
    found = frame(
        database_url,
        "SELECT m.*, p.q50, p.sigma FROM forecasts.model_predictions m"
        " JOIN forecasts.predictions p USING (prediction_id)",
    )
    assert len(found) == len(rows)
    signal = {"SHORT": -1.0, "NEUTRAL": 0.0, "LONG": 1.0}
    side = found["predicted_direction"].replace_strict(signal, return_dtype=pl.Float64)
    sigma, horizon = (found[c].cast(pl.Float64).to_numpy() for c in ("sigma", "horizon"))
    kind, p_up = found["model_type"].to_numpy(), found["confidence_score"].to_numpy()
    q50 = found["q50"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    expected = advised(kind, q50, p_up, sigma, horizon)
    np.testing.assert_array_equal(side.fill_null(np.nan).to_numpy(), expected)
    right = found.drop_nulls("prediction_accuracy").filter(pl.col("prediction_accuracy"))
    assert len(right)
    assert (right["predicted_direction"] == right["actual_direction"]).all()
    prices = frame(
        database_url,
        "SELECT v.recommendation, p.q50, p.sigma, p.horizon FROM forecasts.price_predictions v"
        " JOIN forecasts.predictions p ON p.prediction_id = v.id",
    )
    q50, sigma, horizon = (
        prices[c].cast(pl.Float64).to_numpy() for c in ("q50", "sigma", "horizon")
    )
    sides = prices["recommendation"].replace_strict(SIDES).to_numpy()
    np.testing.assert_array_equal(sides, recommend(q50, sigma, horizon))
    silent = found.filter(pl.col("model_type") == "time_to_hit")
    assert silent.select("predicted_direction", "prediction_accuracy").null_count().row(0) == (
        (len(silent),) * 2
    )


def test_the_command_says_plainly_when_nothing_is_recommended(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)

    def shown(*options: str) -> str:
        result = CliRunner().invoke(app, ["recommendations", *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert "No prediction yet: nothing is recommended." in shown()
    commit(database_url, said(2))
    assert "No champion on 2024-03-02: nothing is recommended." in shown()
    insert_champion(database_url, "first", DAY)
    assert "No champion on 2024-02-29: nothing" in shown("--day", "2024-02-29")
    told = shown()
    assert "Recommended at the end of 2024-03-02" in told
    assert [line.split()[0] for line in told.splitlines()[2:]] == ["AAA", "BBB", "CCC", "DDD"]
    assert any(side in told for side in SIDES)
