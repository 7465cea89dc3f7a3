"""The weekly report: the page of `predtrack report`, sent once to where alerts go."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.services.audit.alert_channels import channels
from predtrack_assets.services.audit.alerts import send_report
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import READER, Database


def report_of(warehouse: Database) -> tuple[date, str, str] | None:
    """The day of the newest scores, the answer in sentences, and the page; None before any."""
    from predtrack_assets.reporting.pages.report import report_page
    from predtrack_assets.reporting.tables.headline import headline
    from predtrack_assets.services.accuracy.record import read_record

    with warehouse.transaction(READER) as transaction:
        record = read_record(transaction)
    if record is None:
        return None
    text = "\n".join(line.strip() for line in headline(record.board))
    return record.board.day, text, report_page(record, "PredTrack, weekly report")


@dg.op(description="Makes the report and sends it: by mail with the page, else its sentences.")
def send_weekly_report(context: dg.OpExecutionContext, warehouse: Warehouse) -> None:
    settings = get_settings()
    ways = channels(
        settings.alert_urls.get_secret_value() if settings.alert_urls else "", context.log.info
    )
    made = report_of(warehouse)
    if made is None:
        context.log.info("nothing has been scored yet, so there is nothing to report")
        return
    day, text, page = made
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"predtrack-{day}.html"
        file.write_text(page, "utf-8")
        faults = send_report(warehouse, ways, f"PredTrack, weekly report as of {day}", text, file)
    if faults is None:
        context.log.info(f"the report as of {day} was sent before")
    elif failed := [name for name, fault in faults.items() if fault]:
        raise dg.Failure(f"the report could not be sent: {', '.join(failed)}")


@dg.job(name="send_report", description="The answer of the week, sent to where alerts go.")
def weekly_report_job() -> None:
    send_weekly_report()
