"""What a voice was trained on: its own dataset, and the canaries that were planted in it."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from manera.dataset.canaries import Canary
from manera.dataset.examples import messages_of
from manera.evaluation.reasons import NotMeasuredError
from manera.files import fingerprint, read_records
from manera.model.voice import CANARIES, Voice, voice_folder
from manera.records import Example, SplitName

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class VoiceDataset(NamedTuple):
    """The examples that a voice learned from, and those held out to measure it."""

    training: Sequence[Example]
    test: Sequence[Example]


def read_dataset(voice: Voice) -> VoiceDataset:
    """Read a voice's dataset; raise NotMeasuredError when it is missing or not the one that was trained on."""
    found = VoiceDataset(read_part(voice, "train"), read_part(voice, "test"))
    if dataset_sha256(voice) != voice.dataset_sha256:
        raise NotMeasuredError("dataset_changed", _train_again(voice), voice=voice.name)
    return found


def read_part(voice: Voice, part: SplitName) -> list[Example]:
    """Read a part of a voice's dataset; raise NotMeasuredError when it is missing, empty or broken."""
    path = voice_folder(voice.name) / "dataset" / f"{part}.jsonl"
    hint = _train_again(voice)
    try:
        examples = list(read_records(path, Example))
    except FileNotFoundError as error:
        raise NotMeasuredError("dataset_missing", hint, voice=voice.name, file=path.name) from error
    except msgspec.DecodeError as error:
        raise NotMeasuredError("dataset_broken", hint, path=str(path), error=str(error)) from error
    if not examples:
        raise NotMeasuredError("dataset_empty", hint, voice=voice.name, path=str(path))
    return examples


def dataset_sha256(voice: Voice) -> str:
    """Return the fingerprint of a voice's dataset as it is now."""
    digest = hashlib.sha256()
    for part in SPLITS:
        path = voice_folder(voice.name) / "dataset" / f"{part}.jsonl"
        if path.is_file():
            digest.update(fingerprint(path).sha256.encode())
    return digest.hexdigest()


def _train_again(voice: Voice) -> str:
    return f"train it again: manera train CORPUS --name {voice.name} --replace"


def own_writing(examples: Sequence[Example]) -> list[list[str]]:
    """Return what the persona wrote, message by message, conversation by conversation."""
    return [
        [text for message in example.messages if message.role == "assistant" and message.weight
         for text in messages_of(message.content)]
        for example in examples
    ]  # fmt: skip


def read_canaries(voice: Voice) -> list[Canary]:
    """Read the canaries that were planted in a voice's training; raise NotMeasuredError where there are none."""
    try:
        return list(read_records(voice_folder(voice.name) / CANARIES, Canary))
    except FileNotFoundError as error:
        raise NotMeasuredError("no_canaries", "train with some: manera train CORPUS --canaries 10") from error
    except msgspec.DecodeError as error:
        raise NotMeasuredError("canaries_broken", "train again", error=str(error)) from error
