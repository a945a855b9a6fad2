"""What goes over ``/v1/memory``, and what chat completions ask and tell of memory."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field

from manera.memory.talk import Conversation, Exchange, Found, Turn
from manera.serving.protocol import StrictModel

MAX_TURNS = 1_000
MAX_FOUND = 50
MAX_SOUGHT = 1_000

Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
TurnId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Kind = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class MemoryFields(StrictModel):
    """With whom and where a reply is written: what was said before is put before it, and what is said is kept."""

    user: Annotated[Id, Field(description="Who speaks, as the face knows them.")]
    chat: Annotated[Id, Field(description="In which of their chats, or in which group.")]
    group: Annotated[bool, Field(description="Whether others read along: nothing private is then recalled.")] = False
    name: Annotated[Name | None, Field(description="What they are called; in groups the voice reads it.")] = None
    relation: Annotated[
        Kind | None, Field(description="Who they are to the voice, this once: friend, parent, stranger or a name.")
    ] = None


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What memory did for a reply.

    conversation, asked and turn: where the question and the reply are kept, null where the reply was blank, or could
    not be kept: ``error`` says why.
    """

    conversation: int | None
    asked: int | None
    turn: int | None
    recalled: list[Exchange]
    relation: str | None
    error: str | UnsetType = UNSET


class ConversationList(msgspec.Struct, frozen=True):
    data: list[Conversation]


class TurnList(msgspec.Struct, frozen=True):
    data: list[Turn]


class FoundList(msgspec.Struct, frozen=True):
    data: list[Found]


class Deleted(msgspec.Struct, frozen=True):
    """How many turns are gone."""

    deleted: int


class RelationFields(StrictModel):
    """Who a person is to a voice; null forgets it."""

    relation: Kind | None = None
    name: Name | None = None
