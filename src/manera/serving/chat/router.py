"""The route of chat completions."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.serving.chat import logic
from manera.serving.chat.protocol import ChatRequest
from manera.serving.protocol import identity
from manera.serving.service import answer, service_of

router = APIRouter(tags=["writing"])


@router.post("/v1/chat/completions")
async def create_chat_completion(asked: ChatRequest, http: Request) -> Response:
    """Reply to messages in a voice, or with the untuned base."""
    service = service_of(http)
    catalogue = service.catalogue
    writer = catalogue.writer(asked.model)
    prompt = await service.encode(lambda: logic.prompt_for(asked, writer, catalogue.engine.context_length))
    called = identity("chatcmpl", asked.model)
    return await answer(
        http,
        logic.requests_for(asked, writer, prompt),
        [prompt],
        partial(logic.events, asked, called) if asked.stream else None,
        partial(logic.completion, asked, called),
    )
