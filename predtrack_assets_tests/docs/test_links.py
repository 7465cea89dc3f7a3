"""Links and paths that lead to a page of docs/ lead to one that exists."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from predtrack_assets.settings import PROJECT_ROOT

PAGES = sorted(
    path.relative_to(PROJECT_ROOT).as_posix()
    for path in [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """Anchors that GitHub makes of the page's headings."""
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(page.read_text()))
    return {title.strip().replace(" ", "-") for title in kept}


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files_and_headings(page: str) -> None:
    source = PROJECT_ROOT / page
    broken = []
    for target in LINK.findall(source.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (source.parent / path).resolve() if path else source
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_paths_of_pages_in_code_and_sql_exist() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.sql", "*.yaml", "Makefile"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    named = {
        (file, page)
        for file in listed.stdout.split()
        if (PROJECT_ROOT / file).exists()
        for page in re.findall(r"docs/[\w/-]+\.md", (PROJECT_ROOT / file).read_text())
    }
    assert [found for found in sorted(named) if not (PROJECT_ROOT / found[1]).exists()] == []
    assert named, "git lists no file that names a page"


def test_every_page_of_docs_is_reached_from_the_index() -> None:
    index = PROJECT_ROOT / "docs" / "index.md"
    reached, waiting = set[Path](), [index]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        waiting += [
            (page.parent / target.partition("#")[0]).resolve()
            for target in LINK.findall(page.read_text())
            if "://" not in target and not target.startswith("#")
        ]
    docs = {PROJECT_ROOT / page for page in PAGES if page.startswith("docs/")}
    assert docs - reached == set()
