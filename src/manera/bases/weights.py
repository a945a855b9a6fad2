"""The weights in a folder of Hugging Face files: safetensors, or what torch pickled, read one file at a time."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from manera.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

_WHOLE = ("model.safetensors", "pytorch_model.bin")
_AGAIN = "fetch it again; it may be half-downloaded"


def read_weights(folder: Path) -> "Iterator[tuple[str, Tensor]]":
    """Yield every stored tensor under its name; raise ModelError where a file is missing or cannot be read."""
    from safetensors import SafetensorError

    for path in weights_of(folder):
        try:
            yield from _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
        except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ModelError(f"{path} cannot be read: {error}", _AGAIN) from error


def weights_of(folder: Path) -> list[Path]:
    """Return the files that hold a model's weights; raise ModelError where one of them is missing."""
    for whole in _WHOLE:
        index = folder / f"{whole}.index.json"
        if index.is_file():
            return _shards(index)
        if (folder / whole).is_file():
            return [folder / whole]
    raise ModelError(f"{folder} has no weights", f"put there {' or '.join(_WHOLE)}")


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}", _AGAIN) from error
    shards = [index.parent / Path(name).name for name in names]
    for shard in shards:
        if not shard.is_file():
            raise ModelError(
                f"{index.parent} lacks {shard.name}, one of {len(shards)} files that {index.name} names", _AGAIN
            )
    return shards


def _safetensors(path: Path) -> "Iterator[tuple[str, Tensor]]":
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            yield name, file.get_tensor(name)


def _pickled(path: Path) -> "Iterator[tuple[str, Tensor]]":
    import torch

    yield from torch.load(path, map_location="cpu", weights_only=True, mmap=True).items()
