"""Write docs/reference/commands.md from the commands' own help: ``python scripts/reference.py``."""

import os
import subprocess
import sys
from pathlib import Path

from manera.cli.main import app

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
HEAD = "# Commands\n\nWritten by `scripts/reference.py` from `--help`; a test fails when it is stale.\n"


def help_of(*arguments: str) -> str:
    """Return what ``manera ... --help`` prints in a hundred columns, wherever it runs."""
    environment = os.environ | {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-c", "from manera.cli.main import app; app(prog_name='manera')", *arguments, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return shown.stdout.strip()


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, f"```\n{help_of()}\n```\n"]
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        parts.append(f"## manera {name}\n\n```\n{help_of(name)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
