"""A transformers model run over packed rows of one fixed shape."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manera.bases.families import family_of_model
from manera.bases.family import Layout
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows
from manera.model import attention, encoder_decoder
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

    @property
    def rows(self) -> Tensor:
        """Number them."""
        return torch.arange(len(self.labels), device=self.labels.device)


def to_batch(rows: Rows, device: str | torch.device = "cpu") -> Batch:
    """Put packed rows on a device."""
    ids, labels, segments, positions = (torch.from_numpy(array).to(device) for array in rows.arrays())
    weights = None if rows.weights is None else torch.from_numpy(rows.weights).to(device)
    return Batch(ids, labels, segments, positions, weights)


def use_matrix_attention(model: nn.Module) -> None:
    """Let a transformers model attend by plain matrix products over packed rows, where its attention can be chosen."""
    if family_of_model(model).form == "gguf":
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
    for block in blocks(model):
        block.compile(dynamic=False)


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the decoder's layers."""
    return model.get_submodule(_layout(model).blocks).children()


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


class _Scored(NamedTuple):
    """What likelihood is computed from: states (N, T, D), a head (V, D), and what lies beside the states.

    softcap: what no logit passes, where a model has such.
    """

    hidden: Tensor
    head: Tensor
    beside: Batch | encoder_decoder.Turns
    softcap: float | None


def _run(model: nn.Module, batch: Batch) -> _Scored:
    """Run a model over a batch; one with an encoder over its turns, one by one."""
    softcap = getattr(model.config, "final_logit_softcapping", None)
    if family_of_model(model).has_encoder:
        turns = encoder_decoder.turns_of(batch, model.config)
        return _with_bias(model, _Scored(encoder_decoder.hidden_states(model, turns), _head(model), turns, softcap))
    return _with_bias(model, _Scored(hidden_states(model, batch), _head(model), batch, softcap))


def _head(model: nn.Module) -> Tensor:
    """Return what turns the last hidden states into logits (V, D); often the embedding itself."""
    return model.get_parameter(f"{_layout(model).head}.weight")


def _with_bias(model: nn.Module, scored: _Scored) -> _Scored:
    """Write the bias that a head may have as one more column of it, for states that all have a one there."""
    bias = model.get_submodule(_layout(model).head).bias
    if bias is None:
        return scored
    with_column = torch.cat([scored.head, bias[:, None]], 1)  # type: ignore[index]
    return scored._replace(hidden=F.pad(scored.hidden, (0, 1), value=1.0), head=with_column)


def batch_of(model: nn.Module, rows: Rows) -> Batch:
    """Put packed rows where a model computes."""
    return to_batch(rows, _norm(model).device)


def rows_nll(model: nn.Module, rows: Rows) -> tuple[Tensor, int]:
    """Sum the weighted nats of packed rows' supervised tokens (differentiable), and count them."""
    return batch_nll(model, batch_of(model, rows))


def batch_nll(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """Sum the weighted nats of a batch's supervised tokens (differentiable), and count them."""
    with _rounding(model, batch):
        hidden, head, beside, softcap = _run(model, batch)
        last_rows = vars(model).get(_TRAINED_HEAD_ROWS)
        return supervised_nll(hidden, head, beside.labels, beside.weights, softcap, last_rows)


def _rounding(model: nn.Module, batch: Batch) -> torch.autocast:
    """Compute in what ``use_autocast`` asked for, if it did."""
    return torch.autocast(batch.labels.device.type, vars(model).get(_AUTOCAST), enabled=_AUTOCAST in vars(model))


def segments_nll(model: nn.Module, batch: Batch, segments: int) -> Tensor:
    """Sum the nats of each segment of each row by itself, unweighted: (B, segments), differentiable."""
    with _rounding(model, batch):
        hidden, head, beside, softcap = _run(model, batch)
        nats = each_nll(hidden, head, beside.labels, softcap, vars(model).get(_TRAINED_HEAD_ROWS))
    supervised = beside.labels[:, 1:] != IGNORE_INDEX
    rows = beside.rows[supervised.nonzero(as_tuple=True)[0]]
    place = rows * segments + beside.segments[:, 1:][supervised] - 1
    sums = torch.zeros(len(batch.labels) * segments, dtype=nats.dtype, device=nats.device)
    return sums.index_add(0, place, nats).view(-1, segments)


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
    with _scoring(model):
        return [segments_nll(model, batch, int(batch.segments.max()))[0].cpu() for batch in _batches(model, rows, 1)]


def measure_tempered(model: nn.Module, rows: Rows, rows_per_batch: int, temperatures: Sequence[float]) -> list[Nll]:
    """Score them once for each temperature, running the model once."""
    totals = [Nll(0.0, 0)] * len(temperatures)
    with _scoring(model):
        for batch in _batches(model, rows, rows_per_batch):
            hidden, head, beside, softcap = _run(model, batch)
            nats, tokens = tempered_nll(hidden, head, beside.labels, temperatures, softcap)
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
    for start in range(0, len(rows), rows_per_batch):
        indices = [min(start + offset, len(rows) - 1) for offset in range(rows_per_batch)]
        batch = batch_of(model, rows.take(indices))
        batch.labels[len(rows) - start :] = IGNORE_INDEX
        yield batch
