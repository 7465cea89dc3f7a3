"""Every page over a lived and over an empty database: one heading, a strict policy, working links."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from predtrack_assets_tests import graph
from predtrack_assets_tests.dashboard.conftest import DAY, EVIL, client_of

PAGES = [
    "/", "/leaderboard", "/calibration", "/symbols", "/intake", "/ledger", "/data", "/alerts",
    "/models/no_change", "/models/tilt-v1",
]  # fmt: skip
EMPTY = ["/", "/leaderboard", "/calibration", "/symbols", "/intake", "/ledger", "/data", "/alerts"]
DEEP = [
    *PAGES,
    f"/symbols/AAPL?day={DAY}",
    "/symbols/%5EGSPC",
    "/intake?batch=1",
    "/leaderboard?kind=direction&horizon=1&origin=replay",
    "/leaderboard?origin=live",
    "/calibration?model=no_change&kind=price&horizon=1&origin=replay",
]


class Reader(HTMLParser):
    """Headings, links, resources, labels and inline code of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.inline: list[str] = []
        self.unnamed: list[str] = []
        self.ids: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link", "img", "input", "path", "circle", "br"):
            self._inside.append(tag)
        if tag == "h1":
            self.headings.append("")
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag in ("img", "script", "iframe") or given.get("rel") == "stylesheet":
            self.resources.append(given.get("src") or given.get("href") or "")
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "style"):
            self.inline.append(tag)
        if tag == "img" and not given.get("alt"):
            self.unnamed.append(tag)
        labelled = "label" in self._inside or given.get("type") == "hidden"
        if tag in ("select", "input") and not labelled:
            self.unnamed.append(f"{tag} {given.get('name')}")
        if given.get("id"):
            self.ids.append(given["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "h1":
            self.headings[-1] += data


@pytest.mark.parametrize("path", DEEP)
def test_a_page_has_one_heading_and_lets_nothing_else_in(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    page = Reader(answer.text)
    assert len(page.headings) == 1
    assert page.headings[0].strip()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert not page.inline
    assert not page.unnamed
    assert len(page.ids) == len(set(page.ids))
    assert all(r.startswith("/") and not r.startswith("//") for r in page.resources)
    assert len(page.resources) <= 4  # with the page itself five requests
    assert len(answer.content) < 100_000
    assert "nan" not in re.sub(r"[\w.-]*nan[\w.-]+|[\w.-]+nan", "", answer.text.lower())
    assert "None" not in answer.text


def test_an_empty_database_is_told_what_to_do_next(fresh: TestClient) -> None:
    for path in EMPTY:
        answer = fresh.get(path)
        assert answer.status_code == 200, answer.text
        assert len(Reader(answer.text).headings) == 1
        assert "yet" in answer.text, path
        assert "predtrack " in answer.text or path == "/leaderboard"


def test_links_lead_somewhere(client: TestClient) -> None:
    seen: set[str] = set()
    waiting = list(PAGES)
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 150:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = Reader(answer.text)
        if path.count("csv=") == 0:
            here = path.partition("?")[0]
            links = [link for link in page.links if not link.startswith("#")]
            waiting += [here + link if link.startswith("?") else link for link in links]
            waiting += page.resources
    assert len(seen) > 40


def test_tables_are_csv_of_the_whole_numbers(client: TestClient) -> None:
    answer = client.get("/leaderboard?kind=direction&origin=replay&horizon=1&csv=direction")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="direction.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {"climatology", "drift"} <= {row["model_id"] for row in rows}
    for row in rows:
        if row["skill_low"]:  # some weeks are too few for an interval of the longer ones
            assert float(row["skill_low"]) <= float(row["skill"]) <= float(row["skill_high"])
        assert float(row["n"]) >= float(row["n_eff"]) > 0


def test_every_skill_has_its_interval_and_sizes(client: TestClient) -> None:
    text = client.get("/leaderboard?kind=direction&origin=replay&horizon=1").text
    table = text[text.index("<tbody>") : text.index("</tbody>")]
    rows = table.count("<tr>")
    assert rows >= 2
    assert table.count("n_eff") == rows
    assert table.count(" to ") + table.count("no interval") >= rows
    assert "too little evidence" in table  # some weeks show nothing


def test_text_of_others_is_shown_as_text(client: TestClient) -> None:
    text = client.get("/models/tilt-v1").text
    assert EVIL not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_refused_rows_of_a_batch_say_why(client: TestClient) -> None:
    text = client.get("/intake?batch=1").text
    assert "symbol_unknown" in text
    assert "there is no symbol" in text


def test_files_of_the_drop_folder_are_listed(client: TestClient) -> None:
    text = client.get("/intake").text
    assert "monday.csv" in text
    assert "its report lies in rejected/" in text


def test_a_forecast_is_found_by_its_id(client: TestClient, lived_url: str) -> None:
    found = graph.frame(
        lived_url,
        "SELECT prediction_id::text AS id FROM forecasts.predictions WHERE model_id = 'tilt-v1'",
    )
    text = client.get(f"/ledger?id={found['id'][0]}").text
    assert "tilt-v1 on AAPL" in text
    assert "56.0" in text
    assert "replay:" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/models/nobody", 404),
        ("/symbols/NONE", 404),
        ("/symbols/AAPL?day=yesterday", 400),
        ("/ledger?id=x", 400),
        ("/ledger?id=00000000-0000-0000-0000-000000000000", 404),
        ("/leaderboard?kind=nothing", 400),
        ("/leaderboard?knid=price", 400),
        ("/leaderboard?kind=price&kind=direction", 400),
        ("/leaderboard?csv=nothing", 404),
        ("/intake?batch=one", 400),
        ("/pictures/nothing.png", 404),
        ("/symbols/AAPL?day=%00", 400),
    ],
)
def test_a_wrong_address_is_a_page(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "Content-Security-Policy" in answer.headers
    assert answer.headers["X-Request-Id"] in answer.text
    assert len(Reader(answer.text).headings) == 1


def test_the_api_keeps_its_problems(client: TestClient) -> None:
    for path in ("/api/v1/nowhere", "/api/", "/api/v1/predictions"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/problem+json", path
    assert client.get("/api/v1/health/live").status_code == 200


def test_a_database_that_does_not_answer_is_a_page(lived_url: str) -> None:
    answer = client_of(
        lived_url.replace("dbname=", "dbname=gone_")
        if "dbname=" in lived_url
        else lived_url + "_gone"
    ).get("/")
    assert answer.status_code == 503
    assert "predtrack db status" in answer.text
