"""Scores of versions at the ends of months: from what was known then, by regime, live told apart."""

from __future__ import annotations

from datetime import date

import dagster as dg
import polars as pl
import pytest

from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 3, 1), date(2021, 5, 28)
ENDS = [date(2021, 3, 31), date(2021, 4, 30), date(2021, 5, 28)]
ASSET = ["models/prediction_scores"]

DAYS = """CREATE VIEW days AS SELECT d::date AS day, (row_number() OVER (ORDER BY d))::int AS i
    FROM generate_series('2021-03-01'::date, '2021-05-28', '1 day') d WHERE extract(isodow FROM d) < 6"""
SHARE = """CREATE FUNCTION share(i int, s text) RETURNS double precision LANGUAGE sql AS
    $$ SELECT (abs(hashtext(i::text || s)) & 1023) / 1024.0 $$"""
REGIMES = """INSERT INTO market.market_conditions (trading_day, market_regime, benchmark,
    symbols_counted)
    SELECT day, CASE WHEN mod(i, 20) < 12 THEN 'bull' ELSE 'bear' END, '^IDX', 0 FROM days"""
PREDICTIONS = """INSERT INTO forecasts.predictions (model_id, kind, symbol, trading_day, as_of, horizon,
    due_day, event, confidence, reference_price, sigma, climatology, feature_digest, due_at,
    earliest_resolution_time, origin, recorded_at)
    SELECT model, 'direction', symbol, d.day, (d.day + 1)::timestamp AT TIME ZONE 'UTC', 1, t.day, 'up',
           0.3 + 0.4 * share(d.i, symbol), 10, 0.01, 0.5, 1, (t.day + 1)::timestamp AT TIME ZONE 'UTC',
           (t.day + 1)::timestamp AT TIME ZONE 'UTC',
           CASE WHEN d.day >= '2021-04-15' THEN 'live' ELSE 'replay' END, d.day
    FROM days d JOIN days t ON t.i = d.i + 1, unnest('{A,B,C}'::text[]) symbol,
         unnest('{no_change,filtered_history-v1}'::text[]) model"""
OUTCOMES = """INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of,
    due_day, resolved_day, status, confidence, occurred, brier, brier_no_change, brier_climatology,
    knowledge_time)
    SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, due_day, 'validated',
           confidence, up,
           CASE WHEN model_id = 'no_change' THEN 0.25 ELSE (confidence - up::int) ^ 2 END, 0.25, 0.25,
           (due_day + 1)::timestamp AT TIME ZONE 'UTC'
    FROM forecasts.predictions, LATERAL (
        SELECT share(extract(doy FROM due_day)::int, symbol) < 0.2 + 0.6 * confidence AS up) o"""
LATE = """INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of,
    due_day, resolved_day, status, confidence, occurred, brier, brier_no_change, brier_climatology,
    knowledge_time)
    SELECT model_id, kind, event, symbol, trading_day, horizon, as_of, due_day, '2021-04-06', status,
           confidence,
           NOT occurred, 1 - brier, brier_no_change, brier_climatology, '2021-04-07 00:00Z'
    FROM forecasts.outcomes WHERE due_day = '2021-03-30' AND model_id = 'filtered_history-v1'"""
STORED = "SELECT * FROM models.prediction_scores ORDER BY evaluated_through, model_id, evaluation, regime"


@pytest.fixture
def scored(database_url: str) -> str:
    """Outcomes of two models on three symbols, one day's corrected a week later."""
    graph.run_reference(database_url)
    for statement in (DAYS, SHARE, REGIMES, PREDICTIONS, OUTCOMES, LATE):
        graph.execute(database_url, statement)
    graph.run(database_url, FIRST, LAST, ["accuracy/day_sums"])
    return database_url


def test_scores_at_month_ends_from_what_was_known_then(scored: str) -> None:
    with graph.copy_of(scored) as daily:
        result = graph.run(scored, FIRST, LAST, ASSET)
        for day in (date(2021, 3, 30), *ENDS):
            graph.run(daily, day, day, ASSET)
        assert graph.differences(graph.contents(scored), graph.contents(daily)) == {}
    assert graph.off_the_record(scored, "models.prediction_scores") == {}
    assert graph.changed(graph.run(scored, FIRST, LAST, ASSET)) == {}
    made = graph.frame(scored, STORED)
    assert sorted(set(made["evaluated_through"])) == ENDS
    assert set(made["regime"]) == {"all", "bull", "bear"}
    assert set(made["model_id"]) == {"filtered_history-v1"}, "baselines are what is beside it"

    rows = graph.frame(
        scored,
        "SELECT o.*, p.origin, c.market_regime FROM forecasts.outcomes o JOIN forecasts.predictions p"
        " USING (prediction_id) JOIN market.market_conditions c ON c.trading_day = o.trading_day"
        " WHERE o.model_id = 'filtered_history-v1' ORDER BY o.knowledge_time",
    )
    for row in made.iter_rows(named=True):
        known = rows.filter(pl.col("due_day") <= row["evaluated_through"])
        if row["evaluated_through"] == ENDS[0]:
            known = known.filter(pl.col("resolved_day") <= ENDS[0])
        known = known.unique("prediction_id", keep="last", maintain_order=True)
        known = known.filter(origin="replay" if row["evaluation"] == "holdout" else "live")
        if row["regime"] != "all":
            known = known.filter(market_regime=row["regime"])
        assert row["n"] == len(known)
        assert row["mean_score"] == pytest.approx(known["brier"].mean())
        assert row["skill_low"] <= row["skill"] <= row["skill_high"]
        assert 1 <= row["n_eff"] <= row["n"]
    assert set(made.filter(evaluated_through=ENDS[0])["evaluation"]) == {"holdout"}
    assert set(made.filter(evaluated_through=ENDS[2])["evaluation"]) == {"holdout", "live"}

    shown = last_metadata(result)
    assert set(shown) == {"holdout filtered_history-v1", "live filtered_history-v1"}
    assert "| kind | sessions | score | all | bear | bull |" in shown["live filtered_history-v1"]
    assert "n_eff" in shown["live filtered_history-v1"]

    current = graph.frame(
        scored, "SELECT DISTINCT evaluation, evaluated_through FROM models.v_current_performance"
    )
    assert sorted(current.rows()) == [("holdout", ENDS[2]), ("live", ENDS[2])]


def last_metadata(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The tables on the materialization of the last day."""
    event = result.get_asset_materialization_events()[-1]
    metadata = event.materialization.metadata.items()
    return {name: str(v.value) for name, v in metadata if name.startswith(("holdout", "live"))}
