"""URLs keep everything but what a function is there to change."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy

from predtrack_assets.warehouse.database import urls

SOCKET = "postgresql://postgres@/predtrack?host=/tmp/a%20b&port=20001"


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgres+asyncpg"],
)
def test_normalise_names_the_driver_asked_for(scheme: str) -> None:
    url = f"{scheme}://me:p%40ss@db.example:5433/name?sslmode=require"
    rest = "me:p%40ss@db.example:5433/name?sslmode=require"
    assert urls.normalise(url) == f"postgresql://{rest}"
    assert urls.normalise(url, "psycopg2") == f"postgresql+psycopg2://{rest}"
    assert urls.normalise(url, "psycopg") == f"postgresql+psycopg://{rest}"


@pytest.mark.parametrize(
    "url",
    [
        SOCKET,
        "postgresql:///predtrack",
        "postgresql://[::1]:5432/predtrack",
        "postgresql://one:5432,two:5433/predtrack?target_session_attrs=read-write",
        "postgresql://me:with@at@host/predtrack",
    ],
)
def test_normalise_changes_nothing_else(url: str) -> None:
    assert urls.normalise(f"  {url}\n") == url


def test_sockets_survive_both_drivers() -> None:
    parsed = psycopg.conninfo.conninfo_to_dict(urls.normalise(SOCKET))
    assert parsed["host"] == "/tmp/a b"
    assert sqlalchemy.make_url(urls.normalise(SOCKET, "psycopg2")).query["host"] == "/tmp/a b"


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "localhost:5432",
        "mysql://me:hunter2@host/name",
        "postgresql:/host/name",
        "postgresql://host:port/name",
        "postgresql://host/na me",
        "postgresql://host/name?hunter2",
    ],
)
def test_garbage_is_refused_without_repeating_it(garbage: str) -> None:
    with pytest.raises(ValueError, match="PostgreSQL URL") as caught:
        urls.normalise(garbage)
    assert "hunter2" not in str(caught.value)


def test_database_name() -> None:
    assert urls.database_name(SOCKET) == "predtrack"
    assert urls.database_name("postgres://host/a%20b") == "a b"
    assert urls.database_name("postgres://host/a?dbname=b") == "b"
    with pytest.raises(ValueError, match="no database name"):
        urls.database_name("postgres://host/")


def test_with_database() -> None:
    changed = urls.with_database(SOCKET, "a/b c")
    assert changed == "postgresql://postgres@/a%2Fb%20c?host=/tmp/a%20b&port=20001"
    assert urls.database_name(changed) == "a/b c"
    assert urls.database_name(urls.with_database("postgres://host/a?dbname=b", "c")) == "c"
    with pytest.raises(ValueError, match="empty"):
        urls.with_database(SOCKET, "")


def test_with_role_keeps_other_options() -> None:
    url = urls.with_role("postgres://h/d?options=-c%20jit%3Doff", "predtrack_reader")
    options = psycopg.conninfo.conninfo_to_dict(url)["options"]
    assert options == "-c jit=off -c role=predtrack_reader"
    with pytest.raises(ValueError, match="not a role name"):
        urls.with_role(SOCKET, "x -c fsync=off")


def test_with_role_acts_as_the_role(postgres_server: str) -> None:
    with psycopg.connect(urls.with_role(postgres_server, "pg_monitor")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("pg_monitor",)


def test_redact_hides_every_password() -> None:
    assert urls.redact(SOCKET) == SOCKET
    assert urls.redact("postgres://me:se:cr@et@host/d") == "postgresql://me:***@host/d"
    assert urls.redact("postgres://me@h/d?password=x&sslpassword=y") == (
        "postgresql://me@h/d?password=***&sslpassword=***"
    )
