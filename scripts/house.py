"""The floors of the house, read from the imports; and the walk of one evaluation, read from its calls.

python scripts/house.py               writes the picture into CONTRIBUTING.md
python scripts/house.py walk VOICE    evaluates a voice with few samples, and counts calls against the imports
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SOURCE = Path(__file__).parent.parent / "src" / "manera"
PAGE = Path(__file__).parent.parent / "CONTRIBUTING.md"
BLOCK = re.compile(r"(<!-- floors -->\n).*?(<!-- end -->)", re.DOTALL)
FLOORS = (
    *("text", "sources", "corpus", "rhythm", "dataset", "bases", "model", "voice", "retrieval", "machine", "training"),
    *("lab", "generation", "memory", "evaluation", "synthesis", "exports", "jobs", "serving", "faces", "cli"),
)
"""From the ground up; what stands beside them (``errors``, ``records``) is the ground."""


def imports_of(path: Path) -> Iterator[str]:
    """Yield every name that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def module_of(path: Path) -> str:
    """Return a module's name."""
    return ".".join(("manera", *path.relative_to(SOURCE).with_suffix("").parts))


def floor_of(module: str) -> str | None:
    """Return the floor on which a module, or a name in it, stands; None is the ground."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "manera" and parts[1] in FLOORS else None


def picture() -> str:
    """Draw how many modules of each floor import one of another: all marks lie left of the diagonal."""
    counted: Counter[tuple[str, str]] = Counter()
    for path in SOURCE.rglob("*.py"):
        own = floor_of(module_of(path))
        others = {floor for name in imports_of(path) if (floor := floor_of(name))}
        counted.update((own, other) for other in others if own and other != own)
    width = max(map(len, FLOORS)) + 1
    heads = " " * width + "".join(f"{floor[:4]:>5}" for floor in FLOORS)
    rows = [
        f"{own:<{width}}" + "".join(f"{_mark(own, other, counted[own, other]):>5}" for other in FLOORS)
        for own in FLOORS
    ]
    return "\n".join(line.rstrip() for line in (heads, *rows))


def _mark(own: str, other: str, count: int) -> str:
    return "\\" if own == other else str(count or "·")


def write_picture() -> None:
    """Put the picture into CONTRIBUTING.md."""
    PAGE.write_text(with_picture(PAGE.read_text("utf-8")), "utf-8")


def with_picture(page: str) -> str:
    """Return a page with the picture of today."""
    block = f"```\n{picture()}\n```\n"
    return BLOCK.sub(lambda found: found[1] + block + found[2], page)


def reachable() -> dict[str, set[str]]:
    """Return which modules each module imports, directly or through others."""
    modules = {module_of(path): path for path in SOURCE.rglob("*.py")}
    direct = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imports_of(path)} & modules.keys()
        for module, path in modules.items()
    }
    found: dict[str, set[str]] = {}
    for module in direct:
        seen, open_ = set[str](), [module]
        while open_:
            for other in direct[open_.pop()] - seen:
                seen.add(other)
                open_.append(other)
        found[module] = seen
    return found


def walk(name: str) -> None:
    """Evaluate a voice, and print the modules it passes and every call from one to another that imports it."""
    import msgspec

    from manera.evaluation.budget import FAST
    from manera.evaluation.evaluate import evaluate
    from manera.evaluation.opening import Options

    calls: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if (
            event != "call" or "<" in frame.f_code.co_qualname
        ):  # what was handed on, such as a generator, is no way back
            return
        called, outer = str(frame.f_globals.get("__name__")), frame.f_back
        while outer is not None and not str(outer.f_globals.get("__name__")).startswith("manera."):
            outer = outer.f_back
        caller = called if outer is None else str(outer.f_globals.get("__name__"))
        if caller != called and called.startswith("manera."):
            calls[caller, called] = None

    budget = msgspec.structs.replace(FAST, texts=8, words=100, replies=1)
    sys.setprofile(note)
    try:
        list(evaluate(name, Options(budget=budget)))
    finally:
        sys.setprofile(None)
    below = reachable()
    against = [pair for pair in calls if pair[0] in below.get(pair[1], set()) and pair[1] not in below[pair[0]]]
    rooms = {module for pair in calls for module in pair}
    print(f"{len(rooms)} modules, {len(calls)} ways from one to another, {len(against)} of them against the imports:")
    for caller, called in against:
        print(f"  {caller} -> {called}")


if __name__ == "__main__":
    walk(sys.argv[2]) if sys.argv[1:2] == ["walk"] else write_picture()
