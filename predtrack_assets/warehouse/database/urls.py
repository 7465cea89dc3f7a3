"""Pure functions on PostgreSQL URLs: which driver, which database, which role, no secrets in logs.

SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, and dagster-postgres then fails; libpq
knows no `+driver`. So every URL goes through `normalise` before it reaches either of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote, unquote

Driver = Literal["psycopg2", "psycopg"]

_URL = re.compile(
    r"(?P<scheme>postgres|postgresql)(?:\+[a-z0-9_]+)?://"
    r"(?P<authority>[^/?\s]*)(?:/(?P<database>[^?\s]*))?(?:\?(?P<query>\S*))?"
)
_HOSTS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:,\[\]@]*)(:\d*)?(,(\[[^\]]+\]|[^:,@]*)(:\d*)?)*")
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class _Parts:
    """A URL in its percent-encoded pieces; `query` as (key, value) pairs in their order."""

    authority: str
    database: str
    query: tuple[tuple[str, str], ...]

    def render(self, scheme: str = "postgresql") -> str:
        query = "&".join(f"{key}={value}" for key, value in self.query)
        return f"{scheme}://{self.authority}/{self.database}" + (f"?{query}" if query else "")


def normalise(url: str, driver: Driver | None = None) -> str:
    """`url` as a libpq URI (psycopg 3, ADBC), or with `driver` as an SQLAlchemy URL.

    Accepts postgres://, postgresql:// and postgresql+anything://; everything after the scheme,
    socket directories (`?host=DIR`) included, is kept. Raises ValueError for anything else.
    """
    return _parse(url).render(f"postgresql+{driver}" if driver else "postgresql")


def database_name(url: str) -> str:
    """Name of the database `url` points to; ValueError if it names none."""
    parts = _parse(url)
    name = unquote(dict(parts.query).get("dbname", parts.database))
    if not name:
        raise ValueError(f"no database name in {redact(url)}")
    return name


def with_database(url: str, name: str) -> str:
    """`url` pointing to database `name` of the same server, as a libpq URI."""
    if not name:
        raise ValueError("a database name cannot be empty")
    parts = _parse(url)
    query = tuple(pair for pair in parts.query if pair[0] != "dbname")
    return replace(parts, database=quote(name, safe=""), query=query).render()


def with_role(url: str, role: str) -> str:
    """`url` whose sessions act as `role` from their first statement, as a libpq URI.

    `role` is a plain identifier (letters, digits, underscore), else ValueError.
    """
    if not _ROLE.fullmatch(role):
        raise ValueError(f"not a role name: {role!r}")
    parts = _parse(url)
    options = [unquote(value) for key, value in parts.query if key == "options"]
    value = quote(" ".join([*options, f"-c role={role}"]), safe="")
    query = tuple(pair for pair in parts.query if pair[0] != "options")
    return replace(parts, query=(*query, ("options", value))).render()


def redact(url: str) -> str:
    """`url` as a libpq URI that may be shown: every password is replaced by ***."""
    parts = _parse(url)
    userinfo, at, hosts = parts.authority.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    query = tuple((k, "***" if "password" in k else v) for k, v in parts.query)
    authority = f"{user}{colon}{'***' if colon else ''}{at}{hosts}"
    return replace(parts, authority=authority, query=query).render()


def _parse(url: str) -> _Parts:
    # Messages never repeat the text: it may hold a password.
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ValueError("not a PostgreSQL URL; expected postgresql://user@host:port/database")
    authority = match["authority"]
    if not _HOSTS.fullmatch(authority.rpartition("@")[2]):
        raise ValueError("a PostgreSQL URL has a malformed host or port")
    pairs = [item.partition("=") for item in (match["query"] or "").split("&") if item]
    if any(not key or not equals for key, equals, _ in pairs):
        raise ValueError("a PostgreSQL URL has a malformed query; expected ?name=value&name=value")
    query = tuple((key, value) for key, _, value in pairs)
    return _Parts(authority, match["database"] or "", query)
