"""A plain draft, said in a voice's manner: paragraph by paragraph, and of several tries the one that means the same."""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from manera.dataset.facts import compared
from manera.dataset.notes import notes
from manera.dataset.rewriting import Rewriting
from manera.errors import ModelError
from manera.generation.drafting import DraftingEngine
from manera.generation.engine import Engine, Request
from manera.generation.reply import Writer, shown, writing
from manera.records import Message
from manera.retrieval.sentences import embed
from manera.voice.manifest import Sampling, Voice

TRIES = 6
TEMPERATURE = 0.7
MAX_WORDS = 80
"""Of what is rewritten at once: about as long as the passages from which it was learned."""

FACTS_WEIGHT = 0.5
LIKENESS_WEIGHT = 0.2
UNFINISHED = 0.3
"""What a try loses of its similarity, which is 0 to 1, for all its facts, for being nothing like the person, and for
having no end."""

TOKENS_PER_TOKEN, MORE_TOKENS = 2, 32
"""How long a try may be for each token of its draft."""

_BLANK_LINES = re.compile(r"(\n\s*\n)")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")

Likeness = Callable[[Sequence[str]], Sequence[float]]
"""Says of texts how probable it is that the person wrote them, 0 to 1."""


class Rewritten(msgspec.Struct, frozen=True):
    """A passage of a draft, and what became of it.

    similarity: of their meanings, cosine. kept, lost: names, numbers and addresses of the draft. added: those that it
    did not have. likeness: None where nobody could be asked. between: what stands before the passage in the draft.
    """

    draft: str
    text: str
    similarity: float
    kept: list[str]
    lost: list[str]
    added: list[str]
    likeness: float | None = None
    between: str = ""


def require_rewriting(voice: Voice) -> Rewriting:
    """Return how a voice is asked to rewrite; raise ModelError where it has not learned that."""
    if voice.rewriting is None:
        raise ModelError(
            f"the voice {voice.name!r} has not learned to rewrite",
            f"train it again with --rewrite: manera train CORPUS --name {voice.name} --rewrite --replace",
        )
    return voice.rewriting


def passages(text: str) -> Iterator[tuple[str, str]]:
    """Cut a draft into paragraphs, and long ones between sentences; each with what stands before it."""
    pieces = _BLANK_LINES.split(text.strip())
    between = ""
    for place, piece in enumerate(pieces):
        if place % 2:
            between = piece
            continue
        for part in _parts(piece):
            yield between, part
            between = " "


def _parts(paragraph: str) -> Iterator[str]:
    part: list[str] = []
    for sentence in _SENTENCE_END.split(paragraph):
        if part and sum(len(one.split()) for one in (*part, sentence)) > MAX_WORDS:
            yield " ".join(part)
            part = []
        part.append(sentence)
    yield " ".join(part)


def rewrite(
    engine: Engine,
    writer: Writer,
    rewriting: Rewriting,
    text: str,
    sampling: Sampling,
    likeness: Likeness | None = None,
) -> Iterator[Rewritten]:
    """Yield each passage of a draft as soon as it is rewritten. Raises GenerationError."""
    drafting = writing(engine, writer)
    for between, passage in passages(text):
        tries = _tries(drafting, writer, rewriting, passage, sampling)
        yield msgspec.structs.replace(_best(passage, tries, likeness), between=between)


def _tries(
    drafting: DraftingEngine, writer: Writer, rewriting: Rewriting, passage: str, sampling: Sampling
) -> list[tuple[str, bool]]:
    """Write a passage several times at once; return the texts, and whether each came to its end."""
    given = notes(passage) if rewriting.from_notes else passage
    prompt = writer.encoder.prompt([Message("user", rewriting.asked(given))])
    longest = TOKENS_PER_TOKEN * len(writer.encoder.text(passage)) + MORE_TOKENS
    limited = msgspec.structs.replace(sampling, max_new_tokens=min(longest, sampling.max_new_tokens))
    count = 1 if sampling.temperature <= 0 else sampling.drafts or TRIES
    made = drafting.write(Request(prompt, limited, writer.adapters), count, lambda: False)
    return [("".join(shown(token).text for token in one.tokens).strip(), one.finished.reason == "stop") for one in made]


def _best(passage: str, tries: Sequence[tuple[str, bool]], likeness: Likeness | None) -> Rewritten:
    """Choose the try that keeps the meaning and the facts, and is most like the person."""
    texts = [text for text, _ in tries]
    alike = embed(texts) @ embed([passage])[0]
    probable: Sequence[float | None] = likeness(texts) if likeness else [None] * len(texts)
    facts = [compared(passage, text) for text in texts]

    def score(place: int) -> float:
        likely, is_whole = probable[place], tries[place][1]
        unlike = 0.0 if likely is None else 1 - likely
        return float(alike[place]) - (
            FACTS_WEIGHT * facts[place].share_wrong + LIKENESS_WEIGHT * unlike + UNFINISHED * (not is_whole)
        )

    best = max(range(len(texts)), key=score)
    found = facts[best]
    return Rewritten(passage, texts[best], float(alike[best]), found.kept, found.lost, found.added, probable[best])
