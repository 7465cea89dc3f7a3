"""The API over a real database: keys, intake, pages, problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from predtrack_assets.domain.audit.ledger.checkpoint import check_signature
from predtrack_assets.domain.audit.ledger.proof import check_proof
from predtrack_assets.services.audit.api_keys import create_key, revoke_key
from predtrack_assets.warehouse import reads
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.builders.api import make_key, served, store_prices

DAY = "2021-05-03"
BASE = "/api/v1"


@pytest.fixture
def client(database_url: str) -> TestClient:
    store_prices(database_url)
    return served(database_url, make_key(database_url))


def register(client: TestClient) -> None:
    made = client.post(
        f"{BASE}/models", json={"name": "tilt", "version": 1, "kinds": ["direction", "price"]}
    )
    assert made.status_code == 200, made.text
    assert made.json() == {"model_id": "tilt-v1", "owner": "ann"}


def batch(*rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "tilt", "version": 1, "predictions": list(rows), **fields}


def up(**fields: Any) -> dict[str, Any]:
    row = {"symbol": "AAPL", "decision_day": DAY, "horizon": 5, "direction": {"p_up": 0.56}}
    return row | fields


def test_a_prediction_goes_in_and_its_proof_comes_out(client: TestClient) -> None:
    register(client)
    answer = client.post(f"{BASE}/predictions", json=batch(up(client_id="a"), up(horizon=0)))
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["rows"]
    assert (first["status"], first["client_id"]) == ("accepted", "a")
    assert second["status"] == "rejected"
    found = client.get(f"{BASE}/predictions", params={"model": "tilt-v1"}).json()["rows"]
    assert [row["prediction_id"] for row in found] == [first["prediction_id"]]
    assert isinstance(found[0]["feature_digest"], str)
    proof = client.get(f"{BASE}/ledger/proofs/{first['prediction_id']}")
    assert proof.status_code == 200, proof.text
    check_proof(proof.json())
    receipt = client.get(f"{BASE}/receipts/{answer.json()['batch']}").json()
    assert receipt["rows"] == answer.json()["rows"]


def test_a_checkpoint_is_signed_and_holds_what_was_sent(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    register(client)
    client.post(f"{BASE}/predictions", json=batch(up()))
    found = client.get(f"{BASE}/ledger/checkpoints").json()
    check_signature(found)
    assert found["batches"] == 1
    assert found["hash"] == client.get(f"{BASE}/ledger/head").json()["hash"]
    assert (tmp_path / "home" / "ledger_key").stat().st_mode & 0o077 == 0


def test_an_idempotency_key_is_answered_once(client: TestClient) -> None:
    register(client)
    headers = {"Idempotency-Key": "monday"}
    first = client.post(f"{BASE}/predictions", json=batch(up()), headers=headers).json()
    again = client.post(f"{BASE}/predictions", json=batch(up()), headers=headers).json()
    assert again["batch"] == first["batch"]
    other = client.post(f"{BASE}/predictions", json=batch(up(horizon=6)), headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


def test_a_dry_run_writes_nothing(client: TestClient) -> None:
    register(client)
    answer = client.post(f"{BASE}/predictions", json=batch(up(), dry_run=True)).json()
    assert answer["counts"]["accepted"] == 1
    assert client.get(f"{BASE}/predictions").json()["rows"] == []
    assert client.get(f"{BASE}/receipts").json()["rows"] == []


def test_every_route_asks_for_a_key(client: TestClient) -> None:
    del client.headers["Authorization"]
    paths = client.app.openapi()["paths"]  # type: ignore[attr-defined]
    asked = 0
    for template, methods in paths.items():
        path = template.replace("{symbol}", "A").replace("{subject}", "gates")
        path = path.replace("{batch}", "1").replace("{prediction_id}", "x")
        path = path.replace("{model_id}", "x")
        for method in methods:
            found = client.request(method, path)
            if "/health/" in path:
                assert found.status_code == 200
            else:
                assert found.status_code == 401, (method, path)
                assert found.headers["content-type"] == "application/problem+json"
                asked += 1
    assert asked > 8


def test_scopes_and_revocation_hold_at_once(client: TestClient, database_url: str) -> None:
    with Database(url=database_url).transaction() as transaction:
        reader = create_key(transaction, "eve", ["read"])
    headers = {"Authorization": f"Bearer {reader}"}
    assert client.get(f"{BASE}/models", headers=headers).status_code == 200
    posted = client.post(f"{BASE}/predictions", json=batch(up()), headers=headers)
    assert posted.status_code == 403
    with Database(url=database_url).transaction() as transaction:
        assert revoke_key(transaction, reader[3:11])
    assert client.get(f"{BASE}/models", headers=headers).status_code == 401


@pytest.mark.parametrize("subject", reads.ANALYTICS)
def test_every_report_is_a_page(client: TestClient, subject: str) -> None:
    found = client.get(f"{BASE}/analytics/{subject}")
    assert found.status_code == 200, found.text
    assert bool(found.json()["rows"]) is (subject == "success")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/predictions?modle=x", 400, "parameter_unknown"),
        ("/predictions?horizon=five", 400, "parameter_type"),
        ("/predictions?page_size=0", 400, "page_size"),
        ("/predictions?page_token=zzz", 400, "page_token"),
        ("/predictions?model=a&model=b", 400, "parameter_twice"),
        ("/analytics/nothing", 404, "report"),
        ("/receipts/999", 404, "batch_unknown"),
        ("/ledger/proofs/x", 404, "prediction_unknown"),
        ("/nowhere", 404, None),
    ],
)
def test_a_wrong_question_is_a_problem(
    client: TestClient, path: str, status: int, code: str | None
) -> None:
    found = client.get(BASE + path)
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json().get("code") == code
    assert found.json()["instance"] == found.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"model":"tilt","model":"x","version":1,"predictions":[]}', 400),
        (b"[" * 100_000, 400),
        (b'{"model":"tilt","version":"1","predictions":[]}', 422),
        (b'{"model":"tilt","version":1,"predictions":[]}', 422),
        (b'{"model":"tilt","version":1,"predictions":[],"extra":1}', 422),
        (b'{"model":"nobody","version":1,"predictions":[{}]}', 422),
        (b'{"model":"tilt\\u0000","version":1,"predictions":[{}]}', 422),
        (b"\xff\xfe", 400),
    ],
)
def test_a_wrong_body_is_a_problem(client: TestClient, body: bytes, status: int) -> None:
    register(client)
    headers = {"Content-Type": "application/json"}
    found = client.post(f"{BASE}/predictions", content=body, headers=headers)
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "row",
    [
        b'{"symbol":"AAPL","horizon":5,"direction":{"p_up":NaN}}',
        b'{"symbol":"AAPL","horizon":5,"direction":{"p_up":1e999}}',
        b'{"symbol":"\\ud800","horizon":5,"direction":{"p_up":0.5}}',
        b'{"symbol":"AAPL","horizon":5,"decision_day":1620000000,"direction":{"p_up":0.5}}',
        b'"AAPL"',
        b"null",
    ],
)
def test_odd_rows_are_refused_one_by_one(client: TestClient, row: bytes) -> None:
    register(client)
    good = json.dumps(up()).encode()
    body = b'{"model":"tilt","version":1,"predictions":[' + row + b"," + good + b"]}"
    found = client.post(f"{BASE}/predictions", content=body)
    assert found.status_code == 200, found.text
    assert [r["status"] for r in found.json()["rows"]] == ["rejected", "accepted"]


def test_pages_follow_each_other(client: TestClient) -> None:
    register(client)
    rows = [up(horizon=h) for h in range(1, 8)]
    assert client.post(f"{BASE}/predictions", json=batch(*rows)).json()["counts"]["accepted"] == 7
    seen, token = [], None
    while True:
        params = {"page_size": "3", **({"page_token": token} if token else {})}
        answer = client.get(f"{BASE}/predictions", params=params).json()
        seen += [row["horizon"] for row in answer["rows"]]
        token = answer.get("next_page_token")
        if token is None:
            break
    assert seen == list(range(1, 8))


def test_other_hosts_are_refused(client: TestClient) -> None:
    assert client.get(f"{BASE}/health/live", headers={"Host": "evil.example"}).status_code == 400
    assert client.get(f"{BASE}/health/live", headers={"Host": "localhost:8600"}).status_code == 200


def test_deadlines_are_of_the_exchanges_there_are(client: TestClient) -> None:
    rows = client.get(f"{BASE}/deadlines").json()["rows"]
    assert {row["exchange"] for row in rows} == {"XNYS"}
    assert np.all([row["due_day"] > row["decision_day"] for row in rows])
