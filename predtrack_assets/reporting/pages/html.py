"""Parts of a self-contained page: style, sections, tables, pictures. Nothing comes from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from predtrack_assets.reporting.plots.canvas import Picture

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf6; --ink: #26313a; --muted: #66727b; --rule: #d9d7d0;
  --good: #20735f; --bad: #a4324a; }
@media (prefers-color-scheme: dark) { :root { --paper: #161b1f; --ink: #e4e2dc; --muted: #9aa5ad;
  --rule: #343c42; --good: #62c7ab; --bad: #ef8496; }
  img { filter: invert(1) hue-rotate(180deg) brightness(1.08); } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .4rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
p, li { max-width: 46rem; } p { margin: .35rem 0; }
.detail { margin-left: 1.4rem; } .muted { color: var(--muted); font-size: .9rem; }
.wide { overflow-x: auto; margin: .6rem 0; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: .84rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: left; white-space: nowrap; border-top: 1px solid var(--rule); }
th { color: var(--muted); font-weight: 600; border-top: 0; } td.n, th.n { text-align: right; }
td:first-child, th:first-child { position: sticky; left: 0; background: var(--paper); }
td:last-child { white-space: normal; min-width: 9rem; }
.better { color: var(--good); font-weight: 600; } .worse { color: var(--bad); font-weight: 600; }
figure { margin: .6rem 0; overflow-x: auto; } img { display: block; max-width: 100%; height: auto; }
@media (max-width: 40rem) { body { padding: .8rem; } img { max-width: none; width: 42rem; } }
nav { font-size: .9rem; } nav a { margin-right: .9rem; color: inherit; }
code { font-size: .9em; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole HTML document."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def section(name: str, title: str, *parts: str) -> str:
    """A heading that can be linked to, and what stands under it."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """Plain text as a paragraph."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def items(lines: Sequence[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()
) -> str:
    """A table that scrolls by itself where it is wider than the screen; numbers: headers to the right."""
    right = set(numbers)
    classes = [' class="n"' if header in right else "" for header in headers]
    head = "".join(f"<th{c}>{escape(h)}</th>" for h, c in zip(headers, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell(v, c) for v, c in zip(row, classes, strict=True)) + "</tr>\n"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: str, attribute: str) -> str:
    if value in ("better", "worse"):
        return f'<td><span class="{value}">{value}</span></td>'
    return f"<td{attribute}>{escape(value)}</td>"


def figure(picture: Picture) -> str:
    """A picture that holds its own data, or the sentence in its place."""
    if picture.png is None:
        return paragraph(picture.alt, "muted")
    data = base64.b64encode(picture.png).decode()
    return f'<figure><img alt="{escape(picture.alt)}" src="data:image/png;base64,{data}"></figure>'
