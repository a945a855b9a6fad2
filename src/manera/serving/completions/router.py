"""The route of completions."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.serving.completions import logic
from manera.serving.completions.protocol import Completion, CompletionRequest
from manera.serving.faults import REFUSALS
from manera.serving.protocol import identity
from manera.serving.schema import answers
from manera.serving.service import answer, service_of

router = APIRouter(tags=["writing"], responses=REFUSALS)


@router.post("/v1/completions", response_class=Response, responses=answers(Completion, streams=True))
async def create_completion(asked: CompletionRequest, http: Request) -> Response:
    """Continue running text in a voice, or with the untuned base."""
    service = service_of(http)
    writer = service.writer(http, asked)
    prompts = await service.encode(lambda: logic.prompts_for(asked, writer, service.catalogue.engine.context_length))
    called = identity("cmpl", asked.model)
    return await answer(
        http,
        service.write(http, writer, asked.requests(prompts, writer, asked.logprobs)),
        prompts,
        partial(logic.events, asked, called) if asked.stream else None,
        partial(logic.completion, asked, called),
    )
