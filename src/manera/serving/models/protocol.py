"""What goes over ``/v1/models``."""

from typing import Literal

from pydantic import BaseModel


class Model(BaseModel):
    """The base, or a voice; a voice's parent is the base that it was trained on."""

    id: str
    created: int
    object: Literal["model"] = "model"
    owned_by: str = "manera"
    root: str
    parent: str | None = None


class Unavailable(BaseModel):
    """A voice that is there and cannot be used; message says why."""

    id: str
    message: str


class ModelList(BaseModel):
    data: list[Model]
    unavailable: list[Unavailable] = []
    object: Literal["list"] = "list"
