"""The routes of memory: what is kept of a person is seen, searched, taken along and deleted."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from manera.memory import scope
from manera.memory.memory import Memory
from manera.memory.talk import Everything, Relation
from manera.serving.faults import REFUSALS
from manera.serving.memory.protocol import (
    MAX_FOUND,
    MAX_SOUGHT,
    MAX_TURNS,
    ConversationList,
    Deleted,
    FoundList,
    Id,
    RelationFields,
    TurnId,
    TurnList,
)
from manera.serving.schema import answers
from manera.serving.service import client_of, service_of

router = APIRouter(prefix="/v1/memory", tags=["memory"], responses=REFUSALS)

User = Annotated[Id, Query(description="Whose memory.")]
Voice = Annotated[Id, Query(description="With which voice.")]
AnyVoice = Annotated[Id | None, Query(description="With which voice; by default with all.")]
AnyChat = Annotated[Id | None, Query(description="In which chat; by default in all.")]


@router.get("", response_class=Response, responses=answers(ConversationList))
async def list_conversations(http: Request, user: User) -> Response:
    """List the conversations that a person took part in, the newest first."""
    client = client_of(http)
    return await _answered(http, lambda memory: ConversationList(memory.store.conversations(client, user)))


@router.get("/turns", response_class=Response, responses=answers(TurnList))
async def list_turns(
    http: Request,
    user: User,
    chat: AnyChat = None,
    voice: AnyVoice = None,
    limit: Annotated[int, Query(ge=1, le=MAX_TURNS)] = 100,
    before: Annotated[TurnId | None, Query(description="Only what was said before this turn.")] = None,
) -> Response:
    """List the last turns, oldest first; of a group only the person's own and the answers to them."""
    within = scope.own(client_of(http), user, voice, chat)
    return await _answered(http, lambda memory: TurnList(memory.store.turns(within, limit, before)))


@router.get("/search", response_class=Response, responses=answers(FoundList))
async def search_turns(
    http: Request,
    user: User,
    q: Annotated[str, Query(min_length=1, max_length=MAX_SOUGHT, description="What it was about.")],
    voice: AnyVoice = None,
    limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = 10,
) -> Response:
    """Find what a person said, or was answered, by its words and by what it says; the nearest first."""
    client = client_of(http)
    return await _answered(http, lambda memory: FoundList(memory.search(client, user, q, limit, voice)))


@router.get("/export", response_class=Response, responses=answers(Everything))
async def export(http: Request, user: User) -> Response:
    """Hand out all that is kept of a person."""
    client = client_of(http)
    return await _answered(http, lambda memory: memory.store.everything(client, user))


@router.delete("", response_class=Response, responses=answers(Deleted))
async def forget(
    http: Request,
    user: User,
    voice: AnyVoice = None,
    chat: AnyChat = None,
    from_turn: Annotated[TurnId | None, Query(description="Only this turn and those after it in its chat.")] = None,
) -> Response:
    """Delete what a person said and was answered; without voice and chat, everything that is kept of them."""
    client = client_of(http)
    return await _answered(http, lambda memory: Deleted(memory.forget(client, user, voice, chat, from_turn)))


@router.get("/relation", response_class=Response, responses=answers(Relation))
async def read_relation(http: Request, user: User, voice: Voice) -> Response:
    """Tell who a person is to a voice; null where nobody has said."""
    client = client_of(http)
    return await _answered(http, lambda memory: memory.store.relation(client, user, voice))


@router.put("/relation", response_class=Response, responses=answers(Relation))
async def write_relation(http: Request, asked: RelationFields, user: User, voice: Voice) -> Response:
    """Say who a person is to a voice: friend, parent, stranger, or somebody of its corpus; null forgets it."""
    client, relation = client_of(http), Relation(asked.relation, asked.name)

    def relate(memory: Memory) -> Relation:
        memory.store.relate(client, user, voice, relation)
        return memory.store.relation(client, user, voice)

    return await _answered(http, relate)


async def _answered(http: Request, ask: Callable[[Memory], msgspec.Struct]) -> Response:
    made = await asyncio.to_thread(ask, service_of(http).memory)
    return Response(msgspec.json.encode(made), media_type="application/json")
