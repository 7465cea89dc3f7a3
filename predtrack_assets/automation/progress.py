"""A Dagster logger for people: one line per finished asset, a live line for the one at work."""

import logging
import time

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.status import Status

CONSOLE = Console(stderr=True, highlight=False, emoji=False)


class ProgressHandler(logging.Handler):
    """Shows steps as they start, speak and end; everything else stays in Dagster's own logs.

    Steps that are left out because one before them failed are not mentioned: that one is.
    """

    def __init__(self, console: Console = CONSOLE) -> None:
        super().__init__()
        self._console = console
        self._status: Status | None = None
        self._started = time.monotonic()
        self._running: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by Dagster with every event and log line of the run."""
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        step = (meta.get("step_key") or "").replace("__", "/")
        kind = getattr(event, "event_type_value", None)
        if kind == "STEP_START":
            self._started = time.monotonic()
            self._running = step
            self._show(f"{step} ...")
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE"):
            self._finish(step, kind == "STEP_SUCCESS")
        elif kind is None and step and step == self._running:
            message = meta.get("orig_message", record.getMessage())
            if record.levelno >= logging.WARNING:
                self._console.print(f"[yellow]  ! {step}[/]: {escape(message)}")
            elif record.levelno == logging.INFO:
                self._show(f"{step}: {message}")

    def _show(self, text: str) -> None:
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(escape(text))
            self._status.start()
        else:
            self._status.update(escape(text))

    def _finish(self, step: str, success: bool) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        mark = "[green]done[/]  " if success else "[red]failed[/]"
        self._console.print(f"  {mark} {time.monotonic() - self._started:6.1f} s  {step}")


def _progress_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger with nothing but a ProgressHandler; Dagster tells of its steps at level DEBUG."""
    logger = logging.Logger("predtrack.progress", level=logging.DEBUG)
    logger.addHandler(ProgressHandler())
    return logger


progress_logger = dg.LoggerDefinition(
    _progress_logger, description="Progress for people, on standard error."
)
