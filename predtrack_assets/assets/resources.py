"""Resources that assets ask for by name."""

from __future__ import annotations

import dagster as dg

from predtrack_assets.warehouse.database.transaction import Database


class Warehouse(dg.ConfigurableResource, Database):
    """The database as a resource. url: libpq URL; unset, the one of the settings."""

    url: str | None = None
