"""The route of chat completions."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.serving.chat import logic
from manera.serving.chat.protocol import ChatCompletion, ChatRequest
from manera.serving.faults import REFUSALS
from manera.serving.protocol import identity
from manera.serving.schema import answers
from manera.serving.service import answer, service_of

router = APIRouter(tags=["writing"], responses=REFUSALS)


@router.post("/v1/chat/completions", response_class=Response, responses=answers(ChatCompletion, streams=True))
async def create_chat_completion(asked: ChatRequest, http: Request) -> Response:
    """Reply to messages in a voice, or with the untuned base."""
    service = service_of(http)
    writer = service.writer(http, asked)
    prompt = await service.encode(lambda: logic.prompt_for(asked, writer, service.catalogue.engine.context_length))
    called = identity("chatcmpl", asked.model)
    requests = asked.requests([prompt], writer, asked.top_logprobs if asked.logprobs else None)
    return await answer(
        http,
        service.write(http, writer, requests),
        [prompt],
        partial(logic.events, asked, called) if asked.stream else None,
        partial(logic.completion, asked, writer, called),
    )
