"""Pages as HTML: templates with everything escaped, headers that let nothing else in."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from predtrack_assets.dashboard import numbers

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LASTING = {"Cache-Control": "private, max-age=31536000, immutable"}
MENU = (
    ("/", "Overview"),
    ("/leaderboard", "Leaderboard"),
    ("/calibration", "Calibration"),
    ("/symbols", "Symbols"),
    ("/intake", "Intake"),
    ("/ledger", "Ledger"),
    ("/data", "Data"),
    ("/alerts", "Alerts"),
)


@cache
def stylesheet() -> tuple[str, bytes]:
    """The style sheet, and its version."""
    content = (HERE / "static" / "style.css").read_bytes()
    return hashlib.sha256(content).hexdigest()[:12], content


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plural=numbers.plural)
    environment.globals.update(menu=MENU, style=stylesheet()[0])
    return environment


def html(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page of a template."""
    text = (
        _environment()
        .get_template(template)
        .render(
            path=request.url.path,
            query=request.url.query,
            request_id=getattr(request.state, "request_id", ""),
            **values,
        )
    )
    return HTMLResponse(text, status, headers=HEADERS)
