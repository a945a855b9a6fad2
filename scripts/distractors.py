"""Write ``src/manera/evaluation/texts/distractors.jsonl``: other people's words that every installation has.

    python scripts/distractors.py

They are the speakers of ``examples/``, which were invented for this project.
"""

from pathlib import Path

import msgspec

from manera.corpus.conversations import conversations
from manera.dataset.examples import messages_of
from manera.evaluation.other_authors import BUNDLED, Author
from manera.records import Utterance
from manera.sources.reading import read

EXAMPLES = Path(__file__).parents[1] / "examples"
MIN_TEXTS = 40


def authors() -> list[Author]:
    """Read everybody who says enough in the examples."""
    found = []
    for folder in sorted(EXAMPLES.iterdir()):
        utterances = [record for record in read([folder]) if isinstance(record, Utterance)]
        spoken: dict[str, list[tuple[str, ...]]] = {}
        for conversation in conversations(utterances):
            said: dict[str, list[str]] = {}
            for turn in conversation.turns:
                texts = messages_of("\n".join(turn.texts)) if conversation.kind == "post" else turn.texts
                said.setdefault(turn.speaker, []).extend(texts)
            for speaker, spoken_here in said.items():
                spoken.setdefault(speaker, []).append(tuple(spoken_here))
        language = folder.name.rpartition("-")[2]
        found += [
            Author(f"{folder.name}: {speaker}", language, tuple(talks))
            for speaker, talks in spoken.items()
            if sum(map(len, talks)) >= MIN_TEXTS
        ]
    return found


def rendered() -> bytes:
    """Return the file as it should be."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(author) + b"\n" for author in authors())


if __name__ == "__main__":
    BUNDLED.write_bytes(rendered())
