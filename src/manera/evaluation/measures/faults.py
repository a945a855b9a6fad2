"""Does it write at all: texts that never end, repeat themselves, speak for the other side, or are empty."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Groups, Indices, Interval
from manera.records import ExampleKind
from manera.text.languages import language_of
from manera.text.words import words

LOOP_WORDS = 4
LOOP_TIMES = 4
MIN_WORDS_OF_A_LANGUAGE = 3
COPIED_PROMPT_WORDS = 6
DISTINCT_RUN = 2
_OTHER_SIDE = re.compile(r"^\s*(?:A|B|user|model|assistant|User|Assistant):", re.MULTILINE)


def loops(text: str) -> bool:
    """Tell whether some run of words comes back again and again."""
    found = words(text)
    runs = Counter(tuple(found[start : start + LOOP_WORDS]) for start in range(len(found) - LOOP_WORDS + 1))
    times = max(runs.values(), default=0)
    return times >= LOOP_TIMES


def copies_prompt(text: str, prompt: str) -> bool:
    """Tell whether a run of the prompt's words is repeated."""
    asked, found = words(prompt), words(text)
    runs = {tuple(asked[start : start + COPIED_PROMPT_WORDS]) for start in range(len(asked) - COPIED_PROMPT_WORDS + 1)}
    return any(
        tuple(found[start : start + COPIED_PROMPT_WORDS]) in runs
        for start in range(len(found) - COPIED_PROMPT_WORDS + 1)
    )


def speaks_for_the_other(text: str) -> bool:
    """Tell whether the marks that part the speakers are in the text."""
    return _OTHER_SIDE.search(text) is not None


def is_wrong_language(text: str, language: str) -> bool:
    """Tell whether a text of some words is in another alphabet than the author's."""
    return len(words(text)) >= MIN_WORDS_OF_A_LANGUAGE and language_of([text]) != language


def faults(
    texts: Sequence[str], cut_off: Sequence[bool], prompts: Sequence[str], kind: ExampleKind, language: str
) -> dict[str, list[bool]]:
    """Return for each fault which of the texts have it.

    cut_off: which were ended by their length; a continuation always is, and need not end.
    """
    found = {
        "empty": [not text.strip() for text in texts],
        "loops": [loops(text) for text in texts],
        "copied_prompt": [copies_prompt(text, prompt) for text, prompt in zip(texts, prompts, strict=True)],
        "wrong_language": [is_wrong_language(text, language) for text in texts],
    }
    if kind != "continuation":
        found["never_stopped"] = list(cut_off)
    if kind == "dialogue":
        found["other_side"] = [speaks_for_the_other(text) for text in texts]
    return found


def distinct(texts: Sequence[str], groups: Groups, run: int = DISTINCT_RUN) -> Interval:
    """Divide different runs of words by all of them, over all the texts (distinct-n, Li et al., 2016)."""
    split = [words(text) for text in texts]
    runs = [[tuple(found[i : i + run]) for i in range(len(found) - run + 1)] for found in split]

    def share(drawn: Indices) -> float:
        total = sum(len(runs[index]) for index in drawn)
        return len({one for index in drawn for one in runs[index]}) / total if total else float("nan")

    return intervals.jackknife(groups, share)


def self_similarity(texts: Sequence[str], groups: Groups) -> Interval:
    """Average over texts how like each is to the nearest other one, by the cosine of character n-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    kept = {index: text for index, text in enumerate(texts) if text.strip()}
    if len(kept) < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(kept.values())
    similarity = (rows @ rows.T).toarray()
    np.fill_diagonal(similarity, 0.0)
    of_kept = [groups[index] for index in kept]
    return intervals.jackknife(of_kept, lambda drawn: float(similarity[np.ix_(drawn, drawn)].max(1).mean()))
