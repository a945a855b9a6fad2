"""What a post is about, in its own words: the instruction that it can be learned from."""

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[^\W\d_]{4,}")
_STEM_LETTERS = 5
_TOPIC_WORDS = 3


def topics(posts: Sequence[str]) -> list[str]:
    """Return for each post its most telling words, in the order and form in which they stand there.

    Telling is tf-idf within these posts (Spärck Jones, 1972); words with the same first letters, the last one
    aside, count as one, which is enough of a stem for Russian and English.
    """
    counted = [Counter(_stem(word) for word in _words(post)) for post in posts]
    spread = Counter(stem for counts in counted for stem in counts)
    return [_topic(post, counts, spread, len(posts)) for post, counts in zip(posts, counted, strict=True)]


def _topic(post: str, counts: Counter[str], spread: Counter[str], posts: int) -> str:
    weight = {stem: count * math.log((1 + posts) / spread[stem]) for stem, count in counts.items()}
    best = set(sorted(weight, key=lambda stem: (-weight[stem], stem))[:_TOPIC_WORDS])
    first_seen: dict[str, str] = {}
    for word in _words(post):
        first_seen.setdefault(_stem(word), word)
    return ", ".join(word for stem, word in first_seen.items() if stem in best)


def _words(post: str) -> list[str]:
    return _WORD.findall(post.lower())


def _stem(word: str) -> str:
    return word.replace("ё", "е")[: min(_STEM_LETTERS, len(word) - 1)]
