"""What others sent, until when the next forecasts are live, and how to send one."""

from __future__ import annotations

from typing import Any

from predtrack_assets.dashboard.blocks import Cell, Column, Grid, Page, Prose, number_column
from predtrack_assets.dashboard.numbers import duration, moment, plural
from predtrack_assets.dashboard.reading import Reading, Refused
from predtrack_assets.dashboard.scores import sessions
from predtrack_assets.services.forecasts.intake_basis import deadlines
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.forecasts.intake import RECEIPTS
from predtrack_assets.warehouse.overview import FILES, KEY_USE, REFUSED_ROWS, WITHDRAWALS

EXAMPLE = """predtrack keys create --name me --scope read --scope write     # prints pt_...
curl -H "Authorization: Bearer $PREDTRACK_KEY" -H "Content-Type: application/json" \\
     -d '{"name": "tilt", "version": 1, "kinds": ["direction"]}' http://127.0.0.1:8600/api/v1/models
curl -H "Authorization: Bearer $PREDTRACK_KEY" -H "Content-Type: application/json" \\
     -d '{"model": "tilt", "version": 1, "predictions": [
           {"symbol": "AAPL", "horizon": 5, "horizon_unit": "session", "direction": {"p_up": 0.56}}]}' \\
     http://127.0.0.1:8600/api/v1/predictions"""


def page(reading: Reading) -> Page:
    """Batches, deadlines, keys in use; with ?batch=N the rows of a batch that were not accepted."""
    reading.only("batch")
    batches = reading.transaction.read(RECEIPTS, size=50).to_dicts()
    lead = "Nobody has sent forecasts yet; the example below does."
    if batches:
        newest = batches[0]
        lead = (
            f"The last batch came at {moment(newest['recorded_at'])}: {newest['accepted']:,} accepted,"
            f" {newest['rejected']:,} rejected."
        )
    blocks: list[Any] = [deadlines_grid(reading), _batches(batches)]
    if "batch" in reading.given:
        blocks.insert(0, _refused(reading))
    blocks += [
        _withdrawals(reading),
        _files(reading),
        _keys(reading),
        Prose("Send your own", ["Make a key, register a model, send a forecast:"], EXAMPLE),
    ]
    return Page("Intake", lead, blocks)


def deadlines_grid(reading: Reading) -> Grid:
    """Per exchange and horizon until when a forecast of the last session is live."""
    rows = deadlines(reading.transaction, get_settings().horizons)
    columns = [
        Column("Exchange", lambda r: Cell(r["exchange"], f"decision day {r['decision_day']}")),
        Column("Horizon", lambda r: Cell(sessions(r["horizon"]), f"due {r['due_day']}")),
        Column(
            "Live until",
            lambda r: r["earliest_resolution_time"].replace("T", " ").replace(":00Z", " UTC"),
        ),
        Column(
            "Time left",
            lambda r: (
                duration(r["seconds_left"]) if r["seconds_left"] > 0 else Cell("over", tone="warn")
            ),
            numeric=True,
        ),
    ]
    empty = (
        "No symbol is known yet, so nothing can be forecast: load prices first (`predtrack demo`,"
        " `predtrack backfill`)."
    )
    note = "A forecast that arrives later is kept as a replay and never counts as live."
    return Grid("deadlines", "Next deadlines", columns, rows, empty, note)


def _batches(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column(
            "Batch",
            lambda r: Cell(
                str(r["batch_id"]), moment(r["recorded_at"]), f"/intake?batch={r['batch_id']}"
            ),
        ),
        Column("Model", lambda r: Cell(r["model_id"], href=f"/models/{r['model_id']}")),
        Column("Key", lambda r: r["key_id"] or "command line or file"),
        *(
            number_column(name, lambda v: f"{v:,}", name.capitalize())
            for name in ("accepted", "duplicates", "conflicts", "rejected")
        ),
    ]
    return Grid("batches", "Last batches", columns, rows, "No batch yet.")


def _refused(reading: Reading) -> Grid:
    batch = reading.given["batch"]
    if not batch.isascii() or not batch.isdigit() or len(batch) > 15:
        raise Refused(400, "batch is a number: the table of batches links to each.")
    rows = reading.transaction.read(REFUSED_ROWS, batch=int(batch)).to_dicts()
    columns = [
        Column("Row", lambda r: str(r["index"])),
        Column("Answered", lambda r: Cell(r["status"], r["code"] or "")),
        Column("Why", lambda r: Cell(r["message"] or "", r["pointer"] or "")),
    ]
    return Grid(
        "refused",
        f"Rows of batch {batch} that were not accepted",
        columns,
        rows,
        "Every row was accepted, or there is no such batch.",
    )


def _withdrawals(reading: Reading) -> Grid:
    def forecast(row: Any) -> Cell:
        ahead = f"{row['horizon']} {row['horizon_unit']}s after {row['trading_day']}"
        note = f"{row['kind'].replace('_', ' ')}, {ahead}"
        href = f"/ledger?id={row['prediction_id']}"
        return Cell(f"{row['model_id']} on {row['symbol']}", note, href)

    rows = reading.transaction.read(WITHDRAWALS).to_dicts()
    columns = [
        Column("Forecast", forecast),
        Column("Withdrawn", lambda r: Cell(moment(r["recorded_at"]), f"by {r['withdrawn_by']}")),
        Column("Why", lambda r: r["reason"]),
    ]
    note = "Withdrawn before the outcome could be known. It stays in the ledger and counts against coverage."
    return Grid(
        "withdrawals", "Withdrawals", columns, rows, "Nothing has been withdrawn yet.", note
    )


def _files(reading: Reading) -> Grid:
    rows = reading.transaction.read(FILES).to_dicts()
    columns = [
        Column("File", lambda r: Cell(r["name"], f"SHA-256 {r['digest']}")),
        Column("Taken", lambda r: moment(r["recorded_at"])),
        Column(
            "Status",
            lambda r: Cell(
                r["status"],
                f"its report lies in {r['status']}/",
                tone="bad" if r["status"] == "rejected" else "",
            ),
        ),
        number_column("size", lambda v: f"{v:,}", "Bytes"),
    ]
    empty = "No file has been taken from the drop folder yet."
    return Grid("files", "Files from the drop folder", columns, rows, empty)


def _keys(reading: Reading) -> Grid:
    rows = reading.transaction.read(KEY_USE).to_dicts()
    columns = [
        Column("Key", lambda r: r["key_id"]),
        Column("Last used", lambda r: Cell(moment(r["last_used"]), "to the hour")),
        Column(
            "Sent",
            lambda r: Cell(f"{r['accepted']:,} accepted", plural(r["batches"], "post")),
            numeric=True,
        ),
    ]
    return Grid("keys", "Keys in use", columns, rows, "No key has sent anything yet.")
