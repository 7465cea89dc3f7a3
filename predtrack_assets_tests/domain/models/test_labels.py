"""Labels against plain loops over one symbol at a time."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.as_of_statistics import Statistics, as_of_statistics
from predtrack_assets.domain.models.labels import LABELS, label
from predtrack_assets_tests.builders.panels import panels, random_panel

H = 4


def in_shares_of(panel: Panel, row: int, t: int, later: int, price: float) -> float:
    """A price of session `later` in the shares of session t."""
    for column in range(t + 1, later + 1):
        price *= panel.split[row, column]
    return price


def expected(
    panel: Panel, statistics: Statistics, name: str, row: int, t: int
) -> tuple[float, int | None]:
    """Value and sessions until it is known, one day after the other."""
    start = panel.close[row, t]
    due = t + H
    if name.startswith("hit") and math.isfinite(start):
        sign = 1 if name == "hit_above" else -1
        barrier = start * math.exp(sign * statistics.sigma[row, t] * math.sqrt(H))
        bars = panel.high if sign > 0 else panel.low
        for k in range(1, H + 1):
            if t + k < len(panel.sessions):
                price = in_shares_of(panel, row, t, t + k, bars[row, t + k])
                if (price - barrier) * sign >= 0:
                    return k, k
        if math.isnan(barrier):
            return math.nan, None
    if due >= len(panel.sessions) or not math.isfinite(start * panel.close[row, due]):
        return math.nan, None
    whole = math.log(in_shares_of(panel, row, t, due, panel.close[row, due]) / start)
    squares, before = 0.0, start
    for k in range(1, H + 1):
        close = in_shares_of(panel, row, t, t + k, panel.close[row, t + k])
        if math.isfinite(close):
            squares += math.log(close / before) ** 2
            before = close
    values = {
        "return": whole,
        "up": float(whole > 0),
        "hit_above": 0.0,
        "hit_below": 0.0,
        "volatility": math.sqrt(squares / H),
    }
    return values[name], H


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", LABELS)
def test_labels_and_their_ends(name: str, seed: int) -> None:
    panel = random_panel(2, 60, seed)
    statistics = as_of_statistics(panel)
    found = label(panel, statistics, name, H)
    for row in range(2):
        for t in range(60):
            value, ahead = expected(panel, statistics, name, row, t)
            np.testing.assert_allclose(found.value[row, t], value, atol=1e-12)
            if ahead is None:
                assert np.isnat(found.end[row, t])
            else:
                assert found.end[row, t] == panel.sessions[t + ahead]


@given(panels())
@settings(max_examples=25, deadline=None)
def test_a_label_is_known_where_it_ends_and_only_there(panel: Panel) -> None:
    statistics = as_of_statistics(panel)
    for name in LABELS:
        found = label(panel, statistics, name, H)
        known = ~np.isnan(found.value)
        np.testing.assert_array_equal(known, ~np.isnat(found.end))
        days = np.broadcast_to(panel.sessions, known.shape)
        assert (found.end[known] > days[known]).all()


@given(panels())
@settings(max_examples=25, deadline=None)
def test_a_label_is_not_changed_by_what_comes_after_its_end(panel: Panel) -> None:
    last = len(panel.sessions) // 2
    early = dataclasses.replace(
        panel,
        **{
            field.name: getattr(panel, field.name)[..., : last + 1]
            for field in dataclasses.fields(panel)
            if field.name != "symbols"
        },
    )
    for name in LABELS:
        whole = label(panel, as_of_statistics(panel), name, H)
        part = label(early, as_of_statistics(early), name, H)
        known = whole.end[:, : last + 1] <= panel.sessions[last]
        np.testing.assert_array_equal(
            part.value, np.where(known, whole.value[:, : last + 1], np.nan)
        )


def test_a_split_is_no_return() -> None:
    panel = random_panel(1, 60, 3, gaps=0, splits=0)
    split, shares = panel.split.copy(), np.ones(60)
    split[0, 50] = 2.0
    shares[50:] = 2.0
    after = {name: getattr(panel, name) / shares for name in ("open", "high", "low", "close")}
    divided = dataclasses.replace(panel, split=split, **after)
    for name in LABELS:
        before = label(panel, as_of_statistics(panel), name, H)
        now = label(divided, as_of_statistics(divided), name, H)
        np.testing.assert_allclose(now.value, before.value, atol=1e-12)


def test_a_miss_is_censored_until_its_deadline() -> None:
    panel = random_panel(1, 40, 4, gaps=0, splits=0)
    still = np.full_like(panel.close, 10.0)
    panel = dataclasses.replace(panel, open=still, high=still, low=still, close=still)
    statistics = dataclasses.replace(as_of_statistics(panel), sigma=np.full_like(still, 0.01))
    found = label(panel, statistics, "hit_above", H)
    assert (found.value[0, : 40 - H] == 0).all()
    assert np.isnan(found.value[0, 40 - H :]).all()


def test_what_cannot_be_labelled_is_refused() -> None:
    panel = random_panel(1, 30)
    with pytest.raises(ValueError, match="unknown label 'colour'"):
        label(panel, as_of_statistics(panel), "colour", 1)
    with pytest.raises(ValueError, match="horizon 0"):
        label(panel, as_of_statistics(panel), "up", 0)
