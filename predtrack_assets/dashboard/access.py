"""Who may see pages: this machine without a key, others with one, kept in a session cookie.

The cookie holds no key: it names one, says until when, and is signed by this process. A key that
is revoked opens nothing from then on.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from starlette.requests import Request

from predtrack_assets.clock import utc_now
from predtrack_assets.dashboard.reading import Refused
from predtrack_assets.services.audit.api_keys import Caller, caller_of, caller_of_id
from predtrack_assets.warehouse.database.transaction import Database, Transaction

COOKIE = "predtrack_session"
SECONDS = 12 * 3600
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
HERE = Caller("", "this machine", frozenset({"admin"}))
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@dataclass
class Access:
    """open_here: whether a browser on this machine needs no key."""

    database: Database
    open_here: bool = True
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def viewer(self, request: Request) -> Caller | None:
        """Who looks: HERE on this machine, whom a key belongs to, or nobody."""
        if self.open_here and _is_local(request):
            return HERE
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._reader(lambda transaction: caller_of(transaction, key.strip()))
        key_id, _, rest = request.cookies.get(COOKIE, "").partition(".")
        until, _, signature = rest.partition(".")
        if not hmac.compare_digest(signature, self._sign(f"{key_id}.{until}")):
            return None
        if not until.isdigit() or int(until) < utc_now().timestamp():
            return None
        return self._reader(lambda transaction: caller_of_id(transaction, key_id))

    def _reader(self, find: Callable[[Transaction], Caller | None]) -> Caller | None:
        """Whom `find` finds, if they may read."""
        with self.database.transaction() as transaction:
            found = find(transaction)
        return found if found and found.scopes & {"read", "admin"} else None

    def session(self, key: str) -> str:
        """The cookie's value for a key. Raises Refused 401 for one that may not read."""
        with self.database.transaction() as transaction:
            found = caller_of(transaction, key.strip())
        if found is None:
            raise Refused(401, "This key is unknown, expired or revoked.")
        if not found.scopes & {"read", "admin"}:
            raise Refused(403, "This key has no scope `read`.")
        named = f"{found.key_id}.{int(utc_now().timestamp()) + SECONDS}"
        return f"{named}.{self._sign(named)}"

    def csrf(self, request: Request) -> str:
        """What a form must send back: no other site can read it."""
        return self._sign(f"form {request.cookies.get(COOKIE, '')}")

    def require_csrf(self, request: Request, given: str) -> None:
        """Raises Refused 403 for a form that a page of ours did not make."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none") or not hmac.compare_digest(
            given, self.csrf(request)
        ):
            raise Refused(
                403, "This form is not from a page of ours, or is too old: load it again."
            )

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _is_local(request: Request) -> bool:
    """From this machine, asked for by its own name, and not handed on by a proxy."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    peer = request.client.host if request.client else ""
    return request.url.hostname in LOCAL_NAMES and _is_loopback(peer)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
