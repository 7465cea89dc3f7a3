"""Rules, rights, views and functions that were changed behind the migrations' back are found."""

from __future__ import annotations

import psycopg

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.made_anew import differences_from_migrations

CHANGES = {
    "trigger forecasts.predictions.append_only":
        "ALTER TABLE forecasts.predictions DISABLE TRIGGER append_only",
    "trigger forecasts.outcomes.append_only": "DROP TRIGGER append_only ON forecasts.outcomes",
    "constraint forecasts.predictions.confidence_is_0_to_1":
        "ALTER TABLE forecasts.predictions DROP CONSTRAINT confidence_is_0_to_1",
    "rights relation forecasts.predictions of predtrack_writer":
        "GRANT UPDATE ON forecasts.predictions TO predtrack_writer",
    "function forecasts.refuse_rewrite()":
        "CREATE OR REPLACE FUNCTION forecasts.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
    "function audit.refuse_broken_chain()":
        "CREATE OR REPLACE FUNCTION audit.refuse_broken_chain() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
    "view forecasts.outcomes_current":
        "CREATE OR REPLACE VIEW forecasts.outcomes_current AS SELECT * FROM forecasts.outcomes",
}  # fmt: skip


def changed(url: str) -> set[str]:
    return {
        difference.item for difference in differences_from_migrations(url, PROJECT_ROOT / "sql")
    }


def test_every_change_is_named_and_nothing_else(database_url: str) -> None:
    assert changed(database_url) == set()
    with psycopg.connect(database_url) as connection:
        for statement in CHANGES.values():
            connection.execute(statement)
    assert changed(database_url) == set(CHANGES)
