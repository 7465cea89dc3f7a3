"""A Dagster logger for people: one line per finished asset, a live line for the one at work."""

import logging
import time
from collections.abc import Collection
from datetime import datetime

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.status import Status

CONSOLE = Console(stderr=True, highlight=False, emoji=False)

_COSTS = {
    "models__pooled_models": 480.0,
    "accuracy__drift_metrics": 164.0,
    "forecasts__predictions": 137.0,
    "accuracy__symbol_accuracy": 112.0,
    "forecasts__outcomes": 58.0,
    "accuracy__day_sums": 40.0,
    "deployment__deployment_gates": 30.0,
}
"""Seconds of the steps that take longest, of 50 symbols and two years; only their proportion counts."""
_OTHER_COST = 8.0
_TELLING = 0.05  # share of the cost after which what is left can be estimated


class Remaining:
    """How many steps of a run are done, and how long the others will take at the pace so far."""

    def __init__(self, steps: Collection[str]) -> None:
        self.total, self.done = len(steps), 0
        self._cost = {step: _COSTS.get(step, _OTHER_COST) for step in steps}
        self._spent = 0.0

    def end(self, step: str) -> None:
        """A step has ended."""
        self.done += 1
        self._spent += self._cost.pop(step, _OTHER_COST)

    def seconds(self, elapsed: float) -> float | None:
        """Seconds that are left after `elapsed` ones; None where it is too early to tell."""
        ahead = sum(self._cost.values())
        if self._spent < _TELLING * (self._spent + ahead):
            return None
        return elapsed * ahead / self._spent


def roughly(seconds: float) -> str:
    """A duration in words, as exact as an estimate is.

    >>> roughly(40.0), roughly(200.0), roughly(9000.0)
    ('under a minute', 'about 3 minutes', 'about 2.5 hours')
    """
    if seconds < 60:
        return "under a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes".replace("about 1 minutes", "about a minute")
    return f"about {seconds / 3600:.1f} hours"


class ProgressHandler(logging.Handler):
    """Shows steps as they start, speak and end; everything else stays in Dagster's own logs.

    steps: of the run, so that each line says how many are done and how long the rest will take.
    Steps that are left out because one before them failed are not mentioned: that one is.
    """

    def __init__(self, console: Console = CONSOLE, steps: Collection[str] = ()) -> None:
        super().__init__()
        self._console = console
        self._remaining = Remaining(steps)
        self._begun = time.monotonic()
        self._status: Status | None = None
        self._started = time.monotonic()
        self._running: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by Dagster with every event and log line of the run."""
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        key = meta.get("step_key") or ""
        step = key.replace("__", "/")
        kind = getattr(event, "event_type_value", None)
        if kind == "STEP_START":
            self._started = time.monotonic()
            self._running = step
            self._show(f"{step} ...")
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE"):
            self._remaining.end(key)
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
        line = f"  {mark} {time.monotonic() - self._started:6.1f} s  {step}"
        self._console.print(line + escape(self._standing()), soft_wrap=True)

    def _standing(self) -> str:
        """How far the run is, in brackets; nothing where its steps are not known."""
        standing = self._remaining
        if not standing.total:
            return ""
        left = standing.seconds(time.monotonic() - self._begun)
        rest = (
            f", {roughly(left)} left" if left is not None and standing.done < standing.total else ""
        )
        return f"  [{standing.done} of {standing.total}{rest}]"


def say_unchanged(step: str, since: datetime, console: Console = CONSOLE) -> None:
    """A line for a step that is left out, beside those of the steps that run."""
    name = step.replace("__", "/")
    said = f"  [dim]same[/]             {name}: nothing new since {since:%Y-%m-%d %H:%M} UTC"
    console.print(said, soft_wrap=True)


def _progress_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger with nothing but a ProgressHandler; Dagster tells of its steps at level DEBUG."""
    logger = logging.Logger("predtrack.progress", level=logging.DEBUG)
    job = init_context.job_def
    steps = [node.name for node in job.graph.nodes] if job is not None else []
    logger.addHandler(ProgressHandler(steps=steps))
    return logger


progress_logger = dg.LoggerDefinition(
    _progress_logger, description="Progress for people, on standard error."
)
