"""A Hugging Face model folder: what transformers, peft and vLLM load without manera."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tokenizers.processors import TemplateProcessing

from manera.bases import base_model, gguf_file
from manera.bases.families import family_of
from manera.exports.chat import jinja_template
from manera.voice import adapter
from manera.voice.adapter import Matrices
from manera.voice.manifest import Voice

if TYPE_CHECKING:
    from torch import Tensor

Dtype = Literal["bfloat16", "float32"]
TEMPLATE_FILE, GENERATION_FILE = "chat_template.jinja", "generation_config.json"


def write_model(voice: Voice, base: Path, folder: Path, dtype: Dtype, learned: Matrices | None = None) -> None:
    """Write a base into a folder, with what was learned in it where that is given, and its tokenizer for this voice."""
    import torch
    from safetensors.torch import save_file

    reader = base_model.open_weights(base)
    family = family_of(reader)
    weights = gguf_file.transformers_weights(reader)
    if learned is not None:
        fold_in(weights, learned, voice.recipe.scale, family.transposed)
    # a head that is the embedding is stored once
    stored = {name: tensor.to(getattr(torch, dtype)).contiguous() for name, tensor in weights.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    config: Any = family.config(reader)
    config.architectures, config.dtype = [family.model_class], dtype
    described = json.loads(config.to_json_string()) | dict(family.older_settings(config))
    _write_json(folder / "config.json", described)
    _write_tokenizer(voice, base, folder)
    ends = {config.eos_token_id, base_model.load_tokenizer(base).token_to_id(voice.end_of_turn)}
    _write_json(folder / GENERATION_FILE, _generation(voice, config, sorted(ends)))


def fold_in(weights: "dict[str, Tensor]", learned: Matrices, scale: float, transposed: bool) -> None:
    """Put what was learned into the float32 weights of the base; transposed: as in ``Family``."""
    for name, weight in weights.items():
        if (rows := learned.get(adapter.added_rows_of(name))) is not None:
            weight[-len(rows) :] = rows.float()
        elif name in learned:
            weights[name] = learned[name].float()
        elif adapter.is_adapted(learned, name):
            folded = adapter.folded(weight.T if transposed else weight, learned, name, scale)
            weights[name] = folded.T if transposed else folded


def _write_tokenizer(voice: Voice, base: Path, folder: Path) -> None:
    tokenizer = base_model.load_tokenizer(base)
    bos, vocabulary = voice.base.bos, tokenizer.get_vocab()
    # plain text begins with BOS as well, which such a base needs; a template writes its own
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    template = jinja_template(voice)
    (folder / TEMPLATE_FILE).write_text(template, "utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": voice.base.end_of_text,
        "pad_token": "<pad>" if "<pad>" in vocabulary else voice.base.end_of_text,
        **({"unk_token": "<unk>"} if "<unk>" in vocabulary else {}),
        "clean_up_tokenization_spaces": False,
        "model_max_length": voice.base.context_length,
        "chat_template": template,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _generation(voice: Voice, config: Any, ends: list[int]) -> dict[str, object]:
    """Write the voice's sampling; what is off is said so, because transformers' defaults are not."""
    sampling = voice.sampling
    settings: dict[str, object] = {
        "bos_token_id": config.bos_token_id,
        "eos_token_id": ends,
        "pad_token_id": config.pad_token_id,
        "max_new_tokens": sampling.max_new_tokens,
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": 1.0 if sampling.repetition_penalty is None else sampling.repetition_penalty,
    }
    if sampling.temperature == 0:
        return settings
    return settings | {
        "temperature": sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "top_k": 0 if sampling.top_k is None else sampling.top_k,
        "min_p": 0.0 if sampling.min_p is None else sampling.min_p,
    }


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
