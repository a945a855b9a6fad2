"""``manera rewrite``: a plain draft in, the same in a person's manner out, and what was kept of it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manera.cli import console
from manera.errors import EvaluationError, SourceError
from manera.voice.manifest import Voice, read_voice

if TYPE_CHECKING:
    from manera.generation.rewriting import Likeness, Rewritten

STANDARD_INPUT = Path("-")


def rewrite(name: str, path: Path, flags: Mapping[str, float | None], guard: bool, as_json: bool) -> None:
    """Rewrite a file, or what comes on standard input, and report on each passage."""
    from manera.generation.opening import open_voices
    from manera.generation.rewriting import TEMPERATURE, require_rewriting
    from manera.generation.rewriting import rewrite as rewritten

    voice = read_voice(name)
    rewriting = require_rewriting(voice)
    draft = _read(path)
    likeness = _likeness(voice)
    done: list[Rewritten] = []
    with open_voices([name], console.say) as ready:
        writer = ready.writers[name] if guard else ready.writers[name]._replace(guard=None)
        given = {"temperature": TEMPERATURE} | {key: value for key, value in flags.items() if value is not None}
        sampling = msgspec.structs.replace(writer.sampling, **given)
        for passage in rewritten(ready.engine, writer, rewriting, draft, sampling, likeness):
            done.append(passage)
            if not as_json:
                sys.stdout.write(passage.between + passage.text)
                sys.stdout.flush()
    if as_json:
        console.result({"voice": name, "passages": [msgspec.to_builtins(passage) for passage in done]})
        return
    sys.stdout.write("\n")
    for number, passage in enumerate(done, 1):
        console.say(in_words(number, passage))


def in_words(number: int, passage: "Rewritten") -> str:
    """Say in one line how much of a passage was kept."""
    told = [f"{number}: similarity {passage.similarity:.2f}"]
    if passage.likeness is not None:
        told.append(f"likeness {passage.likeness:.2f}")
    facts = len(passage.kept) + len(passage.lost)
    if facts:
        told.append(f"{len(passage.kept)} of {facts} names and numbers kept")
    told += [
        f"{name}: {', '.join(found)}" for name, found in (("lost", passage.lost), ("added", passage.added)) if found
    ]
    return "; ".join(told)


def _read(path: Path) -> str:
    """Return a draft; raise SourceError where there are no words in it."""
    try:
        text = sys.stdin.read() if path == STANDARD_INPUT else path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is no text in UTF-8", "save it as plain text in UTF-8") from error
    if not any(map(str.isalpha, text)):
        raise SourceError(
            f"there is no draft in {'standard input' if path == STANDARD_INPUT else path}",
            "write what is to be said, in plain words",
        )
    return text


def _likeness(voice: Voice) -> "Likeness | None":
    """Train a verifier on the voice's dataset, which takes seconds; None where it has too little to learn from."""
    from manera.evaluation.rewriting import likeness_by

    try:
        return likeness_by(voice)
    except EvaluationError as error:
        console.say(f"likeness is not told: {error.message}")
        return None
