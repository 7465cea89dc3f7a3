"""Where messages go: Slack, Discord, mail or a webhook, through apprise behind a list of schemes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SCHEMES = frozenset({"slack", "discord", "mailto", "mailtos", "json", "jsons"})
WITH_FILES = frozenset({"discord", "mailto", "mailtos", "json", "jsons"})  # of those
TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


class Send(Protocol):
    """Sends a message, with a file where the channel takes one: why it failed, or nothing."""

    def __call__(
        self, title: str, text: str, severity: str, attachment: Path | None = None
    ) -> str: ...


@dataclass(frozen=True)
class Channel:
    """name: its scheme and place in the list, never its address."""

    name: str
    send: Send


def channels(urls: str, log: Callable[[str], None]) -> list[Channel]:
    """The channels of a list of addresses, by commas; without any, the log.

    Raises ValueError for a scheme that is not allowed and for an address that apprise cannot use;
    the message holds no address.
    """
    given = [url.strip() for url in urls.split(",") if url.strip()]
    if not given:
        return [Channel("log", _to_log(log))]
    return [_channel(number, url) for number, url in enumerate(given, 1)]


def _to_log(log: Callable[[str], None]) -> Send:
    def send(title: str, text: str, severity: str, attachment: Path | None = None) -> str:
        log(f"{title}: {text}")
        return ""

    return send


def _channel(number: int, url: str) -> Channel:
    from apprise import Apprise, AppriseAsset

    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        allowed = ", ".join(sorted(SCHEMES))
        raise ValueError(f"PREDTRACK_ALERT_URLS, address {number}: its scheme is none of {allowed}")
    sender = Apprise(asset=AppriseAsset(app_id="PredTrack", app_desc="PredTrack", async_mode=False))
    if not sender.add(url):
        raise ValueError(
            f"PREDTRACK_ALERT_URLS, address {number} ({scheme}): apprise cannot use it; its"
            " documentation has the form of each"
        )
    return Channel(f"{scheme.lower()} {number}", _by_apprise(sender, scheme.lower() in WITH_FILES))


def _by_apprise(sender: Any, files: bool) -> Send:
    def send(title: str, text: str, severity: str, attachment: Path | None = None) -> str:
        attached = {"attach": str(attachment)} if attachment and files else {}
        try:
            done = sender.notify(
                body=text, title=title, notify_type=TYPES[severity], body_format="text", **attached
            )
        except (TypeError, OSError) as error:  # its message may hold the address
            return type(error).__name__
        return "" if done else "the channel did not take it"

    return send
