"""Utterances of a thread, cut at long silences and where the topic changes, and joined into turns."""

from collections.abc import Iterable, Iterator, Sequence

from manera.corpus.silence import USUAL_SECONDS
from manera.corpus.storage import Corpus
from manera.corpus.topic_change import Embed, topic_changes
from manera.records import Conversation, Turn, Utterance

ANSWERED_WITHIN_SECONDS = 24 * 3600
"""An answer to a message of the conversation goes on with it after a silence too, but not after days."""


def conversations_of(corpus: Corpus, embed: Embed | None = None) -> Iterator[Conversation]:
    """Yield the conversations of a corpus, cut at the silence that it shows."""
    return conversations(corpus.told(), corpus.manifest.silence_seconds, embed)


def conversations(
    utterances: Iterable[Utterance], silence_seconds: int = USUAL_SECONDS, embed: Embed | None = None
) -> Iterator[Conversation]:
    """Yield conversations as they end; threads may interleave.

    Chat messages are cut where nobody wrote for longer than the silence, unless they answer a message before it, and,
    where they can be embedded, where the topic changes in a long stretch. Each post stands alone,
    and a book's work or a play's scene is one conversation. Adjacent utterances of one speaker are
    one turn however long the pause between them: a pause long enough to matter cuts the conversation,
    so two turns of one speaker never follow each other.
    """
    for stretch in stretches(utterances, silence_seconds):
        start = 0
        for end in [*(topic_changes(stretch, embed) if embed else ()), len(stretch)]:
            yield _conversation(stretch[start:end])
            start = end


def stretches(utterances: Iterable[Utterance], silence_seconds: int) -> Iterator[list[Utterance]]:
    """Yield what no silence cuts, as it ends."""
    pending: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        thread = utterance.thread_key
        earlier = pending.get(thread)
        if earlier is None:
            pending[thread] = [utterance]
        elif _continues(earlier, utterance, silence_seconds):
            earlier.append(utterance)
        else:
            yield earlier
            pending[thread] = [utterance]
    yield from pending.values()


def merge_turns(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Join adjacent turns of one speaker; the boundaries of their texts stay."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].speaker_id == turn.speaker_id:
            turn = Turn(turn.speaker_id, turn.speaker, merged.pop().texts + turn.texts)
        merged.append(turn)
    return tuple(merged)


def _continues(stretch: Sequence[Utterance], later: Utterance, silence_seconds: int) -> bool:
    earlier = stretch[-1]
    if later.kind == "post":
        return False
    if earlier.sent_at is None or later.sent_at is None:
        return True
    silent = later.sent_at - earlier.sent_at
    if silent <= silence_seconds:
        return True
    is_answer = later.reply_to is not None and silent <= ANSWERED_WITHIN_SECONDS
    return is_answer and any(said.position == later.reply_to for said in stretch)


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
