"""The route of chat completions."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.generation.reply import Writer, prompt_of
from manera.serving.chat import logic
from manera.serving.chat.protocol import ChatCompletion, ChatRequest
from manera.serving.faults import REFUSALS
from manera.serving.memory.logic import Remembering, require_talk
from manera.serving.protocol import identity
from manera.serving.schema import answers
from manera.serving.service import answer, client_of, service_of

router = APIRouter(tags=["writing"], responses=REFUSALS)


@router.post("/v1/chat/completions", response_class=Response, responses=answers(ChatCompletion, streams=True))
async def create_chat_completion(asked: ChatRequest, http: Request) -> Response:
    """Reply to messages in a voice, or with the untuned base."""
    service = service_of(http)
    writer = service.writer(http, asked)
    remembering = await _remembering(asked, writer, http)
    fit, tell = (prompt_of, logic.nothing) if remembering is None else (remembering.fit, remembering.told)
    context_length = service.catalogue.engine.context_length
    prompt = await service.encode(lambda: logic.prompt_for(asked, writer, context_length, fit))
    called = identity("chatcmpl", asked.model)
    requests = asked.requests([prompt], writer, asked.top_logprobs if asked.logprobs else None)
    made = service.write(http, writer, requests)
    return await answer(
        http,
        made if remembering is None else remembering.keep(made),
        [prompt],
        partial(logic.events, asked, called, tell) if asked.stream else None,
        partial(logic.completion, asked, writer, called, tell),
    )


async def _remembering(asked: ChatRequest, writer: Writer, http: Request) -> Remembering | None:
    """Read what was said before, where that is asked for; raise BadRequestError, StoreError."""
    if asked.memory is None:
        return None
    require_talk(writer)
    memory = service_of(http).memory
    remembering = Remembering(memory, client_of(http), writer, asked.memory, asked.said())
    await remembering.recall(asked.has_history)
    return remembering
