"""Receipts: what was sent, and what each row was answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

SHOWN = 20  # refused rows that a receipt prints


class Receipt(msgspec.Struct, kw_only=True):
    """The answers to what was sent in one call, in its order.

    sent: rows as they went out; rows: an answer each (status, code, message, prediction_id, origin,
    knowable_at, ...); batches: numbers under which the server keeps the same.
    """

    url: str
    model_id: str
    dry_run: bool = False
    batches: list[int] = []
    committed_at: str | None = None
    sent: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status: accepted, duplicate, conflict, rejected."""
        found = Counter(row["status"] for row in self.rows)
        return {name: found[name] for name in ("accepted", "duplicate", "conflict", "rejected")}

    @property
    def refused(self) -> list[dict[str, Any]]:
        """Answers of the rows that were not taken."""
        return [row for row in self.rows if row["status"] in ("conflict", "rejected")]

    @property
    def seconds_before(self) -> float | None:
        """Seconds from the commitment to the first deadline of its live rows; None without any."""
        given = [row["seconds_before"] for row in self.rows if row.get("seconds_before")]
        return min(given, default=None)

    def save(self, path: str | Path) -> None:
        """Write it as JSON, for `predtrack_client.check`."""
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def load(cls, path: str | Path) -> Receipt:
        """Read what `save` wrote. Raises msgspec.DecodeError for another file."""
        return msgspec.json.decode(Path(path).read_bytes(), type=cls)

    def __str__(self) -> str:
        parts = [f"{n:,} {status}" for status, n in self.counts.items() if n] or ["no rows"]
        parts += sorted({row["origin"] for row in self.rows if row.get("origin")})
        if self.dry_run:
            parts.append("nothing written (dry run)")
        elif self.batches:
            numbers = ", ".join(map(str, self.batches))
            parts.append(f"batch{'es' if len(self.batches) > 1 else ''} {numbers}")
        if self.seconds_before is not None:
            parts.append(f"sealed {_duration(self.seconds_before)} before the deadline")
        lines = [", ".join(parts)]
        for row in self.refused[:SHOWN]:
            place = row.get("pointer") or ""
            lines.append(f"  row {row['index']} {place}: {row['code']}: {row['message']}")
        if len(self.refused) > SHOWN:
            lines.append(f"  ... and {len(self.refused) - SHOWN:,} more")
        return "\n".join(lines)


def _duration(seconds: float) -> str:
    """
    >>> _duration(50520)
    '14 h 02 min'
    """
    minutes = int(seconds // 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    return f"{minutes // 60} h {minutes % 60:02d} min"
