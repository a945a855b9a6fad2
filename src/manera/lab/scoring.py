"""Held-out bits per byte: every token of a text told once, each with enough before it, by any kind of model."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from manera.lab.settings import LabSettings
from manera.lab.tokenizers import stream

LEAD = 128
"""Tokens that a recurrent model reads before those that it is asked for."""

SPAN = 384
"""Tokens that it is asked for at once."""

TOKENS_AT_ONCE = 4096


class HeldOut(NamedTuple):
    """Rows of token ids (N, T) to be told, where they are asked for (N, T), and the UTF-8 bytes of their text."""

    rows: Tensor
    is_asked: Tensor
    bytes: int

    @property
    def bytes_per_token(self) -> float:
        """Divide."""
        return self.bytes / int(self.is_asked.sum())


def lay_out(texts: Sequence[str], tokenizer: Tokenizer, settings: LabSettings, device: str = "cpu") -> HeldOut:
    """Lay texts out as a model of these settings reads them.

    The Transformer begins every row with BOS and is asked for the second half of it; the first row, whole.
    """
    ids = torch.tensor(stream(tokenizer, texts), device=device)
    size = sum(len(text.encode()) for text in texts)
    if settings.kind == "transformer":
        return HeldOut(*cut(ids, settings.context // 2, settings.context - settings.context // 2, is_opened=True), size)
    return HeldOut(*cut(ids, LEAD, SPAN, is_opened=False), size)


def cut(ids: Tensor, lead: int, span: int, is_opened: bool) -> tuple[Tensor, Tensor]:
    """Cut a text's ids into rows: in each a lead that is only read, then a span that is asked for.

    is_opened: the first token of the text, its BOS, opens every row. Returns rows (N, T) and what is asked for (N, T).
    """
    length = min(lead + span, len(ids))
    ends = [*range(length, len(ids), span), len(ids)]  # the last row overlaps more
    rows = torch.stack([ids[end - length : end] for end in ends])
    is_asked = torch.zeros_like(rows, dtype=torch.bool)
    for row, (before, end) in enumerate(zip([1, *ends], ends, strict=False)):
        is_asked[row, length - (end - before) :] = True
    if is_opened:
        rows[:, 0] = ids[0]
    return rows, is_asked


@torch.no_grad()
def bits_per_byte(model: Any, held_out: HeldOut) -> float:
    """Return how many bits a byte of the text takes; that it ends there is among what is told."""
    was_training = model.training
    model.eval()
    nats = 0.0
    rows_at_once = max(1, TOKENS_AT_ONCE // held_out.rows.shape[1])
    for start in range(0, len(held_out.rows), rows_at_once):
        rows = held_out.rows[start : start + rows_at_once]
        is_asked = held_out.is_asked[start : start + rows_at_once, 1:]
        hidden = model.model(rows[:, :-1]).last_hidden_state
        nats += float(F.cross_entropy(model.lm_head(hidden[is_asked]), rows[:, 1:][is_asked], reduction="sum"))
    model.train(was_training)
    return nats / math.log(2) / held_out.bytes


def sample(texts: Sequence[str], size: int) -> list[str]:
    """Take so many characters of texts at most, of each its share, from its middle."""
    total = sum(map(len, texts))
    if total <= size:
        return list(texts)
    shares = [len(text) * size // total for text in texts]
    starts = [(len(text) - share) // 2 for text, share in zip(texts, shares, strict=True)]
    return [text[start : start + share] for text, start, share in zip(texts, starts, shares, strict=True) if share]
