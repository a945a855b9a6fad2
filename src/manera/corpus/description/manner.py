"""How one person writes, against others: what can be told as rules."""

from collections.abc import Callable, Sequence

import msgspec

from manera.corpus.description.habits import HABITS, Tally
from manera.corpus.description.typical import TypicalWord, typical_words
from manera.records import UtteranceKind
from manera.text.languages import Language

MAX_BURST = 6
MAX_WORDS = 30
MAX_EMOJI = 12


class Share(msgspec.Struct, frozen=True):
    """Of a person's messages, and of those they are compared with, the share that has something."""

    own: float
    others: float


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What is a rule with somebody, or nearly.

    messages: on how many it was measured. words_quantiles: of a message, exceeded by nine in ten, half, one in ten.
    bursts: how many turns have 1, 2, ... messages, the last: MAX_BURST and more. emoji: in 100 messages, the most
    frequent first.
    """

    messages: int
    kind: UtteranceKind
    language: Language
    words_quantiles: tuple[int, int, int]
    bursts: tuple[int, ...]
    habits: dict[str, Share]
    typical: tuple[TypicalWord, ...]
    avoided: tuple[TypicalWord, ...]
    emoji: dict[str, float]


def manner_of(
    own: Tally,
    others: Tally,
    bursts: Sequence[int],
    kind: UtteranceKind,
    language: Language,
    is_nobodys: Callable[[str], bool] = lambda word: False,
) -> Manner:
    """Measure somebody's messages against those of others; is_nobodys: words that say nothing of anybody's manner."""
    compared = typical_words(own.having, others.having, own.messages, others.messages)
    found = [word for word in compared if not is_nobodys(word.word)]
    return Manner(
        messages=own.messages,
        kind=kind,
        language=language,
        words_quantiles=(own.length(0.1), own.length(0.5), own.length(0.9)),
        bursts=tuple(bursts),
        habits={name: Share(round(own.share(name), 4), round(others.share(name), 4)) for name in HABITS},
        typical=tuple(word for word in found if word.z > 0)[:MAX_WORDS],
        avoided=tuple(word for word in reversed(found) if word.z < 0)[:MAX_WORDS],
        emoji={one: round(100 * count / own.messages, 2) for one, count in own.emoji.most_common(MAX_EMOJI)},
    )
