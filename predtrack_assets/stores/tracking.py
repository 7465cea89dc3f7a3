"""Fits reported to an MLflow server as well, where PREDTRACK_MLFLOW_URI names one; off by default."""

from __future__ import annotations

from collections.abc import Mapping

EXPERIMENT = "predtrack"


class TrackingError(RuntimeError):
    """Tracking was asked for and cannot be done."""


def track(
    uri: str | None, name: str, parameters: Mapping[str, str], metrics: Mapping[str, float]
) -> bool:
    """Log one finished fit as an MLflow run called `name`; False when `uri` is None.

    Raises TrackingError when the extra is not installed, MLflow's errors when it does not answer.
    """
    if uri is None:
        return False
    try:
        import mlflow
    except ImportError as error:
        raise TrackingError(
            "PREDTRACK_MLFLOW_URI is set, but MLflow is not installed:"
            " pip install 'predtrack_assets[mlflow]', or unset it"
        ) from error
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    run = client.create_run(experiment, run_name=name).info.run_id
    for key, value in parameters.items():
        client.log_param(run, key, value)
    for key, number in metrics.items():
        client.log_metric(run, key, number)
    client.set_terminated(run)
    return True
