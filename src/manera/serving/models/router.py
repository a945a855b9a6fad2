"""The routes of models."""

from fastapi import APIRouter, Request

from manera.errors import ManeraError
from manera.serving.catalogue import Entry, visible, writer_of
from manera.serving.embeddings.logic import MODEL as EMBEDDER
from manera.serving.faults import REFUSALS
from manera.serving.models.protocol import Model, ModelList, Unavailable
from manera.serving.service import allowed_models, service_of

router = APIRouter(tags=["models"], responses=REFUSALS)

_EMBEDDER = Model(id=EMBEDDER, created=0, root=EMBEDDER)


@router.get("/v1/models")
async def list_models(http: Request) -> ModelList:
    """List the base and the voices, and apart from them the voices that cannot be used, with the reason."""
    catalogue = service_of(http).catalogue
    allowed = allowed_models(http)
    models, unavailable = [], []
    for model, entry in visible(catalogue, allowed).items():
        if isinstance(entry.writer, ManeraError):
            unavailable.append(Unavailable(id=model, message=entry.writer.message))
        else:
            models.append(_model(catalogue.base, model, entry))
    if allowed is None or EMBEDDER in allowed:
        models.append(_EMBEDDER)
    return ModelList(data=models, unavailable=unavailable)


@router.get("/v1/models/{model}")
async def read_model(model: str, http: Request) -> Model:
    """Describe one of them."""
    catalogue = service_of(http).catalogue
    allowed = allowed_models(http)
    if model == EMBEDDER and (allowed is None or EMBEDDER in allowed):
        return _EMBEDDER
    writer_of(catalogue, model, allowed)
    return _model(catalogue.base, model, catalogue.entries()[model])


def _model(base: str, model: str, entry: Entry) -> Model:
    return Model(id=model, created=entry.created, root=base, parent=None if model == base else base)
