"""The routes of models."""

from fastapi import APIRouter, Request

from manera.serving.catalogue import Catalogue
from manera.serving.models.protocol import Model, ModelList
from manera.serving.service import service_of

router = APIRouter(tags=["models"])


@router.get("/v1/models")
async def list_models(http: Request) -> ModelList:
    """List the base and the voices."""
    catalogue = service_of(http).catalogue
    return ModelList(data=[_model(catalogue, name) for name in catalogue.writers])


@router.get("/v1/models/{model}")
async def read_model(model: str, http: Request) -> Model:
    """Describe one of them."""
    catalogue = service_of(http).catalogue
    return _model(catalogue, catalogue.writer(model).model)


def _model(catalogue: Catalogue, name: str) -> Model:
    is_base = name == catalogue.base
    return Model(id=name, created=catalogue.created, root=catalogue.base, parent=None if is_base else catalogue.base)
