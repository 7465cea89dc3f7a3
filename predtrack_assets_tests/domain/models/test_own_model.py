"""The model that docs/guide/predictions.md shows does what it says."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.coherence import refuse_incoherent
from predtrack_assets.domain.forecasts.predict import predict
from predtrack_assets.domain.models.baselines import Model, no_change
from predtrack_assets.domain.models.forecast import Cells, Forecast
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets_tests.builders.panels import random_panel


def always_up(cells: Cells) -> Forecast:
    """Says 60 % up whatever happens."""
    return replace(no_change(cells), p_up=np.full_like(cells.price, 0.6))


MODEL = Model("always_up", "candidate", "Sixty per cent up, every day.", always_up)


def test_the_documented_model_is_this_one() -> None:
    shown = (PROJECT_ROOT / "docs" / "guide" / "predictions.md").read_text()
    assert inspect.getsource(always_up) in shown
    assert 'Model("always_up", "candidate", "Sixty per cent up, every day.", always_up)' in shown


def test_it_predicts_every_symbol_and_nothing_of_it_is_refused() -> None:
    panel = random_panel(symbols=3, sessions=200, gaps=0.0)
    made = predict(panel, calendar("XNYS"), panel.sessions[-2:], (1, 5), models=(MODEL,))
    accepted, refused = refuse_incoherent(made)
    assert refused.is_empty()
    assert set(accepted["model_id"]) == {"always_up-v1"}
    assert set(accepted["kind"]) == {"price", "direction", "time_to_hit"}
    direction = accepted.filter(pl.col("kind") == "direction")
    assert direction["confidence"].to_list() == [0.6] * (3 * 2 * 2)
