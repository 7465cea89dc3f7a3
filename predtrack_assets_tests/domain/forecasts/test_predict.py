"""Predictions: one per cell, from the past alone, and refused where they cannot be believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.forecasts.coherence import refuse_incoherent
from predtrack_assets.domain.forecasts.predict import PREDICTIONS, predict
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.baselines import MODELS
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets_tests.builders.panels import XNYS, constant, only_first_bar, random_panel

HORIZONS = (1, 5)
PANEL = random_panel(4, 90, seed=3)
DAY = 60  # index of the decision day
KEY = ["trading_day", "symbol", "model_id", "kind", "horizon"]
MATRICES = ("high", "low", "close", "split", "dividend", "known_day")

Poison = Callable[[np.ndarray], np.ndarray]
POISONS: dict[str, Poison] = {
    "nan": lambda values: np.full_like(values, np.nan),
    "huge": lambda values: np.full_like(values, 1e9),
    "negative": lambda values: np.full_like(values, -1e9),
    "permuted": lambda values: values[::-1, ::-1],
    "infinite": lambda values: np.full_like(values, np.inf),
    "zero": lambda values: np.zeros_like(values),
}


def poisoned(panel: Panel, after: int, poison: Poison) -> Panel:
    """The panel with every number after column `after` changed."""
    changed = {}
    for name in ("high", "low", "close", "split", "dividend"):
        matrix = getattr(panel, name).copy()
        matrix[:, after + 1 :] = poison(matrix[:, after + 1 :])
        changed[name] = matrix
    return dataclasses.replace(panel, **changed)


def cut(panel: Panel, stop: int) -> Panel:
    """The first `stop` sessions."""
    return dataclasses.replace(
        panel,
        sessions=panel.sessions[:stop],
        **{name: getattr(panel, name)[:, :stop] for name in MATRICES},
    )


def predictions(panel: Panel, days: slice) -> pl.DataFrame:
    return predict(panel, XNYS, PANEL.sessions[days], HORIZONS).sort(KEY)


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
def test_the_future_changes_nothing(poison: Poison) -> None:
    upto = slice(DAY - 3, DAY + 1)
    honest = predictions(PANEL, upto)
    assert_frame_equal(predictions(poisoned(PANEL, DAY, poison), upto), honest, check_exact=True)


def test_a_future_that_is_not_there_changes_nothing() -> None:
    upto = slice(DAY - 3, DAY + 1)
    honest = predictions(PANEL, upto)
    assert_frame_equal(predictions(cut(PANEL, DAY + 1), upto), honest, check_exact=True)


def test_a_symbol_is_predicted_without_looking_at_the_others() -> None:
    alone = dataclasses.replace(
        PANEL, symbols=PANEL.symbols[1:2], **{n: getattr(PANEL, n)[1:2] for n in MATRICES}
    )
    both = predictions(PANEL, slice(DAY, DAY + 1)).filter(pl.col("symbol") == PANEL.symbols[1])
    assert_frame_equal(predictions(alone, slice(DAY, DAY + 1)), both, check_exact=True)


def test_days_one_by_one_are_the_range() -> None:
    whole = predictions(PANEL, slice(30, 90))
    single = pl.concat(
        predictions(cut(PANEL, day + 1), slice(day, day + 1)) for day in range(30, 90)
    )
    assert_frame_equal(single.sort(KEY), whole, check_exact=True)


def test_one_row_per_model_kind_and_horizon_of_each_bar() -> None:
    frame = predictions(PANEL, slice(40, 90))
    bars = np.isfinite(PANEL.close[:, 40:90]).sum()
    assert len(frame) == bars * sum(len(m.kinds) for m in MODELS) * len(HORIZONS)
    assert frame.select(KEY).is_duplicated().sum() == 0
    assert dict(frame.schema) == PREDICTIONS
    assert dict(frame.select("kind", "event").unique().iter_rows()) == {
        name: kind.event for name, kind in KINDS.items()
    }
    accepted, refused = refuse_incoherent(frame)
    assert len(accepted) == len(frame)
    assert refused.is_empty()


def test_only_the_days_asked_for() -> None:
    """A round-the-clock market has sessions that are no trading days of ours."""
    asked = PANEL.sessions[[50, 53, 54]]
    frame = predict(PANEL, XNYS, asked, HORIZONS)
    assert set(frame["trading_day"]) == set(asked.tolist())


def test_dates_count_sessions() -> None:
    frame = predictions(PANEL, slice(DAY, DAY + 1))
    day = PANEL.sessions[DAY]
    for horizon in HORIZONS:
        due = frame.filter(pl.col("horizon") == horizon)["due_day"].unique().to_list()
        assert due == [PANEL.sessions[DAY + horizon].item()]
    assert frame["as_of"].unique().to_list()[0].date() == (day + 1).item()
    earliest = dict(
        frame.filter(horizon=5)
        .group_by("kind")
        .agg(pl.col("earliest_resolution_time").min())
        .iter_rows()
    )
    assert earliest["time_to_hit"].date() == PANEL.sessions[DAY + 1].item()
    assert earliest["time_to_hit"].hour < earliest["price"].hour, "the open, not the close"
    assert earliest["price"] == earliest["direction"]
    assert earliest["volatility"] == earliest["time_to_hit"], "it forms from the next session on"
    assert earliest["price"].date() == PANEL.sessions[DAY + 5].item()


@pytest.mark.parametrize(
    ("panel", "reason"),
    [
        (only_first_bar(PANEL), "too_little_history"),
        (cut(PANEL, 1), "too_little_history"),
        (cut(PANEL, 20), "too_little_history"),
        (constant(PANEL, 10.0), "does_not_move"),
    ],
    ids=["one bar", "one session", "short", "constant"],
)
def test_too_little_history_gives_no_prediction_but_a_reason(panel: Panel, reason: str) -> None:
    accepted, refused = refuse_incoherent(predict(panel, XNYS, panel.sessions, HORIZONS))
    assert accepted.is_empty()
    assert dict(accepted.schema) == PREDICTIONS
    last = refused.filter(pl.col("trading_day") == refused["trading_day"].max())
    assert set(last["reason"]) == {reason}
    bars = int(np.isfinite(panel.close).sum())
    assert len(refused) == bars * len(MODELS), "once per symbol, day and model"
    assert set(refused.select("kind", "horizon").iter_rows()) == {("*", 0)}
    assert set(refused["reason"]) <= {"too_little_history", reason}


def test_each_bar_is_spoken_of_or_has_a_reason() -> None:
    """Of every model, from the first bar on."""
    accepted, refused = refuse_incoherent(predictions(PANEL, slice(0, 90)))
    cell = ["model_id", "symbol", "trading_day"]
    silent = refused.filter(kind="*").select(cell)
    spoken = pl.concat([accepted.select(cell), refused.filter(pl.col("kind") != "*").select(cell)])
    bars = int(np.isfinite(PANEL.close).sum())
    assert spoken.n_unique() + silent.n_unique() == bars * len(MODELS)
    assert silent.join(spoken, how="semi", on=cell).is_empty()


# -- refusal -----------------------------------------------------------------------------------

GOOD = predictions(PANEL, slice(DAY, DAY + 1)).filter(
    pl.col("symbol") == pl.col("symbol").first(), model_id="no_change", horizon=5
)


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("price", {"confidence": float("nan")}, "not_finite"),
        ("price", {"q50": float("nan")}, "not_finite"),
        ("price", {"predicted_price": float("inf")}, "not_finite"),
        ("price", {"confidence": 1.7}, "impossible_probability"),
        ("direction", {"confidence": -0.1}, "impossible_probability"),
        ("price", {"p_within_band": 1.1}, "impossible_probability"),
        ("direction", {"climatology": 1.1}, "impossible_probability"),
        ("price", {"predicted_price": -5.0}, "non_positive"),
        ("direction", {"reference_price": 0.0}, "non_positive"),
        ("time_to_hit", {"predicted_days": 0.0}, "non_positive"),
        ("volatility", {"predicted_volatility": 0.0}, "non_positive"),
        ("volatility", {"predicted_volatility": float("inf")}, "not_finite"),
        ("price", {"q25": 9.0}, "quantiles_out_of_order"),
        ("price", {"q95": -9.0}, "quantiles_out_of_order"),
        ("time_to_hit", {"target_price": 1e-3, "side": "above"}, "target_on_wrong_side"),
        ("time_to_hit", {"target_price": 1e6, "side": "below"}, "target_on_wrong_side"),
        ("price", {"confidence": float("nan"), "q25": 9.0}, "not_finite"),
    ],
)
def test_what_cannot_be_believed_is_refused_with_the_reason(
    kind: str, change: dict[str, object], reason: str
) -> None:
    row = GOOD.filter(kind=kind).with_columns(pl.lit(v).alias(k) for k, v in change.items())
    accepted, refused = refuse_incoherent(pl.concat([GOOD, row]))
    assert len(GOOD) == len(KINDS)
    assert_frame_equal(accepted, GOOD)
    assert refused["reason"].to_list() == [reason]


@pytest.mark.parametrize("side", ["above", "below"])
def test_a_touch_is_no_less_likely_than_an_end_beyond_its_target(side: str) -> None:
    """Of no_change, which ends one spread away with probability 0.159 and so touches with more."""
    spread = GOOD["sigma"][0] * np.sqrt(5)
    target = GOOD["reference_price"][0] * np.exp(spread if side == "above" else -spread)

    def judged(p_hit: float) -> pl.DataFrame:
        touch = pl.col("kind") == "time_to_hit"
        new = {"confidence": p_hit, "target_price": target, "side": side}
        rows = GOOD.with_columns(
            pl.when(touch).then(pl.lit(v)).otherwise(k).alias(k) for k, v in new.items()
        )
        return refuse_incoherent(rows)[1].select("kind", "reason").sort("kind")

    assert judged(0.159).is_empty(), "as likely: it can end there only by touching it"
    assert judged(0.145).is_empty(), "within what seven quantiles can tell"
    assert judged(0.13).rows() == [
        ("price", "touch_less_likely_than_end"),
        ("time_to_hit", "touch_less_likely_than_end"),
    ]


def test_nothing_is_predicted_beyond_the_end_of_a_calendar() -> None:
    """A calendar whose last session follows the decision day; its other horizon is not affected."""
    ending = dataclasses.replace(
        XNYS,
        last=PANEL.sessions[DAY + 2].item(),
        sessions=XNYS.sessions[XNYS.sessions <= PANEL.sessions[DAY + 2]],
    )
    days = PANEL.sessions[DAY : DAY + 1]
    whole, frame = (predict(PANEL, exchange, days, HORIZONS) for exchange in (XNYS, ending))
    believed, refused = refuse_incoherent(frame)
    assert set(refused["reason"]) == {"calendar_ends"}
    assert set(refused["horizon"]) == {5}
    assert_frame_equal(refused.select(KEY).sort(KEY), whole.filter(horizon=5).select(KEY).sort(KEY))
    assert_frame_equal(believed.sort(KEY), refuse_incoherent(whole.filter(horizon=1))[0].sort(KEY))
