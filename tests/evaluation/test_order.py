"""The order inside evaluation, read from the imports: measures, then parts, then what opens values for them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera import evaluation

SOURCE = Path(evaluation.__file__).parent
ABOVE = ("manera.evaluation.evaluate", "manera.evaluation.opening")
FORBIDDEN = {
    "measures": (*ABOVE, "manera.evaluation.parts", "manera.model", "manera.generation", "torch"),
    "parts": (*ABOVE, "manera.evaluation.parts"),
    "report": (*ABOVE, "manera.evaluation.parts", "manera.generation", "torch"),
}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_module_knows_nothing_of_those_that_use_it(folder: str) -> None:
    found = [
        (path.name, name)
        for path in (SOURCE / folder).glob("*.py")
        for name in imports_of(path)
        for forbidden in FORBIDDEN[folder]
        if f"{name}.".startswith(f"{forbidden}.")
    ]
    assert not found


def test_only_one_module_opens_values() -> None:
    using = {path.name for path in SOURCE.rglob("*.py") if any(n.startswith(ABOVE) for n in imports_of(path))}
    assert using == {"evaluate.py"}
