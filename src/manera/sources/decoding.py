"""Bytes of a text file to text, in the encodings that Russian texts come in."""

import codecs
from pathlib import Path

from manera.errors import SourceError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OLD_ENCODINGS = ["cp1251", "koi8_r", "cp866", "mac_cyrillic", "cp1252"]
# Enough to tell encodings apart; more only takes longer.
_DETECTION_BYTES = 1 << 16


def read_text(path: Path) -> str:
    """Return a file's text with LF line ends, without a byte-order mark.

    Raises SourceError when the bytes are no text in a known encoding.
    """
    text = decode(path.read_bytes())
    if text is None:
        raise SourceError(f"{path.name} is not text in a known encoding", "save it as UTF-8 text")
    return text


def decode(content: bytes) -> str | None:
    """Return the text with LF line ends, None when the bytes are not text."""
    encoding = encoding_of(content)
    if encoding is None:
        return None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(content: bytes) -> str | None:
    """Name the encoding that the bytes, or the first of them, are in; None when they are not text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return _unmarked_utf16(content)
    try:
        # Not final: the first bytes of a file may end inside a letter.
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return _old_encoding(content)
    return "utf-8"


def _unmarked_utf16(content: bytes) -> str | None:
    """Cyrillic and Latin letters have a constant high byte, so one column of bytes holds few values."""
    even, odd = set(content[0:4096:2]), set(content[1:4096:2])
    if len(content) % 2 or min(len(even), len(odd)) > 8:
        return None
    return "utf-16-le" if len(odd) < len(even) else "utf-16-be"


def _old_encoding(content: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:_DETECTION_BYTES], cp_isolation=_OLD_ENCODINGS).best()
    return str(best.encoding) if best else None
