"""Models beside each other, per kind: skill with interval, places that can be told apart, gates."""

from __future__ import annotations

from typing import Any

from predtrack_assets.dashboard import numbers
from predtrack_assets.dashboard.blocks import Cell, Column, Form, Grid, Page
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.dashboard.scores import (
    ORIGINS,
    kinds_of,
    scores,
    sessions,
    skill_columns,
)
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.deployment.queries import LATEST_GATES, LATEST_TESTS
from predtrack_assets.warehouse.overview import MODELS


def page(reading: Reading) -> Page:
    """Every model at one horizon, live forecasts unless replays are asked for."""
    reading.only("kind", "horizon", "origin")
    found = scores(reading)
    origin = reading.choice("origin", "Forecasts", ORIGINS, found.origin)
    horizons = sorted({r["horizon"] for r in found.skills})
    settings = get_settings()
    middle = str(settings.horizons[len(settings.horizons) // 2])
    horizon = reading.choice("horizon", "Horizon", {str(h): sessions(h) for h in horizons}, middle)
    kind = reading.choice("kind", "Kind", {"": "all kinds", **kinds_of(found.skills)})
    decided = _decided(reading)
    grids = [
        _grid(name, found.of(kind=name, horizon=int(horizon.chosen), origin=origin.chosen), decided)
        for name in kinds_of(found.skills)
        if kind.chosen in ("", name)
    ]
    if not grids:
        grids = [Grid("models", "Models", [], [], _empty(origin.chosen))]
    lead = (
        "Places are ranges: models whose intervals overlap cannot be told apart. 0 is no_change; to"
        f" {numbers.day(found.last)}."
    )
    return Page("Leaderboard", lead, [Form([kind, horizon, origin]), *grids])


def _empty(origin: str) -> str:
    if origin == "live":
        return (
            "No live forecast of this choice has fallen due yet. Choose replays above, or send"
            " forecasts: the intake page says how and until when."
        )
    return "No replay of this choice has been scored. `predtrack backfill` computes past days."


def _grid(kind: str, rows: list[dict[str, Any]], decided: dict[str, Any]) -> Grid:
    def model(row: Any) -> Cell:
        about = decided["models"].get(row["model_id"], {})
        note = "baseline" if row["is_baseline"] else "built in"
        if about.get("owner"):
            siblings = numbers.plural(about["versions_of_owner"], "version")
            note = f"of {about['owner']}, who has {siblings} here"
        return Cell(row["model_id"], note, f"/models/{row['model_id']}")

    def gate(row: Any) -> Cell:
        found = decided["gates"].get((row["model_id"], kind, row["horizon"]))
        if found is None:
            return Cell("not judged")
        lacking = len(found["failure_reasons"])
        return Cell(
            found["gate_status"].replace("_", " "),
            f"{numbers.plural(lacking, 'criterion').replace('criterions', 'criteria')} lacking"
            if lacking
            else "",
            tone="good" if found["gate_status"] == "passed" else "",
        )

    def test(row: Any) -> Cell:
        found = decided["tests"].get((row["model_id"], kind, f"h{row['horizon']}"))
        if found is None:
            return Cell("no test")
        return Cell(
            f"e {numbers.number(found['e_value'], 2)} of {found['threshold']:,.0f}",
            f"{found['status']}, against {found['control']}, {numbers.plural(found['n'], 'day')}",
        )

    columns = [
        Column("Model", model),
        *skill_columns(rows),
        Column(
            "Covered", lambda r: Cell(numbers.percent(r["coverage"]), f"of {r['due']:,} due"), True
        ),
        Column("Gate", gate),
        Column("A/B test", test),
    ]
    label = KINDS[kind].label
    return Grid(
        kind,
        label[:1].upper() + label[1:],
        columns,
        rows,
        _empty(rows[0]["origin"] if rows else "live"),
    )


def _decided(reading: Reading) -> dict[str, Any]:
    """Latest gates, tests and models, by name."""
    return reading.keep(
        "decided",
        lambda t: {
            "models": {r["model_id"]: r for r in t.read(MODELS).iter_rows(named=True)},
            "gates": {
                (r["model_id"], r["kind"], r["horizon"]): r
                for r in t.read(LATEST_GATES).iter_rows(named=True)
                if ":" not in r["scope"]
            },
            "tests": {
                (r["treatment"], r["kind"], r["scope"]): r
                for r in t.read(LATEST_TESTS).iter_rows(named=True)
            },
        },
    )
