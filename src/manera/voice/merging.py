"""A voice's adapter folded into its base, kept beside the voice under a name that tells what it was made from.

One such model serves one voice, faster than base and adapter apart.
"""

import hashlib
from pathlib import Path

import gguf

from manera.bases import base_model
from manera.errors import ModelError
from manera.files import fingerprint
from manera.voice import adapter
from manera.voice.adapter import WEIGHTS
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice

KIND = gguf.GGMLQuantizationType.Q5_1
"""How adapted layers are stored: as fast as the base's own, at 0.04 nats a token. In Q8_0 nothing is lost and nothing
gained in speed; in the base's own types the adapter falls between the steps of its grid (benchmarks/LOG.md)."""


def merged_file(voice: Voice, base: Path) -> Path:
    """Return where the model of this voice on this base is or would be; raise ModelError without an adapter."""
    folder = voice_folder(voice.name)
    try:
        learned = fingerprint(folder / WEIGHTS).sha256
    except OSError as error:
        raise ModelError(f"{folder} holds no readable adapter: {error}", "train the voice again") from error
    described = base_model.read(base)
    parts = (learned, described.revision, described.vocabulary_sha256, str(voice.recipe.scale), KIND.name)
    digest = hashlib.sha256(":".join(parts).encode()).hexdigest()
    return folder / f"merged-{digest[:12]}.gguf"


def merge(voice: Voice, base: Path) -> Path:
    """Write that model, remove those of earlier adapters, and return its place."""
    path = merged_file(voice, base)
    state = adapter.read_peft(path.parent)
    adapter.write_merged(base / base_model.GGUF, state, voice.recipe.scale, path, KIND)
    for other in path.parent.glob("merged-*.gguf"):
        if other != path:
            other.unlink()
    return path
