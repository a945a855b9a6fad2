"""A JSON document of any size, walked from its file while holding one value of it at a time.

The standard library's decoder reads each value. It is faster here than an event parser, hands out
a chat's name beside its messages in one pass, and knows the line and column of what is broken.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from manera.errors import SourceError
from manera.sources.decoding import BROKEN_BYTES, REPLACEMENT, encoding_of
from manera.sources.files import SourceFile

CHUNK_BYTES = 1 << 18
_SPACE = re.compile(r"[ \t\r\n]*")
_EXCERPT_CHARACTERS = 40
# A value that the buffer cuts short fails this close to the buffer's end (the longest is \uXXXX\uXXXX).
_CUT_MARGIN = 12
_FAULTS = {
    "Expecting value": "expecting a value",
    "Unterminated string starting at": "a string without an end",
    "Invalid control character at": "a line break or another control character inside a string",
}
# What Telegram Desktop writes though JSON has no such thing: a control character as \x0C (after an even number of
# backslashes, which are pairs of their own), and in version 4.1 the path of a custom emoji without quotes.
_HEX_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\x([0-9A-Fa-f]{2})")
_BARE_PATH = re.compile(r'("document_id"[ \t]*:[ \t]*)(?!null\b)([^\s"\[{\d-][^\r\n]*?)(?=,?[ \t]*\r?\n)')
HEX_ESCAPE = r"control characters written as \x0C"
BARE_PATH = "paths of emoji written without quotes"


class JsonDocument:
    """Take the parts of a document in order; each key or element announced must be consumed.

    mended counts what is no JSON, but is known of Telegram Desktop or of damaged disks, and was read all the same.
    """

    def __init__(self, content: BinaryIO, name: str) -> None:
        self.mended: Counter[str] = Counter()
        self._content = content
        self._name = name
        first = content.read(CHUNK_BYTES)
        encoding = encoding_of(first)
        if encoding is None or not encoding.startswith("utf"):
            raise SourceError(
                f"{name} is not valid JSON: it is not in UTF-8",
                "export it again, or save it as UTF-8",
            )
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._counts_broken = encoding.startswith("utf-8")
        self._decode_value = json.JSONDecoder().raw_decode
        self._buffer = self._decoded(first)
        self._at = 0
        self._line = 1
        self._column = 1

    def peek(self) -> str:
        """Return the next character that is not white space, "" at the end of the file."""
        while True:
            # The pattern matches anywhere, if only nothing.
            self._at = at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if at < len(self._buffer):
                return self._buffer[at]
            if not self._read_more():
                return ""

    def value(self) -> Any:
        """Decode and consume the next value whole."""
        self.peek()
        while True:
            try:
                value, end = self._decode_value(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if (self._may_be_cut(error) and self._read_more()) or self._mend(error):
                    continue
                raise self._broken(_FAULTS.get(error.msg, error.msg.lower()), error.pos) from error
            except RecursionError as error:
                raise self._broken("values are nested too deeply", self._at) from error
            except ValueError as error:
                raise self._broken("a number of thousands of digits", self._at) from error
            # "12", "12." or "12e+" at the end of the buffer may be the beginning of a longer number.
            if end >= len(self._buffer) - 2 and isinstance(value, int | float) and self._read_more():
                continue
            self._at = end
            return value

    def members(self) -> Iterator[str]:
        """Announce each key of the object that comes next."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self._broken("expecting a property name in double quotes", self._at)
            key = self.value()
            self._take(":")
            yield key
            if not self._another("}"):
                return

    def elements(self) -> Iterator[None]:
        """Announce each element of the array that comes next."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if not self._another("]"):
                return

    def values(self) -> Iterator[Any]:
        """Decode and consume each element of the array that comes next."""
        for _ in self.elements():
            yield self.value()

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self._broken("expecting the end of the file", self._at)

    def _another(self, closing: str) -> bool:
        following = self.peek()
        if following != "," and following != closing:
            raise self._broken(f"expecting ',' or '{closing}'", self._at)
        self._at += 1
        return following == ","

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._broken(f"expecting '{character}'", self._at)
        self._at += 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - _CUT_MARGIN

    def _mend(self, error: json.JSONDecodeError) -> bool:
        """Mend what Telegram Desktop is known to write, in all of the buffer at once; False where this is not it."""
        rest = self._buffer[self._at :]
        what = HEX_ESCAPE if error.msg.startswith("Invalid \\escape") else BARE_PATH
        if what == HEX_ESCAPE:
            rest, count = _HEX_ESCAPE.subn(r"\1\\u00\2", rest)
        else:
            rest, count = _BARE_PATH.subn(lambda found: found[1] + json.dumps(found[2], ensure_ascii=False), rest)
        if not count:
            return False
        self.mended[what] += count
        self._line, self._column = self._place(self._at)
        self._buffer, self._at = rest, 0
        return True

    def _read_more(self) -> bool:
        """Forget what was consumed and read on; a value larger than the buffer doubles it."""
        chunk = self._content.read(max(CHUNK_BYTES, len(self._buffer) - self._at))
        if not chunk:
            return False
        self._line, self._column = self._place(self._at)
        self._buffer = self._buffer[self._at :] + self._decoded(chunk)
        self._at = 0
        return True

    def _decoded(self, chunk: bytes) -> str:
        text = self._decoder.decode(chunk)
        if self._counts_broken and REPLACEMENT in text:
            self.mended[BROKEN_BYTES] += max(0, text.count(REPLACEMENT) - chunk.count(REPLACEMENT.encode()))
        return text

    def _place(self, at: int) -> tuple[int, int]:
        lines = self._buffer.count("\n", 0, at)
        if lines:
            return self._line + lines, at - self._buffer.rfind("\n", 0, at)
        return self._line, self._column + at

    def _broken(self, fault: str, at: int) -> SourceError:
        line, column = self._place(at)
        excerpt = self._buffer[at : at + _EXCERPT_CHARACTERS].split("\n")[0].rstrip()
        ending = "the line ends there" if at < len(self._buffer) else "the file ends there"
        found = f"found {excerpt}" if excerpt else ending
        return SourceError(
            f"{self._name} is not valid JSON at line {line}, column {column}: {fault}, {found}",
            "export it again: it may have been cut short or edited; or mend that place",
        )


@contextmanager
def open_document(file: SourceFile) -> Iterator[JsonDocument]:
    """Open a file as JSON in UTF-8, UTF-16 or UTF-32; faults are SourceErrors with their place."""
    with file.open() as content:
        yield JsonDocument(content, str(file.path))
