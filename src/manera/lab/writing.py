"""A stretch of text written by a model of the lab."""

from typing import Any

import torch

from manera.lab.tokenizers import BOS, EOS
from manera.lab.training import Trained

TEMPERATURE = 0.8
TOP = 40
"""Tokens that are drawn from at each place."""


@torch.no_grad()
def write(trained: Trained, characters: int, seed: int) -> str:
    """Write so many characters, or as many as a Transformer's context holds; the same seed writes the same."""
    rng = torch.Generator().manual_seed(seed)
    model, tokenizer = trained.model, trained.tokenizer
    end = tokenizer.token_to_id(EOS)
    device = next(iter(model.parameters())).device
    room = trained.settings.context - 1 if trained.settings.kind == "transformer" else characters
    ids = [int(tokenizer.token_to_id(BOS) or 0)]
    carried: Any = None
    while len(ids) <= min(room, characters):
        read = model(torch.tensor([ids[-1:]], device=device), past_key_values=carried, use_cache=True)
        carried = read.past_key_values
        logits = read.logits[0, -1].float().cpu() / TEMPERATURE
        likely, which = logits.topk(min(TOP, len(logits)))
        drawn = int(which[torch.multinomial(likely.softmax(0), 1, generator=rng)])
        if drawn == end and len(ids) > 1:
            break
        ids.append(drawn)
        if len(ids) % 32 == 0 and len(tokenizer.decode(ids)) >= characters:
            break
    return str(tokenizer.decode(ids))[:characters]
