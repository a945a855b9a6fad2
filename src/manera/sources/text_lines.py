"""The lines of a text file of any size, one at a time."""

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from manera.sources.decoding import BROKEN_BYTES, REPLACEMENT, encoding_of
from manera.sources.files import SourceFile


@contextmanager
def open_lines(file: SourceFile, mended: Counter[str]) -> Iterator[Iterator[str]]:
    """Open a file and hand out its lines without their ends; mended counts the bytes of no known encoding."""
    with file.open() as content:
        yield _lines(content, encoding_of(file.head) or "utf-8", mended)


def head_lines(file: SourceFile) -> list[str]:
    """Return the lines at the beginning of a file, the last of which may be cut short; none of what is no text."""
    encoding = encoding_of(file.head)
    return file.head.decode(encoding, "replace").split("\n") if encoding else []


def _lines(content: BinaryIO, encoding: str, mended: Counter[str]) -> Iterator[str]:
    if encoding.startswith(("utf-16", "utf-32")):
        for line in io.TextIOWrapper(content, encoding, "replace"):
            yield line.rstrip("\n")
        return
    for number, raw in enumerate(content):
        try:
            line = raw.decode(encoding if number == 0 else encoding.removesuffix("-sig"))
        except UnicodeDecodeError:
            line = raw.decode(encoding, "replace")
            mended[BROKEN_BYTES] += line.count(REPLACEMENT) - raw.count(REPLACEMENT.encode())
        if "\0" in line:
            mended[BROKEN_BYTES] += line.count("\0")
            line = line.replace("\0", REPLACEMENT)
        yield line.rstrip("\r\n")
