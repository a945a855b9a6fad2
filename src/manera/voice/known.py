"""Which utterances there were when a voice was trained, so that what is new later can be told from them.

A file of 8-byte hashes: of a thread and a time, or where there are no times of a thread and a text. A message that was
edited since is no new one.
"""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from manera.errors import ModelError
from manera.files import replacing
from manera.records import Utterance
from manera.voice.folder import KNOWN, voice_folder

_BYTES = 8


def key_of(utterance: Utterance) -> bytes:
    """Return the hash that an utterance is known by."""
    what = utterance.text if utterance.sent_at is None else utterance.sent_at
    return hashlib.sha256(f"{utterance.thread_key}\0{what}".encode(errors="surrogatepass")).digest()[:_BYTES]


def keys_of(utterances: Iterable[Utterance]) -> frozenset[bytes]:
    """Return the hashes of utterances."""
    return frozenset(map(key_of, utterances))


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
    return frozenset(stored[start : start + _BYTES] for start in range(0, len(stored), _BYTES))
