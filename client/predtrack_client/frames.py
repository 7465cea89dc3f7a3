"""Rows of a pandas or Polars frame; neither is imported."""

from __future__ import annotations

from typing import Any

from predtrack_client.rows import nested


def is_frame(value: Any) -> bool:
    """Whether this is a frame of pandas or of Polars."""
    return hasattr(value, "columns") and (hasattr(value, "to_dicts") or hasattr(value, "to_dict"))


def rows_of_frame(frame: Any) -> list[dict[str, Any]]:
    """Rows as the server takes them.

    Columns: symbol, horizon, decision_day and one form: p_up; q05 to q95 with unit; sd with per.
    In a pandas frame a missing number is NaN, and is left out like a missing cell.
    """
    if hasattr(frame, "to_dicts"):
        return nested(frame.to_dicts())
    records = frame.to_dict("records")
    return nested(
        {name: None if _missing(value) else value for name, value in row.items()} for row in records
    )


def _missing(value: Any) -> bool:
    """NaN, NaT and NA: what does not equal itself, or will not say."""
    try:
        return bool(value != value)
    except TypeError:
        return True
