"""The routes of the blind game and of preferences."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, model_validator

from manera.generation.engine import Request as GenerationRequest
from manera.generation.reply import prompt_of, prompt_room
from manera.jobs import games, preferences
from manera.jobs.games import Shown, Voted
from manera.jobs.preferences import PreferenceSource
from manera.serving.catalogue import writer_of
from manera.serving.chat.protocol import ChatMessage
from manera.serving.faults import REFUSALS
from manera.serving.library.logic import require_voice
from manera.serving.protocol import MAX_CHARACTERS, WHOLE
from manera.serving.schema import answers, json_answer
from manera.serving.service import allowed_models, service_of
from manera.serving.tenants import tenant_of
from manera.serving.trainings.protocol import UserRequest
from manera.serving.writing import collect, while_connected
from manera.voice.manifest import read_voice

router = APIRouter(tags=["games"], responses=REFUSALS)

Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]


class VoteRequest(UserRequest):
    choice: Annotated[int, Field(ge=0, le=1), WHOLE]


class PreferenceRequest(UserRequest):
    """What is preferred to what, on these messages; one of the two may be missing."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1024)]
    chosen: Text | None = None
    rejected: Text | None = None
    source: PreferenceSource

    @model_validator(mode="after")
    def _something(self) -> "PreferenceRequest":
        if self.chosen is None and self.rejected is None:
            raise ValueError("chosen or rejected is needed")
        return self


@router.post("/v1/voices/{id}/games", response_class=Response, responses=answers(Shown))
async def create_game(id: str, asked: UserRequest, http: Request) -> Response:
    """Show a text that the person wrote, and the voice has not learned, beside one that it writes now."""
    require_voice(http, id)
    service = service_of(http)
    writer = writer_of(service.catalogue, id, allowed_models(http))
    voice = msgspec.structs.replace(read_voice(id), name=id)
    task = await asyncio.to_thread(games.drawn_task, voice)
    room = prompt_room(service.catalogue.engine.context_length, writer.sampling.max_new_tokens)
    prompt = await service.encode(lambda: prompt_of(writer, task.messages, room))
    made = service.write(http, writer, [GenerationRequest(prompt.ids, writer.sampling, writer.adapters)])
    (tokens,), _ = await while_connected(http, collect(made, 1))
    written = "".join(token.text for token in tokens)
    return json_answer(await asyncio.to_thread(games.begin_game, tenant_of(http, asked.user), voice, task, written))


@router.post("/v1/games/{id}/vote", response_class=Response, responses=answers(Voted))
async def vote(id: str, asked: VoteRequest, http: Request) -> Response:
    """Say which text is the person's, once; hear whether that is so, and how often people were right."""
    return json_answer(await asyncio.to_thread(games.vote, id, tenant_of(http, asked.user), asked.choice))


@router.post("/v1/voices/{id}/preferences", status_code=204)
async def create_preference(id: str, asked: PreferenceRequest, http: Request) -> None:
    """Keep what somebody preferred, with the voice."""
    require_voice(http, id)
    messages = tuple(message.message() for message in asked.messages)
    keep = preferences.keep_preference
    tenant = tenant_of(http, asked.user)
    await asyncio.to_thread(keep, id, tenant, messages, asked.chosen, asked.rejected, asked.source)
