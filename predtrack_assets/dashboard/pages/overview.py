"""The answer: is any model better than no change, who is champion, what came in, what is due."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from predtrack_assets.clock import utc_now
from predtrack_assets.dashboard import numbers, pictures
from predtrack_assets.dashboard.blocks import (
    Cell,
    Column,
    Fact,
    Facts,
    Grid,
    Page,
    Prose,
    number_column,
)
from predtrack_assets.dashboard.numbers import BETTER, TOO_LITTLE, WORSE, plural
from predtrack_assets.dashboard.pages.intake import deadlines_grid
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.dashboard.scores import TONES, Scores, interval, scores, sessions
from predtrack_assets.domain.deployment.gates import PASSED
from predtrack_assets.warehouse.audit.alerts import OPEN_COUNTS, STATE
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment.queries import CHAMPIONS, LATEST_GATES
from predtrack_assets.warehouse.market.queries import SPAN
from predtrack_assets.warehouse.overview import INTAKE_OF_DAY
from predtrack_assets.warehouse.reads import LAST_SEALED

FIRST_STEPS = """predtrack demo        # five stocks, 2000 to 2013: prices to scores in minutes
predtrack backfill --from 2020-01-02 --to 2020-12-31 --file prices.csv
predtrack keys create --name me --scope read --scope write   # then send forecasts of your own"""


def page(reading: Reading) -> Page:
    """The overview."""
    reading.only()
    found = scores(reading)
    span = reading.keep("span", lambda t: t.read(SPAN).row(0, named=True))
    if span["last"] is None and found.last is None:
        sentences = ["Nothing is stored yet. One of these begins:"]
        return Page(
            "Overview",
            "No forecast has been scored yet.",
            [Prose("First steps", sentences, FIRST_STEPS)],
        )
    mine = [r for r in found.of(origin=found.origin) if not r["is_baseline"]]
    blocks: list[Any] = [Facts(_facts(reading, found, mine, span))]
    blocks.append(_skills(found, mine))
    blocks.append(champions_grid(reading))
    blocks.append(deadlines_grid(reading))
    blocks.append(pictures.figure(reading, "skill", "Skill over the last year"))
    return Page("Overview", headline(found, mine), blocks)


def headline(found: Scores, mine: list[dict[str, Any]]) -> str:
    """One sentence: how many models are better than no_change, how many have too little evidence."""
    if not mine:
        return "No model of its own has been scored yet: the baselines have nobody beside them."
    verdicts = [row["verdict"] for row in mine]
    better, worse, little = (
        verdicts.count(BETTER),
        verdicts.count(WORSE),
        verdicts.count(TOO_LITTLE),
    )
    many = f"{len(mine)} pairs of model and horizon" if len(mine) > 1 else "one model and horizon"
    first = f"Of {many} {better or 'none'} {'is' if better < 2 else 'are'} better than no change"
    rest = [f"{worse} {'is' if worse == 1 else 'are'} worse"] if worse else []
    rest += [f"{little} {'has' if little == 1 else 'have'} too little evidence"] if little else []
    luck = f" Some {0.025 * (len(mine) - little):.1f} would be by chance alone." if better else ""
    replays = ""
    if found.origin == "replay":
        replays = " All are replays, recomputed as of their day: none was made before the fact."
    return f"{'; '.join([first, *rest])}.{luck}{replays}"


def _facts(reading: Reading, found: Scores, mine: list[dict[str, Any]], span: Any) -> list[Fact]:
    transaction = reading.transaction
    midnight = datetime.combine(utc_now().date(), time(), utc_now().tzinfo)
    today = transaction.read(INTAKE_OF_DAY, since=midnight).row(0, named=True)
    sealed = transaction.read(LAST_SEALED).row(0, named=True)
    coverage = found.coverage
    due, validated = (int(coverage[c].sum()) if len(coverage) else 0 for c in ("due", "validated"))
    rejected = today["rejected"] + today["conflicts"]
    return [
        Fact(
            "Taken in today",
            plural(today["accepted"], "forecast"),
            f"{plural(today['batches'], 'post')}, {rejected:,} refused, {today['duplicates']:,} duplicate",
            "/intake",
        ),
        Fact(
            "Validated of what fell due",
            numbers.percent(validated / due) if due else "nothing fell due",
            f"{validated:,} of {due:,}, to {numbers.day(found.last)}" if due else "",
        ),
        Fact(
            "Last sealed batch",
            f"{sealed['batch_index']:,}" if sealed["batch_index"] else "none",
            numbers.moment(sealed["committed_at"])
            if sealed["batch_index"]
            else "nothing is in the ledger",
            "/ledger",
        ),
        Fact(
            "Prices up to",
            numbers.day(span["last"]),
            f"{plural(span['symbols'], 'symbol')} since {numbers.day(span['first'])}",
            "/data",
        ),
        _alerts(reading),
    ]


def _alerts(reading: Reading) -> Fact:
    counts = dict(reading.transaction.read(OPEN_COUNTS).iter_rows())
    evaluated = reading.transaction.read(STATE)["evaluated_at"][0]
    worst = next((s for s in ("critical", "warning", "info") if counts.get(s)), "")
    tone = {"critical": "bad", "warning": "warn"}.get(worst, "")
    note = f"{counts[worst]} {worst}" if worst else ""
    watched = (
        f"evaluated {numbers.moment(evaluated)}" if evaluated else "rules were never evaluated"
    )
    value = plural(sum(counts.values()), "alert")
    return Fact("Open alerts", value, "; ".join(filter(None, (note, watched))), "/alerts", tone)


def _skills(found: Scores, mine: list[dict[str, Any]]) -> Grid:
    """A row per model and kind, a column per horizon."""
    horizons = sorted({row["horizon"] for row in mine})
    cells = {(r["model_id"], r["kind"], r["horizon"]): r for r in mine}
    rows = [
        {
            "model_id": model,
            "kind": kind,
            **{f"h{h}": cells.get((model, kind, h)) for h in horizons},
        }
        for kind, model in sorted({(r["kind"], r["model_id"]) for r in mine})
    ]
    columns = [
        Column(
            "Model",
            lambda r: Cell(r["model_id"], r["kind"].replace("_", " "), f"/models/{r['model_id']}"),
        ),
        *(number_column(f"h{h}", _skill, sessions(h)) for h in horizons),
    ]
    note = (
        f"Skill with 95 % interval, to {numbers.day(found.last)}; 0: as good as no_change, 1: perfect. "
        + {
            "live": "Live forecasts only.",
            "replay": "Replays: no live forecast has fallen due yet.",
        }[found.origin]
    )
    empty = (
        "No model's forecast has fallen due yet. `predtrack demo` scores five years of them; the"
        " intake page says how to send your own."
    )
    return Grid("skill", "Models against no change", columns, rows, empty, note, mine)


def _skill(row: Any) -> Cell:
    if row is None:
        return Cell("no forecast")
    tone = TONES.get(row["verdict"], "")
    word = f" {row['verdict']}" if tone or row["verdict"] == TOO_LITTLE else ""
    sizes = f"n {numbers.count(row['n'])}, n_eff {numbers.count(row['n_eff'])}"
    note = f"{interval(row['skill_low'], row['skill_high'], sign=True)}; {sizes}"
    return Cell(f"{numbers.number(row['skill'], sign=True)}{word}", note, tone=tone)


def champions_grid(reading: Reading) -> Grid:
    """Champion of each kind and scope, or why there is none."""
    rows = reading.keep("champions", champion_rows)
    columns = [
        Column("For", lambda r: Cell(r["kind"], f"scope {r['scope']}")),
        Column(
            "Champion",
            lambda r: (
                Cell(r["champion"], href=f"/models/{r['champion']}")
                if r["champion"]
                else Cell("none", r["why"])
            ),
        ),
        Column("Since", lambda r: numbers.moment(r["since"]) if r["champion"] else ""),
        Column("Gates passed", lambda r: f"{r['passed']} of {r['judged']}", numeric=True),
    ]
    empty = "No gate has been evaluated yet: that happens at the end of each week with results."
    return Grid("champions", "Champions", columns, rows, empty)


def champion_rows(transaction: Transaction) -> list[dict[str, Any]]:
    """Per kind and scope of all symbols: champion, since when, gates passed and judged, or why none."""
    gates = transaction.read(LATEST_GATES).to_dicts()
    champions = {
        (r["kind"], r["scope"]): r for r in transaction.read(CHAMPIONS).iter_rows(named=True)
    }
    scopes = sorted(
        {(g["kind"], g["scope"]) for g in gates if ":" not in g["scope"]} | champions.keys()
    )
    rows = []
    for kind, scope in scopes:
        judged = [
            g for g in gates if (g["kind"], g["scope"], g["role"]) == (kind, scope, "candidate")
        ]
        passed = sum(g["gate_status"] == PASSED for g in judged)
        champion = champions.get((kind, scope), {})
        why = (
            "what passed its gate is not deployed"
            if passed
            else "no model has passed its deployment gate"
        )
        rows.append(
            {
                "kind": kind,
                "scope": scope,
                "champion": champion.get("model_id"),
                "since": champion.get("valid_from"),
                "passed": passed,
                "judged": len(judged),
                "why": why,
            }
        )
    return rows
