"""Records of tables, and what follows from them."""

from __future__ import annotations

import pytest

from predtrack_assets.domain.accuracy.day_sums import SLICE, SUMS
from predtrack_assets.domain.audit.ledger.batches import BATCHES
from predtrack_assets.domain.forecasts.identity import KEY
from predtrack_assets.domain.forecasts.outcomes import OUTCOMES
from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.records import record_of, records
from predtrack_assets.warehouse.tables import Table

TABLES = [found for found in vars(tables).values() if isinstance(found, Table)]


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_table_writes_columns_of_its_record_only(table: Table) -> None:
    record = record_of(table.schema, table.name)
    assert set(table.columns) <= {column.name for column in record.columns}
    assert len(set(table.columns)) == len(table.columns)


def test_frames_of_the_domain_have_the_columns_of_their_tables() -> None:
    assert set(tables.PREDICTIONS.columns) == {*PREDICTIONS, "origin"}
    assert set(tables.OUTCOMES.columns) == set(OUTCOMES)
    assert set(tables.PREDICTION_BATCHES.columns) == set(BATCHES)
    assert set(SUMS) <= set(tables.DAY_SUMS.values)
    assert set(SLICE) <= set(tables.DAY_SUMS.key)
    assert set(tables.PREDICTIONS.key) == set(tables.OUTCOMES.key) == set(KEY)


def test_columns_that_the_database_fills_in_are_not_written() -> None:
    written = record_of("forecasts", "predictions").written
    assert "prediction_id" not in written, "generated"
    assert "recorded_at" not in written, "the database's clock"
    assert "horizon_unit" in written, "its default is a constant"


def test_every_table_is_described() -> None:
    assert [name for name, record in records().items() if not record.description] == []
