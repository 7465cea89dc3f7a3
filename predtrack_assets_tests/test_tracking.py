"""MLflow is not asked for, and says what is missing when it is."""

from __future__ import annotations

import sys

import pytest

from predtrack_assets.settings import get_settings
from predtrack_assets.tracking import TrackingError, track


def test_tracking_is_off_by_default() -> None:
    uri = get_settings().mlflow_uri
    assert uri is None
    assert not track(uri, "m@1", {}, {})


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        TrackingError, match=r"PREDTRACK_MLFLOW_URI is set.*predtrack_assets\[mlflow\]"
    ):
        track("http://127.0.0.1:5000", "m@1", {}, {})
