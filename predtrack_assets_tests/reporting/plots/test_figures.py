"""Plots: small pictures, words where there is too little, and once per run."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Callable

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from predtrack_assets.assets.metadata import attach
from predtrack_assets.partitions import day_asset
from predtrack_assets.reporting.plots import canvas, figures
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets_tests import graph
from predtrack_assets_tests.domain.accuracy.test_reliability import reliability_of

RANDOM = np.random.default_rng(5)
DAYS = np.arange("2024-01-01", "2024-12-31", dtype="datetime64[D]")
NAMES = [f"feature_{i}" for i in range(50)]
SIZE = np.abs(RANDOM.normal(0, 1, 50))


def rates(n: int) -> figures.Ranked:
    means = RANDOM.beta(9, 9, n)
    return figures.Ranked([f"S{i}" for i in range(n)], means, means - 0.1, means + 0.1)


def line(days: int = len(DAYS), half: float | None = None) -> figures.Line:
    values = np.cumsum(RANDOM.normal(0, 0.01, days))
    interval = () if half is None else (values - half, values + half)
    return figures.Line(DAYS[:days], values, *interval)


def calibrated(n: int) -> figures.Reliability:
    p = RANDOM.random(n)
    return reliability_of(p, RANDOM.random(n) < p, n / 5)


def histogram(errors: np.ndarray) -> figures.Errors:
    edges = np.array([-0.1, -0.05, 0.0, 0.05, 0.1])
    counts = np.bincount(np.searchsorted(edges, errors, side="right"), minlength=6)
    return figures.Errors(counts, edges, float(errors.mean()) if errors.size else 0.0)


def curve(sessions: int) -> figures.Survival:
    values = np.cumprod(RANDOM.uniform(0.9, 1, sessions))
    return figures.Survival(values, values**1.4, values**0.7, values**0.9, 0.5, 120)


def pictures() -> dict[str, canvas.Picture]:
    models = [f"model-{i}" for i in range(6)]
    kinds = ("price", "direction", "time to hit", "volatility")
    p = calibrated(500)
    lines = {k: {m: line(half=None if i else 0.1) for i, m in enumerate(models[:4])} for k in kinds}
    errors = {m: histogram(RANDOM.standard_t(3, 2000) / 50) for m in models}
    return {
        "reliability": figures.reliability({f"{k} {m}": p for k in kinds[:3] for m in models[:3]}, "x"),
        "one forecast": figures.reliability({"only": calibrated(1)}, "x"),
        "errors": figures.error_histogram(errors, "x"),
        "equal errors": figures.error_histogram({"still": histogram(np.zeros(3))}, "x"),
        "ranking": figures.ranking({k: rates(500) for k in kinds[:3]}, "x"),
        "regimes": figures.by_regime({k: rates(4) for k in kinds[:3]}, "x"),
        "one symbol": figures.ranking({"price": rates(1)}, "x"),
        "importance": figures.importance(NAMES, SIZE, SIZE - 0.1, SIZE + 0.1, "x"),
        "survival": figures.survival({m: curve(21) for m in models}, "x"),
        "one session": figures.survival({"only": curve(1)}, "x"),
        "skill": figures.over_time(lines, "x", "note"),
        "one day": figures.over_time({"price": {"model": line(1, 0.1)}}, "x", "note"),
        "folds": figures.walk_forward(DAYS[::60], {"model": RANDOM.random(7)}, "direction"),
    }  # fmt: skip


PICTURES = pictures()


def image_of(picture: canvas.Picture) -> Image.Image:
    found = re.fullmatch(r"!\[[^\]]+\]\(data:image/png;base64,([^)]+)\)", picture.markdown)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_small_and_described(name: str) -> None:
    assert len(PICTURES[name].markdown) < 60_000
    image = image_of(PICTURES[name])
    assert image.format == "PNG"
    assert image.width <= 850
    colours = image.convert("RGB").getcolors(1000)
    assert colours
    assert len(colours) > 5, "something is drawn"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.reliability({}, "x"),
        lambda: figures.error_histogram({}, "x"),
        lambda: figures.error_histogram({"model": histogram(np.array([]))}, "x"),
        lambda: figures.ranking({}, "x"),
        lambda: figures.ranking({"price": figures.Ranked([], *[np.zeros(0)] * 3)}, "x"),
        lambda: figures.importance([], *[np.zeros(0)] * 3, "x"),
        lambda: figures.over_time({"price": {}}, "x", "note"),
        lambda: figures.over_time(
            {"price": {"m": figures.Line(DAYS[:1], np.array([np.nan]))}}, "x", "note"
        ),
        lambda: figures.walk_forward(DAYS[:0], {}, "x"),
        lambda: figures.survival({}, "x"),
        lambda: figures.survival({"m": figures.Survival(*[np.full(2, np.nan)] * 4, 0.5, 3)}, "x"),
    ],
)
def test_too_little_is_said_in_words(draw: Callable[[], canvas.Picture]) -> None:
    assert draw().markdown.startswith("Nothing to draw yet: ")


def test_what_lies_outside_is_orange_however_many_panels() -> None:
    inside = figures.Reliability(*map(np.array, ([0.5], [0.5], [0.4], [0.6], [100])))
    outside = figures.Reliability(*map(np.array, ([0.5], [0.9], [0.4], [0.6], [100])))
    orange = tuple(bytes.fromhex(canvas.COLOURS[1][1:]))
    for last, found in ((inside, False), (outside, True)):
        panels = {f"kind · model-{i}": inside for i in range(8)} | {"kind · last": last}
        drawn = image_of(figures.reliability(panels, "x")).convert("RGB").getcolors(1000)
        assert drawn
        assert (orange in {colour for _, colour in drawn}) == found


def test_the_rule_is_in_the_picture_however_far_it_is() -> None:
    near, far = (
        image_of(figures.over_time({"m": {"m": line()}}, "x", "note", at)) for at in (0.0, 9.0)
    )
    rule = tuple(bytes.fromhex(figures.MUTED[1:]))
    for image in (near, far):
        rows = (np.asarray(image.convert("RGB")) == rule).all(axis=2).sum(axis=1)
        assert rows.max() > 100, "a line across the panel"


def test_the_same_numbers_are_the_same_picture() -> None:
    same = [figures.importance(NAMES, SIZE, SIZE - 0.1, SIZE + 0.1, "x").markdown for _ in range(2)]
    assert same[0] == same[1] == PICTURES["importance"].markdown


def test_drawing_leaves_no_state_and_needs_no_screen() -> None:
    code = (
        "import sys; from predtrack_assets.reporting.plots import canvas, figures; import numpy as np;"
        "figures.error_histogram({'m': figures.Errors(np.arange(3), np.array([0, 1]), 0)}, 'x');"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.strip() == "False"


@day_asset(schema="accuracy", code_version="1")
def pictured(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """An asset with a number for every day and a picture for the run."""
    attach(context, {"plot": PICTURES["importance"]})
    return dg.MaterializeResult(metadata={"rows_inserted": 1})


@pytest.mark.parametrize(
    ("first", "last"), [("2020-06-01", "2020-06-30"), ("2020-06-30", "2020-06-30")]
)
def test_a_run_stores_its_plots_once_whatever_its_days(first: str, last: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {"start": first, "end": last}
        result = dg.materialize(
            [pictured],
            instance=instance,
            tags={f"dagster/asset_partition_range_{k}": v for k, v in tags.items()},
        )
        stored = instance.fetch_materializations(pictured.key, limit=100).records
        events = [record.event_log_entry.to_json() for record in stored]
        everything = instance.all_logs(result.run_id)
    days = graph.trading_days(np.datetime64(first).item(), np.datetime64(last).item())
    materialized = [record.asset_materialization for record in stored]
    assert len(materialized) == len(days)
    with_plot = [m.partition for m in materialized if m and "plot" in m.metadata]
    assert with_plot == [last]
    assert all(m and "rows_inserted" in m.metadata for m in materialized)
    size = len(PICTURES["importance"].markdown)
    assert sum(len(e) > size for e in events) == 1
    assert sum(len(e.to_json()) > size for e in everything) == 1, "nor in any other event"
