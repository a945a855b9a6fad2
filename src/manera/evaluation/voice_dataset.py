"""What a voice was trained on: its own dataset, and the canaries that were planted in it."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from manera.dataset.canaries import Canary
from manera.dataset.examples import messages_of
from manera.evaluation.reasons import NotMeasuredError
from manera.files import read_records
from manera.records import Example, SplitName
from manera.voice.dataset import dataset_file, fingerprint_of
from manera.voice.folder import CANARIES, voice_folder
from manera.voice.manifest import Voice


class VoiceDataset(NamedTuple):
    """The examples that a voice learned from, and those held out to measure it."""

    training: Sequence[Example]
    test: Sequence[Example]


def read_dataset(voice: Voice) -> VoiceDataset:
    """Read a voice's dataset; raise NotMeasuredError when it is missing or not the one that was trained on."""
    found = VoiceDataset(read_part(voice, "train"), read_part(voice, "test"))
    if fingerprint_of(voice_folder(voice.name)) != voice.dataset_sha256:
        raise NotMeasuredError("dataset_changed", _train_again(voice), voice=voice.name)
    return found


def read_part(voice: Voice, part: SplitName) -> list[Example]:
    """Read a part of a voice's dataset; raise NotMeasuredError when it is missing, empty or broken."""
    path = dataset_file(voice.name, part)
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


def _train_again(voice: Voice) -> str:
    return f"train it again: manera train CORPUS --name {voice.name} --replace"


def own_writing(examples: Sequence[Example]) -> list[list[str]]:
    """Return what the persona wrote, message by message, conversation by conversation."""
    return [[text for target in example.targets for text in messages_of(target)] for example in examples]


def own_texts(examples: Sequence[Example]) -> list[str]:
    """Return the same without regard to conversations."""
    return [text for talk in own_writing(examples) for text in talk]


def read_canaries(voice: Voice) -> list[Canary]:
    """Read the canaries that were planted in a voice's training; raise NotMeasuredError where there are none."""
    try:
        return list(read_records(voice_folder(voice.name) / CANARIES, Canary))
    except FileNotFoundError as error:
        raise NotMeasuredError("no_canaries", "train with some: manera train CORPUS --canaries 10") from error
    except msgspec.DecodeError as error:
        raise NotMeasuredError("canaries_broken", "train again", error=str(error)) from error
