"""Pairs from which a voice learns to say a plain draft in its manner: asked with the draft, it writes the text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from manera.dataset.examples import sections
from manera.records import Example, Message

INSTRUCTIONS = {"ru": "Скажи по-своему: {draft}", "en": "Say it your way: {draft}"}

MIN_WORDS = 5
"""Of a text to be rewritten: shorter ones are said in one way only."""


class Rewriting(msgspec.Struct, frozen=True):
    """How a voice is asked to rewrite; from_notes: of a draft it is given the notes, not the whole."""

    instruction: str
    from_notes: bool

    def asked(self, draft: str) -> str:
        """Write the message that asks for a draft to be rewritten."""
        return self.instruction.replace("{draft}", draft)


def passages(examples: Iterable[Example], is_short: Callable[[str], bool]) -> Iterator[tuple[Example, str]]:
    """Yield what is learned in parts that are short, each with the example that it stands in."""
    for example in examples:
        for target in example.targets:
            for part in sections(target, is_short):
                if len(part.split()) >= MIN_WORDS and is_short(part):
                    yield example, part


def pairs(found: Sequence[tuple[Example, str]], drafts: Mapping[str, str], rewriting: Rewriting) -> Iterator[Example]:
    """Make an example of each passage that there is a draft of; it weighs as much as the one that it stands in."""
    for example, text in found:
        if drafts.get(text):
            asked = Message("user", rewriting.asked(drafts[text]))
            yield msgspec.structs.replace(example, messages=(asked, Message("assistant", text)), asks=())
