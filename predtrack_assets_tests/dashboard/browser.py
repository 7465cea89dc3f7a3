"""Chromium over its DevTools protocol: Debian's package and a websocket, nothing else."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"
)


class Browser:
    """One tab. messages: events that it told of, in their order."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.messages: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer of a command; events that come before it are kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=60))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            self.messages.append(told)

    def evaluate(self, expression: str) -> Any:
        """A JavaScript expression's value, as JSON holds it."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        result = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url: str, width: int, *, dark: bool = False) -> None:
        """A page, loaded, in a window so wide."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.messages.clear()
        self.call("Page.navigate", url=url)
        end = time.monotonic() + 60
        while not any(m["method"] == "Page.loadEventFired" for m in self.messages):
            assert time.monotonic() < end, f"{url} was not loaded"
            self.messages.append(json.loads(self._socket.recv(timeout=60)))

    def press_tab(self) -> None:
        """The Tab key, down and up."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
            )

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, of the network and of the policy."""
        found = []
        for told in self.messages:
            about = told.get("params", {})
            if told["method"] == "Log.entryAdded" and about["entry"]["level"] in (
                "error",
                "warning",
            ):
                found.append(about["entry"]["text"])
            if told["method"] in ("Runtime.exceptionThrown", "Network.loadingFailed"):
                found.append(json.dumps(about)[:300])
        return found

    def requests(self) -> list[str]:
        """Addresses that were asked for; data: not counted."""
        sent = [m for m in self.messages if m["method"] == "Network.requestWillBeSent"]
        urls = [m["params"]["request"]["url"] for m in sent]
        return [url for url in urls if not url.startswith("data:")]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own, ended afterwards."""
    from websockets.sync.client import connect

    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                port = _port(Path(profile) / "DevToolsActivePort", process)
                asked = urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30)
                tabs = json.load(asked)
                tab = next(t for t in tabs if t["type"] == "page")
                with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                    browser = Browser(socket)
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        browser.call(f"{domain}.enable")
                    yield browser
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()


def _port(file: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "Chromium ended"
        with contextlib.suppress(FileNotFoundError):
            if text := file.read_text():
                return text.splitlines()[0]
        time.sleep(0.1)
    raise AssertionError("Chromium did not open its port")
