"""The order of the floors, read from the imports, and what is loaded when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from house import FLOORS, PAGE, SOURCE, floor_of, imports_of, module_of, with_picture

HEAVY = ("torch", "transformers", "peft", "fastapi", "xllamacpp", "pydantic")
MODULES = sorted(SOURCE.rglob("*.py"))


def height(module: str) -> int:
    """``manera.corpus.split`` stands on the floor of ``corpus``, ``manera.errors`` on the ground."""
    floor = floor_of(module)
    return 0 if floor is None else 1 + FLOORS.index(floor)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_back_along_the_road(path: Path) -> None:
    own = height(module_of(path))
    assert not [name for name in imports_of(path) if height(name) > own]


def test_every_folder_is_a_floor() -> None:
    assert {path.parent.name for path in SOURCE.glob("*/__init__.py")} == set(FLOORS)


def test_the_picture_of_the_floors_is_that_of_today() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_picture(page), "run: make docs"


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
