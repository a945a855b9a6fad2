"""``manera import`` and ``manera speakers``."""

from pathlib import Path

from manera.cli import console
from manera.corpus.manifest import Manifest
from manera.corpus.storage import open_corpus, write
from manera.sources.reading import read


def import_corpus(paths: list[Path], folder: Path, replace: bool, as_json: bool) -> Manifest:
    """Import files as a corpus and show its ledger."""
    manifest = write(read(paths), folder, paths, replace=replace)
    ledger = manifest.ledger
    if as_json:
        console.result({"read": ledger.read, "kept": ledger.kept, "dropped": ledger.dropped})
    else:
        console.show_ledger(ledger.read, ledger.kept, ledger.dropped)
        console.say(f"corpus: {folder}")
    return manifest


def show_speakers(folder: Path, show_all: bool, as_json: bool) -> None:
    """List the speakers of a corpus, who wrote most first."""
    manifest = open_corpus(folder).manifest
    if as_json:
        console.result({"owner": manifest.owner, "speakers": manifest.speakers})
        return
    rows = (
        (
            speaker.name + (" (owner)" if speaker.speaker_id == manifest.owner else ""),
            speaker.speaker_id,
            speaker.utterances,
            speaker.words,
            speaker.threads,
        )
        for speaker in manifest.speakers
    )
    limit = None if show_all else console.FIRST_ROWS
    console.show_table(("speaker", "id", "utterances", "words", "threads"), rows, limit)
