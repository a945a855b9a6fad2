"""A blog in Markdown: one file, one post."""

import calendar
import re
from collections.abc import Iterator
from datetime import datetime

from manera.records import Dropped, SourceRecord, Utterance
from manera.sources.files import SourceFile

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(title|date|draft):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(
    r"^[ \t>]*(?P<mark>`{3,}|~{3,})[^\n]*\n(?:.*?^[ \t>]*(?P=mark)[`~]*[ \t]*$|.*\Z)",
    re.DOTALL | re.MULTILINE,
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_IMPORT = re.compile(r"^import\s[^\n]*?['\"][^'\"\n]+['\"];?[ \t]*$", re.MULTILINE)
_HEADLINE = re.compile(r"\A#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_DAY = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})")
_TIME = re.compile(r"[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")


def is_post(text: str) -> bool:
    """Tell a post by its front matter."""
    front = _FRONT_MATTER.match(text)
    return bool(front and re.search(r"^\w[\w-]*:", front[1], re.MULTILINE))


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the post, by the blog: the folder that the person named.

    Code blocks, comments and imports are removed, for they are not prose; the title is taken
    from the front matter or the first headline, which then leaves the text. The rest of the
    Markdown is kept exactly. The date is the front matter's, else the file name's, taken for UTC.
    """
    front = _FRONT_MATTER.match(text)
    fields = {key: _unquoted(value) for key, value in _FIELD.findall(front[1])} if front else {}
    if fields.get("draft") == "true":
        yield Dropped("draft", file.source)
        return
    body = words(text[front.end() :] if front else text)
    headline = _HEADLINE.match(body)
    title = fields.get("title") or (headline[1] if headline else None)
    if headline and title == headline[1]:
        body = body[headline.end() :].strip("\n")
    if not body.strip():
        yield Dropped("post without text", file.source)
        return
    author = file.collection
    yield Utterance(
        author,
        author,
        body,
        file.work,
        0,
        "post",
        file.source,
        sent_at=_unix_seconds(fields.get("date", "")) or _unix_seconds(file.source),
        title=title,
    )


def words(markdown: str) -> str:
    """Return a post's text without code blocks, HTML comments and import lines."""
    text = _FENCE.sub("", markdown)
    text = _IMPORT.sub("", _COMMENT.sub("", text))
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


def _unquoted(scalar: str) -> str:
    """Read a YAML scalar on one line; the rest of YAML does not occur in titles and dates."""
    if len(scalar) >= 2 and scalar[0] == scalar[-1] == "'":
        return scalar[1:-1].replace("''", "'")
    if len(scalar) >= 2 and scalar[0] == scalar[-1] == '"':
        return scalar[1:-1].replace('\\"', '"')
    return scalar


def _unix_seconds(dated: str) -> int | None:
    """Find a day, and a time after it, in a front matter's date or a file's path."""
    day = _DAY.search(dated)
    if not day:
        return None
    time = _TIME.match(dated, day.end())
    numbers = [int(number) for number in (*day.groups(), *(time.groups("0") if time else ()))]
    try:
        return calendar.timegm(datetime(*numbers).timetuple())  # type: ignore[arg-type]
    except ValueError:
        return None
