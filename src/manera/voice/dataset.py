"""The dataset that a voice learned from, kept with it: to be measured on, to be asked why, to be guarded from."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from manera.files import fingerprint, read_records, replacing, write_records
from manera.records import Example, SplitName
from manera.voice.folder import DATASET, REWRITES, UNREAD, voice_folder

PARTS: tuple[SplitName, ...] = ("train", "validation", "test")


def dataset_file(voice: str, part: SplitName) -> Path:
    """Return where a part of a voice's dataset lies."""
    return _file(voice_folder(voice), part)


def write_dataset(examples: Mapping[SplitName, Sequence[Example]], folder: Path) -> str:
    """Write the examples of each part into a voice's folder and return one fingerprint of all."""
    (folder / DATASET).mkdir(mode=0o700)
    for part, made in examples.items():
        write_records(_file(folder, part), made)
    return fingerprint_of(folder)


def fingerprint_of(folder: Path) -> str:
    """Return the fingerprint of the dataset in a voice's folder: of all of its parts that are there."""
    digest = hashlib.sha256()
    for part in PARTS:
        path = _file(folder, part)
        if path.is_file():
            digest.update(fingerprint(path).sha256.encode())
    return digest.hexdigest()


def training_examples(voice: str) -> Iterator[Example]:
    """Yield a voice's training examples; none where they did not come with the voice."""
    path = dataset_file(voice, "train")
    if path.is_file():
        yield from read_records(path, Example)


def training_texts(voice: str) -> Iterator[str]:
    """Yield what the persona wrote in a voice's training examples; nothing where they did not come with the voice."""
    for example in training_examples(voice):
        yield from example.targets


def write_rewrites(rewrites: Sequence[Example], folder: Path) -> None:
    """Write the pairs from which rewriting was learned beside the dataset in a voice's folder, where there are any."""
    if rewrites:
        write_records(folder / DATASET / REWRITES, rewrites)


def read_rewrites(voice: str) -> list[Example]:
    """Return those pairs; none where the voice learned no rewriting, or they did not come with it."""
    path = voice_folder(voice) / DATASET / REWRITES
    return list(read_records(path, Example)) if path.is_file() else []


def write_unread(places: Collection[int], folder: Path) -> None:
    """Note in a voice's folder which training examples, or windows of running text, its kept point had not read."""
    if places:
        with replacing(folder / UNREAD) as unfinished:
            unfinished.write_bytes(msgspec.json.encode(sorted(places)))


def read_unread(voice: str) -> frozenset[int]:
    """Return those places; none where everything had been read, or nothing was noted."""
    try:
        return frozenset(msgspec.json.decode((voice_folder(voice) / UNREAD).read_bytes(), type=list[int]))
    except (OSError, msgspec.DecodeError):
        return frozenset()


def _file(folder: Path, part: SplitName) -> Path:
    return folder / DATASET / f"{part}.jsonl"
