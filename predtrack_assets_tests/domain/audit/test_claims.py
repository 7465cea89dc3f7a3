"""A claim is right to the decimals that it has."""

from __future__ import annotations

import pytest

from predtrack_assets.domain.audit.claims import matches


@pytest.mark.parametrize(
    ("claimed", "value", "right"),
    [
        ("0.25", 0.2549, True),
        ("0.25", 0.2551, False),
        ("0.250", 0.2503, True),
        ("0.250", 0.2506, False),
        ("-0.1", -0.149, True),
        ("3", 3.4, True),
        ("3e2", 300.4, True),
        ("3e2", 301.0, False),
        ("0.25", None, False),
        ("0.25", float("nan"), False),
    ],
)
def test_decimals(claimed: str, value: float | None, right: bool) -> None:
    assert matches(claimed, value) is right


@pytest.mark.parametrize("claimed", ["much", "nan", "inf", ""])
def test_what_is_no_number_is_no_claim(claimed: str) -> None:
    with pytest.raises(ValueError, match="number"):
        matches(claimed, 0.5)
