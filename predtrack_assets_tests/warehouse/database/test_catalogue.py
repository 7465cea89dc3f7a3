"""A catalogue tells two databases apart by every rule, right and word, and by nothing else."""

from __future__ import annotations

import psycopg
import pytest

from predtrack_assets.warehouse.database.catalogue import (
    catalogue_digest,
    compare_catalogues,
    read_catalogue,
)

CHANGES = {
    "ALTER TABLE forecasts.predictions DISABLE TRIGGER append_only": [
        "trigger forecasts.predictions.append_only"
    ],
    "DROP TRIGGER append_only ON forecasts.outcomes": ["trigger forecasts.outcomes.append_only"],
    "ALTER TABLE forecasts.predictions DROP CONSTRAINT sigma_is_positive": [
        "constraint forecasts.predictions.sigma_is_positive"
    ],
    "GRANT UPDATE ON forecasts.outcomes TO predtrack_writer": [
        "rights relation forecasts.outcomes of predtrack_writer"
    ],
    "GRANT UPDATE (origin) ON forecasts.predictions TO predtrack_writer": [
        "rights column forecasts.predictions.origin of predtrack_writer"
    ],
    "CREATE OR REPLACE FUNCTION forecasts.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'": ["function forecasts.refuse_rewrite()"],
    "CREATE OR REPLACE VIEW market.v_current_market AS SELECT * FROM market.market_conditions": [
        "view market.v_current_market"
    ],
    "CREATE RULE lose AS ON INSERT TO market.quarantine DO INSTEAD NOTHING": [
        "rule market.quarantine.lose"
    ],
    "DROP INDEX market.market_data_by_day": ["index market.market_data_by_day"],
    "COMMENT ON COLUMN market.market_data.close IS 'adjusted'": ["column market.market_data.close"],
    "ALTER TABLE market.market_data ALTER volume DROP NOT NULL": [
        "column market.market_data.volume",
        "constraint market.market_data.market_data_volume_not_null",
    ],
    "CREATE SCHEMA attic": ["schema attic"],
    "SELECT 1": [],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows_as_what_it_is(database_url: str, change: str) -> None:
    before = read_catalogue(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(change)
    after = read_catalogue(database_url)
    found = [difference.item for difference in compare_catalogues(before, after)]
    newer = [item for item in CHANGES[change] if "_not_null" not in item or item in before]
    assert found == newer  # PostgreSQL names what is NOT NULL from 18 on
    assert (catalogue_digest(before) == catalogue_digest(after)) == (not newer)


def test_differences_say_in_which_of_the_two_something_is() -> None:
    first, second = {"a": "1", "b": "1", "c": "x\n  y"}, {"b": "1", "c": "z", "d": "2"}
    assert [str(difference) for difference in compare_catalogues(first, second)] == [
        "a: only in the first",
        "c: x y | z",
        "d: only in the second",
    ]
