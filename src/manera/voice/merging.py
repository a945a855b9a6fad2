"""A voice's adapter folded into its base, kept beside the voice under a name that tells what it was made from.

One such model serves one voice, faster than base and adapter apart.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import gguf

from manera.bases import base_model
from manera.errors import ModelError
from manera.files import fingerprint
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice

FAST, EXACT = gguf.GGMLQuantizationType.Q5_1, gguf.GGMLQuantizationType.Q8_0
"""How changed layers are stored. The first is as fast as the base's own, at 0.04 nats a token. With the second nothing
is lost and nothing gained in speed: it is for voices that have to be merged. In the base's own types the adapter falls
between the steps of its grid (benchmarks/LOG.md)."""


def merged_file(voice: Voice, base: Path) -> Path:
    """Return where the model of this voice on this base is or would be; raise ModelError without an adapter."""
    folder = voice_folder(voice.name)
    weights = adapter.weights_file(folder)
    try:
        known = weights.stat()
        learned = _sha256(weights, known.st_mtime_ns, known.st_size)
    except OSError as error:
        raise ModelError(f"{folder} holds no readable adapter: {error}", "train the voice again") from error
    described = base_model.read(base)
    parts = (learned, described.revision, described.vocabulary_sha256, str(voice.recipe.scale), _kind(voice).name)
    digest = hashlib.sha256(":".join(parts).encode()).hexdigest()
    return folder / f"merged-{digest[:12]}.gguf"


def merged(voice: Voice, base: Path) -> Path:
    """Return the place of that model, writing it where it is not."""
    path = merged_file(voice, base)
    return path if path.is_file() else merge(voice, base)


def merge(voice: Voice, base: Path) -> Path:
    """Write that model, remove those of earlier adapters, and return its place."""
    path = merged_file(voice, base)
    state = adapter.read(path.parent)
    adapter.write_merged(base / base_model.GGUF, state, voice.recipe.scale, path, _kind(voice))
    for other in path.parent.glob("merged-*.gguf"):
        if other != path:
            other.unlink()
    return path


@lru_cache(maxsize=64)
def _sha256(path: Path, _modified_ns: int, _size: int) -> str:
    """Fingerprint a file once for each of its states: serving asks at every reply."""
    return fingerprint(path).sha256


def _kind(voice: Voice) -> gguf.GGMLQuantizationType:
    return EXACT if voice.recipe.stands_alone else FAST
