"""Read an exported Hugging Face folder with transformers and peft alone, and compare it with the voice."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from manera.errors import ExportError
from manera.exports.parity import Check, Compared, likeliest, same_choice, same_ids
from manera.records import Message

if TYPE_CHECKING:
    from torch import nn

MIN_SAME = 0.97
"""Of the likeliest tokens: rounding to bfloat16 turns over near ties.

Measured: 98.8 % and more of real voices; 94 % where the adapter has nine tenths of its scale.
"""


def check(model: Path, adapter: Path | None, expected: Compared) -> list[Check]:
    """Compare the tokenizer, the chat template and the weights in a folder; raise ExportError if they do not load."""
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)

        def ids_of(messages: Sequence[Message]) -> list[int]:
            plain = [{"role": message.role, "content": message.content} for message in messages]
            encoded = tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=True)
            return list(encoded["input_ids"])

        return [
            same_ids(ids_of, expected),
            same_choice(likeliest(_load(model, adapter), expected.reads), expected.likeliest, MIN_SAME),
        ]
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ExportError(f"transformers cannot read what was exported: {error}", "manera doctor") from error


def _load(folder: Path, adapter: Path | None) -> "nn.Module":
    import torch
    from transformers import AutoModelForCausalLM

    with _quiet():
        # as stored, computed exactly: what is compared is the weights, not this machine's arithmetic
        model: nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter))
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars, and what it warns its own callers of, from the terminal."""
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if was_shown:
            logging.enable_progress_bar()
