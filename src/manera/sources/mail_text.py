"""What somebody wrote in a letter, without what they answered and what they end every letter with."""

import re
from collections.abc import Sequence

from manera.sources.html import parse_html
from manera.sources.html_text import has_class, said_text
from manera.sources.markup import QUOTATION
from manera.sources.wrapping import Line, paragraphs, wrapping_of

FORWARD, SIGNATURE = "forward", "signature"
_FORWARDED = re.compile(
    r"-{2,}\s*(?:Forwarded message|Пересылаемое сообщение|Пересланное сообщение|Weitergeleitete Nachricht)\b",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"-{2,}\s*(?:Original Message|Исходное сообщение|Ursprüngliche Nachricht|Original-Nachricht)\b", re.IGNORECASE
)
_OUTLOOK = re.compile(r"\*?(?:From|От|Von):\*? \S")
_OUTLOOK_BELOW = re.compile(r"\*?(?:Sent|Date|Отправлено|Дата|Gesendet|Datum):\*? ")
_WROTE = re.compile(
    r"(?:\b(?:wrote|schrieb|пишет|писал\(?а?\)?|написал\(?а?\)?|escribió|a écrit)\b.{0,120}|<?[^<>\s]+@[^<>\s]+>?)\s*:$"
)
_MOBILE = re.compile(
    r"(?:Sent from my \S.{0,40}|Get Outlook for .{1,40}|Sent from (?:Mail|Yahoo|Proton).{0,40}"
    r"|Отправлено (?:из|с) .{1,60}|Von meinem .{1,40} gesendet|Gesendet von .{1,40})",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_LINES_BELOW = 3
_QUOTING = frozenset({"gmail_quote", "yahoo_quoted", "moz-cite-prefix", "protonmail_quote"})
_FOREIGN = {"blockquote": QUOTATION, "address": SIGNATURE, "style": "style", "script": "style", "title": "style"}


def own_words(text: str, content_type: str = "") -> tuple[str, list[tuple[str, str]]]:
    """Return what the sender wrote, its lines joined where they were broken at a width, and what was cut, by reason."""
    lines = text.split("\n")
    kept: list[str] = []
    cut: list[tuple[str, str]] = []
    for number, line in enumerate(lines):
        if reason := _rest(lines, number):
            cut.append((reason, "\n".join(lines[number:])))
            break
        if line.startswith(">"):
            cut.append((QUOTATION, line))
            _cut_attribution(kept, cut)
        elif _MOBILE.fullmatch(line.strip()):
            cut.append((SIGNATURE, line))
        else:
            kept.append(line)
    if cut and cut[-1][0] == QUOTATION:
        _cut_attribution(kept, cut)
    return _joined(kept, "format=flowed" in content_type.lower()).strip("\n"), cut


def page_text(page: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what a letter written as a web page says, without what its program marked as quoted or as a signature."""
    tree = parse_html(page)
    for element in tree.iter():
        if any(has_class(element, name) for name in _QUOTING):
            element.tag = "blockquote"
        elif has_class(element, "gmail_signature"):
            element.tag = "address"
    text, cut = said_text(tree, _FOREIGN, is_page=True)
    return text, [(reason, piece) for reason, piece in cut if reason != "style"]


def _rest(lines: Sequence[str], number: int) -> str | None:
    """Say what all that follows is, from a line on; None where it is the sender's."""
    line = lines[number].strip()
    if lines[number].rstrip("\n") in ("-- ", "--"):
        return SIGNATURE
    if _FORWARDED.match(line):
        return FORWARD
    below = lines[number + 1 : number + 1 + _LINES_BELOW]
    if _ORIGINAL.match(line) or (_OUTLOOK.match(line) and any(map(_OUTLOOK_BELOW.match, below))):
        return QUOTATION
    return None


def _cut_attribution(kept: list[str], cut: list[tuple[str, str]]) -> None:
    """Cut what stands above a quotation: «12.03.24 Ася пишет:», on one line or, with its date, on two."""
    while kept and not kept[-1].strip():
        kept.pop()
    above = [" ".join(line.strip() for line in kept[-count:]) for count in (1, 2) if len(kept) >= count]
    said = [bool(_WROTE.search(line)) for line in above]
    if not any(said):
        return
    is_dated = [_DIGIT.search(line) is not None for line in above]
    count = 2 if said[-1] and is_dated[-1] and not is_dated[0] and all(map(str.strip, kept[-2:])) else 1
    if said[count - 1]:
        cut.append((QUOTATION, above[count - 1]))
        del kept[-count:]


def _joined(lines: list[str], is_flowed: bool) -> str:
    if is_flowed:
        return re.sub(r" \n(?=\S)", " ", "\n".join(lines))
    wrapping = wrapping_of(lines)
    if wrapping is None:
        return "\n".join(lines)
    numbered = [Line(number, line) for number, line in enumerate(lines, 1)]
    return "\n\n".join(paragraph.text for paragraph in paragraphs(numbered, wrapping))
