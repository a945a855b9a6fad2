"""Utterances of a thread, cut at long silences and joined into turns."""

from collections.abc import Iterable, Iterator, Sequence

from manera.records import Conversation, Turn, Utterance

# Someone who answers within an hour or two still answers; who writes the next day begins anew.
SILENCE_SECONDS = 3 * 3600


def conversations(utterances: Iterable[Utterance], silence_seconds: int = SILENCE_SECONDS) -> Iterator[Conversation]:
    """Yield conversations as they end; threads may interleave.

    Chat messages are cut where nobody wrote for longer than the silence, each post stands alone,
    and a book's work or a play's scene is one conversation. Adjacent utterances of one speaker are
    one turn however long the pause between them: a pause long enough to matter cuts the conversation,
    so two turns of one speaker never follow each other.
    """
    pending: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        thread = utterance.thread_key
        earlier = pending.get(thread)
        if earlier is None:
            pending[thread] = [utterance]
        elif _continues(earlier[-1], utterance, silence_seconds):
            earlier.append(utterance)
        else:
            yield _conversation(earlier)
            pending[thread] = [utterance]
    for earlier in pending.values():
        yield _conversation(earlier)


def merge_turns(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Join adjacent turns of one speaker; the boundaries of their texts stay."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].speaker_id == turn.speaker_id:
            turn = Turn(turn.speaker_id, turn.speaker, merged.pop().texts + turn.texts)
        merged.append(turn)
    return tuple(merged)


def _continues(earlier: Utterance, later: Utterance, silence_seconds: int) -> bool:
    if later.kind == "post":
        return False
    if earlier.sent_at is None or later.sent_at is None:
        return True
    return later.sent_at - earlier.sent_at <= silence_seconds


def _conversation(utterances: Sequence[Utterance]) -> Conversation:
    first = utterances[0]
    turns: list[Turn] = []
    start = 0
    for index, utterance in enumerate(utterances):
        is_last = index + 1 == len(utterances)
        if is_last or utterances[index + 1].speaker_id != utterance.speaker_id:
            texts = tuple(said.text for said in utterances[start : index + 1])
            turns.append(Turn(utterance.speaker_id, utterance.speaker, texts))
            start = index + 1
    return Conversation(first.thread, first.kind, tuple(turns), first.sent_at, first.title)
