"""The same text learned by others: TRL's SFTTrainer, and LLaMA-Factory in an environment of its own.

Both train the untrimmed base, as their users do, by LoRA of manera's rank on all linear layers, on examples of the same
length, as many a step, at the same peak learning rate. What each is set to besides stands in TRL and LLAMA_FACTORY.
"""

import json
import math
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manera.dataset.encoding import Encoded
    from manera.training.material import Material

RANK, ALPHA = 16, 32

_FLOAT32 = {"bf16": False, "gradient_checkpointing": False}
TRL: dict[str, dict[str, Any]] = {
    "defaults": {},
    "bfloat16, no checkpointing": {"gradient_checkpointing": False},
    "float32": {"bf16": False},
    "float32, no checkpointing": _FLOAT32,
    "float32, no checkpointing, packed": {**_FLOAT32, "packing": True},
    "float32, no checkpointing, compiled": {**_FLOAT32, "torch_compile": True},
}
"""Settings of SFTConfig that were tried; its defaults are bfloat16 with checkpointing, and padded rows."""

LLAMA_FACTORY: dict[str, Any] = {
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "lora",
    "lora_rank": RANK,
    "lora_alpha": ALPHA,
    "lora_target": "all",
    "template": "empty",
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "overwrite_cache": True,
    "preprocessing_num_workers": 1,
    "dataloader_num_workers": 0,
}


@dataclass(frozen=True)
class Bounds:
    """How much is learned: steps of so many tokens, if all examples are as long as they may be."""

    steps: int
    batch_tokens: int
    learning_rate: float


def write_whole_base(name: str, folder: Path) -> None:
    """Write a base folder of a packaged base whose vocabulary is not trimmed."""
    from manera.bases import base_model
    from manera.bases.catalogue import find_base

    known = find_base(name)
    with known.whole() as whole:
        base_model.build(whole, known.name, known.sha256, (), folder, known)


def trl(material: "Material", setting: str, bounds: Bounds, scored: int = 0) -> dict[str, Any]:
    """Train by TRL and score so many held-out examples; material: gathered on the whole base."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from manera.bases import base_model
    from manera.dataset.building import encode
    from manera.dataset.encoding import IGNORE_INDEX
    from manera.machine.memory import peak_memory_bytes

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Note the seconds of each step, and the tokens of all steps up to it that are not padding."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.tokens = [0]

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.monotonic()

        def on_step_end(self, _: object, state: Any, *__: object, **___: object) -> None:
            self.seconds.append(time.monotonic() - self.started)
            self.tokens.append(int(state.num_input_tokens_seen))

    encoded = encode(material.dataset.examples["train"], material.kind, material.encoder, material.max_length)
    described = base_model.read(material.base)
    clock = Clock()
    with TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=base_model.load(material.base),
            args=SFTConfig(
                output_dir=folder,
                max_length=material.max_length,
                per_device_train_batch_size=bounds.batch_tokens // material.max_length,
                learning_rate=bounds.learning_rate,
                max_steps=bounds.steps,
                include_num_input_tokens_seen="non_padding",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
                **TRL[setting],
            ),
            train_dataset=Dataset.from_dict(
                {
                    "input_ids": [one.input_ids for one in encoded],
                    "assistant_masks": [[int(label != IGNORE_INDEX) for label in one.labels] for one in encoded],
                }
            ),
            processing_class=PreTrainedTokenizerFast(
                tokenizer_object=material.encoder.tokenizer,
                bos_token=described.bos,
                eos_token=described.end_of_text,
                pad_token=described.end_of_text,
            ),
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
            callbacks=[clock],
        )
        trainer.train()
    tokens = [after - before for before, after in zip(clock.tokens, clock.tokens[1:], strict=False)]
    rates = [count / seconds for count, seconds in zip(tokens, clock.seconds, strict=True)]
    found = {
        "tokens_per_second": statistics.median(rates[1:]),
        "peak_memory_bytes": peak_memory_bytes(),
        "tokens": sum(tokens),
        "seconds": sum(clock.seconds),
        "seconds_per_step": statistics.median(clock.seconds[1:]),
    }
    return found | ({"bits_per_byte": _bits_per_byte(trainer.model, material, scored)} if scored else {})


def held_out(material: "Material", count: int) -> tuple[list["Encoded"], int]:
    """Return some held-out examples, and the UTF-8 bytes of what is learned in them."""
    from manera.dataset.building import encode
    from manera.dataset.encoding import IGNORE_INDEX

    chosen = encode(material.dataset.examples["test"], material.kind, material.encoder, material.max_length)[:count]
    learned = ([label for label in one.labels if label != IGNORE_INDEX] for one in chosen)
    return chosen, sum(len(material.encoder.decode(ids).encode()) for ids in learned)


def _bits_per_byte(model: Any, material: "Material", count: int) -> float:
    """Score held-out examples one by one, in float32."""
    import torch
    from torch.nn.functional import cross_entropy

    chosen, scored_bytes = held_out(material, count)
    model = model.float().eval()
    nats = 0.0
    with torch.no_grad():
        for one in chosen:
            logits = model(torch.tensor([one.input_ids], device=model.device)).logits[0, :-1]
            labels = torch.tensor(one.labels[1:], device=model.device)
            nats += float(cross_entropy(logits, labels, reduction="sum"))
    return nats / math.log(2) / scored_bytes


def llama_factory(material: "Material", command: Path, bounds: Bounds) -> dict[str, Any]:
    """Train by LLaMA-Factory; command: its ``llamafactory-cli``. A step's seconds are told in whole ones."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_transformers_folder(material, folder / "base")
        stage = _write_dataset(material, folder)
        settings = LLAMA_FACTORY | {
            "stage": stage,
            "model_name_or_path": str(folder / "base"),
            "dataset_dir": name,
            "dataset": "text",
            "cutoff_len": material.max_length,
            "per_device_train_batch_size": bounds.batch_tokens // material.max_length,
            "gradient_accumulation_steps": 1,
            "learning_rate": bounds.learning_rate,
            "max_steps": bounds.steps,
            "include_num_input_tokens_seen": True,
            "output_dir": str(folder / "out"),
        }
        (folder / "train.json").write_text(json.dumps(settings), "utf-8")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}  # its packages, not ours
        asked = [str(command), "train", str(folder / "train.json")]
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = (folder / "out" / "trainer_log.jsonl").read_text("utf-8").splitlines()
    steps = [one for one in map(json.loads, lines) if "loss" in one]
    seconds = [_seconds(one["elapsed_time"]) for one in steps]
    tokens = _tokens_per_step(material, bounds)
    return {
        "tokens_per_second": tokens * (len(seconds) - 1) / (seconds[-1] - seconds[0]),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "tokens": tokens * len(seconds),
        "seconds": seconds[-1],
    }


def _seconds(clock: str) -> float:
    """Read ``0:01:25``."""
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def _tokens_per_step(material: "Material", bounds: Bounds) -> float:
    """Return how many tokens that are not padding a step of unpacked examples holds in the mean."""
    from manera.dataset.building import encode

    encoded = encode(material.dataset.examples["train"], material.kind, material.encoder, material.max_length)
    if material.kind == "continuation":
        return bounds.batch_tokens  # running text fills every row
    mean = statistics.mean(len(one.input_ids) for one in encoded)
    return mean * (bounds.batch_tokens // material.max_length)


def _write_transformers_folder(material: "Material", folder: Path) -> None:
    """Save the base as transformers itself would have it."""
    from transformers import PreTrainedTokenizerFast

    from manera.bases import base_model

    described = base_model.read(material.base)
    base_model.load(material.base).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=material.encoder.tokenizer,
        bos_token=described.bos,
        eos_token=described.end_of_text,
        pad_token=described.end_of_text,
    ).save_pretrained(folder)


def _write_dataset(material: "Material", folder: Path) -> str:
    """Write the training examples and their description; return the stage that learns from such."""
    examples = material.dataset.examples["train"]
    if material.kind == "continuation":
        rows: Sequence[dict[str, Any]] = [{"text": one.messages[0].content} for one in examples]
        described: dict[str, Any] = {"file_name": "text.json", "columns": {"prompt": "text"}}
    else:
        rows = [{"messages": [{"role": m.role, "content": m.content} for m in one.messages]} for one in examples]
        tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
        described = {
            "file_name": "text.json",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": tags,
        }
    (folder / "text.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    (folder / "dataset_info.json").write_text(json.dumps({"text": described}), "utf-8")
    return "pt" if material.kind == "continuation" else "sft"
