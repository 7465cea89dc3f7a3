"""What came of predictions, against a loop that walks each one's path."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.forecasts.coherence import refuse_incoherent
from predtrack_assets.domain.forecasts.outcomes import NOT_FINITE, OUTCOMES, resolve
from predtrack_assets.domain.forecasts.predict import predict
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets_tests.builders.panels import XNYS, random_panel

HORIZONS = (1, 4)
EXPIRE = 3
KEY = ["trading_day", "symbol", "model_id", "kind", "horizon"]
SIZE = 70
FIRST = 40  # index of the first day that outcomes are asked for


def predictions_of(panel: Panel) -> pl.DataFrame:
    return refuse_incoherent(predict(panel, XNYS, panel.sessions, HORIZONS))[0]


def outcomes_of(
    predictions: pl.DataFrame, panel: Panel, days: np.ndarray | None = None, **options: Any
) -> pl.DataFrame:
    days = panel.sessions[FIRST:] if days is None else days
    opens = options.pop("opens", days[0])
    return resolve(predictions, panel, XNYS, days, opens, EXPIRE, **options).sort(KEY)


def known_late(panel: Panel, row: int, column: int, later: int) -> Panel:
    """The panel with one bar that became known some sessions late."""
    known = panel.known_day.copy()
    known[row, column] = panel.sessions[column + later]
    return dataclasses.replace(panel, known_day=known)


def walk(prediction: dict[str, Any], panel: Panel) -> dict[str, Any] | None:
    """The outcome of one prediction, session by session; None while it is pending."""
    row = panel.symbols.tolist().index(prediction["symbol"])
    start = panel.sessions.tolist().index(prediction["trading_day"])
    horizon = prediction["horizon"]
    shares, income, squares, before = 1.0, 0.0, 0.0, prediction["reference_price"]
    for k in range(1, horizon + 1):
        t = start + k
        if t >= len(panel.sessions):
            return None
        shares *= panel.split[row, t]
        income += panel.dividend[row, t] * shares
        close = panel.close[row, t] * shares
        if np.isfinite(close):
            squares, before = squares + math.log(close / before) ** 2, close
        hit = False
        if prediction["kind"] == "time_to_hit" and np.isfinite(close):
            extreme = panel.high if prediction["side"] == "above" else panel.low
            reached = extreme[row, t] * shares
            sign = 1 if prediction["side"] == "above" else -1
            hit = sign * (reached - prediction["target_price"]) >= 0
        if np.isfinite(close) and (hit or k == horizon):
            return {
                "status": "validated",
                "resolved_day": max(panel.known_day[row, t], panel.sessions[t]).item(),
                "price": close,
                "return": math.log((close + income) / prediction["reference_price"]),
                "hit_after": k if hit else None,
                "volatility": math.sqrt(squares / horizon),
            }
    expiry = start + horizon + EXPIRE
    if expiry >= len(panel.sessions):
        return None
    return {"status": "expired", "resolved_day": panel.sessions[expiry].item()}


def expected_row(prediction: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The result columns that scoring.md asks for."""
    events = ("occurred", "actual_price", "actual_return", "actual_days", "relative_error", "brier")
    row = dict.fromkeys((*events, "realised_volatility", "qlike", "qlike_no_change"))
    row |= {"status": result["status"], "resolved_day": result["resolved_day"]}
    if result["status"] == "expired":
        return row
    price, kind = result["price"], prediction["kind"]
    row["actual_return"] = result["return"]
    row["actual_days"] = result["hit_after"]
    if kind == "price":
        row["relative_error"] = (prediction["predicted_price"] - price) / price
        row["occurred"] = abs(row["relative_error"]) <= 0.05
    elif kind == "direction":
        row["occurred"] = price > prediction["reference_price"]
    elif kind == "volatility":
        row["realised_volatility"] = realised = result["volatility"]
        for name, predicted in (("qlike", "predicted_volatility"), ("qlike_no_change", "sigma")):
            ratio = max(realised, 1e-4) ** 2 / prediction[predicted] ** 2
            row[name] = ratio - math.log(ratio) - 1
    else:
        row["occurred"] = result["hit_after"] is not None
    row["actual_price"] = price if kind != "time_to_hit" or row["occurred"] else None
    if kind != "volatility":
        row["brier"] = (prediction["confidence"] - row["occurred"]) ** 2
    return row


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_a_walk_along_each_path(seed: int) -> None:
    panel = known_late(random_panel(3, SIZE, seed, gaps=0.15), 0, 50, 6)
    predictions = predictions_of(panel)
    found = {
        tuple(row[k] for k in KEY): row
        for row in outcomes_of(predictions, panel).iter_rows(named=True)
    }
    expected = 0
    for prediction in predictions.iter_rows(named=True):
        result = walk(prediction, panel)
        key = tuple(prediction[k] for k in KEY)
        if result is None or result["resolved_day"] < panel.sessions[FIRST].item():
            assert key not in found
            continue
        expected += 1
        for name, value in expected_row(prediction, result).items():
            match = pytest.approx(value) if isinstance(value, float) else value
            assert found[key][name] == match, (key, name)
    assert expected == len(found) > 500
    assert {row["status"] for row in found.values()} == {"validated", "expired"}


def test_no_change_has_no_skill_by_construction() -> None:
    panel = random_panel(4, SIZE, 5)
    found = outcomes_of(predictions_of(panel), panel).filter(status="validated")
    baseline = found.filter(model_id="no_change")
    assert set(baseline["kind"]) == {"price", "direction", "time_to_hit", "volatility"}
    assert baseline["brier"].equals(baseline["brier_no_change"])
    assert baseline["crps"].equals(baseline["crps_no_change"])
    assert baseline["qlike"].equals(baseline["qlike_no_change"])
    assert baseline["qlike"].count() == len(baseline.filter(kind="volatility"))
    assert baseline.filter(kind="price")["crps"].null_count() == 0
    other = found.filter(model_id="drift")
    assert not other["brier"].equals(other["brier_no_change"])


def test_climatology_scores_are_those_of_the_base_rate() -> None:
    panel = random_panel(2, SIZE, 6)
    predictions = predictions_of(panel)
    found = outcomes_of(predictions, panel).filter(status="validated").drop_nulls("event")
    joined = found.join(predictions.select(*KEY, "climatology"), on=KEY)
    expected = (joined["climatology"] - joined["occurred"].cast(float)) ** 2
    np.testing.assert_array_equal(joined["brier_climatology"], expected)


# -- one prediction at a time ------------------------------------------------------------------

STILL = random_panel(1, SIZE, 1, gaps=0, splits=0, dividends=0)


def market(after: list[float], **changes: Any) -> Panel:
    """100 until the decision on session FIRST - 1, then the closes `after`, then nothing."""
    close = np.full((1, SIZE), np.nan)
    close[0, :FIRST] = 100.0
    close[0, FIRST : FIRST + len(after)] = after
    ones = np.ones_like(close)
    fields: dict[str, Any] = {"high": close, "low": close, "close": close}
    fields |= {"split": ones, "dividend": ones * 0}
    known = np.broadcast_to(STILL.sessions, close.shape)
    fields["known_day"] = np.where(np.isnan(close), np.datetime64("NaT"), known)
    return dataclasses.replace(STILL, **fields | changes)


def at(values: dict[int, float], otherwise: float) -> np.ndarray:
    """A matrix with values some sessions after the decision."""
    matrix = np.full((1, SIZE), otherwise)
    for sessions, value in values.items():
        matrix[0, FIRST - 1 + sessions] = value
    return matrix


def prediction(kind: str, horizon: int = 2, **fields: Any) -> pl.DataFrame:
    """A prediction of 100 (price), up, or a touch of 110, made on session FIRST - 1."""
    model = predict(
        random_panel(1, SIZE, 1, gaps=0), XNYS, STILL.sessions[FIRST - 1 : FIRST], (horizon,)
    )
    row = model.filter(kind=kind, model_id="no_change")
    given = {"reference_price": 100.0, "sigma": 0.02, "confidence": 0.75, **fields}
    if kind == "price":
        given = {"predicted_price": 100.0, **given}
    if kind == "time_to_hit":
        given = {"target_price": 110.0, "side": "above", "predicted_days": 2.0, **given}
    return row.with_columns(pl.lit(v, row.schema[k]).alias(k) for k, v in given.items())


def outcome(prediction: pl.DataFrame, panel: Panel) -> dict[str, Any]:
    return outcomes_of(prediction, panel).row(0, named=True)


def test_a_split_on_the_way_is_no_error() -> None:
    panel = market([100.0, 50.0], split=at({2: 2.0}, 1.0))
    price = outcome(prediction("price"), panel)
    assert price["occurred"]
    assert price["relative_error"] == 0
    assert price["error_direction"] == "exact"
    assert price["actual_price"] == 100.0
    assert price["actual_return"] == 0.0
    direction = outcome(prediction("direction"), panel)
    assert not direction["occurred"]
    below = prediction("time_to_hit", target_price=90.0, side="below")
    assert not outcome(below, panel)["occurred"], "half the price is no fall"


def test_dividends_count_in_returns_and_not_in_targets() -> None:
    panel = market([100.0, 98.0], dividend=at({2: 2.0}, 0.0))
    price = outcome(prediction("price"), panel)
    assert price["actual_return"] == pytest.approx(0.0)
    assert price["actual_price"] == 98.0
    assert price["relative_error"] == pytest.approx(2 / 98)


def test_dividends_after_a_split_are_those_of_all_the_shares() -> None:
    panel = market([50.0, 49.0], split=at({1: 2.0}, 1.0), dividend=at({2: 1.0}, 0.0))
    assert outcome(prediction("price"), panel)["actual_return"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("predicted", "direction", "occurred", "accuracy"),
    [
        (105.0, "overestimated", True, 95.0),
        (105.1, "overestimated", False, 94.9),
        (95.0, "underestimated", True, 95.0),
        (100.0, "exact", True, 100.0),
        (250.0, "overestimated", False, -50.0),
    ],
)
def test_price_errors(predicted: float, direction: str, occurred: bool, accuracy: float) -> None:
    row = outcome(prediction("price", predicted_price=predicted), market([100.0, 100.0]))
    assert (row["error_direction"], row["occurred"]) == (direction, occurred)
    assert row["accuracy_pct"] == pytest.approx(accuracy)
    assert row["log_error"] == pytest.approx(math.log(predicted / 100))


def test_the_band_is_one_sigma_of_the_horizon() -> None:
    edge = 100 * math.exp(0.02 * math.sqrt(2))
    for actual, within in ((edge - 0.01, True), (edge + 0.01, False)):
        assert outcome(prediction("price"), market([100.0, actual]))["within_band"] is within


@pytest.mark.parametrize(
    ("path", "predicted", "days", "category"),
    [
        ([100, 100, 110, 100, 100, 100, 100, 100, 100], 3.0, 3, "on_time"),
        ([110, 100, 100, 100, 100, 100, 100, 100, 100], 2.0, 1, "on_time"),
        ([110, 100, 100, 100, 100, 100, 100, 100, 100], 4.0, 1, "slightly_early"),
        ([110, 100, 100, 100, 100, 100, 100, 100, 100], 8.0, 1, "early"),
        ([100, 100, 100, 100, 110, 100, 100, 100, 100], 2.0, 5, "slightly_late"),
        ([100, 100, 100, 100, 100, 100, 100, 100, 110], 2.0, 9, "late"),
        ([109, 109, 109, 109, 109, 109, 109, 109, 109], 2.0, None, "missed"),
    ],
)
def test_times_to_a_hit(
    path: list[float], predicted: float, days: int | None, category: str
) -> None:
    row = outcome(prediction("time_to_hit", 9, predicted_days=predicted), market(path))
    assert (row["actual_days"], row["error_category"]) == (days, category)
    assert row["occurred"] is (days is not None)
    assert row["days_error"] == (None if days is None else days - predicted)
    resolved = FIRST - 1 + (days or 9)
    assert row["resolved_day"] == STILL.sessions[resolved].item(), "hits are known early"


def test_volatility_undoes_splits_and_spans_missing_bars() -> None:
    panel = market([51.0, np.nan, 50.0], split=at({1: 2.0}, 1.0), dividend=at({3: 1.0}, 0.0))
    row = outcome(prediction("volatility", 3, predicted_volatility=0.03), panel)
    realised = math.sqrt((math.log(1.02) ** 2 + math.log(100 / 102) ** 2) / 3)
    assert row["realised_volatility"] == pytest.approx(realised)
    assert [row[n] for n in ("event", "occurred", "brier", "relative_error")] == [None] * 4
    x = (realised / 0.03) ** 2
    assert row["qlike"] == pytest.approx(x - math.log(x) - 1)


def test_a_price_that_does_not_move_has_a_finite_loss() -> None:
    row = outcome(prediction("volatility", 2, predicted_volatility=0.01), market([100.0, 100.0]))
    assert row["realised_volatility"] == 0
    assert row["qlike"] == pytest.approx(1e-4 - math.log(1e-4) - 1)


def test_the_rule_decides_what_a_touch_is() -> None:
    spike = market([100.0, 100.0], high=at({1: 111.0}, 100.0))
    assert outcome(prediction("time_to_hit"), spike)["occurred"]
    assert not outcome(prediction("time_to_hit", hit_rule="close"), spike)["occurred"]


def test_a_price_that_never_comes_expires_after_its_sessions() -> None:
    row = outcome(prediction("price"), market([100.0]))
    assert row["status"] == "expired"
    assert row["resolved_day"] == STILL.sessions[FIRST + 1 + EXPIRE].item()
    assert [row[n] for n in ("occurred", "brier", "actual_price", "actual_return")] == [None] * 4
    short = market([100.0])
    cut = {
        name: getattr(short, name)[:, : FIRST + 1 + EXPIRE]
        for name in ("high", "low", "close", "split", "dividend", "known_day")
    }
    cut["sessions"] = short.sessions[: FIRST + 1 + EXPIRE]
    pending = dataclasses.replace(short, **cut)
    assert outcomes_of(prediction("price"), pending).is_empty(), "one session sooner"


def test_a_late_price_is_an_outcome_of_the_day_it_came() -> None:
    panel = known_late(market([100.0, 100.0]), 0, FIRST + 1, 9)
    row = outcome(prediction("price"), panel)
    assert row["status"] == "validated"
    assert row["resolved_day"] == STILL.sessions[FIRST + 10].item()
    assert row["knowledge_time"].date() == (STILL.sessions[FIRST + 10] + 1).item()


# -- which day an outcome belongs to -----------------------------------------------------------


def test_news_of_a_weekend_belongs_to_the_next_trading_day() -> None:
    friday = int(np.flatnonzero(XNYS.sessions == np.datetime64("2020-03-13"))[0])
    start = int(np.flatnonzero(STILL.sessions == XNYS.sessions[friday])[0])
    panel = market([100.0] * 20)
    known = panel.known_day.copy()
    known[0, start] = np.datetime64("2020-03-14")  # a Saturday
    panel = dataclasses.replace(panel, known_day=known)
    frame = prediction("price", horizon=start - FIRST + 1)
    monday = panel.sessions[start + 1 : start + 2]
    for days, opens in (
        (panel.sessions[FIRST:], panel.sessions[FIRST]),
        (monday, np.datetime64("2020-03-14")),
    ):
        (row,) = outcomes_of(frame, panel, days, opens=opens).iter_rows(named=True)
        assert row["resolved_day"] == monday[0].item()
    early = panel.sessions[FIRST : start + 1]
    assert outcomes_of(frame, panel, early).is_empty()


def test_outcomes_known_before_are_given_again_only_to_be_restated() -> None:
    panel = market([100.0] * 20)
    frame = prediction("price")
    later = panel.sessions[FIRST + 10 :]
    assert outcomes_of(frame, panel, later).is_empty()
    row = outcomes_of(frame, panel, later, restate=True).row(0, named=True)
    assert row["resolved_day"] == later[0].item()
    assert row["status"] == "validated"


def test_outcomes_come_in_the_order_of_their_key() -> None:
    panel = random_panel(3, SIZE, 4, gaps=0.1)
    predictions, days = predictions_of(panel), panel.sessions[FIRST:]
    found = [
        resolve(said, panel, XNYS, days, days[0], EXPIRE)
        for said in (predictions, predictions.sample(fraction=1, shuffle=True, seed=1))
    ]
    assert found[0].equals(found[1])
    assert found[0].equals(found[0].sort(KEY))


def test_nothing_gives_nothing() -> None:
    panel = market([100.0])
    empty = outcomes_of(prediction("price").clear(), panel)
    assert empty.is_empty()
    assert dict(empty.schema) == OUTCOMES
    foreign = prediction("price").with_columns(symbol=pl.lit("ZZZ"))
    assert outcomes_of(foreign, panel).is_empty()


def test_one_row_that_cannot_be_scored_changes_no_other() -> None:
    panel = random_panel(7, SIZE, 7)
    said = predictions_of(panel).with_row_index()
    lone = pl.col("index") == said.filter(pl.col("kind") == "volatility")["index"][500]
    other = pl.col("index") == said.filter(pl.col("kind") == "price")["index"][500]
    spoiled = said.with_columns(
        predicted_volatility=pl.when(lone).then(1e-300).otherwise("predicted_volatility"),
        predicted_price=pl.when(other).then(1e308).otherwise("predicted_price"),
    )
    found, without = (outcomes_of(rows, panel) for rows in (spoiled, said))
    void = pl.col("reason") == NOT_FINITE
    assert found.filter(void)["kind"].sort().to_list() == ["price", "volatility"]
    keys = found.filter(void).select(KEY)
    assert_frame_equal(found.join(keys, on=KEY, how="anti"), without.join(keys, on=KEY, how="anti"))
