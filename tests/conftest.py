"""What every floor's tests may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.dataset.encoding import Encoder
from manera.dataset.template import TURNS, ChatTemplate
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.model import base_model
from tiny import write_tiny_adapter, write_tiny_base


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports, books, plays and a blog, which are not part of the repository."""
    folder = Path(os.environ.get("MANERA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no shared data in {folder}: set MANERA_SHARED_DATA")
        pytest.skip(f"no shared data in {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real base model of two layers."""
    return write_tiny_base(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_base: Path) -> Encoder:
    """The tiny base's tokenizer with the template of dialogue."""
    return Encoder(base_model.load_tokenizer(tiny_base), ChatTemplate(TURNS))


@pytest.fixture(scope="session")
def tiny_engine(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    """The tiny base in llama.cpp with the adapters of two voices: four slots of 256 tokens."""
    folder = tmp_path_factory.mktemp("adapters")
    adapters = {name: write_tiny_adapter(folder / f"{name}.gguf", seed) for name, seed in (("anna", 1), ("boris", 2))}
    # one thread: two would wait for each other where other programs run
    with open_engine(tiny_base / "base.gguf", adapters, slots=4, context_length=256, threads=1) as engine:
        yield engine
