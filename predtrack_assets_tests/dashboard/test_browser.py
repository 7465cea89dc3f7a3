"""Pages in Chromium: no complaint, no sideways scroll on a phone, contrast, everything by Tab."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from predtrack_assets.api.app import create_app
from predtrack_assets.dashboard.app import mount
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.dashboard.browser import Browser, chromium, needs_chromium

pytestmark = needs_chromium
PAGES = [
    "/", "/leaderboard", "/calibration", "/symbols", "/symbols/AAPL?day=2021-03-01", "/intake?batch=1",
    "/ledger", "/data", "/alerts", "/models/no_change", "/nowhere", "/sign-in",
]  # fmt: skip

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
REACHABLE = """[...document.querySelectorAll(
    'a[href], button, select, input:not([type=hidden]), [tabindex="0"]')]
    .filter(e => e.getClientRects().length > 0).length"""
FOCUSED = """(() => {
    const e = document.activeElement;
    if (!e || e === document.body || e.dataset.seen) return false;
    e.dataset.seen = '1';
    return true;
})()"""
# Text whose contrast with what is behind it is below WCAG AA: 4.5, of large text 3.
FAINT = """(() => {
    const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
    const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
    const behind = e => {
        for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c[3] === 1) return c;
        }
        return [255, 255, 255, 1];
    };
    const faint = [];
    for (const e of document.querySelectorAll('body *')) {
        const text = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!text || !e.getClientRects().length || e.closest('.skip')) continue;
        const style = getComputedStyle(e);
        const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(e.outerHTML.slice(0, 120));
    }
    return faint;
})()"""
SMALL = """[...document.querySelectorAll('body *')].filter(e =>
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    && parseFloat(getComputedStyle(e).fontSize) < 12).length"""


@pytest.fixture(scope="module")
def site(lived_url: str) -> Iterator[str]:
    """The pages over HTTP."""
    database = Database(url=lived_url)
    app = create_app(database)
    mount(app, database)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_a_desk(browser: Browser, site: str, path: str) -> None:
    browser.open(site + path, 1280)
    complaints = browser.complaints()
    if path == "/nowhere":
        complaints = [c for c in complaints if "404" not in c]
    assert complaints == []
    asked = browser.requests()
    assert all(url.startswith(site) for url in asked)
    assert 1 <= len(asked) <= 5
    assert browser.evaluate("document.querySelectorAll('h1').length") == 1
    assert "PredTrack" in browser.evaluate("document.title")
    assert browser.evaluate("document.documentElement.lang") == "en"
    assert browser.evaluate(FAINT) == []


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_a_phone_in_the_dark(browser: Browser, site: str, path: str, width: int) -> None:
    browser.open(site + path, width, dark=True)
    assert browser.evaluate(SIDEWAYS) <= 0
    assert browser.evaluate(FAINT) == []
    assert browser.evaluate(SMALL) == 0


@pytest.mark.parametrize("path", ["/", "/leaderboard", "/ledger", "/sign-in"])
def test_tab_reaches_everything(browser: Browser, site: str, path: str) -> None:
    browser.open(site + path, 1280)
    wanted = browser.evaluate(REACHABLE)
    reached = 0
    for _ in range(wanted + 5):
        browser.press_tab()
        reached += bool(browser.evaluate(FOCUSED))
    assert reached == wanted


def test_a_choice_is_an_address(browser: Browser, site: str) -> None:
    browser.open(f"{site}/leaderboard?kind=direction&horizon=1&origin=replay", 1280)
    chosen = browser.evaluate("[...document.querySelectorAll('select')].map(s => s.value)")
    assert chosen == ["direction", "1", "replay"]
