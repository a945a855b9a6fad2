"""``manera doctor``: what this machine and this installation can do."""

import os
import platform
from importlib.metadata import version

from manera import config
from manera.bases.base_model import is_prepared
from manera.bases.catalogue import DEFAULT_BASE, without_hub
from manera.bases.vocabulary import known_languages
from manera.cli import console
from manera.errors import ManeraError
from manera.machine.precision import compiler_is_available, fastest
from manera.voice.manifest import list_voices


def show() -> None:
    """Print one line a fact."""
    packages = ("manera", "torch", "transformers", "xllamacpp")
    facts = {
        "python": f"{platform.python_version()} on {platform.system()}, {os.cpu_count()} processors",
        "packages": ", ".join(f"{package} {version(package)}" for package in packages),
        "fastest arithmetic": fastest(),
        "compiler for torch.compile": "found" if compiler_is_available() else "none: long runs are slower",
        "home": str(config.home()),
        "bases": ", ".join(map(_base, without_hub())),
        "languages": ", ".join(known_languages(DEFAULT_BASE)),
        "voices": _voices(),
    }
    for name, fact in facts.items():
        console.show(f"{name:28}{fact}")


def _base(name: str) -> str:
    return f"{name} ({'built' if is_prepared(name=name) else 'built by the first training on it'})"


def _voices() -> str:
    try:
        return ", ".join(f"{voice.name} ({voice.kind})" for voice in list_voices()) or "none yet: manera up PATH"
    except ManeraError as error:
        return error.message
