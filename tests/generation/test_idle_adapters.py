"""An adapter that does nothing is noticed."""

import math
from pathlib import Path

import pytest

from manera.errors import GenerationError
from manera.generation.idle_adapters import changes_nothing
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer
from tiny import write_tiny_adapter


@pytest.mark.parametrize(("strength", "expected"), [(0.0, True), (0.01, False)])
def test_adapter_without_strength_changes_nothing(
    tiny_base: Path, tmp_path: Path, tiny_writers: dict[str, Writer], strength: float, expected: bool
) -> None:
    adapter = write_tiny_adapter(tmp_path / "anna.gguf", seed=1, strength=strength)
    with open_engine(tiny_base / "base.gguf", {"anna": adapter}, slots=1, context_length=256, threads=1) as engine:
        assert changes_nothing(engine, tiny_writers["anna"]) is expected


def test_base_beside_itself_changes_nothing(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> None:
    assert changes_nothing(tiny_engine, tiny_writers["tiny-gemma3"])
    assert not changes_nothing(tiny_engine, tiny_writers["boris"])


def test_adapter_that_is_no_number_is_an_error(
    tiny_base: Path, tmp_path: Path, tiny_writers: dict[str, Writer]
) -> None:
    adapter = write_tiny_adapter(tmp_path / "anna.gguf", seed=1, strength=math.inf)
    with (
        open_engine(tiny_base / "base.gguf", {"anna": adapter}, slots=1, context_length=256, threads=1) as engine,
        pytest.raises(GenerationError, match="not a number"),
    ):
        changes_nothing(engine, tiny_writers["anna"])
