"""manera's commands, in a process of their own, as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, "-m", "manera.cli.main", *map(str, arguments)],
        env=os.environ | {"MANERA_HOME": str(home)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in finished.stderr
    return finished
