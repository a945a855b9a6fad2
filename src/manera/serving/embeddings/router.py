"""The route of embeddings."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.serving.catalogue import UnknownModelError
from manera.serving.embeddings.logic import MODEL, embeddings
from manera.serving.embeddings.protocol import EmbeddingList, EmbeddingRequest
from manera.serving.faults import REFUSALS
from manera.serving.schema import answers
from manera.serving.service import allowed_models, key_of, service_of

router = APIRouter(tags=["embeddings"], responses=REFUSALS)


@router.post("/v1/embeddings", response_class=Response, responses=answers(EmbeddingList))
async def create_embeddings(asked: EmbeddingRequest, http: Request) -> Response:
    """Turn texts into directions in which what means alike lies together, across languages."""
    allowed = allowed_models(http)
    if asked.model != MODEL or (allowed is not None and MODEL not in allowed):
        raise UnknownModelError(f"the model {asked.model!r} makes no embeddings", f"models: {MODEL}")
    service = service_of(http)
    made = await service.embed(lambda: embeddings(asked))
    service.spend(key_of(http), made.usage.total_tokens)
    return Response(msgspec.json.encode(made), media_type="application/json")
