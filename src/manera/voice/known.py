"""Which utterances there were when a voice was trained: a file of their keys, one after the other."""

from collections.abc import Collection
from pathlib import Path

from manera.corpus.keys import KEY_BYTES
from manera.errors import ModelError
from manera.files import replacing
from manera.voice.folder import KNOWN, voice_folder


def write_known(keys: Collection[bytes], folder: Path) -> None:
    """Write the hashes into a voice's folder."""
    with replacing(folder / KNOWN) as unfinished:
        unfinished.write_bytes(b"".join(sorted(keys)))


def read_known(voice: str) -> frozenset[bytes]:
    """Read a voice's hashes; raise ModelError where it has none, as voices of earlier versions."""
    path = voice_folder(voice) / KNOWN
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the voice {voice!r} does not know which text it was made of: {path.name} is missing",
            "train it once more from the whole corpus, with --replace; from then on it can grow",
        ) from error
    return frozenset(stored[start : start + KEY_BYTES] for start in range(0, len(stored), KEY_BYTES))
