"""What a backfill reads: the source of its home, and how far back its fits reach."""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from datetime import date

import dagster as dg

from predtrack_assets.automation.progress import CONSOLE
from predtrack_assets.automation.runs import stored_source
from predtrack_assets.days import Window
from predtrack_assets.services.models.warm_up import missing_warm_up
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.sources.sample import FIRST_DAY
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.market import queries as market_queries

POOLED_MODELS = dg.AssetKey(["models", "pooled_models"])
FEATURE_STORE = dg.AssetKey(["features", "feature_store"])


def with_source_of_home(settings: Settings) -> Settings:
    """The settings with the source that the home's prices came from, where none was named.

    Says so, and says when prices of another source are added. Raises ValueError where the home's is
    a file, which cannot be guessed.
    """
    stored = Database().read(market_queries.SOURCES)["source"].to_list()
    if not stored or settings.source in stored:
        return settings
    named = ", ".join(stored)
    if "source" in settings.model_fields_set:
        CONSOLE.print(
            f"This home holds prices from {named}; those from {settings.source} join them."
        )
        return settings
    source = stored_source()
    if source is None:
        raise ValueError(
            f"the prices of this home came from {named}: name the file again (--file), or give"
            f" --source {settings.source} to add prices from there"
        )
    CONSOLE.print(f"Prices come from {source}, like those of this home; --source changes it.")
    os.environ["PREDTRACK_SOURCE"] = source
    return get_settings()


def first_day_of_inputs(
    settings: Settings, asked: Window, chosen: Set[dg.AssetKey], begins: date | None
) -> date | None:
    """The day from which on the fits of a window need prices and features; None: nothing is lacking.

    chosen: assets to compute. begins: first day that a file has prices of; None: not known.

    Raises ValueError that says what to run, where fits are asked for and what they need is not.
    """
    if POOLED_MODELS not in chosen:
        return None
    if settings.source == "sample":
        begins = FIRST_DAY
    lacking = missing_warm_up(Database(), asked, settings, begins)
    if lacking is None:
        return None
    enough = f"{lacking.needed} sessions with features (PREDTRACK_MIN_TRAINING_SESSIONS)"
    if FEATURE_STORE not in chosen:
        if lacking.stored_last >= lacking.needed:
            return None
        raise ValueError(
            f"no model can be fitted: it takes {enough}, {lacking.stored_last} are stored. First run"
            f" predtrack backfill --from {lacking.start} --to {asked.end} --select market,features"
        )
    if lacking.start < asked.start:
        CONSOLE.print(
            f"Warm-up: prices and features from {lacking.start} on, for the fit through"
            f" {lacking.cutoff}, which takes {enough}; --no-warm-up leaves them out."
        )
    if lacking.first_fit is None:
        CONSOLE.print(
            "Prices begin too late for a fit: pooled models will predict nothing on these days."
        )
    elif lacking.first_fit > lacking.cutoff:
        CONSOLE.print(
            f"Prices begin late: the first fit is through {lacking.first_fit}, and pooled models"
            " predict after it."
        )
    return min(lacking.start, asked.start)


def asks_for_prices(names: Sequence[str] | None) -> bool:
    """Whether prices are read: by all, the group market, or a table of the step that brings them."""
    if names is None:
        return True
    read = {"market", "market_data", "corporate_actions"}
    return any(name.replace(".", "/").removeprefix("market/") in read for name in names)
