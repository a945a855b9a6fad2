"""A feed-forward model over the last tokens (Bengio et al., 2003, https://www.jmlr.org/papers/v3/bengio03a.html)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manera.bases.small.config import SmallConfig


class Linear(nn.Module):
    """Every token is told from one window of embeddings; V tokens, width D, window C."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.window = config.context
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.first = nn.Conv1d(width, width, config.context)  # one matrix (D, C * D), laid over every window
        self.further = nn.ModuleList(nn.Linear(width, width) for _ in range(config.num_hidden_layers - 1))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor, carried: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the states (B, T, D) after ids (B, T), and what the next call carries on: the last C - 1 embeddings.

        carried: (B, C - 1, D), None at the beginning.
        """
        embedded = self.embed_tokens(ids)  # (B, T, D)
        if carried is None:
            carried = embedded.new_zeros(len(ids), self.window - 1, embedded.shape[-1])
        seen = torch.cat([carried, embedded], 1)  # (B, C - 1 + T, D)
        states = F.gelu(self.first(self.dropout(seen).mT).mT)  # (B, T, D)
        for layer in self.further:
            states = states + F.gelu(layer(self.dropout(states)))
        return states, seen[:, seen.shape[1] - self.window + 1 :]

    def carried_on(self, carried: Tensor | None, begins_anew: Tensor) -> Tensor | None:
        """Return what the next stretch of a text goes on from, without gradients; nothing where one begins (B,)."""
        return None if carried is None else carried.detach() * ~begins_anew[:, None, None]
