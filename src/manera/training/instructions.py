"""What a model made of a person's text, to ask for it: questions that it answers, and plain drafts of it.

They are kept as they come, beside the unfinished run and then with the voice's dataset: nothing is asked twice.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from manera.dataset.facts import compared
from manera.errors import TrainingError
from manera.machine import ranks
from manera.retrieval.sentences import embed
from manera.text.stems import content_stems
from manera.text.words import count_words, runs, words
from manera.voice.folder import INSTRUCTIONS
from manera.voice.instructions import Kind, Made, read_made, write_made

Ask = Callable[[Kind, Sequence[str]], Iterator[str]]
"""Lets a model answer for each text, in order, as the answers come. Raises ManeraError where it cannot go on."""

Make = Callable[[Kind, Sequence[str]], Mapping[str, str]]
"""Returns what was made of texts, by text, as far as it is good for anything."""

MAX_QUESTION_WORDS = 20
MAX_COPIED = 0.5
"""Of a draft's runs of COPIED_WORDS words, how many may be the person's: a draft that copies teaches to copy."""

COPIED_WORDS = 4
MIN_SIZE, MAX_SIZE = 0.3, 2.0
"""Words of a draft for each of the text's."""

MIN_SIMILARITY = 0.5
"""Of a draft and the text that it is of, by ``retrieval.sentences``; neighbours in one blog have 0.2 to 0.4."""


def nothing(kind: Kind, texts: Sequence[str]) -> Mapping[str, str]:
    """Make nothing, where there is nobody to ask."""
    return {}


def maker(folder: Path, ask: Ask | None, earlier: Sequence[Made] = ()) -> Make:
    """Let a model answer once for each text, and write each answer down before the next is waited for.

    folder: what was made lies there, or will. earlier: what was made for a voice that is replaced. Without ask, nothing
    more is made.
    """

    def make(kind: Kind, texts: Sequence[str]) -> Mapping[str, str]:
        known = {(made.kind, made.text_sha256): made.answer for made in (*earlier, *read_made(folder))}
        missing = [text for text in dict.fromkeys(texts) if (kind, _hash(text)) not in known]
        for made in _ask(ask, kind, missing, folder) if ask else ():
            known[kind, made.text_sha256] = made.answer
        found = {text: known[kind, _hash(text)] for text in texts if (kind, _hash(text)) in known}
        return _questions(found) if kind == "question" else _drafts(found)

    return make


def _ask(ask: Ask, kind: Kind, texts: Sequence[str], folder: Path) -> Iterator[Made]:
    if not texts:
        return
    if ranks.count() > 1:
        raise TrainingError(
            f"{len(texts)} texts still want a {kind}, and several processes would each ask for them",
            "begin the training in one process, and let the others join once they are made",
        )
    write_made(read_made(folder), folder)  # without a line that was cut off
    with (folder / INSTRUCTIONS).open("ab") as out:
        for text, answer in zip(texts, ask(kind, texts), strict=True):
            made = Made(kind, _hash(text), answer)
            out.write(msgspec.json.encode(made) + b"\n")
            out.flush()
            yield made


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _questions(answers: Mapping[str, str]) -> dict[str, str]:
    """Keep questions that are about their text: one line, in words some of which stand there, with no new number.

    One that is asked of several texts asks for none of them.
    """
    asked = Counter(answer.strip() for answer in answers.values())
    stripped = ((text, answer.strip()) for text, answer in answers.items())
    return {text: answer for text, answer in stripped if asked[answer] == 1 and _is_question(text, answer)}


def _is_question(text: str, answer: str) -> bool:
    is_one = answer.endswith("?") and "\n" not in answer and 1 < count_words(answer) <= MAX_QUESTION_WORDS
    return is_one and _is_about(text, answer)


def _is_about(text: str, answer: str) -> bool:
    told = set(content_stems(answer))
    return bool(told & set(content_stems(text))) and not compared(text, answer).added


def _drafts(answers: Mapping[str, str]) -> dict[str, str]:
    """Keep drafts that mean the same in other words."""
    plain = {text: " ".join(answer.split()) for text, answer in answers.items()}
    likely = [text for text, draft in plain.items() if _is_draft(text, draft)]
    directions, own = embed([plain[text] for text in likely]), embed(likely)
    alike = (directions * own).sum(axis=1)
    return {text: plain[text] for text, cosine in zip(likely, alike, strict=True) if cosine >= MIN_SIMILARITY}


def _is_draft(text: str, draft: str) -> bool:
    found = compared(text, draft)
    size = count_words(draft) / max(1, count_words(text))
    return MIN_SIZE <= size <= MAX_SIZE and not found.lost and not found.added and _copied(text, draft) <= MAX_COPIED


def _copied(text: str, draft: str) -> float:
    """Return the share of a draft's runs of words that are the text's."""
    own = set(runs(words(text), COPIED_WORDS))
    found = runs(words(draft), COPIED_WORDS)
    return sum(run in own for run in found) / len(found) if found else float(draft == text)
