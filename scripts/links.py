"""Find links that lead nowhere in the repository's Markdown: ``python scripts/links.py``."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent


def pages() -> list[Path]:
    """Return every Markdown file of the repository's own documentation."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def broken(pages: Iterable[Path]) -> Iterator[str]:
    """Yield ``page: target`` for each relative link or image whose file or heading is not there."""
    for page in pages:
        for target in targets(page):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):  # another server's
                continue
            path, _, anchor = unquote(target).partition("#")
            file = page.parent / path if path else page
            if not file.exists() or (anchor and anchor not in anchors(file.resolve())):
                yield f"{page}: {target}"


def targets(page: Path) -> Iterator[str]:
    """Yield what links and images of a page lead to."""
    for token in inline(page):
        for part in token.children or ():
            target = part.attrs.get("href") or part.attrs.get("src")
            if target is not None:
                yield str(target)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and mkdocs.yml make them."""
    headings = [token.content for token in inline(page) if token.meta.get("heading")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def inline(page: Path) -> Iterator[Token]:
    """Yield the runs of text of a page; ``meta`` says which are headings."""
    before = None
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        if token.type == "inline":
            token.meta["heading"] = before == "heading_open"
            yield token
        before = token.type


if __name__ == "__main__":
    found = list(broken(pages()))
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)
