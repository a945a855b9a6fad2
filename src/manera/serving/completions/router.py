"""The route of completions."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.serving.completions import logic
from manera.serving.completions.protocol import CompletionRequest
from manera.serving.protocol import identity
from manera.serving.service import answer, service_of

router = APIRouter(tags=["writing"])


@router.post("/v1/completions")
async def create_completion(asked: CompletionRequest, http: Request) -> Response:
    """Continue running text in a voice, or with the untuned base."""
    service = service_of(http)
    catalogue = service.catalogue
    writer = catalogue.writer(asked.model)
    prompts = await service.encode(lambda: logic.prompts_for(asked, writer, catalogue.engine.context_length))
    called = identity("cmpl", asked.model)
    return await answer(
        http,
        logic.requests_for(asked, writer, prompts),
        prompts,
        partial(logic.events, asked, called) if asked.stream else None,
        partial(logic.completion, asked, called),
    )
