"""What becomes of predictions: exactly one status each, no error for a split, no skill for nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.models.baselines import MODELS, Model, no_change
from predtrack_assets.domain.models.forecast import Cells, Forecast
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.accuracy.period_reports import period_report
from predtrack_assets.services.forecasts import forecast_days
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.assets.test_range_is_day_by_day import CHAIN
from predtrack_assets_tests.graph import utc

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 12)
QUIET = date(2021, 2, 22)  # SPLT's price, adjusted, stands still from here on
SPLIT_DAY = date(2021, 2, 25)
DIVIDEND_DAY = date(2021, 3, 3)
LAST_BAR = date(2021, 3, 2)  # of DEAD
PRICES = ("open", "high", "low", "close")


def overconfident(cells: Cells) -> Forecast:
    """No change, but surer than sure of a rise where the price is above 50."""
    forecast = no_change(cells)
    return dataclasses.replace(
        forecast,
        p_within_5pct=np.where(cells.price > 50, np.nan, forecast.p_within_5pct),
        quantiles=np.where(cells.price[:, None] > 50, forecast.quantiles, np.nan),
        hit_days=np.where(cells.price > 50, -1.0, forecast.hit_days),
    )


BROKEN = Model("broken", "candidate", "Says what cannot be.", overconfident)


def market() -> pl.DataFrame:
    days = calendar("XNYS").between(FIRST, LAST)
    walks = {
        symbol: graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["SPLT", "DEAD", "^GSPC"])
    }
    quiet, split = pl.col("date") >= QUIET, pl.col("date") >= SPLIT_DAY
    still = walks["SPLT"].filter(date=QUIET)["close"].item()
    walks["SPLT"] = walks["SPLT"].with_columns(
        (
            pl.when(quiet).then(still).otherwise(pl.col(p))
            / pl.when(split).then(2.0).otherwise(1.0)
        ).alias(p)
        for p in PRICES
    )
    walks["DEAD"] = walks["DEAD"].filter(pl.col("date") <= LAST_BAR)
    return pl.concat(walks.values())


@pytest.fixture(scope="module")
def lived(postgres_server: str, template_database: str) -> Iterator[str]:
    """A database in which some weeks have been computed; these tests only read."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREDTRACK_HORIZONS", "1,4")
        patch.setenv("PREDTRACK_EXPIRE_AFTER", "3")
        patch.setattr(forecast_days, "MODELS", (*MODELS, BROKEN))
        graph.run_reference(url)
        graph.execute(
            url,
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
            " VALUES (%s, %s, 1, 'candidate', '{price}', 'broken')",
            *(BROKEN.model_id, BROKEN.model_id),
        )
        graph.store_bars(url, market())
        graph.store_action(url, "SPLT", SPLIT_DAY, "split", 2.0, utc(2021, 2, 25, 9))
        graph.store_action(url, "SPLT", DIVIDEND_DAY, "dividend", 1.0, utc(2021, 3, 3, 9))
        graph.run(url, FIRST, LAST, CHAIN)
        yield url


def over(url: str, event_day: date, kind: str) -> pl.DataFrame:
    """Predictions and outcomes of SPLT made on quiet days before and due from a day on."""
    return graph.frame(
        url,
        "SELECT p.reference_price, o.* FROM forecasts.outcomes o"
        " JOIN forecasts.predictions p USING (prediction_id) WHERE o.symbol = 'SPLT'"
        " AND o.kind = %s AND o.trading_day >= %s AND o.trading_day < %s AND o.due_day >= %s",
        *(kind, QUIET, event_day, event_day),
    )


def test_a_split_on_the_way_is_no_error(lived: str) -> None:
    price = over(lived, SPLIT_DAY, "price").filter(model_id="no_change")
    assert price.height > 3
    as_traded = graph.frame(
        lived, "SELECT close FROM market.market_data_current WHERE symbol = 'SPLT' AND trading_day = %s",
        SPLIT_DAY,
    )["close"].item()  # fmt: skip
    assert set(price["reference_price"]) == {2 * as_traded}
    assert set(price["occurred"]) == {True}
    assert price["relative_error"].abs().max() < 1e-12
    assert set(price["within_band"]) == {True}
    touch = over(lived, SPLIT_DAY, "time_to_hit")
    assert touch.height > 3
    assert set(touch["occurred"]) == {False}


def test_dividends_count_in_returns_not_in_targets(lived: str) -> None:
    price = over(lived, DIVIDEND_DAY, "price").filter(model_id="no_change")
    price = price.filter(pl.col("trading_day") > SPLIT_DAY)
    assert price.height > 3
    assert price["relative_error"].abs().max() < 1e-12
    income = np.log1p(1.0 / price["reference_price"].to_numpy())
    np.testing.assert_allclose(price["actual_return"], income)


def test_every_prediction_has_exactly_one_status(lived: str) -> None:
    status = graph.frame(lived, "SELECT * FROM forecasts.prediction_status")
    identity = ["model_id", "kind", "symbol", "trading_day", "horizon"]
    assert not status.select(identity).is_duplicated().any()
    written = graph.frame(
        lived,
        "SELECT (SELECT count(*) FROM forecasts.predictions)"
        " + (SELECT count(*) FROM forecasts.skipped_predictions) AS n",
    )
    assert status.height == written.item()
    assert set(status["status"]) == {"pending", "validated", "expired", "skipped"}
    kept = status.filter(pl.col("status") != "skipped")
    due = kept.filter(pl.col("due_day") <= LAST)
    dead = (pl.col("symbol") == "DEAD") & (pl.col("due_day") > LAST_BAR)
    assert set(due.filter(~dead)["status"]) == {"validated"}
    assert set(kept.filter(dead, kind="price")["status"]) == {"expired"}
    ahead = kept.filter(pl.col("due_day") > LAST, pl.col("kind") != "time_to_hit")
    assert set(ahead["status"]) == {"pending"}


def test_incoherent_predictions_are_skipped_with_the_reason(lived: str) -> None:
    skipped = graph.frame(
        lived, "SELECT kind, reason, payload, symbol FROM forecasts.skipped_predictions"
        " WHERE model_id = 'broken-v1' AND kind <> '*'"
    )  # fmt: skip
    reasons = set(skipped.select("kind", "reason").iter_rows())
    assert reasons == {("price", "not_finite"), ("time_to_hit", "non_positive")}
    payload = skipped.filter(kind="price")["payload"][0]
    assert payload["symbol"] == skipped.filter(kind="price")["symbol"][0]
    shown = graph.frame(
        lived, "SELECT DISTINCT reason FROM forecasts.prediction_status WHERE status = 'skipped'"
    )
    assert set(shown["reason"]) == {"not_finite", "non_positive", "too_little_history"}
    kinds = graph.frame(
        lived, "SELECT DISTINCT kind FROM forecasts.predictions WHERE model_id = 'broken-v1'"
    )
    assert "direction" in set(kinds["kind"]), "what is coherent of it is kept"


def test_no_change_has_no_skill_on_any_row(lived: str) -> None:
    rows = graph.frame(
        lived,
        "SELECT count(*) AS n, count(*) FILTER (WHERE brier <> brier_no_change"
        " OR crps IS DISTINCT FROM crps_no_change) AS skilled FROM forecasts.outcomes"
        " WHERE model_id = 'no_change' AND status = 'validated'",
    ).row(0, named=True)
    assert rows["n"] > 100
    assert rows["skilled"] == 0
    summary = graph.frame(
        lived,
        "SELECT DISTINCT skill_vs_no_change, crps_skill FROM accuracy.calibration_summary"
        " WHERE model_id = 'no_change' AND n > 0",
    )
    assert set(summary["skill_vs_no_change"]) == {0.0}
    assert set(summary["crps_skill"]) <= {0.0, None}


def test_a_symbol_with_too_little_history_is_skipped_once_per_day_and_model(lived: str) -> None:
    skipped = graph.frame(
        lived,
        "SELECT model_id, symbol, trading_day, horizon FROM forecasts.skipped_predictions"
        " WHERE reason = 'too_little_history'",
    )
    assert set(skipped["symbol"]) == {"SPLT", "DEAD", "^GSPC"}
    days = graph.trading_days(FIRST, LAST)[:20]  # 19 returns
    assert sorted(set(skipped["trading_day"])) == days
    models = {model.model_id for model in (*MODELS, BROKEN)}
    assert len(skipped) == len(days) * 3 * len(models)
    assert not skipped.is_duplicated().any()
    again = graph.frame(
        lived,
        "SELECT count(*) FROM forecasts.prediction_status s WHERE status = 'skipped' AND kind = '*'"
        " AND EXISTS (SELECT FROM forecasts.predictions p WHERE (p.symbol, p.trading_day, p.model_id)"
        " = (s.symbol, s.trading_day, s.model_id))",
    )
    assert again.item() == 0


def test_coverage_counts_every_prediction_that_fell_due_by_its_status(lived: str) -> None:
    start = date(2021, 2, 11)  # 29 days before the last
    keys = ["model_id", "kind", "horizon"]
    counted = graph.frame(
        lived,
        "SELECT model_id, kind, horizon, count(*) AS due, count(*) FILTER (WHERE status = 'validated')"
        " AS validated, count(*) FILTER (WHERE status = 'expired') AS expired,"
        " count(*) FILTER (WHERE status = 'pending') AS pending FROM forecasts.prediction_status"
        " WHERE due_day BETWEEN %s AND %s GROUP BY 1, 2, 3",
        *(start, LAST),
    ).sort(keys)
    assert counted["expired"].sum() > 0
    stored = graph.frame(
        lived,
        "SELECT model_id, kind, horizon, sum(due)::bigint AS due, sum(validated)::bigint AS validated,"
        " sum(expired)::bigint AS expired, sum(due - validated - expired)::bigint AS pending"
        " FROM accuracy.day_sums_current WHERE due_day BETWEEN %s AND %s GROUP BY 1, 2, 3",
        *(start, LAST),
    ).sort(keys)
    assert stored.rows() == counted.rows()
    revised = graph.frame(
        lived,
        "SELECT a.due - a.validated - a.expired AS before, b.due - b.validated - b.expired AS after"
        " FROM accuracy.day_sums a JOIN accuracy.day_sums b"
        " USING (model_id, kind, horizon, due_day, market_regime, origin)"
        " WHERE a.known_day = a.due_day AND b.known_day > a.due_day",
    )
    assert revised["before"].max() > 0, "on the days before they expired"
    assert (revised["after"] <= revised["before"]).all()
    with Database(url=lived).transaction() as transaction:
        for (period, end), rows in graph.frame(
            lived, "SELECT * FROM accuracy.error_distribution WHERE period_end > '2021-02-01'"
        ).group_by("period", "period_end"):
            report = period_report(transaction, period, end).coverage
            beside = rows.cast({"horizon": pl.Int64}).join(report, on=keys, suffix="_of_all")
            assert len(beside) == len(rows)
            assert beside["due"].to_list() == beside["due_of_all"].to_list()
            assert beside["coverage"].to_list() == beside["coverage_of_all"].to_list()


def test_a_survival_curve_censors_what_is_pending_or_has_expired(lived: str) -> None:
    start = date(2021, 2, 11)
    made = graph.frame(
        lived,
        "SELECT p.symbol, p.trading_day, p.horizon, coalesce(o.occurred, false) AS hit, o.actual_days"
        " FROM forecasts.predictions p LEFT JOIN forecasts.outcomes_current o"
        " USING (trading_day, symbol, model_id, kind, horizon)"
        " WHERE p.model_id = 'no_change' AND p.kind = 'time_to_hit' AND p.horizon = 4"
        " AND p.trading_day BETWEEN %s AND %s",
        *(start, LAST),
    )
    curve = graph.frame(
        lived,
        "SELECT * FROM accuracy.survival_curves WHERE model_id = 'no_change' AND horizon = 4"
        " AND period = 'rolling_30d' AND period_end = %s ORDER BY session",
        LAST,
    )
    unseen = pl.col("trading_day") == pl.when(pl.col("symbol") == "DEAD").then(LAST_BAR).otherwise(
        LAST
    )
    assert curve["n"].unique().to_list() == [len(made)]
    assert curve["at_risk"][0] == len(made.filter(~unseen))
    hits = [made.filter(pl.col("hit"), pl.col("actual_days") == k).height for k in (1, 2, 3, 4)]
    assert curve["hits"].to_list() == hits
    assert sum(hits) > 0
    lost = made.filter(symbol="DEAD", trading_day=LAST_BAR - timedelta(days=1), hit=False)
    assert curve["censored"][0] >= len(lost)
