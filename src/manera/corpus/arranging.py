"""What is settled only after the last file: threads that several files tell in parts, people of several names."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from manera.files import read_records, replacing
from manera.records import Utterance


class Name(NamedTuple):
    """What people see, and the id behind it."""

    shown: str
    id: str


def arrange(path: Path, threads: Collection[str], speakers: Mapping[str, Name]) -> str:
    """Rewrite a file of utterances and return its fingerprint.

    threads: keys of those that came in parts, which are put in order of time and moved to the end.
    speakers: by id, the people who are another one.
    """
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256()
    parts: list[tuple[str, int, int, bytes]] = []
    with replacing(path) as unfinished, unfinished.open("wb") as out:
        for utterance in read_records(path, Utterance):
            if speaker := speakers.get(utterance.speaker_id):
                utterance = msgspec.structs.replace(utterance, speaker=speaker.shown, speaker_id=speaker.id)
            line = encoder.encode(utterance) + b"\n"
            if utterance.thread_key in threads:
                parts.append((utterance.thread_key, utterance.sent_at or 0, utterance.position, line))
                continue
            digest.update(line)
            out.write(line)
        for *_, line in sorted(parts):
            digest.update(line)
            out.write(line)
    return digest.hexdigest()
