"""N-grams with interpolated, modified Kneser-Ney smoothing (Chen and Goodman, 1999, TR-10-98, section 3).

A gram of order k is known by its place in a sorted table of keys: (place of its first k - 1 tokens) * V + last token.
So the tokens that follow a context are one stretch of the table, and a context of any length is one number.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from manera.bases.small.config import SmallConfig

Ids = NDArray[np.int64]
_UNKNOWN = -1
_USUAL_DISCOUNTS = (0.0, 0.5, 0.75, 0.9)
"""Of grams seen never, once, twice, more often, where a text is too short to tell."""


class Table(NamedTuple):
    """The U grams of one order.

    keys: (U,), sorted. mass: (U,), what each adds to the probability of its last token. rest: of each context, the
    share that is left to what the shorter context tells.
    """

    keys: Ids
    mass: NDArray[np.float32]
    rest: NDArray[np.float32]


def count(ids: Sequence[int], order: int, vocabulary: int) -> list[Table]:
    """Count the grams of a text, which is taken as a ring; return the tables of the orders 1, 2, ... in turn."""
    tokens = np.asarray(ids, np.int64)
    places = [np.zeros(len(tokens), np.int64)]  # of the gram that ends at each token; of order 0 there is one
    keys: list[Ids] = []
    first: list[Ids] = []
    counts: list[Ids] = []
    for _ in range(order):
        grams = np.roll(places[-1], 1) * vocabulary + tokens
        one = np.unique(grams, return_index=True, return_inverse=True, return_counts=True)
        for into, part in zip((keys, first, places, counts), one, strict=True):
            into.append(part)
    # a shorter gram counts once for each token that it was seen after
    for length in range(1, order):
        counts[length - 1] = np.bincount(places[length][first[length]], minlength=len(keys[length - 1]))
    contexts = [1, *map(len, keys)]
    return [_table(keys[k], counts[k], contexts[k], vocabulary) for k in range(order)]


def _table(keys: Ids, counts: Ids, contexts: int, vocabulary: int) -> Table:
    context = keys // vocabulary
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(context, counts, contexts)
    mass = (counts - discounts) / totals[context]
    rest = np.bincount(context, discounts, contexts) / totals
    return Table(keys, mass.astype(np.float32), rest.astype(np.float32))


def _discounts(counts: Ids) -> NDArray[np.float64]:
    """Return what is taken from grams seen never, once, twice, and more often."""
    one, two, three, four = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if not (one and two and three and four):
        return np.array(_USUAL_DISCOUNTS)
    share = one / (one + 2 * two)
    found = [0.0, 1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three]
    return np.clip(found, 0.0, (0.0, 1.0, 2.0, 3.0))


class Ngram(nn.Module):
    """The tables as buffers; what it returns are log-probabilities, so that its head changes nothing."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.order, self.num_embeddings = config.context, config.vocab_size
        contexts = [1, *config.grams]
        for k, grams in enumerate(config.grams, 1):
            self.register_buffer(f"keys_{k}", torch.zeros(grams, dtype=torch.int64))
            self.register_buffer(f"mass_{k}", torch.zeros(grams))
            self.register_buffer(f"rest_{k}", torch.zeros(contexts[k - 1]))

    @torch.no_grad()
    def fill(self, tables: Sequence[Table]) -> None:
        """Take in what was counted."""
        for k, table in enumerate(tables, 1):
            for name, array in zip(("keys", "mass", "rest"), table, strict=True):
                self.get_buffer(f"{name}_{k}").copy_(torch.from_numpy(array))

    @torch.no_grad()
    def forward(self, ids: Tensor, carried: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return probabilities (B, T, V) after ids (B, T), and what the next call carries on: the last tokens.

        carried: (B, order - 1), None at the beginning.
        """
        if carried is None:
            carried = ids.new_full((len(ids), self.order - 1), _UNKNOWN)
        seen = torch.cat([carried, ids], 1)  # (B, order - 1 + T)
        contexts = [place[:, self.order - 1 :].reshape(-1) for place in self._places(seen)]  # order times (B * T,)
        told = self._of_one().expand(len(contexts[0]), -1).clone()  # (B * T, V)
        for k in range(2, self.order + 1):
            self._lay_over(told, contexts[k - 1], k)
        return told.view(*ids.shape, -1), seen[:, ids.shape[1] :]

    def _of_one(self) -> Tensor:
        """Return the probabilities (V,) without any context."""
        rest = self.get_buffer("rest_1")
        told = torch.full((self.num_embeddings,), 1 / self.num_embeddings, device=rest.device) * rest
        return told.index_add(0, self.get_buffer("keys_1"), self.get_buffer("mass_1"))

    def _places(self, seen: Tensor) -> list[Tensor]:
        """Return the place of the last 0, 1, ..., order - 1 tokens, each (B, T'); unknown where they were not seen."""
        places = [torch.zeros_like(seen)]
        for k in range(1, self.order):
            before = torch.cat([torch.full_like(seen[:, :1], _UNKNOWN if k > 1 else 0), places[-1][:, :-1]], 1)
            keys, wanted = self.get_buffer(f"keys_{k}"), before * self.num_embeddings + seen
            place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
            is_known = (before >= 0) & (seen >= 0) & (keys[place] == wanted)
            places.append(torch.where(is_known, place, _UNKNOWN))
        return places

    def _lay_over(self, told: Tensor, contexts: Tensor, k: int) -> None:
        """Mix what longer contexts (N,) tell into what shorter ones told (N, V), where the longer are known."""
        keys, mass, rest = (self.get_buffer(f"{name}_{k}") for name in ("keys", "mass", "rest"))
        rows = (contexts >= 0).nonzero()[:, 0]
        known = contexts[rows]
        told[rows] *= rest[known][:, None]
        start, end = (torch.searchsorted(keys, one * self.num_embeddings) for one in (known, known + 1))
        lengths = end - start
        within = torch.arange(int(lengths.sum()), device=keys.device) - (lengths.cumsum(0) - lengths).repeat_interleave(
            lengths
        )
        grams = start.repeat_interleave(lengths) + within
        told.index_put_(
            (rows.repeat_interleave(lengths), keys[grams] % self.num_embeddings), mass[grams], accumulate=True
        )
