"""One model version: what it is, how good, which gate criteria it meets, tests, drift, deployments."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from predtrack_assets.dashboard import numbers
from predtrack_assets.dashboard.blocks import Cell, Column, Fact, Facts, Grid, Page
from predtrack_assets.dashboard.numbers import count, day, moment, number
from predtrack_assets.dashboard.reading import Reading, Refused
from predtrack_assets.dashboard.scores import ORIGINS, scores, sessions, skill_columns
from predtrack_assets.domain.deployment.gates import FIGURES
from predtrack_assets.warehouse.deployment.queries import LATEST_GATES, LATEST_TESTS
from predtrack_assets.warehouse.forecasts.origins import ORIGINS as SEALED
from predtrack_assets.warehouse.overview import DEPLOYMENTS_OF, MODELS, OPEN_DRIFT

TONES = {"passed": "good", "failed": "bad"}


def page(reading: Reading, model: str) -> Page:
    """The page of a model. Raises Refused 404 for one that is not registered."""
    reading.only()
    known = {r["model_id"]: r for r in reading.transaction.read(MODELS).iter_rows(named=True)}
    if model not in known:
        raise Refused(
            404, f"There is no model {model[:80]!r}. The leaderboard lists those there are."
        )
    about = known[model]
    rows = scores(reading).of(model_id=model)
    lead = _lead(model, rows)
    return Page(
        model,
        lead,
        [
            Facts(_facts(reading, about)),
            _skills(rows),
            *_gates(reading, model),
            _tests(reading, model),
            _drift(reading, model),
            _deployments(reading, model),
        ],
    )


def _lead(model: str, rows: list[dict[str, Any]]) -> str:
    if model == "no_change":
        return (
            "The reference: the price stays where it is, with the volatility of the past. Its skill is 0"
            " by definition."
        )
    if not rows:
        return "Nothing of this model has fallen due and been scored yet."
    verdicts = [r["verdict"] for r in rows]
    parts = [f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts)]
    cells = numbers.plural(len(rows), "cell")
    return f"Against no_change, over {cells} of kind, horizon and origin: {', '.join(parts)}."


def _facts(reading: Reading, about: dict[str, Any]) -> list[Fact]:
    sealed = reading.transaction.read(SEALED, last=date.max).to_dicts()
    live, replay = (
        sum(r[origin] for r in sealed if r["model_id"] == about["model_id"])
        for origin in ("live", "replay")
    )
    owner = about["owner"] or "PredTrack (built in)"
    return [
        Fact("Status", about["status"], f"{about['role']}, version {about['version']}"),
        Fact("Owner", owner, about["description"]),
        Fact("Predicts", ", ".join(kind.replace("_", " ") for kind in about["kinds"])),
        Fact(
            "Trained through",
            day(about["trained_through"]) if about["trained_through"] else "not given",
            "rows before it are in-sample"
            if about["owner"]
            else "fits take turns: see its runs in Dagster",
        ),
        Fact("Sealed forecasts", f"{live:,} live", f"{replay:,} replays"),
    ]


def _skills(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Kind", lambda r: Cell(r["kind"].replace("_", " "), sessions(r["horizon"]))),
        Column("Origin", lambda r: r["origin"]),
        *skill_columns(rows),
    ]
    note = "; ".join(ORIGINS.values()) + "."
    return Grid(
        "skill", "Skill against no_change, to date", columns, rows, "Nothing scored yet.", note
    )


def _gates(reading: Reading, model: str) -> list[Grid]:
    """The criteria of its latest gate, per kind and scope of all symbols."""
    found = reading.keep("gates", lambda t: t.read(LATEST_GATES).to_dicts())
    columns = [
        Column("Criterion", lambda r: r["criterion"].replace("_", " ")),
        Column(
            "Value, with its bound",
            lambda r: Cell(number(r["value"], 4), f"bound {number(r['bound'], 4)}"),
            numeric=True,
        ),
        Column("Threshold", lambda r: number(r["threshold"], 4), numeric=True),
        Column("n", lambda r: Cell(count(r["n"]), f"n_eff {count(r['n_eff'])}"), numeric=True),
        Column(
            "Judged", lambda r: Cell(r["status"].replace("_", " "), tone=TONES.get(r["status"], ""))
        ),
    ]
    grids = []
    for gate in found:
        if gate["model_id"] != model or ":" in gate["scope"]:
            continue
        criteria = json.loads(gate["criteria"])
        rows = [{"criterion": name, **criteria[name]} for name in FIGURES if name in criteria]
        title = f"Gate: {gate['kind']} {gate['scope']}, {gate['gate_status'].replace('_', ' ')}"
        note = f"As of {gate['as_of_day']}. The bound must pass the threshold, not the value."
        name = f"gate-{gate['kind']}-{gate['scope']}"
        grids.append(Grid(name, title, columns, rows, "", note))
    empty = (
        "No gate has judged this model: they do at the end of each week, of price and direction."
    )
    return grids or [Grid("gate", "Gate", columns, [], empty)]


def _tests(reading: Reading, model: str) -> Grid:
    found = reading.keep("tests", lambda t: t.read(LATEST_TESTS).to_dicts())
    rows = [r for r in found if model in (r["treatment"], r["control"])]
    columns = [
        Column(
            "Test",
            lambda r: Cell(f"{r['treatment']} against {r['control']}", f"{r['kind']} {r['scope']}"),
        ),
        Column("Status", lambda r: Cell(r["status"], r["conclusion"] or "")),
        Column(
            "e-value",
            lambda r: Cell(number(r["e_value"], 2), f"promotes at {r['threshold']:,.0f}"),
            numeric=True,
        ),
        Column(
            "e against", lambda r: Cell(number(r["e_against"], 2), "rejects at 20"), numeric=True
        ),
        Column("Days", lambda r: Cell(count(r["n"]), f"{r['n_live'] or 0:,} live"), numeric=True),
    ]
    return Grid(
        "tests",
        "A/B tests",
        columns,
        rows,
        "No A/B test has this model: one begins when its gate is passed.",
    )


def _drift(reading: Reading, model: str) -> Grid:
    found = reading.keep("drift", lambda t: t.read(OPEN_DRIFT).to_dicts())
    rows = [r for r in found if r["model_id"] == model]
    columns = [
        Column("What", lambda r: Cell(r["name"], r["subject"])),
        Column("Kind", lambda r: f"{r['kind'] or 'all'} {r['horizon'] or ''}"),
        Column(
            "Statistic",
            lambda r: Cell(
                number(r["value"], 3),
                f"{r['statistic']}, critical {number(r['critical_value'], 3)}",
            ),
            True,
        ),
        Column("Open since", lambda r: day(r["opened_on"])),
    ]
    return Grid("drift", "Open drift", columns, rows, "No drift of this model is open.")


def _deployments(reading: Reading, model: str) -> Grid:
    rows = reading.transaction.read(DEPLOYMENTS_OF, model=model).to_dicts()
    columns = [
        Column("For", lambda r: Cell(r["kind"], r["scope"])),
        Column("From", lambda r: moment(r["valid_from"])),
        Column(
            "Until", lambda r: moment(r["valid_until"]) if r["valid_until"] else "its successor"
        ),
        Column("By", lambda r: Cell(r["deployed_by"], r["reason"])),
    ]
    return Grid("deployments", "Deployments", columns, rows, "This model has never been champion.")
