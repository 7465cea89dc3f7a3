"""Inputs that broke others (docs/guide/intake.md): each has its own code, and none is a 5xx."""

# ruff: noqa: E501

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from predtrack_assets.api import guard
from predtrack_assets.api.app import create_app
from predtrack_assets.api.problems import Problem
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.builders.api import DAY, make_key, served, store_prices

BASE = "/api/v1"


@pytest.fixture(scope="module")
def url(postgres_server: str, template_database: str) -> Iterator[str]:
    """One database for the whole file: what is refused leaves nothing behind."""
    from predtrack_assets.warehouse.database.urls import with_database
    from predtrack_assets_tests import conftest

    name = conftest._new_name("corpus")
    with conftest._admin(postgres_server) as connection:
        conftest._create(connection, name, template_database)
        found = with_database(postgres_server, name)
        store_prices(found)
        yield found
        conftest._drop(connection, name)


@pytest.fixture
def client(url: str) -> TestClient:
    client = served(url, make_key(url))
    for name in ("tilt", "a_b", "axb"):
        about = {"name": name, "version": 1, "kinds": ["direction", "price", "volatility"]}
        client.post(f"{BASE}/models", json=about)
    return client


def row(**fields: Any) -> dict[str, Any]:
    about = {"symbol": "AAPL", "horizon": 5, "decision_day": str(DAY), "direction": {"p_up": 0.5}}
    return about | fields


RAW_ROWS = {
    "NaN for a number": ('{"symbol":"AAPL","horizon":5,"direction":{"p_up":NaN}}', "not_a_number"),
    "Infinity": ('{"symbol":"AAPL","horizon":5,"volatility":{"sd":Infinity}}', "not_a_number"),
    "1e999": ('{"symbol":"AAPL","horizon":5,"volatility":{"sd":1e999}}', "not_a_number"),
    "1e999 among quantiles": (
        '{"symbol":"AAPL","horizon":5,"price":{"quantiles":[1,2,3,4,5,6,1e999]}}', "not_a_number",
    ),
    "NaN among samples": (
        '{"symbol":"AAPL","horizon":5,"price":{"samples":[' + "1," * 30 + "NaN]}}", "not_a_number",
    ),
    "NaN where no number belongs": ('{"symbol":NaN,"horizon":5}', "not_a_number"),
    "a lone surrogate": ('{"symbol":"\\ud800","horizon":5,"direction":{"p_up":0.5}}', "text_invalid"),
    "a surrogate in a name": ('{"symbol":"AAPL","horizon":5,"client_id":"\\udfff","direction":{"p_up":0.5}}', "text_invalid"),
    "NUL in text": ('{"symbol":"AAPL","horizon":5,"note":"a\\u0000b","direction":{"p_up":0.5}}', "text_invalid"),
    "a number as text": ('{"symbol":"AAPL","horizon":5,"direction":{"p_up":"0.7"}}', "wrong_type"),
    "true for a number": ('{"symbol":"AAPL","horizon":true,"direction":{"p_up":0.7}}', "wrong_type"),
    "a fraction for a count": ('{"symbol":"AAPL","horizon":5.5,"direction":{"p_up":0.7}}', "wrong_type"),
    "an epoch for a day": ('{"symbol":"AAPL","horizon":5,"decision_day":1620000000,"direction":{"p_up":0.7}}', "wrong_type"),
    "a moment for a day": ('{"symbol":"AAPL","horizon":5,"decision_day":"2021-05-03T00:00:00","direction":{"p_up":0.7}}', "wrong_type"),
    "an unknown field": ('{"symbol":"AAPL","horizon":5,"colour":1,"direction":{"p_up":0.7}}', "unknown_field"),
    "a horizon beyond a bigint": ('{"symbol":"AAPL","horizon":99999999999999999999,"direction":{"p_up":0.7}}', None),
    "a horizon beyond a smallint": ('{"symbol":"AAPL","horizon":40000,"direction":{"p_up":0.7}}', "horizon_is_1_to_252_sessions_or_1_to_1440_minutes"),
    "calendar days": ('{"symbol":"AAPL","horizon":5,"horizon_unit":"day","direction":{"p_up":0.7}}', "wrong_type"),
    "a day before the calendar": ('{"symbol":"AAPL","horizon":5,"decision_day":"0001-01-01","direction":{"p_up":0.7}}', "day_not_a_session"),
    "a day after the calendar": ('{"symbol":"AAPL","horizon":5,"decision_day":"9999-12-31","direction":{"p_up":0.7}}', "day_in_future"),
    "a path for a symbol": ('{"symbol":"../../etc/passwd","horizon":5,"direction":{"p_up":0.7}}', "symbol_unknown"),
    "a bar in a symbol": ('{"symbol":"A|B","horizon":5,"direction":{"p_up":0.7}}', "symbol_has_1_to_32_characters_and_no_space"),
    "a list": ("[]", "wrong_type"),
    "deep nesting in a row": ('{"symbol":' + "[" * 200 + "]" * 200 + "}", None),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW_ROWS)
def test_a_row_is_refused_by_its_code_and_the_next_is_taken(client: TestClient, name: str) -> None:
    raw, code = RAW_ROWS[name]
    good = json.dumps(row())
    body = '{"model":"tilt","version":1,"dry_run":true,"predictions":[' + raw + "," + good + "]}"
    found = client.post(f"{BASE}/predictions", content=body.encode())
    assert found.status_code == 200, found.text
    first, second = found.json()["rows"]
    assert first["status"] == "rejected"
    assert code is None or first["code"] == code, first
    assert second["status"] == "accepted"


BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no JSON": (b"{", {}, 400, "unreadable"),
    "duplicate keys": (b'{"model":"a","model":"b","version":1,"predictions":[]}', {}, 400, "unreadable"),
    "no UTF-8": (b'{"model":"\xff"}', {}, 400, "unreadable"),
    "10,000 deep": (b"[" * 10_000, {}, 400, "unreadable"),
    "a huge integer": (b'{"model":"tilt","version":' + b"9" * 5_000 + b',"predictions":[]}', {}, 400, "unreadable"),
    "a bare number": (b"5", {}, 422, "envelope"),
    "10,001 rows": (b'{"model":"tilt","version":1,"predictions":[' + b"0," * 10_000 + b"0]}", {}, 422, "rows"),
    "a surrogate for a model": (b'{"model":"\\ud800","version":1,"predictions":[{}]}', {}, 422, "model_unknown"),
    "a version beyond an integer": (b'{"model":"tilt","version":99999999999,"predictions":[{}]}', {}, 422, "model_unknown"),
    "XML": (b"<a/>", {"Content-Type": "text/xml"}, 415, "media_type"),
    "gzip": (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415, "content_encoding"),
    "an endless key": (b'{"model":"tilt","version":1,"predictions":[{}]}', {"Idempotency-Key": "k" * 300}, 400, "idempotency_key"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_a_problem_of_its_own(client: TestClient, name: str) -> None:
    body, headers, status, code = BODIES[name]
    found = client.post(f"{BASE}/predictions", content=body, headers=headers)
    assert (found.status_code, found.json()["code"]) == (status, code), found.text
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["instance"] == found.headers["X-Request-Id"]


QUESTIONS = {
    "/predictions?symbol=%00": {400},
    "/predictions?day=2021-13-45": {400},
    "/predictions?horizon=99999999999999": {400},
    "/predictions?model=%25": {200},
    "/predictions?model=%F0%28%8C%28": {200},
    "/predictions?page_token=" + "A" * 5_000: {400},
    "/predictions?page_size=%D9%A1": {400},
    "/recommendations/%00": {400},
    "/recommendations/..%2F..%2Fx": {200, 404},
    "/receipts/99999999999999999999": {404},
    "/receipts/-1": {404},
    "/receipts/x": {422},
    "/ledger/proofs/%00": {404},
    "/models/%00/scores": {400, 404, 422},
    "/analytics/constructor": {404},
    "/../etc/passwd": {404},
}


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_question_is_answered_or_a_problem(client: TestClient, path: str) -> None:
    found = client.get(BASE + path)
    assert found.status_code in QUESTIONS[path], found.text
    if found.status_code != 200:
        assert found.headers["content-type"] == "application/problem+json"


def test_percent_and_underscore_are_themselves(client: TestClient) -> None:
    for model in ("a_b", "axb"):
        body = {"model": model, "version": 1, "predictions": [row()]}
        client.post(f"{BASE}/predictions", json=body)
    rows = client.get(f"{BASE}/predictions?model=a_b-v1").json()["rows"]
    assert {found["model_id"] for found in rows} == {"a_b-v1"}


def test_a_body_beyond_the_limit_is_413_also_in_pieces(client: TestClient) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 1024 * 1024

    for content in (b" " * (17 * 1024 * 1024), pieces()):
        found = client.post(f"{BASE}/predictions", content=content)
        assert found.status_code == 413
        assert found.headers["content-type"] == "application/problem+json", found.text


def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SILENCE", 0.01)

    async def silent() -> Any:
        await asyncio.sleep(60)

    async def ask() -> None:
        await guard._within_limits(silent)()

    with pytest.raises(Problem) as slow:
        asyncio.run(ask())
    assert slow.value.status == 408


FORMS = ("{path}/", "//api/v1{rest}", "/API/v1{rest}", "/api/v1/%2e%2e/v1{rest}", "{path}%2F", "/%61pi/v1{rest}", "{path}")  # fmt: skip


def test_no_route_opens_without_a_key_in_any_form_of_its_path(url: str) -> None:
    client = served(url)
    asked = 0
    for template in client.app.openapi()["paths"]:  # type: ignore[attr-defined]
        if "/health/" in template:
            continue
        path = template
        for name in ("{symbol}", "{subject}", "{batch}", "{prediction_id}", "{model_id}"):
            path = path.replace(name, "gates" if name == "{subject}" else "1")
        for form in FORMS:
            for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
                tried = form.format(path=path, rest=path.removeprefix(BASE))
                found = client.request(method, tried)
                assert found.status_code in (401, 404, 405), (method, tried, found.status_code)
                asked += 1
    assert asked > 500


def test_an_origin_is_let_in_by_its_name_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in served(url).get("/", headers=origin).headers
    monkeypatch.setenv("PREDTRACK_CORS_ORIGINS", "https://app.example")
    client = TestClient(create_app(Database(url=url)))
    assert "access-control-allow-origin" not in client.get("/", headers=origin).headers
    found = client.get("/", headers={"Origin": "https://app.example"})
    assert found.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in found.headers


@pytest.mark.parametrize("origin", ["*", "https://*.example", "app.example", "https://a/b"])
def test_no_pattern_is_an_origin(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_CORS_ORIGINS", origin)
    with pytest.raises(ValidationError):
        Settings()


def test_who_asks_too_much_is_told_when_to_come_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_RATE_REQUESTS", "3")
    monkeypatch.setenv("PREDTRACK_RATE_ROWS", "2")
    client = served(url, make_key(url))
    answers = [client.get(f"{BASE}/ledger/head") for _ in range(40)]
    refused = [found for found in answers if found.status_code == 429]
    assert refused
    assert refused[0].json()["code"] == "rate_limit"
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert refused[0].headers["RateLimit-Policy"] == '"requests";q=3;w=1'
    other = served(url, make_key(url, "bob"))
    body = {"model": "tilt", "version": 1, "predictions": [row()] * 3}
    assert other.post(f"{BASE}/predictions", json=body).json()["code"] == "rate_limit"


def test_wrong_keys_are_counted_by_address(url: str) -> None:
    client = served(url, "pt_nobody00_" + "x" * 43)
    statuses = [client.get(f"{BASE}/ledger/head").status_code for _ in range(61)]
    assert set(statuses[:60]) == {401}
    assert statuses[60] == 429


def test_what_nobody_thought_of_is_a_problem_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from predtrack_assets.api.routes import receipts

    def broken(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(receipts, "deadlines", broken)
    found = client.get(f"{BASE}/deadlines")
    assert found.status_code == 500
    assert found.headers["content-type"] == "application/problem+json"
    assert "secret" not in found.text
