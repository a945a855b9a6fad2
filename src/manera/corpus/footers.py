"""How posts end that is the same under each: invitations, links to other places, signatures of a channel."""

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from manera.records import Utterance

FOOTER = "repeated footer"
LINKS = "block of links"

_MAX_LINES = 8
_MIN_TIMES = 3
_MIN_SHARE = 0.01
# Lines of a footer differ in these only.
_VARYING = re.compile(r"\d+")
_LINK = r"(?:[a-z][a-z0-9+.-]*://|www\.|t\.me/|@|#)\S+"
# A closing line that is said under each post is manner, unless it sends the reader somewhere.
_SENDS = re.compile(
    rf"(?i){_LINK}|\b(?:подпис|поддерж|донат|реклам|предложить|канал|чат\b|бот\b|ютуб|youtube|boosty|patreon|вконтакте|vk\b"
    r"|telegram|телеграм|instagram|subscribe|follow|support|join|share)"
)
# A label of a few words, and a link; or several links.
_LINK_LINE = re.compile(rf"(?i)\W*(?:(?:[\w’'-]+\W+){{0,4}}?{_LINK}\W*)+")


class Footers:
    """Counts how posts end, in up to 64 bytes a post; afterwards tells what of a post's end is no part of it."""

    def __init__(self) -> None:
        self._tails = array("Q")
        self._often: dict[int, int] = {}
        self._posts: Counter[str] = Counter()

    def count(self, post: Utterance) -> None:
        """Count the ends of a post."""
        self._posts[post.thread_key] += 1
        self._tails.extend(tail.key for tail in _tails(post))

    def settle(self) -> None:
        """Keep of all ends those that were counted often enough to be one."""
        if not self._tails:
            return
        keys = np.frombuffer(self._tails, np.uint64)
        keys.sort()
        often = np.unique(keys[_MIN_TIMES - 1 :][keys[_MIN_TIMES - 1 :] == keys[: 1 - _MIN_TIMES]])
        counts = np.searchsorted(keys, often, "right") - np.searchsorted(keys, often)
        self._often = dict(zip(often.tolist(), counts.tolist(), strict=True))
        self._tails = array("Q")

    def cut(self, post: Utterance) -> tuple[str, str, str]:
        """Return a post's text without its end, that end, and what it is; all of the text may be one."""
        needed = max(_MIN_TIMES, _MIN_SHARE * self._posts[post.thread_key])
        repeated = [tail.start for tail in _tails(post) if self._often.get(tail.key, 0) >= needed and tail.sends]
        if repeated:
            return post.text[: repeated[-1]].rstrip(), post.text[repeated[-1] :], FOOTER
        start = _links_from(post.text)
        return post.text[:start].rstrip(), post.text[start:], LINKS


class _Tail(NamedTuple):
    """The end of a post from the beginning of a line; sends: whether that line sends the reader somewhere."""

    start: int
    key: int
    sends: bool


def _tails(post: Utterance) -> Iterator[_Tail]:
    """Yield the ends of a post, the shortest first."""
    key = post.thread_key.encode(errors="surrogatepass")
    for start, line in _last_lines(post.text):
        above = _VARYING.sub("0", line.casefold()).encode(errors="surrogatepass")
        key = blake2b(key + b"\n" + above, digest_size=8).digest()
        yield _Tail(start, int.from_bytes(key), _SENDS.search(line) is not None)


def _last_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the last lines that are not empty, from the last one up, with their places."""
    end = len(text)
    found = 0
    while end > 0 and found < _MAX_LINES:
        start = text.rfind("\n", 0, end) + 1
        if line := text[start:end].strip():
            found += 1
            yield start, line
        end = start - 1


def _links_from(text: str) -> int:
    """Return where the lines at the end begin that are only links, if there are two or more; else the text's end."""
    starts = []
    for start, line in _last_lines(text):
        if not _LINK_LINE.fullmatch(line):
            break
        starts.append(start)
    return starts[-1] if len(starts) > 1 else len(text)
