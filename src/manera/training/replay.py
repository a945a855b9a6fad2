"""General text mixed in among a person's, so that less is forgotten: some written for this, or any corpus.

The bundled texts are not those on which forgetting is measured.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from manera.corpus.conversations import conversations_of
from manera.corpus.storage import open_corpus
from manera.dataset.encoding import Encoded, Encoder
from manera.dataset.formats.format import read_format

TEXTS = Path(__file__).parent / "texts"


def general_windows(texts: Iterable[str], tokens: float, encoder: Encoder, max_length: int) -> tuple[Encoded, ...]:
    """Return so many learned tokens of general text, as running prose; fewer where there are not so many.

    Each window is there once; which texts are taken is drawn among all.
    """
    template = read_format("prose").chat_template(encoder.template.bos, encoder.template.end_of_turn)
    prose = Encoder(encoder.tokenizer, template)
    found = list(texts)
    taken: list[Encoded] = []
    for index in np.random.default_rng(0).permutation(len(found)).tolist():
        for window in prose.windows(found[index], max_length):
            if tokens <= 0:
                return tuple(taken)
            taken.append(window)
            tokens -= window.supervised_tokens
    return tuple(taken)


def bundled_texts(languages: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs in these languages; in all that there are where it is none of these."""
    paths = [TEXTS / f"replay-{language}.txt" for language in languages]
    for path in [path for path in paths if path.is_file()] or sorted(TEXTS.glob("replay-*.txt")):
        yield from path.read_text("utf-8").strip().split("\n\n")


def corpus_texts(folder: Path) -> Iterator[str]:
    """Yield each conversation of a corpus as running text; raise CorpusError where there is no corpus."""
    for talk in conversations_of(open_corpus(folder)):
        yield "\n".join(text for turn in talk.turns for text in turn.texts)
