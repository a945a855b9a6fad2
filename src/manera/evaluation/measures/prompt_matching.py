"""Whether a text can be told to belong to its prompt."""

from collections.abc import Sequence

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
