"""The page by itself: escaped, self-contained, readable without pictures."""

from __future__ import annotations

from predtrack_assets.cli.command import plain
from predtrack_assets.reporting.pages import html
from predtrack_assets.reporting.plots.canvas import Picture


def test_text_is_escaped_and_verdicts_are_marked() -> None:
    made = html.table(("name", "shown"), [("<b>x</b>", "better"), ("y", "nothing")], ("shown",))
    assert "&lt;b&gt;x&lt;/b&gt;" in made
    assert '<span class="better">better</span>' in made
    assert '<th class="n">shown</th>' in made


def test_a_picture_holds_its_own_data_or_says_why_there_is_none() -> None:
    assert 'src="data:image/png;base64,AAE="' in html.figure(Picture("a", b"\x00\x01"))
    assert html.figure(Picture("Nothing yet.")) == '<p class="muted">Nothing yet.</p>'


def test_a_page_asks_nobody_and_fits_a_phone() -> None:
    text = html.page("T", [html.section("a", "A", html.paragraph("p"))])
    assert "http" not in text
    assert "<script" not in text
    assert "width=device-width" in text
    assert "prefers-color-scheme: dark" in text


def test_json_has_only_what_json_knows() -> None:
    assert plain({"a": float("nan"), "b": (1, "x"), "c": None}) == {
        "a": None,
        "b": [1, "x"],
        "c": None,
    }
