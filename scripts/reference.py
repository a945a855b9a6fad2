"""Write docs/reference/commands.md from the commands' own help: ``python scripts/reference.py``."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from manera.cli.main import app

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
HEAD = "# Commands\n\nWritten by `scripts/reference.py` from `--help`; a test fails when it is stale.\n"


def help_of(*arguments: str) -> str:
    """Return what ``manera ... --help`` prints in a hundred columns, wherever it runs."""
    environment = os.environ | {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-c", "from manera.cli.main import app; app(prog_name='manera')", *arguments, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return shown.stdout.strip()


def names_of(commands: typer.Typer) -> list[str]:
    """Return the names of commands as they are typed."""
    return [str(one.name or getattr(one.callback, "__name__", "")) for one in commands.registered_commands]


def groups() -> Iterator[tuple[str, str]]:
    """Yield the words of every command that stands in a group."""
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from ((str(group.name), name) for name in names_of(group.typer_instance))


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, f"```\n{help_of()}\n```\n"]
    for names in (*((name,) for name in names_of(app)), *groups()):
        parts.append(f"## manera {' '.join(names)}\n\n```\n{help_of(*names)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
