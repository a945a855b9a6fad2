"""The API that the bot is a client of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from running import running


@pytest.fixture
def url(tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[str]:
    """The address of an API with an empty memory."""
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    with running(create_app(catalogue, memory=memory)) as opened:
        yield opened
