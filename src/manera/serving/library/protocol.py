"""What goes over the routes of voices."""

from typing import Annotated

import msgspec
from pydantic import Field

from manera.jobs.cards import Card
from manera.retrieval.origins import Origin
from manera.serving.protocol import MAX_CHARACTERS, WHOLE, StrictModel

MAX_ORIGINS = 20
MAX_GROUP_MESSAGES = 256


class CardList(msgspec.Struct, frozen=True):
    data: list[Card]


class WhyRequest(StrictModel):
    text: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    count: Annotated[int, Field(ge=1, le=MAX_ORIGINS), WHOLE] = 5


class OriginList(msgspec.Struct, frozen=True):
    """The training messages nearest to a text, the nearest first."""

    data: list[Origin]


class GroupMessage(StrictModel):
    """A message in a group, as the one sees it whose voice it is. at: Unix seconds."""

    name: Annotated[str, Field(max_length=256)]
    text: Annotated[str, Field(max_length=MAX_CHARACTERS)]
    at: float
    is_mine: bool = False
    is_reply_to_me: bool = False
    mentions_me: bool = False


class SilenceRequest(StrictModel):
    """The group's latest messages, oldest first."""

    messages: Annotated[list[GroupMessage], Field(min_length=1, max_length=MAX_GROUP_MESSAGES)]


class Silence(msgspec.Struct, frozen=True):
    """The probability that the person would speak now."""

    speak: float
