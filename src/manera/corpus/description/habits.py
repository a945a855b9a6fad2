"""What can be seen in a message without reading it: how many messages of somebody have it."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from manera.text.habits import SMILE, emoji
from manera.text.words import WORD

LENGTHS = (1, 2, 4, 8, 16, 32, 64)
"""Words at most, bin by bin; the last bin has all that are longer."""

_SHOUTED = re.compile(r"\b[^\W\d_]{3,}\b")
_ELLIPSIS = re.compile(r"…|\.\.\.")


def _first_letter(text: str) -> str:
    return next((character for character in text if character.isalpha()), "")


def _ends_bare(text: str) -> bool:
    return text.rstrip()[-1:].isalnum()


HABITS: Mapping[str, Callable[[str], bool]] = {
    "lower_start": lambda text: _first_letter(text).islower(),
    "bare_end": _ends_bare,
    "full_stop": lambda text: text.rstrip().endswith(".") and not text.rstrip().endswith(".."),
    "question": lambda text: "?" in text,
    "exclamation": lambda text: "!" in text,
    "ellipsis": lambda text: _ELLIPSIS.search(text) is not None,
    "smile": lambda text: SMILE.search(text) is not None,
    "emoji": lambda text: bool(emoji(text)),
    "comma": lambda text: "," in text,
    "dash": lambda text: "—" in text or "–" in text or " - " in text,
    "shouting": lambda text: any(word.isupper() for word in _SHOUTED.findall(text)),
    "lines": lambda text: "\n" in text.strip(),
}


@dataclass
class Tally:
    """What one side wrote: messages with each habit, by length, and with each word and emoji."""

    messages: int = 0
    words: int = 0
    habits: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    bins: list[int] = field(default_factory=lambda: [0] * (len(LENGTHS) + 1))
    having: Counter[str] = field(default_factory=Counter)
    frequency: Counter[str] = field(default_factory=Counter)
    emoji: Counter[str] = field(default_factory=Counter)

    def count(self, text: str) -> None:
        """Count one message, post or paragraph."""
        found = WORD.findall(text.casefold())
        self.messages += 1
        self.words += len(found)
        self.habits.update(name for name, has in HABITS.items() if has(text))
        self.lengths[len(found)] += 1
        self.bins[sum(len(found) > longest for longest in LENGTHS)] += 1
        self.frequency.update(found)
        self.having.update(set(found))
        self.emoji.update(emoji(text))

    def share(self, habit: str) -> float:
        """Return the share of messages that have a habit."""
        return self.habits[habit] / max(1, self.messages)

    def length(self, quantile: float) -> int:
        """Return how many words a message has that is longer than so many others."""
        seen, wanted = 0, quantile * self.messages
        for length in sorted(self.lengths):
            seen += self.lengths[length]
            if seen >= wanted:
                return length
        return 0
