"""A file's name, and what it tells."""

import os
import re
from pathlib import Path

MARKDOWN = frozenset({".md", ".mdx", ".markdown"})

# «Том 1. Начало» and "Mr. Smith" have none.
_SUFFIX = re.compile(r"(?<=.)\.(?:[a-z][a-z0-9]{0,9}|[A-Z][A-Z0-9]{0,9})$")


def suffix_of(path: Path) -> str:
    """Return ``.txt`` of ``Снег.TXT``, "" where what follows the last dot is no suffix."""
    match = _SUFFIX.search(path.name)
    return match[0].lower() if match else ""


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix."""
    return printable(_SUFFIX.sub("", path.name))


def archive_stem(path: Path) -> str:
    """Return an archive's name without its suffixes: ``blog`` of ``blog.tar.gz``."""
    return stem_of(path).removesuffix(".tar")


def printable(name: str) -> str:
    """Return a file's name as text: bytes of it that are not UTF-8 become ``\\ufffd``."""
    return os.fsencode(name).decode("utf-8", "replace")
