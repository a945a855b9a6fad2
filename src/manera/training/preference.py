"""Direct preference optimisation: a reply that people preferred becomes likelier against one that they did not.

Follows Rafailov et al., 2023 (https://arxiv.org/abs/2305.18290). A row holds a pair: the preferred reply and the other
one, each in its context, which do not see each other. How much likelier a reply became, times BETA, is its reward, and
the loss of a pair is -log sigmoid(reward of the preferred - reward of the other).

Where only one of the two is known (a thumb), the other's reward is taken for 0, which is what every reply begins with:
the reference point of KTO (Ethayarajh et al., 2024, https://arxiv.org/abs/2402.01306), held at 0.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.dataset.packing import Ids, Rows
from manera.model import packed
from manera.records import Example, ExampleKind, Message
from manera.voice.preferences import Pair

BETA = 0.1
"""How dear it is to leave the voice: the smaller, the further a pair may move it. That of the paper."""

Replies = tuple[Encoded | None, Encoded | None]
"""The preferred reply and the other one, in their context; None where it is not known."""


class Pairs(Rows, frozen=True, kw_only=True):
    """Rows of which each holds a pair: segment 1 the preferred reply, segment 2 the other one.

    reference: nats of both (rows, 2) under the voice before; 0 where there is none. A loss is a mean over pairs.
    """

    reference: NDArray[np.float32]

    def take(self, indices: Sequence[int] | Ids) -> "Pairs":
        """Return some pairs, in the order asked for."""
        ids, labels, segments, positions = Rows.take(self, indices).arrays()
        return Pairs(ids, labels, segments, positions, reference=self.reference[np.asarray(indices)])

    @property
    def supervised_tokens(self) -> int:
        """Count the pairs, which is what a loss is divided by."""
        return len(self)


def encode_pair(
    pair: Pair, kind: ExampleKind, instruction: str | None, encoder: Encoder, max_length: int
) -> Replies | None:
    """Encode both replies; of a dialogue the oldest turns are left out where it is too long.

    None where even a reply to the last message alone is too long, or where both replies are the same.
    """
    if pair.chosen == pair.rejected:
        return None
    context = _context(pair.messages, kind, instruction)
    for start in range(len(context)):
        found = [_reply(context[start:], text, encoder) for text in (pair.chosen, pair.rejected)]
        if all(one is None or len(one.input_ids) <= max_length for one in found):
            return found[0], found[1]
    return None


def _context(messages: Sequence[Message], kind: ExampleKind, instruction: str | None) -> list[Message]:
    if kind == "post":
        topic = messages[-1].content
        return [Message("user", instruction.replace("{topic}", topic) if instruction else topic)]
    return [msgspec.structs.replace(message, weight=0) for message in messages]


def _reply(context: Sequence[Message], text: str | None, encoder: Encoder) -> Encoded | None:
    return None if text is None else encoder.example(Example((*context, Message("assistant", text))))


def pack_pairs(replies: Sequence[Replies], length: int) -> Pairs:
    """Put each pair into a row of its own; its reference is 0 until ``with_reference`` has measured it."""
    shape = (len(replies), length)
    ids, labels, segments, positions = (np.full(shape, fill, dtype=np.int64) for fill in (0, IGNORE_INDEX, 0, 0))
    for row, both in enumerate(replies):
        start = 0
        for segment, one in enumerate(both, start=1):
            if one is None:
                continue
            span = slice(start, start + len(one.input_ids))
            ids[row, span], labels[row, span] = one.input_ids, one.labels
            segments[row, span], positions[row, span] = segment, np.arange(len(one.input_ids))
            start = span.stop
    return Pairs(ids, labels, segments, positions, reference=np.zeros((len(replies), 2), dtype=np.float32))


def with_reference(model: nn.Module, pairs: Pairs) -> Pairs:
    """Measure the pairs with the model as it is now, whose replies have reward 0 from then on."""
    ids, labels, segments, positions = pairs.arrays()
    return Pairs(ids, labels, segments, positions, reference=_nats(model, pairs))


def margins(model: nn.Module, pairs: Pairs) -> list[float]:
    """Return by how much the reward of the preferred reply lies above the other's, pair by pair."""
    found = BETA * (pairs.reference - _nats(model, pairs))
    return [float(margin) for margin in found[:, 0] - found[:, 1]]


def _nats(model: nn.Module, pairs: Pairs) -> NDArray[np.float32]:
    found = np.zeros((len(pairs), 2), dtype=np.float32)
    for row, nats in enumerate(packed.measure_each(model, pairs)):
        found[row, : len(nats)] = nats.numpy()
    return found


def rewards(model: nn.Module, pairs: Rows) -> Tensor:
    """Return the rewards of both replies of each pair (B, 2), differentiable; 0 where there is none."""
    assert isinstance(pairs, Pairs)
    nats = packed.segments_nll(model, packed.batch_of(model, pairs), 2)
    return BETA * (torch.from_numpy(pairs.reference).to(nats.device) - nats)


def preference_loss(model: nn.Module, pairs: Rows) -> tuple[Tensor, int]:
    """Sum the losses of some pairs, and count them."""
    found = rewards(model, pairs)
    return -F.logsigmoid(found[:, 0] - found[:, 1]).sum(), len(pairs)
