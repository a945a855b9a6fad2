"""A model with an encoder over packed rows: it reads what comes before a learned turn, and its decoder tells the turn.

Rows are taken apart again for it, since examples cannot share an encoder that sees both ways.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from manera.dataset.encoding import IGNORE_INDEX

if TYPE_CHECKING:
    from manera.model.packed import Batch

STRETCH = 128
"""Tokens of running text, which no turns part, that the decoder tells at once; the encoder reads all before them."""

SHAPE = 32
"""Lengths are rounded up to this: every new shape costs planning."""


class Turns(NamedTuple):
    """Learned turns, one a row. read, is_read: what the encoder reads (N, S), and where that is no padding.

    written, labels, segments, weights: (N, T), of the decoder; as in packed rows, position t is scored from the state
    at t - 1. rows: (N,), of the batch, that each turn is of.
    """

    read: Tensor
    is_read: Tensor
    written: Tensor
    labels: Tensor
    segments: Tensor
    rows: Tensor
    weights: Tensor | None


class _Place(NamedTuple):
    """Where a learned turn lies in a batch; first: where its example begins."""

    row: int
    first: int
    start: int
    end: int


def encoder_input(prompt: Sequence[int], config: Any) -> list[int]:
    """Return what the encoder reads of a prompt: closed as every text that it was trained on.

    Padding, which opens the prompts of a base that has no BOS, is left out.
    """
    return [*(token for token in prompt if token != config.pad_token_id), config.eos_token_id]


def decoder_opening(config: Any) -> list[int]:
    """Return what the decoder's text opens with: the token that starts it and, where the base has one, BOS."""
    start, bos = config.decoder_start_token_id, config.bos_token_id
    return [start] if bos is None or bos == start else [start, bos]


def turns_of(batch: "Batch", config: Any) -> Turns:
    """Take packed rows apart into their learned turns; rows without any are one turn of nothing."""
    places = list(_places(batch)) or [_Place(0, 0, 0, 0)]
    opening, pad, device = decoder_opening(config), config.pad_token_id, batch.labels.device
    ids = batch.input_ids.tolist()
    read = [encoder_input(ids[row][first:start], config) for row, first, start, _ in places]
    written = [[*opening, *ids[row][start:end]] for row, _, start, end in places]

    def told(tensor: Tensor, fill: float) -> Tensor:
        """Lay what a tensor holds of each turn behind the opening."""
        rows = [[*[fill] * len(opening), *tensor[row, start:end].tolist()] for row, _, start, end in places]
        return _padded(rows, fill, device)

    return Turns(
        read=_padded(read, pad, device),
        is_read=_padded([[1] * len(one) for one in read], 0, device),
        written=_padded(written, pad, device),
        labels=told(batch.labels, IGNORE_INDEX),
        segments=told(batch.segments, 0),
        rows=torch.tensor([row for row, *_ in places], device=device),
        weights=None if batch.weights is None else told(batch.weights, 0.0),
    )


def hidden_states(model: nn.Module, turns: Turns) -> Tensor:
    """Return what the head is given: (N, T, D)."""
    whole: Any = model
    read = whole.get_encoder()(input_ids=turns.read, attention_mask=turns.is_read).last_hidden_state
    decoder = whole.get_decoder()
    told = decoder(
        input_ids=turns.written, encoder_hidden_states=read, encoder_attention_mask=turns.is_read, use_cache=False
    )
    hidden: Tensor = told.last_hidden_state
    # T5's head is its embedding, at another scale
    return hidden * whole.config.d_model**-0.5 if getattr(whole.config, "scale_decoder_outputs", False) else hidden


def _places(batch: "Batch") -> Iterator[_Place]:
    for row, (labels, segments) in enumerate(zip(batch.labels.tolist(), batch.segments.tolist(), strict=True)):
        is_learned = [label != IGNORE_INDEX for label in labels]
        for _, example in groupby(range(len(labels)), key=segments.__getitem__):
            first, *rest = example
            for learned, run in groupby(rest, key=is_learned.__getitem__):
                places = list(run)
                if learned:
                    yield from _stretches(row, first, places[0], places[-1] + 1)


def _stretches(row: int, first: int, start: int, end: int) -> Iterator[_Place]:
    """Cut running text, before which there is BOS alone; a turn is told whole."""
    step = STRETCH if start == first + 1 else end - start
    for one in range(start, end, step):
        yield _Place(row, first, one, min(one + step, end))


def _padded(rows: Sequence[Sequence[float]], fill: float, device: torch.device) -> Tensor:
    width = -(-max(map(len, rows)) // SHAPE) * SHAPE
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], device=device)
