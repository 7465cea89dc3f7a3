"""Pages by key, exports, and bodies of every form."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from predtrack_assets.services.forecasts import intake_formats
from predtrack_assets_tests.builders.api import DAY, make_key, served, store_prices

BASE = "/api/v1"
POST = f"{BASE}/predictions?model=tilt&version=1"
FORMS = {
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture
def client(database_url: str) -> TestClient:
    store_prices(database_url)
    client = served(database_url, make_key(database_url))
    about = {"name": "tilt", "version": 1, "kinds": ["direction", "price"]}
    assert client.post(f"{BASE}/models", json=about).status_code == 200
    return client


def table(rows: int = 4) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": ["AAPL", "MSFT"] * (rows // 2),
            "decision_day": [DAY] * rows,
            "horizon": [1 + n // 2 for n in range(rows)],
            "p_up": [0.5 + n / 1000 for n in range(rows)],
        }
    )


def packed(frame: pl.DataFrame, form: str) -> bytes:
    sink = io.BytesIO()
    if form == "parquet":
        frame.write_parquet(sink)
    elif form == "arrow":
        frame.write_ipc_stream(sink)
    else:
        for row in frame.with_columns(pl.col("decision_day").cast(pl.String)).to_dicts():
            form_of = {"direction": {"p_up": row.pop("p_up")}}
            sink.write(json.dumps(row | form_of).encode() + b"\n")
    return sink.getvalue()


def posted(client: TestClient, body: bytes, form: str, url: str = POST, **more: str) -> Any:
    return client.post(url, content=body, headers={"Content-Type": FORMS[form], **more})


def test_every_form_of_a_body_is_the_same_rows(client: TestClient) -> None:
    first = posted(client, packed(table(), "arrow"), "arrow").json()
    assert first["counts"] == {"accepted": 4, "duplicate": 0, "conflict": 0, "rejected": 0}
    for form in ("parquet", "ndjson"):
        again = posted(client, packed(table(), form), form).json()
        assert again["counts"]["duplicate"] == 4, form
        assert [r["prediction_id"] for r in again["rows"]] == [
            r["prediction_id"] for r in first["rows"]
        ]


@pytest.mark.parametrize("form", FORMS)
def test_more_rows_than_a_batch_holds_are_refused_in_every_form(
    client: TestClient, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = posted(client, packed(table(10_002), form), form)
    assert (found.status_code, found.json()["code"]) == (422, "rows")


@pytest.mark.parametrize(
    ("url", "body", "form", "status", "code"),
    [
        (POST, b"{", "ndjson", 400, "unreadable"),
        (POST, b'{"symbol":"A"}\n{"a":1,"a":2}', "ndjson", 400, "unreadable"),
        (POST, b"PAR1", "parquet", 400, "unreadable"),
        (POST, b"\x00" * 64, "arrow", 400, "unreadable"),
        (f"{BASE}/predictions?version=1", b"{}", "ndjson", 422, "envelope"),
        (f"{POST}&on_late=never", b"{}", "ndjson", 422, "envelope"),
        (f"{POST}&moddel=tilt", b"{}", "ndjson", 400, "parameter_unknown"),
        (f"{POST}&model=tilt", b"{}", "ndjson", 400, "parameter_twice"),
        (POST, b'{"model":"a"}\n{"model":"b"}', "ndjson", 400, "unreadable"),
        (POST, b"", "ndjson", 422, "rows"),
    ],
)
def test_a_wrong_body_of_another_form_is_a_problem(
    client: TestClient, url: str, body: bytes, form: str, status: int, code: str
) -> None:
    found = posted(client, body, form, url)
    assert (found.status_code, found.json()["code"]) == (status, code), found.text


def test_what_is_packed_small_is_not_unpacked_large(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_formats, "MAX_UNPACKED", 100_000)
    long = table().with_columns(note=pl.lit("a" * 500_000))
    found = posted(client, packed(long, "parquet"), "parquet")
    assert (found.status_code, found.json()["code"]) == (400, "unreadable")
    wide = table().with_columns(pl.lit(1).alias(f"c{n}") for n in range(80))
    assert "columns" in posted(client, packed(wide, "arrow"), "arrow").json()["detail"]


def test_the_envelope_is_part_of_what_a_key_stands_for(client: TestClient) -> None:
    body, named = packed(table(), "ndjson"), {"Idempotency-Key": "monday"}
    assert posted(client, body, "ndjson", **named).status_code == 200
    other = posted(client, body, "ndjson", f"{POST}&on_late=reject", **named)
    assert other.json()["code"] == "idempotency_key_reused"


def test_a_dry_run_may_be_asked_for_in_the_parameters(client: TestClient) -> None:
    found = posted(client, packed(table(), "arrow"), "arrow", f"{POST}&dry_run=true").json()
    assert found["dry_run"]
    assert client.get(f"{BASE}/predictions").json()["rows"] == []


@pytest.mark.parametrize("size", [1, 3, 7])
def test_pages_are_every_row_once_whatever_is_added_meanwhile(
    client: TestClient, size: int
) -> None:
    posted(client, packed(table(12), "arrow"), "arrow")
    seen: list[tuple[str, int]] = []
    url: str | None = f"{BASE}/predictions?model=tilt-v1&page_size={size}"
    added = False
    while url:
        found = client.get(url)
        assert found.status_code == 200, found.text
        seen += [(row["symbol"], row["horizon"]) for row in found.json()["rows"]]
        if not added:  # rows that sort before what was read shift no page
            more = {"symbol": "AAPL", "decision_day": "2021-05-04", "horizon": 1}
            line = json.dumps({**more, "direction": {"p_up": 0.5}}).encode()
            assert posted(client, line, "ndjson").json()["counts"]["accepted"] == 1
            added = True
        url = found.links.get("next", {}).get("url")
        assert (url is None) == ("next_page_token" not in found.json())
    assert sorted(seen) == sorted((s, h) for s in ("AAPL", "MSFT") for h in range(1, 7))
    assert len(seen) == 12


def test_a_token_is_of_its_question(client: TestClient) -> None:
    posted(client, packed(table(), "arrow"), "arrow")
    token = client.get(f"{BASE}/predictions?page_size=1").json()["next_page_token"]
    for url in (f"/predictions?symbol=AAPL&page_token={token}", f"/models?page_token={token}"):
        found = client.get(BASE + url)
        assert (found.status_code, found.json()["code"]) == (400, "page_token")


def test_exports_hold_the_numbers_as_they_are(client: TestClient) -> None:
    posted(client, packed(table(), "arrow"), "arrow")
    about = {"name": "calc", "version": 1, "kinds": ["direction"], "description": "=HYPERLINK(1)"}
    assert client.post(f"{BASE}/models", json=about).status_code == 200
    arrow = client.get(f"{BASE}/predictions?model=tilt-v1", headers={"Accept": FORMS["arrow"]})
    assert arrow.headers["content-type"] == FORMS["arrow"]
    rows = pl.DataFrame(pl.from_arrow(pa.ipc.open_stream(arrow.content).read_all()))
    assert sorted(rows["confidence"]) == [0.5, 0.501, 0.502, 0.503]
    csv = client.get(f"{BASE}/predictions?model=tilt-v1", headers={"Accept": "text/csv"})
    again = pl.read_csv(io.BytesIO(csv.content))
    assert again["confidence"].to_list() == rows["confidence"].to_list()
    models = client.get(f"{BASE}/models", headers={"Accept": "text/csv"}).text
    assert "'=HYPERLINK(1)" in models


@pytest.mark.parametrize(
    "path", ["/deadlines", "/receipts", "/receipts/1", "/ledger/head", "/health/live", "/models/x/scores"]
)  # fmt: skip
def test_a_parameter_that_a_route_does_not_have_is_an_error(client: TestClient, path: str) -> None:
    found = client.get(f"{BASE}{path}?verbose=1")
    assert (found.status_code, found.json()["code"]) == (400, "parameter_unknown")
