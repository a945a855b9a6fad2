"""A text as somebody would jot it down: its words that tell anything, without the manner in which they are said."""

from manera.dataset.facts import ADDRESS, facts
from manera.dataset.lexing import is_number, is_word, pieces
from manera.text.stems import content_stems

_SENTENCE_END = frozenset(".!?…\n")


def notes(text: str) -> str:
    """Leave of each sentence the words that are no function words, the numbers and the addresses, in their order.

    Marks, emoji and capitals go, but for those of names. The same is made of a text to learn from and of a draft.
    """
    kept = facts(text)
    lines: list[list[str]] = [[]]
    for piece in pieces(text):
        if piece in _SENTENCE_END:
            lines.append([])
        elif is_number(piece):
            lines[-1].append(piece.strip(".,:"))
        elif is_word(piece) and content_stems(piece):
            lines[-1].append(piece if piece in kept.values() else piece.lower())
    lines.append(ADDRESS.findall(text))
    return "; ".join(" ".join(words) for words in lines if words)
