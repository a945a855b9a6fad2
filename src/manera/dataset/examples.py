"""Conversations become examples: messages of which the assistant's are the persona's."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from manera.dataset.topics import topics
from manera.records import Conversation, Example, ExampleKind, Message, Turn, UtteranceKind

MESSAGE_BOUNDARY = "\n"
LINE_BREAK = "\r"
"""Inside a burst, a line break that belongs to one message; sources hold none of these."""

CONTEXT_TURNS = 6
TOO_LONG = "longer than an example may be"
INSTRUCTIONS = {"ru": "Напиши пост: {topic}", "en": "Write a post: {topic}"}

_KINDS: dict[UtteranceKind, ExampleKind] = {
    "message": "dialogue",
    "line": "dialogue",
    "post": "post",
    "prose": "continuation",
}
CountTokens = Callable[[str], int]
_BLANK_LINES = re.compile(r"(\n{2,})")


def example_kind(conversations: Iterable[Conversation], speaker_id: str) -> ExampleKind:
    """Choose by most of what the persona wrote; messages that nobody answers are learned as posts."""
    written: Counter[ExampleKind] = Counter()
    for conversation in conversations:
        own = sum(map(len, _own_texts(conversation, speaker_id)))
        alone = all(turn.speaker_id == speaker_id for turn in conversation.turns)
        kind = _KINDS[conversation.kind]
        written["post" if alone and kind == "dialogue" else kind] += own
    return written.most_common(1)[0][0]


def burst(texts: Sequence[str]) -> str:
    """Write the messages of a turn as one string from which ``messages_of`` gets them back, but for blank ones."""
    return MESSAGE_BOUNDARY.join(text.replace("\r\n", "\n").replace("\n", LINE_BREAK) for text in texts)


def messages_of(content: str) -> list[str]:
    """Return the messages of a burst, each with its own line breaks; of a post its paragraphs. None is blank."""
    return [text.replace(LINE_BREAK, "\n") for text in content.split(MESSAGE_BOUNDARY) if text.strip()]


def dialogues(
    conversation: Conversation, speaker_id: str, max_tokens: int, count_tokens: CountTokens
) -> tuple[list[Example], int]:
    """Cut a conversation into examples in which every turn of the persona is learned exactly once.

    Where it does not fit max_tokens, the next example opens with the turns just before as context (weight 0).
    Returns the examples, and how many turns of the persona alone were longer than max_tokens.
    """
    messages = conversation_messages(conversation, speaker_id)
    sizes = [count_tokens(message.content) for message in messages]
    examples: list[Example] = []
    too_long = 0
    start = learned = 0
    while learned < len(messages):
        if sizes[learned] > max_tokens:
            too_long += messages[learned].role == "assistant"
            learned += 1
            start = learned
            continue
        start = _context_start(sizes, start, learned, min(max_tokens // 2, max_tokens - sizes[learned]))
        end = _fitting_end(sizes, start, learned, max_tokens)
        window = [as_context(m) if start + i < learned else m for i, m in enumerate(messages[start:end])]
        while window and window[-1].role != "assistant":
            window.pop()
        if any(message.is_learned for message in window):
            examples.append(Example(tuple(window)))
        learned = end
    return examples, too_long


def replies(
    conversation: Conversation, speaker_id: str, turns: int, max_tokens: int, count_tokens: CountTokens
) -> tuple[list[Example], int]:
    """Make an example of each turn of the persona that answers anything, with at most so many turns before it.

    Returns the examples, and how many turns of the persona did not fit with the one that they answer.
    """
    messages = conversation_messages(conversation, speaker_id)
    sizes = [count_tokens(message.content) for message in messages]
    examples: list[Example] = []
    too_long = 0
    for place in (place for place, message in enumerate(messages) if place and message.role == "assistant"):
        starts = range(max(0, place - turns), place)
        start = next((start for start in starts if sum(sizes[start : place + 1]) <= max_tokens), None)
        if start is None:
            too_long += 1
        else:
            examples.append(Example((*map(as_context, messages[start:place]), messages[place])))
    return examples, too_long


def as_context(message: Message) -> Message:
    """Let a message be read, not learned."""
    return Message(message.role, message.content, weight=0) if message.role == "assistant" else message


def conversation_messages(conversation: Conversation, speaker_id: str) -> list[Message]:
    """Write a conversation as messages, with names where several others speak."""
    groups = len({turn.speaker_id for turn in conversation.turns} - {speaker_id}) > 1
    return _messages(conversation.turns, speaker_id, named=groups)


def _messages(turns: Sequence[Turn], speaker_id: str, named: bool) -> list[Message]:
    """Write turns as messages; those of several others between two turns of the persona are one message."""
    messages: list[Message] = []
    for turn in turns:
        if turn.speaker_id == speaker_id:
            messages.append(Message("assistant", burst(turn.texts)))
            continue
        content = f"{turn.speaker}: {burst(turn.texts)}" if named else burst(turn.texts)
        if messages and messages[-1].role == "user":
            content = messages.pop().content + MESSAGE_BOUNDARY + content
        messages.append(Message("user", content))
    return messages


def _context_start(sizes: Sequence[int], earliest: int, learned: int, room: int) -> int:
    """Go back over at most CONTEXT_TURNS turns that fit the room, and none that was too long."""
    start = learned
    while start > max(earliest, learned - CONTEXT_TURNS) and sizes[start - 1] <= room:
        start -= 1
        room -= sizes[start]
    return start


def _fitting_end(sizes: Sequence[int], start: int, learned: int, max_tokens: int) -> int:
    end, room = learned, max_tokens - sum(sizes[start:learned])
    while end < len(sizes) and sizes[end] <= room:
        room -= sizes[end]
        end += 1
    return max(end, learned + 1)


def posts(
    conversations: Sequence[Conversation], speaker_id: str, instruction: str, is_short: Callable[[str], bool]
) -> Iterator[Example]:
    """Turn what the speaker wrote in each conversation into an instruction with its own topic, and the post.

    A post that is not short is learned as several, each of whole paragraphs; its title is asked for by the first.
    """
    asked: list[str | None] = []
    texts: list[str] = []
    numbers: list[int] = []
    for number, conversation in enumerate(conversations):
        parts = list(sections("\n".join(_own_texts(conversation, speaker_id)), is_short))
        asked += [conversation.title, *[None] * (len(parts) - 1)]
        texts += parts
        numbers += [number] * len(parts)
    for title, text, topic, number in zip(asked, texts, topics(texts), numbers, strict=True):
        prompt = instruction.format(topic=title or topic)
        yield Example((Message("user", prompt), Message("assistant", text)), number)


def sections(text: str, is_short: Callable[[str], bool]) -> Iterator[str]:
    """Cut a text between paragraphs, so that every part is short; a long paragraph is a part of its own."""
    part, blank = "", ""
    for index, piece in enumerate(_BLANK_LINES.split(text)):
        if index % 2:
            blank = piece
        elif part and not is_short(part + blank + piece):
            yield part
            part = piece
        else:
            part += blank + piece
    yield part


def prose(conversation: Conversation, speaker_id: str) -> Example:
    """Return a work, or what is left of it in one part, as running text."""
    return Example((Message("assistant", "\n".join(_own_texts(conversation, speaker_id))),))


def _own_texts(conversation: Conversation, speaker_id: str) -> Iterator[str]:
    return (text for turn in conversation.turns if turn.speaker_id == speaker_id for text in turn.texts)
