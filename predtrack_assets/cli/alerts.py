"""`predtrack alerts`: what is wrong now, a test of the channels, silences."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from predtrack_assets.cli.command import Home, ready_database
from predtrack_assets.settings import get_settings

alerts = typer.Typer(
    no_args_is_help=True, help="Alerts: list them, test the channels, silence one."
)


@alerts.command("list")
def show(home: Home = None) -> None:
    """List open alerts, the worst first, and silences in force. Evaluates nothing."""
    from predtrack_assets.services.audit.alerts import load_rules
    from predtrack_assets.warehouse.audit import alerts as store

    load_rules(get_settings())  # a wrong file is a sentence here too
    with ready_database(home).transaction() as transaction:
        rows = transaction.read(store.OPEN).to_dicts()
        silences = transaction.read(store.SILENCES).to_dicts()
        state = transaction.read(store.STATE).row(0, named=True)
    for row in rows:
        told = f"told {row['notified_at']:%Y-%m-%d %H:%M}" if row["notified_at"] else "nobody told"
        what = f"{row['severity']}  {row['rule']}  {row['subject']}"
        typer.echo(f"{what}  since {row['opened_at']:%Y-%m-%d %H:%M} UTC, {told}: {row['detail']}")
    for row in silences:
        what = f"{row['rule']} {row['subject'] or '(every subject)'}"
        until = f"until {row['until']:%Y-%m-%d %H:%M} UTC by {row['silenced_by']}"
        typer.echo(f"silenced  {what}  {until}: {row['reason']}")
    if not rows:
        at = state["evaluated_at"]
        typer.echo(
            f"No alert is open; evaluated {at:%Y-%m-%d %H:%M} UTC."
            if at
            else "No rule has been evaluated yet: `predtrack alerts check`, or alert_sensor in"
            " PREDTRACK_SCHEDULES."
        )


@alerts.command("check")
def check(home: Home = None) -> None:
    """Evaluate the rules now and tell people, as the sensor does; ends 1 if a message failed."""
    from predtrack_assets.services.audit.alert_channels import channels
    from predtrack_assets.services.audit.alerts import evaluate, load_rules, tell

    rules = load_rules(get_settings())
    ways = channels(_urls(), typer.echo)
    database = ready_database(home)
    found = evaluate(database, rules)
    told = tell(database, rules, ways)
    if found["skipped"]:
        typer.echo("Evaluated less than a minute ago; nothing done.")
    typer.echo(f"{found['opened']} opened, {found['seen']} go on, {found['closed']} closed.")
    for name in found["unknown"]:
        typer.echo(f"{name}: its signal could not be read.")
    if told["failed"]:
        typer.echo("A message could not be delivered; the alerts page has the log.", err=True)
        sys.exit(1)


@alerts.command("test")
def send_test_(home: Home = None) -> None:
    """Send a test message to every channel; ends 1 if one did not take it."""
    from predtrack_assets.services.audit.alert_channels import channels
    from predtrack_assets.services.audit.alerts import send_test

    ways = channels(_urls(), typer.echo)
    faults = send_test(ready_database(home), ways, getpass.getuser())
    for name, fault in faults.items():
        typer.echo(f"{name}: {fault or 'sent'}")
    if any(faults.values()):
        sys.exit(1)


@alerts.command("silence")
def silence_(
    rule: Annotated[str, typer.Argument(help="Rule, as `predtrack alerts list` names it.")],
    subject: Annotated[str, typer.Option(help="Of this subject only; without it of all.")] = "",
    hours: Annotated[float, typer.Option(help="For how long.")] = 24.0,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    home: Home = None,
) -> None:
    """Tell nobody of a rule's alerts for some hours; they are still opened and shown."""
    from predtrack_assets.services.audit.alerts import load_rules, silence

    rules = load_rules(get_settings())
    minutes = round(hours * 60)
    until = silence(ready_database(home), rules, rule, subject, minutes, reason, getpass.getuser())
    typer.echo(f"{rule} {subject} is silenced until {until:%Y-%m-%d %H:%M} UTC")


def _urls() -> str:
    given = get_settings().alert_urls
    return given.get_secret_value() if given else ""
