"""The ledger's asset check sees the run's days, and all that is wrong with them."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.ledger import ledger_verifies
from predtrack_assets_tests import graph
from predtrack_assets_tests.builders.ledgers import FIRST, attacker, commit, predictions


def evaluate(url: str, first: date, last: date) -> dg.AssetCheckEvaluation:
    result = dg.materialize(
        [*graph.ASSETS, ledger_verifies],
        selection=dg.AssetSelection.checks(ledger_verifies),
        resources={"warehouse": Warehouse(url=url)},
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        },
        instance=dg.DagsterInstance.ephemeral(),
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE forecasts.predictions SET confidence = 0.5 WHERE symbol = 'AAA' AND trading_day = %s",
        "DELETE FROM forecasts.predictions WHERE symbol = 'AAA' AND trading_day = %s",
        "UPDATE forecasts.prediction_batches SET origin = 'live' WHERE trading_day = %s",
    ],
)
def test_the_check_fails_on_the_day_that_was_changed(database_url: str, attack: str) -> None:
    commit(database_url, predictions())
    assert evaluate(database_url, FIRST, FIRST + timedelta(days=2)).passed
    with attacker(database_url) as connection:
        changed = connection.execute(attack, [FIRST])
        assert changed.rowcount
    failed = evaluate(database_url, FIRST, FIRST + timedelta(days=2))
    assert not failed.passed
    assert failed.severity == dg.AssetCheckSeverity.WARN
    assert evaluate(database_url, FIRST + timedelta(days=1), FIRST + timedelta(days=2)).passed


def test_a_day_without_predictions_passes(database_url: str) -> None:
    assert evaluate(database_url, FIRST, FIRST).passed
