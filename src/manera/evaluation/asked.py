"""What a voice is asked: held-out turns, their prompts, and what the person really wrote there."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from manera.dataset.encoding import Encoder
from manera.evaluation.measures.spread import spread
from manera.evaluation.reasons import NotMeasuredError
from manera.records import Example, ExampleKind, Message
from manera.text.words import words

PROMPT_WORDS = 60
REPLY_WORDS = 120
MIN_TASKS = 8


class Task(NamedTuple):
    """What stood before, and what the person wrote then.

    conversation: what is drawn together to bound a figure: a conversation, a post, or a stretch of running text alone.
    """

    conversation: int
    messages: tuple[Message, ...]
    reply: str

    @property
    def asked(self) -> str:
        """What the reply answers, writes about or continues."""
        return self.messages[-1].content


def tasks(examples: Sequence[Example], kind: ExampleKind) -> list[Task]:
    """Return every turn that answers something; running text is cut into prompts and what follows."""
    found = _continuations(examples) if kind == "continuation" else _replies(examples)
    return list(found)


def _replies(examples: Sequence[Example]) -> Iterator[Task]:
    for index, example in enumerate(examples):
        for place, message in enumerate(example.messages):
            before = example.messages[:place]
            if message.is_learned and before and before[-1].role == "user":
                yield Task(conversation_of(example, index), before, message.content)


def conversation_of(example: Example, index: int) -> int:
    """Number a conversation; of voices trained before that was noted every example is one of its own."""
    return index if example.conversation is None else example.conversation


def _continuations(examples: Sequence[Example]) -> Iterator[Task]:
    stretch = PROMPT_WORDS + REPLY_WORDS
    number = 0
    for example in examples:
        found = example.messages[0].content.split(" ")
        for start in range(0, len(found) - stretch + 1, stretch):
            before = " ".join(found[start : start + PROMPT_WORDS])
            reply = " " + " ".join(found[start + PROMPT_WORDS : start + stretch])
            yield Task(number, (Message("user", before),), reply)
            number += 1


def require_enough(found: Sequence[Task]) -> None:
    """Raise NotMeasuredError where so few held-out turns can be answered that they tell nothing."""
    if len(found) < MIN_TASKS:
        counts = {"found": len(found), "needed": MIN_TASKS, "missing": MIN_TASKS - len(found)}
        raise NotMeasuredError("too_few_turns", "train on a larger corpus", **counts)


def chosen(found: Sequence[Task], max_tasks: int, enough_words: int) -> list[Task]:
    """Choose tasks, spread over all: at most so many, and no more than it takes to have real replies of enough words,
    but for the fewest that tell something."""
    written = sum(len(words(task.reply)) for task in found)
    enough = enough_words * len(found) // max(written, 1)
    return spread(found, min(max_tasks, max(MIN_TASKS, enough)))


class Prompts(NamedTuple):
    """Tasks as token ids to write on from. room: tokens, so that a reply fits behind them."""

    kind: ExampleKind
    room: int

    def of(
        self, encoder: Encoder, asked: Sequence[Task], before: Callable[[Task, int], list[int]] | None = None
    ) -> list[list[int]]:
        """Encode tasks. before: what is to be read before each, encoded without a BOS in the tokens left over."""
        found = []
        for task in asked:
            ids = self._of_one(encoder, task)[1:][-self.room :]
            first = before(task, self.room - len(ids)) if before else []
            found.append([encoder.bos, *first, *ids])
        return found

    def _of_one(self, encoder: Encoder, task: Task) -> list[int]:
        if self.kind == "continuation":
            return [encoder.bos, *encoder.text(task.asked)]
        return encoder.prompt(task.messages)
