"""The command line: faults that a user can mend are sentences that name what to mend."""

from __future__ import annotations

import sys

import pytest

from predtrack_assets import cli


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PREDTRACK_HORIZONS", "1,soon", "PREDTRACK_HORIZONS: Input should be a valid integer"),
        ("PREDTRACK_HORIZONS", "0", "PREDTRACK_HORIZONS: horizons are counts of sessions"),
        ("PREDTRACK_GATE_HORIZONS", "5,7", "PREDTRACK_GATE_HORIZONS: only horizons that are"),
        ("PREDTRACK_WEBHOOK_URL", "ftp://token", "PREDTRACK_WEBHOOK_URL: it must begin with http"),
        ("PREDTRACK_SOURCE", "gossip", "PREDTRACK_SOURCE: Input should be 'yahoo'"),
    ],
)
def test_a_bad_setting_is_named_as_it_is_set(
    name: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["predtrack", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(said)
