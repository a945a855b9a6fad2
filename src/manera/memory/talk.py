"""Who talks where, and what was said."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Side = Literal["user", "assistant"]


class Talk(msgspec.Struct, frozen=True):
    """Where something is said: who asked the API (client), a voice, a person (user) and a chat."""

    client: str
    voice: str
    user: str
    chat: str
    is_group: bool = False

    @property
    def owner(self) -> str:
        """Return whose conversation it is: a group's is nobody's."""
        return "" if self.is_group else self.user


class Said(msgspec.Struct, frozen=True):
    """A message of a person; name tells people of a group apart."""

    text: str
    name: str | None = None


class Turn(msgspec.Struct, frozen=True):
    """What was said, by a person or by the voice; at: Unix seconds."""

    id: int
    role: Side
    text: str
    name: str | None
    at: int


class Asked(msgspec.Struct, frozen=True):
    """Where a question was kept: its conversation, and the first of its turns."""

    conversation: int
    turn: int


class Exchange(msgspec.Struct, frozen=True):
    """What a person said and what the voice answered, as it is recalled; said_at: Unix seconds, None of the corpus."""

    text: str
    answer: str | None
    kind: Literal["talk", "corpus"]
    similarity: float
    said_at: int | None = None


class Conversation(msgspec.Struct, frozen=True):
    """What one person may see of a conversation; title is how it began."""

    voice: str
    chat: str
    group: bool
    turns: int
    first_at: int
    last_at: int
    title: str


class Person(msgspec.Struct, frozen=True):
    """Somebody who talked to a voice; client: the key over which they did, empty for none."""

    client: str
    user: str
    voice: str
    turns: int
    last_at: int


class Found(msgspec.Struct, frozen=True):
    """A turn that is near to what was searched for."""

    id: int
    voice: str
    chat: str
    role: Side
    text: str
    at: int
    similarity: float


class Relation(msgspec.Struct, frozen=True):
    """Who a person is to a voice: friend, parent, stranger or somebody of its corpus; name: what they are called."""

    relation: str | None = None
    name: str | None = None


class WrittenConversation(msgspec.Struct, frozen=True):
    """What one person may take along of a conversation."""

    voice: str
    chat: str
    group: bool
    turns: list[Turn]


class WrittenRelation(msgspec.Struct, frozen=True):
    """Who a person is to one voice."""

    voice: str
    relation: str
    name: str | None


class Everything(msgspec.Struct, frozen=True):
    """All that is kept of a person."""

    user: str
    conversations: list[WrittenConversation]
    relations: list[WrittenRelation]


def said_again(unanswered: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]) -> int:
    """Count how many of the first messages asked are kept already, unanswered: (user, text) of each.

    A question whose reply broke off is asked again, alone or with what was said since.
    """
    longest = min(len(unanswered), len(asked))
    return next((n for n in range(longest, 0, -1) if list(unanswered[-n:]) == list(asked[:n])), 0)
