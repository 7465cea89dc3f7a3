"""The weekly report: made of what is scored, sent once, by the job that the schedule starts."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation import weekly_report
from predtrack_assets.automation.weekly_report import report_of, weekly_report_job
from predtrack_assets.warehouse.audit import alerts as store
from predtrack_assets.warehouse.database.transaction import Database

ANSWER = (date(2026, 3, 6), "Nothing is better than no_change.", "<html>the page</html>")


@pytest.fixture
def hook() -> Iterator[tuple[list[dict[str, object]], str]]:
    got: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield got, f"json://127.0.0.1:{server.server_port}/"
        server.shutdown()


def run(url: str) -> dg.ExecuteInProcessResult:
    return weekly_report_job.execute_in_process(
        resources={"warehouse": Warehouse(url=url)}, raise_on_error=False
    )


def test_a_report_is_sent_once_with_its_page(
    database_url: str,
    hook: tuple[list[dict[str, object]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got, url = hook
    monkeypatch.setenv("PREDTRACK_ALERT_URLS", url)
    monkeypatch.setattr(weekly_report, "report_of", lambda _: ANSWER)
    assert run(database_url).success
    assert run(database_url).success
    (sent,) = got
    assert sent["title"] == "PredTrack, weekly report as of 2026-03-06"
    assert sent["message"] == ANSWER[1]
    (attached,) = sent["attachments"]
    assert attached["filename"] == "predtrack-2026-03-06.html"
    assert base64.b64decode(attached["base64"]) == ANSWER[2].encode()


def test_what_could_not_be_sent_fails_and_is_sent_by_the_next_run(
    database_url: str,
    hook: tuple[list[dict[str, object]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got, url = hook
    monkeypatch.setattr(weekly_report, "report_of", lambda _: ANSWER)
    monkeypatch.setenv("PREDTRACK_ALERT_URLS", "json://127.0.0.1:9/")
    assert not run(database_url).success
    monkeypatch.setenv("PREDTRACK_ALERT_URLS", url)
    assert run(database_url).success
    assert len(got) == 1
    statuses = Database(url=database_url).read(store.MESSAGES)["status"].to_list()
    assert statuses == ["sent", "failed"]


def test_before_any_score_there_is_no_report(database_url: str) -> None:
    assert report_of(Database(url=database_url)) is None
    assert run(database_url).success
