"""What goes over the routes of voices."""

from typing import Annotated

import msgspec
from pydantic import Field

from manera.jobs.cards import Card
from manera.retrieval.origins import Origin
from manera.serving.protocol import MAX_CHARACTERS, WHOLE, StrictModel

MAX_ORIGINS = 20


class CardList(msgspec.Struct, frozen=True):
    data: list[Card]


class WhyRequest(StrictModel):
    text: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    count: Annotated[int, Field(ge=1, le=MAX_ORIGINS), WHOLE] = 5


class OriginList(msgspec.Struct, frozen=True):
    """The training messages nearest to a text, the nearest first."""

    data: list[Origin]
