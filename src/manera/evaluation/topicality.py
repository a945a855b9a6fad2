"""Does it speak about what was asked: prompts found by their texts, and true replies ranked above others."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from manera.dataset.encoding import Encoder
from manera.evaluation.held_out import Task
from manera.evaluation.intervals import Floats
from manera.evaluation.scoring import nats
from manera.records import Example, Message

CANDIDATES = 20


def _groups(count: int) -> list[list[int]]:
    """Deal indices into groups of twenty; what is left over fills up from the beginning."""
    if count < CANDIDATES:
        return []
    return [[(start + offset) % count for offset in range(CANDIDATES)] for start in range(0, count, CANDIDATES)]


def found_prompts(prompts: Sequence[str], texts: Sequence[str]) -> list[bool]:
    """Tell for each text whether, of twenty prompts, its own is the most similar one.

    Similarity is the cosine of character n-grams within words, weighed by how rare they are among the prompts:
    the stems that a text shares with its prompt, in any language.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    if len(prompts) < CANDIDATES:
        return []
    asked = vectorizer.fit_transform(prompts)
    written = vectorizer.transform(texts)
    similarity = (written @ asked.T).toarray()
    right = [False] * len(texts)
    for group in _groups(len(texts)):
        for index in group:
            row = similarity[index, group]
            right[index] = bool(row.max() > 0 and group[int(row.argmax())] == index)
    return right


def true_reply_ranks(
    model: nn.Module, encoder: Encoder, tasks: Sequence[Task], replies: Sequence[str], voice_scale: float
) -> list[float]:
    """Return for each task the share of other people's moments' replies that the true one is likelier than.

    Each reply is scored by what the prompt adds to it, so that common short replies do not always win: its nats
    after this prompt less its nats after no prompt.
    """
    alone = _nats(model, encoder, [((), reply) for reply in replies], voice_scale)
    shares = []
    for place, task in enumerate(tasks):
        after = _nats(model, encoder, [(task.messages[-1:], reply) for reply in replies], voice_scale)
        gain = alone - after
        others = np.delete(gain, place)
        shares.append(float((gain[place] > others).mean() + (gain[place] == others).mean() / 2))
    return shares


def _nats(
    model: nn.Module, encoder: Encoder, pairs: Sequence[tuple[Sequence[Message], str]], voice_scale: float
) -> Floats:
    examples = [Example((*before, Message("assistant", reply))) for before, reply in pairs]
    return nats(model, [encoder.example(example) for example in examples], voice_scale)
