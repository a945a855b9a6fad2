"""The order of the floors, read from the imports, and what is loaded when."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import manera

SOURCE = Path(manera.__file__).parent
ROAD = (
    *("text", "sources", "corpus", "dataset", "bases", "model", "voice", "retrieval", "machine", "training"),
    *("generation", "evaluation", "exports", "serving", "cli"),
)
FLOORS = ("", *ROAD)
HEAVY = ("torch", "transformers", "peft", "fastapi", "xllamacpp", "pydantic")
MODULES = sorted(SOURCE.rglob("*.py"))


def floor_of(module: str) -> int:
    """``manera.corpus.split`` stands on the floor of ``corpus``, ``manera.errors`` on the ground."""
    parts = module.split(".")
    return FLOORS.index(parts[1]) if len(parts) > 1 and parts[1] in FLOORS else 0


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_back_along_the_road(path: Path) -> None:
    own = floor_of(".".join(("manera", *path.relative_to(SOURCE).with_suffix("").parts)))
    forward = [name for name in imports_of(path) if name.startswith("manera.") and floor_of(name) > own]
    assert not forward


@pytest.mark.parametrize(
    "module",
    ["manera", "manera.cli.main", "manera.sources.reading", "manera.corpus.storage", "manera.corpus.splitting"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_packages_hold_a_docstring_only() -> None:
    for path in SOURCE.rglob("__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr)
