"""What is wrong now, who was told, what is silenced, and what drifts."""

from __future__ import annotations

from typing import Any

from predtrack_assets.dashboard.blocks import Action, Cell, Column, Fact, Facts, Grid, Page
from predtrack_assets.dashboard.numbers import day, moment, number, plural
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.domain.audit.alerts import Policy
from predtrack_assets.services.audit.alerts import load_rules
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.audit import alerts as store
from predtrack_assets.warehouse.overview import DEGRADATIONS, OPEN_DRIFT

TONES = {"critical": "bad", "warning": "warn", "info": ""}


def page(reading: Reading) -> Page:
    """Open alerts, their history, messages, silences; degradations and open drift."""
    reading.only()
    transaction = reading.transaction
    rows = transaction.read(store.OPEN).to_dicts()
    state = transaction.read(store.STATE).row(0, named=True)
    policy = load_rules(get_settings()).policy
    worse = reading.keep("degradations", lambda t: t.read(DEGRADATIONS).to_dicts())
    drift = reading.keep("drift", lambda t: t.read(OPEN_DRIFT).to_dicts())
    evaluated = state["evaluated_at"]
    lead = (
        "No rule has been evaluated yet: name alert_sensor in PREDTRACK_SCHEDULES, or run"
        " `predtrack alerts check`."
    )
    if evaluated:
        lead = f"{plural(len(rows), 'alert')} open, as of {moment(evaluated)}."
    test = Action(
        "/alerts/test", "Send a test message", "to every channel; the log below says who took it."
    )
    return Page(
        "Alerts",
        lead,
        [
            Facts(_facts(state, policy)),
            _open(rows),
            *([test] if "admin" in reading.who.scopes else []),
            _messages(transaction.read(store.MESSAGES).to_dicts()),
            _silences(transaction.read(store.SILENCES).to_dicts()),
            _history(transaction.read(store.HISTORY).to_dicts()),
            _degradations(worse),
            _drift(drift),
        ],
    )


def _facts(state: dict[str, Any], policy: Policy) -> list[Fact]:
    quiet = f"{policy.quiet_from} to {policy.quiet_to}" if policy.quiet_from else "none"
    beat = f"every {policy.heartbeat_hours:g} h" if policy.heartbeat_hours else "not asked for"
    return [
        Fact("Evaluated", moment(state["evaluated_at"]) if state["evaluated_at"] else "never"),
        Fact(
            "Last heartbeat",
            moment(state["heartbeat_at"]) if state["heartbeat_at"] else "none",
            beat,
        ),
        Fact("Quiet hours", quiet, f"{policy.zone}; critical alerts are told all the same"),
        Fact(
            "Repeated after",
            f"{policy.repeat_hours:g} h",
            f"at most {policy.cap_per_hour} messages an hour",
        ),
    ]


def _open(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Alert", lambda r: Cell(r["subject"], r["rule"].replace("_", " "))),
        Column("Severity", lambda r: Cell(r["severity"], tone=TONES[r["severity"]])),
        Column("What", lambda r: r["detail"]),
        Column(
            "Since", lambda r: Cell(moment(r["opened_at"]), f"last seen {moment(r['last_seen'])}")
        ),
        Column("Told", lambda r: moment(r["notified_at"]) if r["notified_at"] else "nobody yet"),
    ]
    return Grid("open", "Open alerts", columns, rows, "No alert is open.")


def _messages(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Sent", lambda r: Cell(moment(r["recorded_at"]), r["kind"])),
        Column("Channel", lambda r: r["channel"]),
        Column(
            "Status",
            lambda r: Cell(
                r["status"], r["fault"] or "", tone="bad" if r["status"] == "failed" else ""
            ),
        ),
        Column("Message", lambda r: r["message"]),
    ]
    empty = (
        "Nobody has been told anything yet. PREDTRACK_ALERT_URLS names channels; without it alerts are"
        " logged."
    )
    return Grid("messages", "Delivery log", columns, rows, empty)


def _silences(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column(
            "Rule", lambda r: Cell(r["rule"].replace("_", " "), r["subject"] or "every subject")
        ),
        Column("Until", lambda r: moment(r["until"])),
        Column("By", lambda r: Cell(r["silenced_by"], r["reason"])),
    ]
    empty = "Nothing is silenced. `predtrack alerts silence RULE --hours 8 --reason ...` does it."
    return Grid("silences", "Silences", columns, rows, empty)


def _history(rows: list[dict[str, Any]]) -> Grid:
    columns = [
        Column("Alert", lambda r: Cell(r["subject"], r["rule"].replace("_", " "))),
        Column("From", lambda r: moment(r["opened_at"])),
        Column("Until", lambda r: moment(r["closed_at"])),
        Column(
            "Told of its end", lambda r: moment(r["resolved_told"]) if r["resolved_told"] else "no"
        ),
    ]
    return Grid("history", "Closed alerts", columns, rows, "No alert has been closed yet.")


def _degradations(rows: list[dict[str, Any]]) -> Grid:
    def model(row: Any) -> Cell:
        return Cell(row["model_id"], f"{row['kind']} {row['scope']}", f"/models/{row['model_id']}")

    columns = [
        Column("Model", model),
        Column("Since", lambda r: day(r["since"])),
        Column("What", lambda r: Cell(r["message"], r["signal"].replace("_", " "))),
    ]
    empty = "No model is worse than it showed before, and no champion fails its gate."
    return Grid("degradations", "Degraded models", columns, rows, empty)


def _drift(rows: list[dict[str, Any]]) -> Grid:
    def model(row: Any) -> Cell:
        if not row["model_id"]:
            return Cell("all")
        return Cell(
            row["model_id"], f"{row['kind']} {row['horizon']}", f"/models/{row['model_id']}"
        )

    def statistic(row: Any) -> Cell:
        note = f"{row['statistic']}, critical {number(row['critical_value'])}"
        return Cell(number(row["value"]), note)

    columns = [
        Column("What", lambda r: Cell(r["name"], r["subject"])),
        Column("Model", model),
        Column("Severity", lambda r: r["severity"]),
        Column("Statistic", statistic, numeric=True),
        Column(
            "Open since", lambda r: Cell(day(r["opened_on"]), f"last seen {day(r['last_seen'])}")
        ),
    ]
    note = (
        "PREDTRACK_DRIFT_LEVEL is the share of false alarms that a report of many features allows."
    )
    empty = (
        "No drift is open. Reports are made at the end of each week with results; `predtrack demo` has"
        " some, and there may be none yet."
    )
    return Grid("drift", "Open drift", columns, rows, empty, note)
