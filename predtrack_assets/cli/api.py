"""The API and its keys: `predtrack api`, `predtrack keys`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from predtrack_assets.cli.command import DAY, Home, Json, ready_database, show
from predtrack_assets.settings import get_settings

keys = typer.Typer(no_args_is_help=True, help="Keys of the API: who may read and write.")


def serve(
    port: Annotated[int, typer.Option(help="Where it listens.")] = 8600,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Further names that requests may be sent to.")
    ] = None,
    home: Home = None,
) -> None:
    """Serve the dashboard at http://127.0.0.1:8600/ and the API below /api/v1 until interrupted.

    A browser on this machine sees the dashboard without a key; programs need one:
    `predtrack keys create --name me --scope read --scope write`.
    """
    import uvicorn

    from predtrack_assets.api.app import LOCAL_HOSTS, create_app
    from predtrack_assets.dashboard.app import mount, warm
    from predtrack_assets.dashboard.logs import log_as_json

    database = ready_database(home)
    settings = get_settings()
    app = create_app(database, (*LOCAL_HOSTS, *(allow_host or ())))
    warm(mount(app, database, open_here=settings.dashboard_access == "local"))
    typer.echo(
        f"Dashboard: http://{host}:{port}/ - API: http://{host}:{port}/api/v1 (Ctrl-C ends it)"
    )
    options: dict[str, Any] = {"access_log": False, "log_level": "warning"}
    if settings.log_format == "json":
        log_as_json()
        options["log_config"] = None
    uvicorn.run(app, host=host, port=port, **options)


@keys.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who holds it; owner of the models sent with it.")],
    scope: Annotated[
        list[str], typer.Option(help="read, write, approve or admin; again for more.")
    ],
    expires: Annotated[
        datetime | None, typer.Option(**DAY, help="Last day (UTC); none: no end.")
    ] = None,
    home: Home = None,
) -> None:
    """Make a key and print it; it is shown this once and never again."""
    from predtrack_assets.services.audit.api_keys import create_key

    with ready_database(home).transaction() as transaction:
        typer.echo(create_key(transaction, name, scope, expires))


@keys.command("list")
def list_keys(as_json: Json = False, home: Home = None) -> None:
    """List keys: id, name, scopes, when made, until when."""
    from predtrack_assets.warehouse.audit.api_keys import ALL

    with ready_database(home).transaction() as transaction:
        found = transaction.read(ALL)
        if as_json:
            show(found, lambda: "", as_json)
            return
        for row in found.iter_rows(named=True):
            end = row["revoked_at"] and f"revoked {row['revoked_at']:%Y-%m-%d}"
            until = end or (row["expires_at"] and f"until {row['expires_at']:%Y-%m-%d}") or "valid"
            typer.echo(f"{row['key_id']}  {row['name']}  {','.join(row['scopes'])}  {until}")


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="The eight characters after pt_.")],
    home: Home = None,
) -> None:
    """Revoke a key: from now on it opens nothing."""
    from predtrack_assets.services.audit.api_keys import revoke_key

    with ready_database(home).transaction() as transaction:
        if not revoke_key(transaction, key_id):
            raise ValueError(f"there is no valid key {key_id}: `predtrack keys list` shows them")
    typer.echo(f"{key_id} is revoked")
