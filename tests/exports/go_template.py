"""The few constructs of Go's text/template that our templates use, read strictly: anything else is an error."""

import json
import re
from collections.abc import Sequence

Talk = Sequence[dict[str, str]]
_TAG = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)
_ROLE = re.compile(r'if eq \.Role "(\w+)"')
_EACH = ("range .Messages", "range $place, $message := .Messages")
_IS_LAST = "if eq (len (slice $.Messages $place)) 1"


def render(template: str, talk: Talk) -> str:
    """Render messages as ``Execute`` would."""
    parts = _TAG.split(template)  # text and tags by turns
    assert not any("{{" in text or "}}" in text for text in parts[::2])
    written, end = _block(parts, 0, talk, None)
    assert end == len(parts)
    return written


def _block(parts: list[str], at: int, talk: Talk, place: int | None) -> tuple[str, int]:
    """Write up to the tag that ends a block; return what was written and where that tag is."""
    written = ""
    while at < len(parts):
        part = parts[at]
        if at % 2 == 0:
            written += part
        elif part in ("end", "else"):
            return written, at
        elif part in _EACH:
            bodies = [_block(parts, at + 1, talk, place) for place in range(len(talk))]
            written += "".join(body for body, _ in bodies)
            at = bodies[0][1] if bodies else _block(parts, at + 1, [{"role": "", "content": ""}], 0)[1]
        elif part.startswith("if "):
            assert place is not None
            holds = _holds(part, talk, place)
            body, at = _block(parts, at + 1, talk, place)
            otherwise = ""
            if parts[at] == "else":
                otherwise, at = _block(parts, at + 1, talk, place)
            assert parts[at] == "end"
            written += body if holds else otherwise
        elif part == ".Content":
            assert place is not None
            written += talk[place]["content"]
        else:
            written += json.loads(part)
        at += 1
    return written, at


def _holds(condition: str, talk: Talk, place: int) -> bool:
    if condition == _IS_LAST:
        return place == len(talk) - 1
    role = _ROLE.fullmatch(condition)
    assert role, condition
    return talk[place]["role"] == role[1]
