"""What memory would have recalled, put before examples of a chat.

Only what was over when a conversation began is recalled, and nothing that holds what is to be learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np

from manera.dataset.examples import as_context
from manera.dataset.recalled import RecalledForm, recalled_messages
from manera.errors import TrainingError
from manera.records import Conversation, Example
from manera.retrieval.own_exchanges import COUNT, OwnExchanges
from manera.text.words import words
from manera.training.material import Material, pack_again
from manera.training.settings import TrainingConfig
from manera.voice.exchanges import Exchange, exchanges_of

COPIED = 0.5
"""Of a target's pairs of words: an exchange that has so many of them is taken for a copy of it."""

_SPARE = 4
"""How many times as many exchanges are looked at as are shown: some are copies."""

_TURNS_BEFORE = 2
"""How many turns the second half of an example is read with."""

Pair = tuple[str, str]
"""What was said, and the answer."""


def with_context(material: Material, config: TrainingConfig) -> Material:
    """Let a share of the training examples open with what memory would recall for their first learned turn.

    An example that has no room for it is learned in two. Raises TrainingError where a voice recalls nothing.
    """
    if not config.context_share:
        return material
    _require_memory(material)
    recollections = Recollections(material.learned_from, material.speaker.speaker_id)
    rng = np.random.default_rng(config.seed)

    def fits(example: Example) -> bool:
        return len(material.encoder.example(example).input_ids) <= material.max_length

    def opened(example: Example) -> Iterator[Example]:
        recalled = recollections.before(example)
        longer = put_before(example, recalled, material.format.recalled)
        halves = () if fits(longer) else halved(example)
        if halves:
            for half in halves:
                yield from opened(half)
        else:
            yield next((one for one in _shorter(example, recalled, material.format.recalled) if fits(one)), example)

    made = material.dataset.examples["train"]
    lines = [opened(example) if rng.random() < config.context_share else iter([example]) for example in made]
    examples = {**material.dataset.examples, "train": [example for line in lines for example in line]}
    return pack_again(replace(material, dataset=replace(material.dataset, examples=examples)))


class Recollections:
    """What a speaker answered to whom in the training part, recalled as memory does while it serves."""

    def __init__(self, conversations: Sequence[Conversation], speaker_id: str) -> None:
        self._conversations = conversations
        found = [list(exchanges_of([conversation], speaker_id)) for conversation in conversations]
        self._sources = [number for number, exchanges in enumerate(found) for _ in exchanges]
        self._own = OwnExchanges([exchange for exchanges in found for exchange in exchanges])
        self._ends = _ends(conversations)

    def before(self, example: Example) -> list[Pair]:
        """Recall for an example of the training part."""
        number = example.conversation or 0
        return self.before_one_of(self._conversations[number], number, example)

    def before_one_of(self, conversation: Conversation, number: int, example: Example) -> list[Pair]:
        """Return the exchanges nearest to what the example's first learned turn answers, the nearest first.

        number: how many conversations of the training part stand before this one.
        """
        asked, earlier = _asked(example), set(self._earlier(conversation, number))
        places = [place for place, source in enumerate(self._sources) if source in earlier]
        if not asked or not places:
            return []
        found = self._own.recall(asked, count=_SPARE * COUNT, within=places).exchanges
        shown = [one.exchange for one in found if not any(is_copy(one.exchange, said) for said in example.targets)]
        return [(exchange.asked, exchange.reply) for exchange in shown[:COUNT]]

    def _earlier(self, conversation: Conversation, number: int) -> Iterator[int]:
        """Yield which conversations were over when this one began; where none has a time, those before it."""
        began = conversation.started_at
        for other, known in enumerate(self._conversations):
            if known.thread == conversation.thread or known.started_at is began is None:
                is_over = other < number and (known.started_at or 0) <= (began or 0)
            else:
                ended = self._ends[other]
                is_over = ended is not None and began is not None and ended <= began
            if is_over:
                yield other


def is_copy(exchange: Exchange, target: str) -> bool:
    """Tell whether an exchange holds a target, or nearly."""
    wanted = _pairs(target)
    return len(wanted & (_pairs(exchange.asked) | _pairs(exchange.reply))) >= COPIED * len(wanted)


def put_before(example: Example, recalled: Sequence[Pair], form: RecalledForm) -> Example:
    """Put before an example what is recalled, the nearest first."""
    return msgspec.structs.replace(example, messages=(*recalled_messages(recalled, form), *example.messages))


def halved(example: Example) -> tuple[Example, Example] | None:
    """Learn the turns of an example in two, each once; None where there is but one to learn."""
    learned = [place for place, message in enumerate(example.messages) if message.is_learned]
    if len(learned) < 2:
        return None
    cut = learned[len(learned) // 2 - 1] + 1
    read = map(as_context, example.messages[max(0, cut - _TURNS_BEFORE) : cut])
    first, second = example.messages[:cut], (*read, *example.messages[cut:])
    return msgspec.structs.replace(example, messages=first), msgspec.structs.replace(example, messages=second)


def _shorter(example: Example, recalled: Sequence[Pair], form: RecalledForm) -> Iterator[Example]:
    """Yield an example with all that is recalled before it, then with the least similar of it left out."""
    return (put_before(example, recalled[:count], form) for count in range(len(recalled), 0, -1))


def _require_memory(material: Material) -> None:
    if material.kind != "dialogue":
        raise TrainingError(
            f"a voice of {material.kind} examples recalls nothing while it writes", "train without --context-share"
        )
    if material.format.turns is not None and material.format.recalled == "turns":
        raise TrainingError(
            f"the format reads {material.format.turns} turns before a reply, and nothing recalled before them",
            "train without --context-share, or with another --format",
        )


def _ends(conversations: Sequence[Conversation]) -> list[int | None]:
    """Return when each was over at the latest: when the next one of its thread began."""
    threads: dict[str, list[int]] = {}
    for number, conversation in enumerate(conversations):
        threads.setdefault(conversation.thread, []).append(number)
    ends: list[int | None] = [None] * len(conversations)
    for numbers in threads.values():
        for number, following in pairwise(numbers):
            ends[number] = conversations[following].started_at
    return ends


def _asked(example: Example) -> str:
    """Return what the first learned turn answers; nothing where it answers nothing."""
    first = next(place for place, message in enumerate(example.messages) if message.is_learned)
    before = example.messages[first - 1] if first else None
    return before.content if before is not None and before.role == "user" else ""


def _pairs(text: str) -> set[tuple[str, ...]]:
    """Return the neighbours among a text's words; of one word itself."""
    found = words(text)
    return set(pairwise(found)) if len(found) > 1 else {tuple(found)}
