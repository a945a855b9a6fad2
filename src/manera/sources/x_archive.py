"""X (Twitter): the archive of an account, whose files are JavaScript with JSON in it."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from manera.records import Dropped, Mended, Owner, SourceRecord, count_characters
from manera.sources.beside import near
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument
from manera.sources.json_export import as_fields, as_list, as_number, as_text, seconds_of_date
from manera.sources.messages import BROKEN_MESSAGE, Talk
from manera.sources.source import Source

_START = re.compile(rb"\s*window\.YTD\.(?P<part>\w+)\.part\d+\s*=\s*")
_ANSWERED = re.compile(r"^(?:@\w{1,20}\s+)+")
_SHORT_LINKS = re.compile(r"(?:\s*https?://t\.co/\w+)+\s*$")
_CUT_SHORT = re.compile(r"…\s+https?://t\.co/\w+\s*$")
_LONG_POST = 250
_BYTES_AT_START = 200
_POSTED_AT = "%a %b %d %H:%M:%S %z %Y"
_OWNER = "owner of the archive"


def claims(file: SourceFile) -> bool:
    """Tell the parts of an archive that hold what somebody wrote."""
    return (file.root is None or file.suffix == ".js") and _part(file) in _READERS


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per post, or per message of the owner's talks.

    Of a post its own words stay: what it reposts is dropped; the names of whom it answers and the links to its pictures
    are cut. Who the owner is says ``account.js`` beside.
    """
    owner = _owner(file)
    mended: Counter[str] = Counter()
    for part, value in _values(file, mended):
        yield from _READERS[part](file, value, owner)
    yield from (Mended(what, file.source, count) for what, count in mended.items() if count)
    yield Owner(owner[0], is_certain=True)


def _values(file: SourceFile, mended: Counter[str]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the objects of a file, each with the name of the part of the archive that it is."""
    if not (start := _START.match(file.head[:_BYTES_AT_START])):
        return
    with file.open() as content:
        content.read(start.end())
        document = JsonDocument(content, str(file.path))
        for value in document.values():
            yield start["part"], as_fields(value)
        mended.update(document.mended)


def _part(file: SourceFile) -> bytes | None:
    found = _START.match(file.head[:_BYTES_AT_START])
    return found["part"] if found else None


def _owner(file: SourceFile) -> tuple[str, str]:
    account_file = near(file, "account.js")
    for _, value in _values(account_file, Counter()) if account_file else ():
        account = as_fields(value.get("account"))
        if number := as_text(account.get("accountId")):
            return f"x{number}", as_text(account.get("accountDisplayName")) or as_text(
                account.get("username")
            ) or number
    return _OWNER, _OWNER


def _post(file: SourceFile, value: dict[str, Any], owner: tuple[str, str]) -> Iterator[SourceRecord]:
    post = as_fields(value.get("tweet")) or value
    text = post.get("full_text", post.get("text"))
    if not isinstance(text, str):
        yield Dropped(BROKEN_MESSAGE, file.source)
        return
    reason = None
    if text.startswith("RT @"):
        reason = "repost"
    elif len(text) > _LONG_POST and _CUT_SHORT.search(text):
        reason = "shortened, whole in note-tweet.js"
    words, cut = _own_words(text, is_answer=bool(post.get("in_reply_to_screen_name")))
    talk = Talk(file.source, f"posts of {owner[1]}", f"x:{owner[0]}", "post")
    sent_at = _posted_at(post.get("created_at"))
    number = as_number(post.get("id_str", post.get("id")))
    answered = as_number(post.get("in_reply_to_status_id_str"))
    yield from talk.record(*owner, words, sent_at, reason=reason, cut=cut, number=number, reply_to=answered)


def _long_post(file: SourceFile, value: dict[str, Any], owner: tuple[str, str]) -> Iterator[SourceRecord]:
    post = as_fields(value.get("noteTweet"))
    words, cut = _own_words(as_text(as_fields(post.get("core")).get("text")), is_answer=False)
    talk = Talk(file.source, f"posts of {owner[1]}", f"x:{owner[0]}", "post")
    sent_at = seconds_of_date(post.get("createdAt"))
    yield from talk.record(*owner, words, sent_at, cut=cut, number=as_number(post.get("noteTweetId")))


def _talk(file: SourceFile, value: dict[str, Any], owner: tuple[str, str]) -> Iterator[SourceRecord]:
    """Yield the messages of one talk, from the oldest; others than the owner have only numbers."""
    conversation = as_fields(value.get("dmConversation"))
    number = as_text(conversation.get("conversationId"))
    talk = Talk(file.source, f"talk {number}", f"x:talk{number}")
    events = [as_fields(event) for event in as_list(conversation.get("messages"))]
    messages = [as_fields(event.get("messageCreate")) for event in events]
    for message in sorted(messages, key=lambda message: as_number(message.get("id")) or 0):
        text, sender = message.get("text"), as_text(message.get("senderId"))
        if not isinstance(text, str) or not sender:
            yield Dropped("service message", file.source, count_characters(as_text(text)))
            continue
        words, cut = _own_words(text, is_answer=False)
        speaker = owner if f"x{sender}" == owner[0] else (f"x{sender}", sender)
        sent_at = seconds_of_date(message.get("createdAt"))
        yield from talk.record(*speaker, words, sent_at, cut=cut, number=as_number(message.get("id")))


def _own_words(text: str, is_answer: bool) -> tuple[str, list[tuple[str, str]]]:
    cut = []
    for pattern, reason in ((_ANSWERED, "name of whom a post answers"), (_SHORT_LINKS, "link")):
        if (found := pattern.search(text)) and (is_answer or pattern is _SHORT_LINKS):
            text = text[: found.start()] + text[found.end() :]
            cut.append((reason, found[0]))
    return html.unescape(text), cut


def _posted_at(date: object) -> int | None:
    try:
        return int(datetime.strptime(as_text(date), _POSTED_AT).timestamp())
    except (ValueError, OverflowError):
        return seconds_of_date(date)


_READERS: dict[bytes, Callable[[SourceFile, dict[str, Any], tuple[str, str]], Iterator[SourceRecord]]] = {
    **dict.fromkeys((b"tweet", b"tweets", b"deleted_tweets"), _post),
    b"note_tweet": _long_post,
    **dict.fromkeys((b"direct_messages", b"direct_messages_group"), _talk),
}
SOURCE = Source("X archive", claims, read, "X's (Twitter's) archive")
