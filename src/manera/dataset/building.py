"""A split corpus becomes a dataset: examples, then rows, with everything dropped on the way counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from manera.dataset import examples
from manera.dataset.encoding import Encoded, Encoder
from manera.dataset.lint import check
from manera.dataset.packing import Rows, pack
from manera.records import Conversation, Example, ExampleKind, Message, SplitName

INSTRUCTION_TOKENS = 32  # what a post leaves free for what asks for it
MAX_LENGTH: dict[ExampleKind, int] = {"dialogue": 256, "post": 384, "continuation": 512}


@dataclass(frozen=True)
class Dataset:
    """The same text as examples (for people and other tools) and as packed rows (for training).

    scored_bytes are the UTF-8 bytes of what is supervised, the denominator of bits per byte.
    """

    examples: dict[SplitName, list[Example]]
    rows: dict[SplitName, Rows]
    scored_bytes: dict[SplitName, int]
    dropped: dict[str, int]


def build(
    parts: Mapping[SplitName, Sequence[Conversation]],
    speaker_id: str,
    kind: ExampleKind,
    encoder: Encoder,
    max_length: int,
    instruction: str | None = None,
    turns: int | None = None,
) -> Dataset:
    """Build every part; raise DatasetError when the lint finds a target that would teach nonsense.

    turns: how many before a reply are read; None as many as fit.
    """
    dropped: Counter[str] = Counter()
    made = {
        name: _examples(conversations, speaker_id, kind, encoder, max_length, instruction, turns, dropped)
        for name, conversations in parts.items()
    }
    return dataset_of(made, kind, encoder, max_length, {reason: count for reason, count in dropped.items() if count})


def dataset_of(
    made: dict[SplitName, list[Example]],
    kind: ExampleKind,
    encoder: Encoder,
    max_length: int,
    dropped: dict[str, int] | None = None,
) -> Dataset:
    """Pack examples that were made before; raise DatasetError as ``build`` does."""
    rows: dict[SplitName, Rows] = {}
    scored: dict[SplitName, int] = {}
    for name, part in made.items():
        encoded = encode(part, kind, encoder, max_length)
        if kind != "continuation":
            check(encoded, part, encoder)
        rows[name] = pack(encoded, max_length)
        scored[name] = sum(len(text.encode()) for example in part for text in example.targets)
    return Dataset(made, rows, scored, dropped or {})


def _examples(
    conversations: Sequence[Conversation],
    speaker_id: str,
    kind: ExampleKind,
    encoder: Encoder,
    max_length: int,
    instruction: str | None,
    turns: int | None,
    dropped: Counter[str],
) -> list[Example]:
    if kind == "continuation":
        return [examples.prose(conversation, speaker_id) for conversation in conversations]
    if kind == "post":
        room = max_length - INSTRUCTION_TOKENS
        made = examples.posts(
            conversations,
            speaker_id,
            instruction or examples.INSTRUCTIONS["ru"],
            is_short=lambda text: len(encoder.text(text)) <= room,
        )
        return [example for example in made if _fits(example, encoder, max_length, dropped)]
    dialogues = []
    markup = _tokens_around_a_turn(encoder)
    cut = examples.dialogues if turns is None else partial(examples.replies, turns=turns)
    for number, conversation in enumerate(conversations):
        found, too_long = cut(
            conversation,
            speaker_id,
            max_tokens=max_length - 1,
            count_tokens=lambda text: len(encoder.text(text)) + markup,
        )
        dialogues += [msgspec.structs.replace(example, conversation=number) for example in found]
        dropped[examples.TOO_LONG] += too_long
    return dialogues


def _tokens_around_a_turn(encoder: Encoder) -> int:
    """Count what the template writes around a turn, without the BOS that opens an example."""
    shortest = (Example((Message(role, "."),)) for role in ("user", "assistant"))
    return max(len(encoder.example(example).input_ids) for example in shortest) - len(encoder.text(".")) - 1


def _fits(example: Example, encoder: Encoder, max_length: int, dropped: Counter[str]) -> bool:
    fits = len(encoder.example(example).input_ids) <= max_length
    dropped[examples.TOO_LONG] += not fits
    return fits


def encode(made: Sequence[Example], kind: ExampleKind, encoder: Encoder, max_length: int) -> list[Encoded]:
    """Encode examples as training reads them: a work in windows, anything else whole."""
    if kind != "continuation":
        return [encoder.example(example) for example in made]
    return [
        window.weighted(example.weight)
        for example in made
        for window in encoder.windows(example.messages[0].content, max_length)
    ]
