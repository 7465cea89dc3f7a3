"""Days and moments as options: read, or refused with an example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer


def _read(text: str, what: str, example: str, *, time: bool) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or len(text.strip()) < 10 or (len(text.strip()) > 10 and not time):
        raise typer.BadParameter(f"{text!r} is no {what}: give one like {example}")
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def day(text: str) -> datetime:
    """Midnight of a day like 2013-01-31. Raises typer.BadParameter that shows one."""
    return _read(text, "day", "2013-01-31", time=False)


def moment(text: str) -> datetime:
    """A moment in UTC, without a zone. Raises typer.BadParameter that shows one."""
    return _read(text, "moment in UTC", "2013-01-31T14:30", time=True)


DAY: dict[str, Any] = {"parser": day, "metavar": "YYYY-MM-DD"}
MOMENT: dict[str, Any] = {"parser": moment, "metavar": "YYYY-MM-DD[Thh:mm]"}
