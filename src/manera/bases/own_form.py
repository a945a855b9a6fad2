"""A base in transformers' own form, for architectures that llama.cpp does not compute.

<folder>/config.json, model.safetensors   as transformers saves them
        /tokenizer.json                   the same vocabulary for ``tokenizers``
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manera.bases.family import Family
from manera.bases.special import Special
from manera.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_UNBOUNDED = 512
"""Tokens of context of a base that has no position of its own for each: what T5 was trained on."""


def write(files: Path, family: Family, folder: Path, tokenizer_file: Path) -> Special:
    """Write what its makers saved into a base folder; return the special tokens. Raises ModelError.

    Code that lies beside the weights is never run.
    """
    model = _load(files, family, "auto")
    tokenizer = _tokenizer(files)
    plain: Any = tokenizer.backend_tokenizer
    if plain.get_vocab_size() > model.get_input_embeddings().num_embeddings:
        raise ModelError(
            f"the tokenizer in {files} has more tokens than the model has embeddings: {plain.get_vocab_size():,}",
            "use the tokenizer that came with the model",
        )
    plain.no_truncation()
    plain.no_padding()
    model.save_pretrained(folder)
    plain.save(str(tokenizer_file))
    return _special(files, tokenizer, opens_by_padding=model.config.is_encoder_decoder)


def load(folder: Path, family: Family) -> "PreTrainedModel":
    """Load a base folder's weights as a transformers model in eval mode, in float32."""
    return _load(folder, family, "float32").eval()


def context_length(config: "PretrainedConfig") -> int:
    """Return how many tokens a model was made for."""
    return int(getattr(config, "max_position_embeddings", None) or _UNBOUNDED)


def _load(folder: Path, family: Family, dtype: str) -> "PreTrainedModel":
    import transformers

    transformers.utils.logging.disable_progress_bar()
    model_class: Any = getattr(import_module(family.module), family.model_class)
    try:
        model, found = model_class.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded: {error}", "fetch it again") from error
    if missing := found["missing_keys"]:
        raise ModelError(
            f"the weights in {folder} lack {min(missing)}, one of {len(missing)} tensors",
            "fetch it again; it may be half-downloaded, or no language model",
        )
    loaded: PreTrainedModel = model
    return loaded


def _tokenizer(files: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            files, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(f"the tokenizer in {files} cannot be read: {error}", "put its tokenizer.json there") from error
    return found


def _special(files: Path, tokenizer: "PreTrainedTokenizerBase", opens_by_padding: bool) -> Special:
    """Name the special tokens; a prompt for an encoder without BOS is opened by padding, which it never reads."""
    end = tokenizer.eos_token
    if end is None:
        raise ModelError(f"the tokenizer in {files} has no token that ends a text", "use another base")
    opening = tokenizer.bos_token or (tokenizer.pad_token if opens_by_padding else None) or end
    return Special(opening, end, end)
