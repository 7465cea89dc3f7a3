"""Prometheus metrics: what the database knows, read at most every 30 seconds, and requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import adbc_driver_manager
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predtrack_assets.dashboard.logs import log_request
from predtrack_assets.dashboard.reading import read_only
from predtrack_assets.warehouse.audit.metrics import GAUGES
from predtrack_assets.warehouse.database.transaction import Database

KEPT_SECONDS = 30.0
LIMIT_SECONDS = 2
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
HELP = {
    "last_sealed_timestamp_seconds": ("", "When the last batch of predictions was sealed."),
    "last_bar_timestamp_seconds": ("", "The newest day with a bar."),
    "last_decision_timestamp_seconds": ("", "The newest decision day."),
    "last_scored_timestamp_seconds": ("", "The newest due day that was summed."),
    "last_fetch_timestamp_seconds": ("", "When a source was asked last."),
    "alerts_evaluated_timestamp_seconds": ("", "When the alert rules were evaluated last."),
    "open_alerts": ("severity", "Open alerts."),
    "alert_messages_failed_last_day": ("", "Messages that a channel did not take within a day."),
    "champions": ("kind", "Scopes that have a champion."),
    "models": ("status", "Registered model versions."),
    "failed_fits_last_day": ("", "Fits that failed within a day."),
    "pending_due_predictions": (
        "",
        "Due in the last 30 scored days, neither validated nor expired.",
    ),
    "intake_rows_last_hour": ("result", "Rows that others sent within an hour, by answer."),
    "audit_events": ("", "Events on the audit trail."),
    "sealed_batches": ("", "Batches of the ledger."),
}


class Stored(Collector):
    """Gauges from the database; while it does not answer, only predtrack_database_up, 0."""

    def __init__(self, database: Database, kept: float = KEPT_SECONDS) -> None:
        self._database, self._kept = database, kept
        self._rows: list[dict[str, Any]] | None = None
        self._read = float("-inf")
        self._lock = threading.Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, at most `kept` seconds old."""
        with self._lock:
            if monotonic() - self._read > self._kept:
                self._rows, self._read = self._fresh(), monotonic()
            rows = self._rows
        up = GaugeMetricFamily("predtrack_database_up", "Whether the database answered.")
        up.add_metric([], 0.0 if rows is None else 1.0)
        yield up
        for name, (label, text) in HELP.items():
            family = GaugeMetricFamily(f"predtrack_{name}", text, labels=[label] if label else [])
            for row in rows or []:
                if row["name"] == name and row["value"] is not None:
                    family.add_metric([row["label"]] if label else [], row["value"])
            yield family

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering reads no database."""
        return []

    def _fresh(self) -> list[dict[str, Any]] | None:
        try:
            with read_only(self._database, LIMIT_SECONDS) as transaction:
                return transaction.read(GAUGES).to_dicts()
        except adbc_driver_manager.Error:
            return None


class Metrics:
    """The registry of a process: gauges of the database, requests by route and status."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Stored(database))
        self.requests = Counter(
            "predtrack_http_requests_total",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "predtrack_http_request_seconds",
            "Time until the answer began.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


class Watched:
    """Counts and logs requests; labels are templates of routes, never paths, so that they stay few."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = monotonic()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.metrics.seconds.labels(_route(scope)).observe(monotonic() - began)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(_route(scope), method, str(status)).inc()
            log_request(scope, _route(scope), status, monotonic() - began)


API = "/api/v1"  # an included router's routes do not say so
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _route(scope: Scope) -> str:
    """The template that the path matched; `none` where it matched no route."""
    found: str = getattr(scope.get("route"), "path", "none")
    inside = scope["path"].startswith(API) and found != "none" and not found.startswith(API)
    return API + found if inside else found
