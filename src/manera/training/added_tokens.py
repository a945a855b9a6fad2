"""Rows of tokens that were added to a base: trained beside whatever a method trains, the other rows as they were."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manera.bases.families import family_of_model
from manera.model import packed
from manera.voice.adapter import ADDED_ROWS


class AddedRows(nn.Module):
    """An embedding and a head whose last rows are trained, in float32.

    Before anything is read they are written into the frozen matrices, of which head and embedding often share one.
    """

    def __init__(self, embedding: nn.Module, head: Tensor, rows: Tensor, head_rows: Tensor) -> None:
        super().__init__()
        self.embedding = embedding
        self.enabled = True
        self._head = [head]  # in a list, so that it is no parameter of this module
        self.is_tied = head is embedding.weight
        self.rows = nn.Parameter(rows)
        self.head_rows = self.rows if self.is_tied else nn.Parameter(head_rows)
        self.register_buffer("untrained", rows.clone(), persistent=False)
        self.register_buffer("untrained_head", head_rows.clone(), persistent=False)

    @property
    def weight(self) -> Tensor:
        """The whole matrix (V, D)."""
        return self.embedding.weight  # type: ignore[return-value]

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (B, T) -> (B, T, D), in the embedding's dtype."""
        self._write()
        states: Tensor = self.embedding(ids)
        if not self.enabled:
            return states
        places = ids - (len(self.weight) - len(self.rows))
        trained = F.embedding(places.clamp_min(0), self.rows).to(states.dtype) * self._scale()
        return states + torch.where((places >= 0)[..., None], trained - trained.detach(), 0.0)

    @torch.no_grad()
    def _write(self) -> None:
        chosen = (self.rows, self.head_rows) if self.enabled else (self.untrained, self.untrained_head)
        rows, head_rows = (tensor for tensor in chosen if isinstance(tensor, Tensor))
        self.weight[-len(rows) :] = rows
        if not self.is_tied:
            self._head[0][-len(rows) :] = head_rows

    def _scale(self) -> float:
        """Return what some families multiply an embedding by."""
        return float(getattr(self.embedding, "embed_scale", 1.0))


def make_trainable(model: nn.Module, rows: tuple[Tensor, Tensor]) -> None:
    """Let the last rows of a model's embedding and head be trained; rows: as ``last_rows`` took them."""
    layout = family_of_model(model).layout
    head = model.get_parameter(f"{layout.head}.weight")
    parent, _, leaf = layout.embedding.rpartition(".")
    added = AddedRows(model.get_submodule(layout.embedding), head, *rows)
    setattr(model.get_submodule(parent), leaf, added)
    packed.use_trained_head_rows(model, added.head_rows)


def last_rows(model: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    """Copy the last rows of a model's embedding and head, before a method rounds them."""
    layout = family_of_model(model).layout
    embedding, head = (model.get_parameter(f"{one}.weight")[-count:] for one in (layout.embedding, layout.head))
    return embedding.detach().float().clone(), head.detach().float().clone()


def state(model: nn.Module) -> dict[str, Tensor]:
    """Copy the rows to the CPU: ``<embedding>.added_rows`` and, where the head is apart, ``<head>.added_rows``."""
    return {name: rows.detach().to("cpu", copy=True) for name, rows in _rows(model).items()}


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the rows back; KeyError when they are missing."""
    with torch.no_grad():
        for name, rows in _rows(model).items():
            rows.copy_(state[name])


@contextmanager
def measuring(model: nn.Module, with_learned: bool = True) -> Iterator[None]:
    """Compute with the rows as they were learned, or as they were added, for the length of the block."""
    found = [module for module in model.modules() if isinstance(module, AddedRows)]
    for added in found:
        added.enabled = with_learned
    try:
        yield
    finally:
        for added in found:
            added.enabled = True


def _rows(model: nn.Module) -> dict[str, nn.Parameter]:
    layout = family_of_model(model).layout
    added = model.get_submodule(layout.embedding)
    assert isinstance(added, AddedRows)
    found = {f"{layout.embedding}.{ADDED_ROWS}": added.rows}
    return found if added.is_tied else found | {f"{layout.head}.{ADDED_ROWS}": added.head_rows}
