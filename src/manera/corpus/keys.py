"""Which utterances there were when a voice was trained, so that what is new or forgotten later can be told from them.

A key is a hash of 8 bytes: of a thread and a time, or where there are no times of a thread and a text. A message that
was edited since is no new one.
"""

import hashlib
from collections.abc import Iterable

from manera.records import Utterance

KEY_BYTES = 8


def key_of(utterance: Utterance) -> bytes:
    """Return the hash that an utterance is known by."""
    what = utterance.text if utterance.sent_at is None else utterance.sent_at
    return hashlib.sha256(f"{utterance.thread_key}\0{what}".encode(errors="surrogatepass")).digest()[:KEY_BYTES]


def keys_of(utterances: Iterable[Utterance]) -> frozenset[bytes]:
    """Return the hashes of utterances."""
    return frozenset(map(key_of, utterances))
