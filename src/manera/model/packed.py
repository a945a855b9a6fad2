"""A transformers model run over packed rows of one fixed shape."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from manera.bases.families import family_of_model
from manera.bases.family import Layout
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows
from manera.model import attention
from manera.model.likelihood import Nll, each_nll, supervised_nll, tempered_nll

_AUTOCAST = "autocast_to"
_TRAINED_HEAD_ROWS = "trained_head_rows"


class Batch(NamedTuple):
    """Some rows as tensors, each (B, T); weights is None where every label weighs one."""

    input_ids: Tensor
    labels: Tensor
    segments: Tensor
    positions: Tensor
    weights: Tensor | None = None


def to_batch(rows: Rows, device: str | torch.device = "cpu") -> Batch:
    """Put packed rows on a device."""
    ids, labels, segments, positions = (torch.from_numpy(array).to(device) for array in rows.arrays())
    weights = None if rows.weights is None else torch.from_numpy(rows.weights).to(device)
    return Batch(ids, labels, segments, positions, weights)


def use_matrix_attention(model: nn.Module) -> None:
    """Let a transformers model attend by plain matrix products over packed rows."""
    model.set_attn_implementation(attention.NAME)  # type: ignore[operator]


def use_autocast(model: nn.Module, dtype: torch.dtype) -> None:
    """Let losses be computed with products in a coarser type than that of the weights."""
    vars(model)[_AUTOCAST] = dtype


def use_trained_head_rows(model: nn.Module, rows: Tensor) -> None:
    """Let losses be differentiable in the last rows of the head, which stand in it by the time they are needed."""
    vars(model)[_TRAINED_HEAD_ROWS] = rows


def compile_layers(model: nn.Module) -> None:
    """Compile one decoder layer's code for all layers, at one fixed shape.

    The layers share their code, so this costs a fraction of compiling the whole model.
    """
    for block in model.get_submodule(_layout(model).blocks).children():
        block.compile(dynamic=False)


def hidden_states(model: nn.Module, batch: Batch) -> Tensor:
    """Return what the head is given: (B, T, D), after the last norm."""
    decoder = model.get_submodule(_layout(model).decoder)
    masks = _masks(decoder.config, batch.segments, _norm(model).dtype)
    outputs = decoder(input_ids=batch.input_ids, position_ids=batch.positions, attention_mask=masks, use_cache=False)
    return outputs.last_hidden_state  # type: ignore[no-any-return]


def _masks(config: Any, segments: Tensor, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
    """Build the mask of every kind of layer; one alone where all layers see everything."""
    full = attention.packed_mask(segments, None, dtype)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return full
    sliding = attention.packed_mask(segments, config.sliding_window, dtype)
    return {"full_attention": full, "sliding_attention": sliding}


def _layout(model: nn.Module) -> Layout:
    return family_of_model(model).layout


def _norm(model: nn.Module) -> Tensor:
    """Return a weight that tells in what and where a model computes."""
    return model.get_parameter(f"{_layout(model).norm}.weight")


def _head(model: nn.Module) -> Tensor:
    """Return what turns the last hidden states into logits (V, D); often the embedding itself."""
    return model.get_parameter(f"{_layout(model).head}.weight")


def _softcap(model: nn.Module) -> float | None:
    """Return what no logit passes, where a model has such."""
    return getattr(model.config, "final_logit_softcapping", None)


def rows_nll(model: nn.Module, rows: Rows) -> tuple[Tensor, int]:
    """Sum the weighted nats of packed rows' supervised tokens (differentiable), and count them."""
    return batch_nll(model, to_batch(rows, _norm(model).device))


def batch_nll(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """Sum the weighted nats of a batch's supervised tokens (differentiable), and count them."""
    head = _head(model)
    with torch.autocast(head.device.type, vars(model).get(_AUTOCAST), enabled=_AUTOCAST in vars(model)):
        hidden, last_rows = hidden_states(model, batch), vars(model).get(_TRAINED_HEAD_ROWS)
        return supervised_nll(hidden, head, batch.labels, batch.weights, _softcap(model), last_rows)


def measure(model: nn.Module, rows: Rows, rows_per_batch: int) -> Nll:
    """Score every supervised token of some rows once, by its weight where the rows have weights."""
    total = Nll(0.0, 0)
    with _scoring(model):
        for batch in _batches(model, rows, rows_per_batch):
            nats, tokens = batch_nll(model, batch)
            total += Nll(float(nats), tokens)
    return total


def measure_each(model: nn.Module, rows: Rows) -> list[Tensor]:
    """Sum the nats of each example by itself, unweighted: for each row (segments,), in the order of its segments."""
    head = _head(model)
    found = []
    with _scoring(model):
        for batch in _batches(model, rows, 1):
            nats = each_nll(hidden_states(model, batch), head, batch.labels, _softcap(model))
            segments = batch.segments[:, 1:][batch.labels[:, 1:] != IGNORE_INDEX]
            totals = torch.zeros(int(batch.segments.max()) + 1, dtype=nats.dtype, device=nats.device)
            found.append(totals.index_add_(0, segments, nats)[1:].cpu())
    return found


def measure_tempered(model: nn.Module, rows: Rows, rows_per_batch: int, temperatures: Sequence[float]) -> list[Nll]:
    """Score them once for each temperature, running the model once."""
    head = _head(model)
    totals = [Nll(0.0, 0)] * len(temperatures)
    with _scoring(model):
        for batch in _batches(model, rows, rows_per_batch):
            hidden = hidden_states(model, batch)
            nats, tokens = tempered_nll(hidden, head, batch.labels, temperatures, _softcap(model))
            totals = [total + Nll(float(one), tokens) for total, one in zip(totals, nats, strict=True)]
    return totals


@contextmanager
def _scoring(model: nn.Module) -> Iterator[None]:
    """Compute without gradients, and without dropping anything out."""
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout) and module.training]
    for dropout in dropouts:
        dropout.eval()
    try:
        # scoring is rare: compiling it would cost more than it saves
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        for dropout in dropouts:
            dropout.train()


def _batches(model: nn.Module, rows: Rows, rows_per_batch: int) -> Iterator[Batch]:
    """Yield the rows as batches; the last is filled up with rows that are not scored, so that the shape stays fixed."""
    device = _norm(model).device
    for start in range(0, len(rows), rows_per_batch):
        indices = [min(start + offset, len(rows) - 1) for offset in range(rows_per_batch)]
        batch = to_batch(rows.take(indices), device)
        batch.labels[len(rows) - start :] = IGNORE_INDEX
        yield batch
