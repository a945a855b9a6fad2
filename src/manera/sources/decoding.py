"""Bytes of a text file to text, in the encodings that Russian texts come in."""

import codecs
import re
from typing import NamedTuple

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
# In a text of another encoding nearly every byte above 127 is no UTF-8; in a damaged one few are.
_DAMAGED_SHARE = 0.05
_LAST_PLANE = 16
# In wide encodings spaces and line ends hold zeros; in other texts a zero is damage.
_MIN_ZEROS, _WIDE_SHARE = 3, 0.02
_HIGH = re.compile(rb"[\x80-\xff]")
_CONTEXT_BYTES = 1024
REPLACEMENT = "\ufffd"
BROKEN_BYTES = "bytes in no known encoding, shown as \ufffd"

CUT_SHORT = "files cut short, of which the beginning was kept"


class Decoded(NamedTuple):
    """Text with LF line ends; broken counts the bytes that became ``\\ufffd``."""

    text: str
    broken: int


def decode(content: bytes) -> Decoded | None:
    """Return the text without a byte-order mark, None when the bytes are not text.

    UTF-8 in which a few bytes are damaged, and UTF-16 cut inside a letter, are read all the same.
    """
    encoding = encoding_of(content)
    if encoding is None:
        return None
    text = content.decode(encoding, "replace")
    broken = text.count(REPLACEMENT)
    if broken:
        broken -= content.count(REPLACEMENT.encode(encoding.removesuffix("-sig")))
    if not encoding.startswith(("utf-16", "utf-32")):
        broken += text.count("\0")
        text = text.replace("\0", REPLACEMENT)
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), max(0, broken))


def encoding_of(content: bytes) -> str | None:
    """Name the encoding that the bytes, or the first of them, are in; None when they are not text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    zeros = content.count(b"\0")
    if zeros >= max(_MIN_ZEROS, _WIDE_SHARE * len(content)):
        return _unmarked_wide(content)
    try:
        # Not final: the first bytes of a file may end inside a letter.
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        if zeros:
            return None
        first = _HIGH.search(content)
        sample = content[max(0, (first.start() if first else 0) - _CONTEXT_BYTES) :][:_DETECTION_BYTES]
        return "utf-8" if _is_damaged_utf8(sample) else _old_encoding(sample)
    return "utf-8"


def _unmarked_wide(content: bytes) -> str | None:
    """Letters of one script share their high bytes, so of two columns, or of four, one or three hold few values."""
    head = content[:4096]
    if len(head) < 4:
        return None
    columns = [set(head[start::4]) for start in range(4)]
    if columns[3] == {0} and max(columns[2]) <= _LAST_PLANE:
        return "utf-32-le"
    if columns[0] == {0} and max(columns[1]) <= _LAST_PLANE:
        return "utf-32-be"
    even, odd = columns[0] | columns[2], columns[1] | columns[3]
    if min(len(even), len(odd)) > 8:
        return None
    return "utf-16-le" if len(odd) < len(even) else "utf-16-be"


def _is_damaged_utf8(sample: bytes) -> bool:
    broken = sample.decode("utf-8", "replace").count(REPLACEMENT)
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    return broken <= high * _DAMAGED_SHARE


def _old_encoding(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_OLD_ENCODINGS).best()
    return str(best.encoding) if best else None
