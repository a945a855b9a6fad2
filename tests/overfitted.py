"""A tiny adapter that knows one text by heart."""

from pathlib import Path

import torch
from torch import nn

from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.dataset.packing import pack
from manera.model import packed
from manera.training import lora
from manera.voice import adapter

RANK = 16
STEPS = 160


def overfit(base: Path, encoder: Encoder, texts: list[str], folder: Path) -> Path:
    """Teach an adapter these texts, each from its beginning; write it for llama.cpp and PEFT into a folder."""
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, RANK, 2.0 * RANK, "float32", seed=1)
    examples = [window for text in texts for window in encoder.windows(text, 1024)]
    rows = packed.to_batch(pack(examples, max(len(example.input_ids) for example in examples)))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-2)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - step / STEPS)
        nats, tokens = packed.batch_nll(model, rows)
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    state = lora.adapter_state(model)
    folder.mkdir()
    adapter.write_peft(state, folder, RANK, 2.0 * RANK, str(base))
    adapter.write_gguf(state, folder / "adapter.gguf", 2.0 * RANK, base)
    return folder
