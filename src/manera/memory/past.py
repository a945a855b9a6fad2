"""What a voice remembers when it is spoken to, and how that becomes a prompt."""

from collections.abc import Sequence
from typing import NamedTuple

from manera.dataset.recalled import RecalledForm, recalled_messages
from manera.generation.reply import Prompt, Writer, prompt_of
from manera.memory.talk import Exchange, Turn
from manera.records import Message


class Past(NamedTuple):
    """The last turns of a conversation, oldest first, and what is recalled, the nearest first.

    relation, note: who the person is to the voice, and what it is told of that.
    """

    turns: Sequence[Turn] = ()
    recalled: Sequence[Exchange] = ()
    note: str | None = None
    relation: str | None = None


class Remembered(NamedTuple):
    """A prompt, and what of the recalled had room in it."""

    prompt: Prompt
    recalled: Sequence[Exchange]


def remember(writer: Writer, past: Past, messages: Sequence[Message], room: int, in_group: bool) -> Remembered:
    """Encode messages with what went before them, in at most ``room`` tokens.

    Where it does not fit, the recalled goes first, the least similar of it before all, then the oldest turns.
    Raises GenerationError.
    """
    for count in range(len(past.recalled), -1, -1):
        kept = past.recalled[:count]
        prompt = prompt_of(writer, _laid_out(past._replace(recalled=kept), messages, in_group, writer.recalled), room)
        if not prompt.dropped_tokens:
            break
    return Remembered(prompt, kept)


def spoken(text: str, name: str | None, in_group: bool) -> str:
    """Write what a person says as voices have learned it: in a group, with their name."""
    return f"{name}: {text}" if in_group and name else text


def _laid_out(past: Past, messages: Sequence[Message], in_group: bool, form: RecalledForm) -> list[Message]:
    """Put notes first, then the recalled, the most similar last, then the last turns, then what is said now."""
    notes = [message for message in messages if message.role == "system"]
    if past.note:
        notes.append(Message("system", past.note))
    recalled = recalled_messages([(one.text, one.answer) for one in past.recalled], form)
    turns = [Message(turn.role, spoken(turn.text, turn.name, in_group)) for turn in past.turns]
    while turns and turns[0].role == "assistant":  # it would run on from the recalled answer before it
        turns.pop(0)
    return [*notes, *recalled, *turns, *(message for message in messages if message.role != "system")]
