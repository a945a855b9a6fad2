"""A tiny model with an adapter that changes what it says, and rows to run it on."""

import shutil
from pathlib import Path
from typing import get_args

import msgspec
import torch
from torch import Tensor, nn

from exported import INSTRUCTION, examples
from manera.bases import base_model
from manera.dataset.encoding import IGNORE_INDEX, Encoded
from manera.dataset.packing import Rows, pack
from manera.model import packed
from manera.records import ExampleKind, MethodName, Precision, SplitName
from manera.training import lora
from manera.training.methods import method_of
from manera.training.settings import TrainingConfig, alpha_of
from manera.voice import adapter
from manera.voice.dataset import write_dataset
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import Voice, write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice

RANK, ALPHA = 4, 8.0


def adapted_model(base: Path, precision: Precision = "float32", strength: float = 0.1) -> nn.Module:
    """Load a base with an adapter of random strength; strength 0 is a fresh one."""
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, RANK, ALPHA, precision, seed=1)
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in lora.adapted_layers(model).values():
            layer.lora_B.normal_(0, strength, generator=chance)
    return model


def write_adapted_voice(base: Path, name: str, strength: float = 0.4) -> None:
    """Write a voice's manifest and its adapter in both forms."""
    folder = voice_folder(name)
    folder.mkdir(parents=True)
    write_voice(tiny_voice(base, name), folder)
    state = lora.adapter_state(adapted_model(base, strength=strength))
    adapter.write_peft(state, folder, RANK, ALPHA, "tiny")
    adapter.write_gguf(state, folder / ADAPTER_GGUF, ALPHA, base)


def write_voice_by(method: MethodName, base: Path, name: str, kind: ExampleKind = "dialogue") -> Voice:
    """Write a voice that learned something at random by this method."""
    config = TrainingConfig(method=method, rank=RANK)
    recipe = Recipe(method=method, rank=RANK, alpha=alpha_of(config))
    model: nn.Module = base_model.load(base)
    method_of(method).make_trainable(model, config, "float32")
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.05)
    folder = voice_folder(name)
    folder.mkdir(parents=True)
    adapter.write(method_of(method).state(model), folder, recipe, base)
    digest = write_dataset({part: examples(kind) for part in get_args(SplitName)}, folder)
    voice = msgspec.structs.replace(
        tiny_voice(base, name, kind, INSTRUCTION if kind == "post" else None), recipe=recipe, dataset_sha256=digest
    )
    write_voice(voice, folder)
    return voice


def lay_out(base: Path, model: Path, folder: Path) -> None:
    """Let a folder be a base whose weights are those of another GGUF file."""
    for name in (base_model.DESCRIPTION, base_model.TOKENIZER):
        shutil.copy2(base / name, folder)
    shutil.copy2(model, folder / base_model.GGUF)


def random_rows(vocabulary: int, lengths: list[int], length: int, seed: int = 3) -> Rows:
    """Pack random examples of these lengths, of which about every third token is learned."""
    chance = torch.Generator().manual_seed(seed)
    return pack([_random_example(vocabulary, count, chance) for count in lengths], length)


def random_example(vocabulary: int, length: int, seed: int = 3) -> Encoded:
    """Return one such example."""
    return _random_example(vocabulary, length, torch.Generator().manual_seed(seed))


def _random_example(vocabulary: int, length: int, chance: torch.Generator) -> Encoded:
    ids = torch.randint(7, vocabulary, (length,), generator=chance).tolist()
    learns = (torch.rand(length, generator=chance) < 0.35).tolist()
    learned = enumerate(zip(ids, learns, strict=True))
    return Encoded(ids, [index if learn and place else IGNORE_INDEX for place, (index, learn) in learned])


def logits(model: nn.Module, ids: list[int]) -> Tensor:
    """Return the logits (T, V) of one sequence, in float32."""
    rows = pack([Encoded(ids, ids)], len(ids))
    with torch.no_grad():
        hidden = packed.hidden_states(model, packed.to_batch(rows))
        head: Tensor = model.get_output_embeddings().weight  # type: ignore[operator]
        found = (hidden @ head.t()).float()[0]
    softcap: float | None = getattr(model.config, "final_logit_softcapping", None)
    return found if softcap is None else softcap * torch.tanh(found / softcap)
