"""What is held out: chosen before examples exist, so nothing of it can leak into training."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manera.corpus.conversations import merge_turns
from manera.errors import CorpusError
from manera.records import Conversation, SplitName, Turn

HELD_OUT_SHARE = 0.1
# Below this, a manner cannot be told from chance: about two pages.
MIN_CHARACTERS = 2000

# Fewer conversations than this are cut inside, so that a part is not one odd conversation.
_MANY = 10
# Dropping one at each border costs little from here on.
_ENOUGH_FOR_GAPS = 10
# A conversation that would make a part larger than this many shares is passed over when dealing.
_OVERSHOOT = 1.5
# A part may be this many shares large before another way of splitting is tried.
_TOO_LARGE = 2.5
# A paragraph of a book longer than this share of what is held out is cut between sentences: few would make no split.
_LONG_PARAGRAPH = 0.1
_MIN_PARAGRAPH = 500
_SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+")
# Shorter texts ("ok") repeat by themselves.
_LONG_TEXT = 40

WITHOUT_SPEAKER = "conversation without the speaker"
GAP = "gap between splits"
REPEATED = "text that another split holds"

Parts = dict[SplitName, list[Conversation]]


@dataclass(frozen=True)
class Split:
    """The three parts, and how much was left out of all of them, by reason."""

    conversations: Parts
    dropped: dict[str, int]


def split(conversations: Iterable[Conversation], speaker_id: str, share: float = HELD_OUT_SHARE) -> Split:
    """Hold out about ``share`` of the speaker's characters for test and as much for validation.

    Where times are known: the last stretch for test, the one before it for validation. Else, of ten
    conversations or more, whole ones by a hash of their threads. Else (one long book, a few long
    scenes) the last stretch of each long thread. A gap is left at borders in time or position where
    there is enough. A text of 40 characters or more is in one part only: train, else validation.
    The same conversations are always split alike.
    """
    dropped: Counter[str] = Counter()
    spoken = []
    for conversation in conversations:
        if _characters(conversation, speaker_id):
            spoken.append(conversation)
        else:
            dropped[WITHOUT_SPEAKER] += 1
    parts = _divide(spoken, speaker_id, share, dropped)
    return Split(
        _without_repeats(parts, speaker_id, dropped),
        {reason: count for reason, count in dropped.items() if count},
    )


def without_texts(
    conversations: Iterable[Conversation], speaker_id: str, texts: Iterable[str]
) -> tuple[list[Conversation], int]:
    """Take these texts of the speaker out, if of 40 characters or more; return what is left and how many there were."""
    dropped: Counter[str] = Counter()
    taken = {_normal(text) for text in texts if len(text) >= _LONG_TEXT}
    left = [_without(conversation, speaker_id, taken, dropped) for conversation in conversations]
    return [conversation for conversation in left if conversation is not None], dropped[REPEATED]


def require_enough(
    conversations: Iterable[Conversation], speaker_id: str, name: str, least: int = MIN_CHARACTERS
) -> int:
    """Return how many characters the speaker has to learn from; raise CorpusError when too few."""
    characters = sum(_characters(conversation, speaker_id) for conversation in conversations)
    if characters < least:
        raise CorpusError(
            f'"{name}" has {characters:,} characters to learn from, and {least:,} are needed',
            "import more of what they wrote, or choose another speaker: manera speakers",
        )
    return characters


def _divide(spoken: list[Conversation], speaker_id: str, share: float, dropped: Counter[str]) -> Parts:
    if len(spoken) >= _MANY:
        if all(conversation.started_at is not None for conversation in spoken):
            ordered = sorted(spoken, key=lambda conversation: conversation.started_at or 0)
            parts, gaps = _by_order(ordered, speaker_id, share)
        else:
            parts, gaps = _by_hash(spoken, speaker_id, share), 0
        if _is_fair(parts, speaker_id, share):
            dropped[GAP] += gaps
            return parts
    return _by_position(spoken, speaker_id, share, dropped)


def _is_fair(parts: Parts, speaker_id: str, share: float) -> bool:
    sizes = {name: sum(_characters(item, speaker_id) for item in part) for name, part in parts.items()}
    total = sum(sizes.values())
    return all(0 < sizes[name] <= total * share * _TOO_LARGE for name in ("validation", "test"))


def _by_order(ordered: Sequence[Conversation], speaker_id: str, share: float) -> tuple[Parts, int]:
    """Cut a sequence near its end; return the parts and how many were left out as gaps."""
    sizes = [_characters(conversation, speaker_id) for conversation in ordered]
    validation, test, gap = _borders(sizes, share)
    parts: Parts = {
        "train": list(ordered[: validation - gap]),
        "validation": list(ordered[validation : test - gap]),
        "test": list(ordered[test:]),
    }
    return parts, 2 * gap


def _borders(sizes: Sequence[int], share: float) -> tuple[int, int, int]:
    """Return where validation and test begin, and how many items before each are left out.

    Each part has at least one item where there are three or more.
    """
    count = len(sizes)
    gap = 1 if count >= _ENOUGH_FOR_GAPS else 0
    wanted = sum(sizes) * share
    test = _begin(sizes, count, wanted, lowest=2 + 2 * gap)
    validation = _begin(sizes, test - gap, wanted, lowest=1 + gap)
    return validation, test, gap


def _begin(sizes: Sequence[int], end: int, wanted: float, lowest: int) -> int:
    begin, size = end, 0
    while begin > lowest and (begin == end or size < wanted):
        begin -= 1
        size += sizes[begin]
    return begin


def _by_hash(spoken: Sequence[Conversation], speaker_id: str, share: float) -> Parts:
    """Deal whole conversations in an order that only their places decide, so a part is spread evenly."""
    wanted = share * sum(_characters(conversation, speaker_id) for conversation in spoken)
    parts: Parts = {"train": [], "validation": [], "test": []}
    sizes = {"validation": 0, "test": 0}
    chosen: dict[int, SplitName] = {}
    for index in sorted(range(len(spoken)), key=lambda index: _rank(spoken[index].thread, index)):
        size = _characters(spoken[index], speaker_id)
        for name in ("test", "validation"):
            if sizes[name] < wanted and sizes[name] + size <= _OVERSHOOT * wanted:
                sizes[name] += size
                chosen[index] = "test" if name == "test" else "validation"
                break
    for index, conversation in enumerate(spoken):
        parts[chosen.get(index, "train")].append(conversation)
    return parts


def _rank(thread: str, index: int) -> bytes:
    return hashlib.sha256(f"{thread}\0{index}".encode()).digest()


def _by_position(spoken: Sequence[Conversation], speaker_id: str, share: float, dropped: Counter[str]) -> Parts:
    """Cut each long thread near its end; short ones are learned from whole, unless there are no others."""
    threads: dict[str, list[_Piece]] = {}
    for conversation in spoken:
        threads.setdefault(conversation.thread, []).extend(_pieces(conversation, speaker_id, share))
    long = [pieces for pieces in threads.values() if len(pieces) >= _ENOUGH_FOR_GAPS]
    short = [piece for pieces in threads.values() if len(pieces) < _ENOUGH_FOR_GAPS for piece in pieces]
    parts: Parts = {"train": [], "validation": [], "test": []}
    if long:
        parts["train"] += _joined(short)
    for pieces in long or [short]:
        if len(pieces) < len(parts):
            parts["train"] += _joined(pieces)
            continue
        validation, test, gap = _borders([piece.size for piece in pieces], share)
        dropped[GAP] += 2 * gap
        parts["train"] += _joined(pieces[: validation - gap])
        parts["validation"] += _joined(pieces[validation : test - gap])
        parts["test"] += _joined(pieces[test:])
    return parts


@dataclass(frozen=True)
class _Piece:
    """What leads up to one turn of the speaker, or to one text of a turn, and that; size in characters.

    goes_on is what stood between this and the piece before, where both are of one paragraph.
    """

    conversation: Conversation
    turns: tuple[Turn, ...]
    size: int
    goes_on: str = ""


def _pieces(conversation: Conversation, speaker_id: str, share: float) -> Iterator[_Piece]:
    """Cut between the speaker's turns where there are many, else between the texts of a turn.

    A book is cut by its length: its paragraphs too, where they are long.
    """
    if conversation.kind == "prose":
        most = max(_MIN_PARAGRAPH, int(_LONG_PARAGRAPH * share * _characters(conversation, speaker_id)))
        yield from _prose_pieces(conversation, most)
        return
    own = sum(turn.speaker_id == speaker_id for turn in conversation.turns)
    before: list[Turn] = []
    for turn in conversation.turns:
        if turn.speaker_id != speaker_id:
            before.append(turn)
            continue
        bursts = [turn.texts] if own >= _ENOUGH_FOR_GAPS else [(text,) for text in turn.texts]
        for texts in bursts:
            said = Turn(turn.speaker_id, turn.speaker, texts)
            yield _Piece(conversation, (*before, said), sum(map(len, texts)))
            before = []


def _prose_pieces(conversation: Conversation, most: int) -> Iterator[_Piece]:
    for turn in conversation.turns:
        for text in turn.texts:
            before = ""
            for part, after in _parts(text, most):
                said = Turn(turn.speaker_id, turn.speaker, (part,))
                yield _Piece(conversation, (said,), len(part), before)
                before = after


def _parts(text: str, most: int) -> Iterator[tuple[str, str]]:
    """Yield a text in parts of whole sentences, not longer than most but for one, each with what follows it."""
    start = end = 0
    gap = ""
    for found in _SENTENCE_BREAK.finditer(text) if len(text) > most else ():
        if end > start and found.start() - start > most:
            yield text[start:end], gap
            start = end + len(gap)
        end, gap = found.start(), found[0]
    if end > start and len(text) - start > most:
        yield text[start:end], gap
        start = end + len(gap)
    yield text[start:], ""


def _joined(pieces: Iterable[_Piece]) -> list[Conversation]:
    """Put neighbouring pieces of one conversation, and of one paragraph, together again."""
    found: list[tuple[Conversation, list[Turn]]] = []
    for piece in pieces:
        if not found or found[-1][0] is not piece.conversation:
            found.append((piece.conversation, []))
        turns = found[-1][1]
        if piece.goes_on and turns:
            before, (said,) = turns.pop(), piece.turns
            text = before.texts[-1] + piece.goes_on + said.texts[0]
            turns.append(Turn(said.speaker_id, said.speaker, (*before.texts[:-1], text)))
        else:
            turns.extend(piece.turns)
    return [_with_turns(conversation, merge_turns(turns)) for conversation, turns in found]


def _with_turns(conversation: Conversation, turns: tuple[Turn, ...]) -> Conversation:
    return Conversation(conversation.thread, conversation.kind, turns, conversation.started_at, conversation.title)


def _without_repeats(parts: Parts, speaker_id: str, dropped: Counter[str]) -> Parts:
    taken: set[str] = set()
    result: Parts = {}
    for name, part in parts.items():
        kept = [_without(conversation, speaker_id, taken, dropped) for conversation in part]
        result[name] = [conversation for conversation in kept if conversation is not None]
        for conversation in result[name]:
            taken.update(_normal(text) for text in _long_texts(conversation, speaker_id))
    return result


def _without(
    conversation: Conversation, speaker_id: str, taken: set[str], dropped: Counter[str]
) -> Conversation | None:
    """Take out the speaker's texts that another part holds; None when nothing of theirs is left."""
    repeated = {text for text in _long_texts(conversation, speaker_id) if _normal(text) in taken}
    if not repeated:
        return conversation
    turns = []
    for turn in conversation.turns:
        if turn.speaker_id == speaker_id:
            texts = tuple(text for text in turn.texts if text not in repeated)
            dropped[REPEATED] += len(turn.texts) - len(texts)
            turn = Turn(turn.speaker_id, turn.speaker, texts)
        if turn.texts:
            turns.append(turn)
    left = _with_turns(conversation, merge_turns(turns))
    return left if _characters(left, speaker_id) else None


def _long_texts(conversation: Conversation, speaker_id: str) -> Iterator[str]:
    for turn in conversation.turns:
        if turn.speaker_id == speaker_id:
            yield from (text for text in turn.texts if len(text) >= _LONG_TEXT)


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _characters(conversation: Conversation, speaker_id: str) -> int:
    return sum(len(text) for turn in conversation.turns if turn.speaker_id == speaker_id for text in turn.texts)
