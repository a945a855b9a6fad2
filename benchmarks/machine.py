"""What a figure was measured on, written beside it in every result; and where results are kept."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
WRITTEN = ("benchmarks/results", "docs/results.md")
_TELLING_FLAGS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16")


def tell(document: Mapping[str, object], saved_as: str | None) -> None:
    """Print one JSON line; keep it among the results too, if it is to be saved."""
    line = json.dumps(document, ensure_ascii=False)
    print(line)
    if saved_as:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{saved_as}.json").write_text(line + "\n", "utf-8")


def described(*packages: str) -> dict[str, object]:
    """Name the commit, the versions and the processor."""
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "cpu": f"{processor()}, {os.cpu_count()} logical CPUs",
    }


def commit() -> str:
    """Return the short hash of what is checked out, with a plus where files other than results differ from it."""
    found = _git("rev-parse", "--short", "HEAD")
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ":/", *(f":(top,exclude){it}" for it in WRITTEN)
    )
    return found + "+" * bool(changed)


def _git(*arguments: str) -> str:
    """Return what git says, or nothing."""
    said = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    return said.stdout.strip()


def processor() -> str:
    """Name the processor and what of its arithmetic matters here."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(values.get("flags", "").split())
    return f"{values.get('model name', 'unknown')} ({', '.join(flag for flag in _TELLING_FLAGS if flag in flags)})"
