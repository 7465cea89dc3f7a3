"""The chain that commits to every forecast: its head, its last batches, one forecast by its id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from predtrack_assets.dashboard.blocks import (
    Cell,
    Column,
    Fact,
    Facts,
    Form,
    Grid,
    Page,
    Prose,
    number_column,
)
from predtrack_assets.dashboard.numbers import count, day, duration, moment, number, percent
from predtrack_assets.dashboard.reading import Reading, Refused
from predtrack_assets.domain.models.kinds import SCORE_NAMES
from predtrack_assets.warehouse.overview import (
    LATEST_BATCHES,
    LATEST_EVENTS,
    LEDGER_SIZE,
    STATEMENT,
    WITHDRAWAL_OF,
)
from predtrack_assets.warehouse.reads import LEDGER_HEAD

CHECK = """predtrack ledger verify                      # every link, tree and row
predtrack ledger prove PREDICTION_ID > proof.json
predtrack ledger check proof.json            # needs the file only, not the database"""


def page(reading: Reading) -> Page:
    """The head, what was sealed last, and with ?id= one forecast as it was committed."""
    reading.only("id")
    transaction = reading.transaction
    head = transaction.read(LEDGER_HEAD).to_dicts()
    size = transaction.read(LEDGER_SIZE).row(0, named=True)
    lead = "Nothing is sealed yet: the first forecast begins the chain."
    facts = []
    if head:
        lead = "Every forecast is in a hash chain from the moment it is committed: a later change shows."
        facts = [
            Fact(
                "Batches", count(size["batches"]), f"last sealed {moment(head[0]['committed_at'])}"
            ),
            Fact("Audit events", count(size["events"])),
            Fact("Head", head[0]["hash"][:16], f"SHA-256 {head[0]['hash']}"),
        ]
    look_up = Form(
        (), ("id", "Look up a forecast by its id", reading.given.get("id", "")), "Look up"
    )
    blocks: list[Any] = [Facts(facts)] if facts else []
    blocks.append(look_up)
    if "id" in reading.given:
        blocks += _statement(reading)
    sentences = [
        "This page shows what is stored and does not verify it. Verification reads every row; the"
        " check ledger_verifies runs it on a schedule, and these commands do it now:"
    ]
    blocks += [
        _batches(reading),
        Prose("Check without trusting this server", sentences, CHECK),
        _events(reading),
    ]
    return Page("Ledger", lead, blocks)


def _statement(reading: Reading) -> list[Any]:
    try:
        wanted = str(UUID(reading.given["id"]))
    except ValueError:
        raise Refused(400, "A forecast's id is a UUID, as receipts and tables show it.") from None
    found = reading.transaction.read(STATEMENT, prediction=wanted).to_dicts()
    if not found:
        raise Refused(404, f"There is no forecast {wanted}.")
    row = found[0]
    before = (row["earliest_resolution_time"] - row["recorded_at"]).total_seconds()
    when = f"{duration(before)} {'before' if before > 0 else 'after'} its outcome could be known"
    unit = "sessions" if row["horizon_unit"] == "session" else "minutes"
    facts = [
        Fact(
            "Model and symbol",
            f"{row['model_id']} on {row['symbol']}",
            f"{row['kind']}, {row['horizon']} {unit}, due {day(row['due_day'])}",
            f"/models/{row['model_id']}",
        ),
        Fact(
            "Decision day",
            day(row["trading_day"]),
            f"as of {moment(row['as_of'])}",
            f"/symbols/{row['symbol']}?day={row['trading_day']}",
        ),
        Fact("Committed", moment(row["recorded_at"]), f"{row['origin']}: {when}"),
        Fact("Forecast", _forecast(row), f"inputs' digest {row['digest']}"),
        Fact("Outcome", *_outcome(row)),
    ]
    for gone in reading.transaction.read(WITHDRAWAL_OF, prediction=wanted).iter_rows(named=True):
        note = f"{gone['reason']}; it counts against coverage"
        facts.append(Fact("Withdrawn", moment(gone["recorded_at"]), note, tone="warn"))
    return [Facts(facts, "Forecast as it was committed"), _scores(row)]


def _scores(row: dict[str, Any]) -> Grid:
    """Losses of one forecast beside those of the baselines on the same row."""
    columns = [
        Column("Score", lambda r: r["score"]),
        number_column("own", lambda v: number(v, 5), "This forecast"),
        number_column("no_change", lambda v: number(v, 5)),
        number_column("climatology", lambda v: number(v, 5)),
    ]
    scored = [
        {
            "score": SCORE_NAMES[name],
            "own": row[name],
            "no_change": row[f"{name}_no_change"],
            "climatology": row.get(f"{name}_climatology"),
        }
        for name in ("brier", "crps", "qlike")
        if row[name] is not None
    ]
    empty = "Not scored yet: it has not fallen due, or has no price."
    note = (
        "Lower is better; baselines are of the same row. One forecast shows nothing about a model."
    )
    return Grid("scores", "Scores of this forecast", columns, scored, empty, note)


def _forecast(row: Any) -> str:
    if row["predicted_price"] is not None:
        return f"{number(row['predicted_price'], 2)}, from {number(row['reference_price'], 2)}"
    if row["predicted_volatility"] is not None:
        return f"{percent(row['predicted_volatility'], 2)} a day"
    return f"{percent(row['confidence'])} for {row['event']}"


def _outcome(row: Any) -> tuple[str, str]:
    if row["status"] is None:
        return "pending", f"due {moment(row['due_at'])}"
    if row["status"] != "validated":
        return row["status"], ""
    happened = {True: "occurred", False: "did not occur", None: "measured"}[row["occurred"]]
    return happened, f"known {moment(row['resolved_at'])}"


def _batches(reading: Reading) -> Grid:
    rows = reading.transaction.read(LATEST_BATCHES).to_dicts()
    columns = [
        Column("Batch", lambda r: Cell(f"{r['batch_index']:,}", r["hash"])),
        Column(
            "Model",
            lambda r: Cell(r["model_id"], r["kind"].replace("_", " "), f"/models/{r['model_id']}"),
        ),
        Column("Decision day", lambda r: day(r["trading_day"])),
        Column("Rows", lambda r: f"{r['row_count']:,}", numeric=True),
        Column("Origin", lambda r: r["origin"]),
        Column("Committed", lambda r: moment(r["committed_at"])),
    ]
    return Grid(
        "batches",
        "Last batches",
        columns,
        rows,
        "No batch yet: `predtrack demo`, or send a forecast.",
    )


def _events(reading: Reading) -> Grid:
    rows = reading.transaction.read(LATEST_EVENTS).to_dicts()
    columns = [
        Column("Event", lambda r: Cell(f"{r['event_index']:,}", r["event_type"].replace("_", " "))),
        Column("Subject", lambda r: r["subject"]),
        Column("By", lambda r: r["actor"]),
        Column("At", lambda r: moment(r["at"])),
    ]
    return Grid("events", "Audit trail", columns, rows, "No decision has been recorded yet.")
