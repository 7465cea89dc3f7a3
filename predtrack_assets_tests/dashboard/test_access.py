"""Who sees pages: this machine without a key, others with one, no proxy's guests."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from predtrack_assets.dashboard.access import COOKIE
from predtrack_assets.dashboard.app import PAGES
from predtrack_assets.services.audit.api_keys import create_key, revoke_key
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.dashboard.conftest import client_of


@pytest.fixture
def key(lived_url: str) -> str:
    with Database(url=lived_url).transaction() as transaction:
        return create_key(transaction, "ann", ["read"])


@pytest.mark.parametrize("path", [*PAGES, "/pictures/skill.png"])
def test_another_machine_is_asked_for_a_key(lived_url: str, path: str) -> None:
    answer = client_of(lived_url, local=False).get(path.replace("{", "").replace("}", ""))
    assert answer.status_code == 401
    assert "Sign in" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "10.0.0.9"},
        {"Forwarded": "for=10.0.0.9"},
        {"Host": "predtrack.example"},
    ],
)
def test_guests_of_a_proxy_are_not_this_machine(lived_url: str, headers: dict[str, str]) -> None:
    client = client_of(lived_url)
    assert client.get("/").status_code == 200
    assert client.get("/", headers=headers).status_code == 401


def test_where_keys_are_asked_for_this_machine_needs_one(lived_url: str) -> None:
    assert client_of(lived_url, open_here=False).get("/").status_code == 401


def test_a_key_opens_a_session_until_it_is_revoked(lived_url: str, key: str) -> None:
    client = client_of(lived_url, local=False)
    answer = client.post("/sign-in", data={"key": key})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Secure"} <= set(cookie.replace(" ", "").split(";"))
    assert key not in cookie
    session = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
    assert client.get("/", headers=session).status_code == 200
    with Database(url=lived_url).transaction() as transaction:
        assert revoke_key(transaction, key[3:11])
    assert client.get("/", headers=session).status_code == 401


@pytest.mark.parametrize("wrong", ["", "pt_abcdefgh_x", "nothing", "'; --"])
def test_a_wrong_key_opens_nothing(lived_url: str, wrong: str) -> None:
    answer = client_of(lived_url, local=False).post("/sign-in", data={"key": wrong})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_key_that_may_not_read_opens_nothing(lived_url: str) -> None:
    with Database(url=lived_url).transaction() as transaction:
        writer = create_key(transaction, "eve", ["write"])
    answer = client_of(lived_url, local=False).post("/sign-in", data={"key": writer})
    assert answer.status_code == 403


@pytest.mark.parametrize("forged", ["", "a.b.c", "abcdefgh.9999999999.00", "...", "x" * 500])
def test_a_forged_session_opens_nothing(lived_url: str, key: str, forged: str) -> None:
    client = client_of(lived_url, local=False)
    assert client.get("/", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401
    aged = f"{key[3:11]}.9999999999.{'0' * 64}"
    assert client.get("/", headers={"Cookie": f"{COOKIE}={aged}"}).status_code == 401


def test_a_large_form_is_refused(lived_url: str) -> None:
    client: TestClient = client_of(lived_url, local=False)
    assert client.post("/sign-in", content=b"key=" + b"x" * 10_000).status_code == 413


def csrf_of(text: str) -> str:
    return text.partition('name="csrf" value="')[2].partition('"')[0]


def test_a_test_of_the_channels_needs_a_form_of_ours(lived_url: str) -> None:
    client = client_of(lived_url)
    csrf = csrf_of(client.get("/alerts").text)
    assert client.post("/alerts/test", data={"csrf": "x" * 64}).status_code == 403
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/alerts/test", data={"csrf": csrf}, headers=headers).status_code == 403
    assert client.post("/alerts/test", data={"csrf": csrf}).status_code == 303
    assert "asked for by this machine" in client.get("/alerts").text


def test_a_reader_cannot_send_tests(lived_url: str, key: str) -> None:
    client = client_of(lived_url, local=False)
    session = client.post("/sign-in", data={"key": key}).cookies[COOKIE]
    headers = {"Cookie": f"{COOKIE}={session}"}
    assert csrf_of(client.get("/alerts", headers=headers).text) == ""
    assert client.post("/alerts/test", data={"csrf": ""}, headers=headers).status_code == 403
