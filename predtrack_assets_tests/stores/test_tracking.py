"""MLflow is told of fits where it is asked for, and what is missing is said.

The client is recorded by a stand-in with the signatures of mlflow 3's MlflowClient, which refuses
what a server would: MLflow itself is 17 packages, too much for a test.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest

from predtrack_assets.settings import get_settings
from predtrack_assets.stores.tracking import EXPERIMENT, TrackingError, track


@dataclass
class Run:
    """What was logged of one run."""

    experiment: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    finished: bool = False


@dataclass
class RecordedMlflow:
    """A tracking server's contents."""

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)

    def client(self, tracking_uri: str) -> RecordedMlflow:
        self.addresses.add(tracking_uri)
        return self

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        known = self.experiments.get(name)
        return None if known is None else SimpleNamespace(experiment_id=known)

    def create_experiment(self, name: str) -> str:
        assert name not in self.experiments, "a server refuses a second one of that name"
        self.experiments[name] = str(len(self.experiments) + 1)
        return self.experiments[name]

    def create_run(self, experiment_id: str, run_name: str) -> SimpleNamespace:
        assert experiment_id in self.experiments.values()
        identity = f"run{len(self.runs)}"
        self.runs[identity] = Run(experiment_id, run_name)
        return SimpleNamespace(info=SimpleNamespace(run_id=identity))

    def log_param(self, run_id: str, key: str, value: str) -> None:
        run = self._open(run_id)
        assert key not in run.parameters, "parameters are written once"
        run.parameters[key] = value

    def log_metric(self, run_id: str, key: str, value: float) -> None:
        assert isinstance(value, float)
        self._open(run_id).metrics[key] = value

    def set_terminated(self, run_id: str) -> None:
        self._open(run_id).finished = True

    def _open(self, run_id: str) -> Run:
        assert not self.runs[run_id].finished
        return self.runs[run_id]


def record(monkeypatch: pytest.MonkeyPatch) -> RecordedMlflow:
    """Put the stand-in where `import mlflow` finds it."""
    recorded, module = RecordedMlflow(), ModuleType("mlflow")
    vars(module)["MlflowClient"] = recorded.client
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return recorded


def test_tracking_is_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = record(monkeypatch)
    uri = get_settings().mlflow_uri
    assert uri is None
    assert not track(uri, "m@1", {}, {})
    assert not recorded.addresses


def test_a_fit_is_a_finished_run_of_one_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = record(monkeypatch)
    monkeypatch.setenv("PREDTRACK_MLFLOW_URI", "http://127.0.0.1:5000")
    uri = get_settings().mlflow_uri
    assert track(uri, "m@1", {"input_digest": "d1"}, {"price.1.score": 0.5})
    assert track(uri, "m@2", {"input_digest": "d2"}, {"price.1.score": 0.4})
    assert recorded.addresses == {"http://127.0.0.1:5000"}
    assert list(recorded.experiments) == [EXPERIMENT]
    assert list(recorded.runs.values()) == [
        Run("1", "m@1", {"input_digest": "d1"}, {"price.1.score": 0.5}, finished=True),
        Run("1", "m@2", {"input_digest": "d2"}, {"price.1.score": 0.4}, finished=True),
    ]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        TrackingError, match=r"PREDTRACK_MLFLOW_URI is set.*predtrack_assets\[mlflow\]"
    ):
        track("http://127.0.0.1:5000", "m@1", {}, {})
