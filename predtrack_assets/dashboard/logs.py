"""Logs of the server as JSON, a line an event: what a log collector reads without guessing."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from starlette.types import Scope

LOG = logging.getLogger("predtrack.request")


def log_as_json() -> None:
    """From now on every record of this process is a line of JSON on standard error."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def log_request(scope: Scope, route: str, status: int, seconds: float) -> None:
    """One record of a request: route, status, milliseconds, who. Never its body, address or key."""
    if not LOG.isEnabledFor(logging.INFO):
        return
    state = scope.get("state", {})
    who = state.get("who")
    about = {
        "route": route,
        "method": scope["method"][:10],
        "status": status,
        "ms": round(1_000 * seconds, 1),
        "request_id": state.get("request_id", ""),
        "key_id": getattr(who, "key_id", ""),
    }
    LOG.info("request", extra=about)
