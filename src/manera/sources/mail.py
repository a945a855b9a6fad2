"""Mail: a mailbox (mbox), or one letter (eml), of which each sender's own words are read."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import BinaryIO, NamedTuple

from manera.records import Owner, SourceRecord
from manera.sources.decoding import decode
from manera.sources.files import SourceFile
from manera.sources.mail_text import own_words, page_text
from manera.sources.messages import Talk
from manera.sources.source import Source

_FROM_LINE = re.compile(rb"From \S+ .*\d{4}\s*$")
_MAILBOX = re.compile(rb"\s*From \S+ [^\n]*\d{4}\r?\n(?:[\w-]+:|>)")
_LETTER = re.compile(rb"(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,200}\r?\n")
_LETTER_FIELDS = (b"\nto:", b"\ndate:", b"\nsubject:", b"\nmessage-id:")
_SUBJECT_MARK = re.compile(r"^(?:(?:re|fwd?|aw|wg|отв|ответ|пер|на)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_NUMBER = re.compile(r"<[^<>\s]+>")
# A letter larger than this has attachments, which come last.
_MAX_BYTES = 8 << 20
_SENT = frozenset({"sent", "отправленные", "gesendet"})
_NOT_KEPT = {
    **dict.fromkeys(("spam", "спам", "trash", "корзина", "papierkorb"), "spam or bin"),
    **dict.fromkeys(("draft", "drafts", "черновики", "entwürfe"), "draft"),
}


class _Letter(NamedTuple):
    """One letter as it was sent; reason says why none of it is kept."""

    sender: tuple[str, str]
    sent_at: int | None
    subject: str
    number: str
    answered: list[str]
    text: str
    cut: list[tuple[str, str]]
    reason: str | None


@dataclass
class _Box:
    """What the letters of a file show: who answers whom, and whose they are."""

    letters: list[_Letter] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)

    def root(self, letter: _Letter) -> str:
        """Return the number of the letter that began the talk."""
        first = next(iter(letter.answered), letter.number)
        root = next((self.roots[number] for number in letter.answered if number in self.roots), first)
        self.roots[letter.number] = root
        return root

    def owner(self) -> str | None:
        """Return who sent what lies among the sent letters, else to whom most were delivered."""
        return next((address for address, _ in (self.sent or self.delivered).most_common(1)), None)


def claims(file: SourceFile) -> bool:
    """Tell a mailbox by its first line, a letter by its fields."""
    if not file.may_be_text and file.suffix not in (".mbox", ".eml"):
        return False
    if _MAILBOX.match(file.head):
        return True
    if not (head := _LETTER.match(file.head)):
        return False
    fields = b"\n" + head[0].lower()
    return b"\nfrom:" in fields and sum(name in fields for name in _LETTER_FIELDS) > 1


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per letter, from the oldest; what began a talk names its thread.

    Quotations, what was forwarded, and signatures are cut out. A mailbox is in no order: its words are held until all
    are read.
    """
    box = _Box()
    with file.open() as content:
        for raw in _split(content):
            box.letters.append(_letter(message_from_bytes(raw), box))
    talks: dict[str, Talk] = {}
    positions: dict[str, int] = {}
    for letter in sorted(box.letters, key=lambda letter: letter.sent_at or 0):
        root = box.root(letter)
        talk = talks.setdefault(root, Talk(file.source, letter.subject or "letter", f"mail:{root}"))
        answered = next((positions[number] for number in reversed(letter.answered) if number in positions), None)
        before = talk.position
        yield from talk.record(
            *letter.sender, letter.text, letter.sent_at, reason=letter.reason, cut=letter.cut, reply_to=answered
        )
        if talk.position != before:
            positions[letter.number] = talk.position
    if owner := box.owner():
        yield Owner(owner, is_certain=False)


def _split(content: BinaryIO) -> Iterator[bytes]:
    """Yield the letters of a mailbox, the first bytes of each; a file without its lines is one letter."""
    lines: list[bytes] = []
    size = 0
    is_border = True
    for line in content:
        if is_border and _FROM_LINE.match(line):
            if any(map(bytes.strip, lines)):
                yield b"".join(lines)
            lines, size = [], 0
        elif size < _MAX_BYTES:
            lines.append(line.removeprefix(b">") if line.startswith(b">From ") else line)
            size += len(line)
        is_border = not line.strip()
    if any(map(bytes.strip, lines)):
        yield b"".join(lines)


def _letter(message: Message, box: _Box) -> _Letter:
    name, address = parseaddr(_field(message, "From"))
    address = address.lower() or name or "unknown"
    labels = {label.strip(' "').casefold() for label in _field(message, "X-Gmail-Labels").split(",")}
    text, is_page = _body(message)
    plain, cut = page_text(text) if is_page else (text, [])
    words, more = own_words(plain, _field(message, "Content-Type"))
    if labels & _SENT:
        box.sent[address] += 1
    if delivered := parseaddr(_field(message, "Delivered-To"))[1].lower():
        box.delivered[delivered] += 1
    number = next(iter(_NUMBER.findall(_field(message, "Message-ID"))), f"{address} {_field(message, 'Date')}")
    answered = _NUMBER.findall(_field(message, "References") + _field(message, "In-Reply-To"))
    subject = _SUBJECT_MARK.sub("", " ".join(_field(message, "Subject").split()))
    reason = _reason(message, labels, bool(answered)) or (None if text.strip() else "letter without text")
    return _Letter(
        (address, name or address), _sent_at(message), subject, number, answered, words, [*cut, *more], reason
    )


def _reason(message: Message, labels: set[str], is_answer: bool) -> str | None:
    if found := next((reason for label, reason in _NOT_KEPT.items() if label in labels), None):
        return found
    is_bulk = _field(message, "Precedence").lower() in ("bulk", "junk")
    is_automatic = _field(message, "Auto-Submitted").lower() not in ("", "no")
    is_mailing = bool(_field(message, "List-Unsubscribe")) and not is_answer
    return "mailing" if is_bulk or is_automatic or is_mailing else None


def _field(message: Message, name: str) -> str:
    """Return a field of the head, decoded as far as it can be."""
    try:
        value = message.get(name, "")
        return str(make_header(decode_header(value)))
    except (HeaderParseError, MessageError, LookupError, ValueError, TypeError):
        return str(message.get(name, ""))


def _sent_at(message: Message) -> int | None:
    try:
        return int(parsedate_to_datetime(_field(message, "Date")).timestamp())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _body(message: Message) -> tuple[str, bool]:
    """Return the plain text of a letter, else its page, and whether it is one."""
    page = ""
    for part in message.walk():
        kind = part.get_content_type()
        if kind not in ("text/plain", "text/html") or part.get_filename():
            continue
        text = _decoded(part)
        if kind == "text/plain" and text.strip():
            return text, False
        page = page or (text if kind == "text/html" else "")
    return page, True


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(str(part.get_content_charset() or "utf-8"))
    except (LookupError, UnicodeDecodeError):
        found = decode(content)
        text = found.text if found else content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


SOURCE = Source("mail", claims, read, "mail (mbox, eml)")
