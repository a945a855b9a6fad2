"""Long texts that somebody wrote again, word for word or nearly: an advertisement, a greeting sent to many."""

from itertools import pairwise

from manera.text.words import words

REPEATED = "written before"
NEARLY = "nearly written before"

# A short «ок» is no duplicate.
_MIN_CHARACTERS = 60
_MIN_WORDS = 8
_SIMILARITY = 0.7
_PERMUTATIONS, _BANDS = 64, 16
_SEED = 42


class Repeats:
    """Tells texts that were seen before; takes some four hundred bytes for a long one, nothing for a short one."""

    def __init__(self) -> None:
        from rensa import RMinHash, RMinHashLSH

        self._hash = RMinHash
        self._exact: set[int] = set()
        self._index = RMinHashLSH(_SIMILARITY, _PERMUTATIONS, _BANDS)
        self._kept: list[tuple[str, RMinHash]] = []

    def holds(self, speaker_id: str, text: str) -> str | None:
        """Tell whether, and how, its speaker wrote this before; remember it."""
        if len(text) < _MIN_CHARACTERS:
            return None
        said = words(text)
        if len(said) < _MIN_WORDS:
            return None
        key = hash((speaker_id, " ".join(text.casefold().split())))
        if key in self._exact:
            return REPEATED
        self._exact.add(key)
        signature = self._hash(_PERMUTATIONS, _SEED)
        signature.update([f"{first} {second}" for first, second in pairwise(said)])
        for number in self._index.query(signature):
            whose, earlier = self._kept[number]
            if whose == speaker_id and signature.jaccard(earlier) >= _SIMILARITY:
                return NEARLY
        self._index.insert(len(self._kept), signature)
        self._kept.append((speaker_id, signature))
        return None
