from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manera.corpus.conversations import conversations
from manera.corpus.silence import USUAL_SECONDS
from manera.records import Utterance, UtteranceKind

DAY = 86_400


def said(
    speaker: str, text: str, sent_at: int | None = None, thread: str = "чат", kind: UtteranceKind = "message"
) -> Utterance:
    return Utterance(speaker, speaker.upper(), text, thread, 1, kind, "x.json", sent_at)


def turns(*utterances: Utterance) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [[(turn.speaker_id, turn.texts) for turn in found.turns] for found in conversations(utterances)]


def test_a_burst_is_one_turn_with_its_boundaries() -> None:
    assert turns(said("а", "да\nвот", 0), said("а", "и ещё", 9000), said("б", "ок", 9001)) == [
        [("а", ("да\nвот", "и ещё")), ("б", ("ок",))]
    ]


def test_a_long_silence_cuts() -> None:
    assert len(turns(said("а", "1", 0), said("б", "2", USUAL_SECONDS))) == 1
    assert turns(said("а", "1", 0), said("а", "2", USUAL_SECONDS + 1)) == [[("а", ("1",))], [("а", ("2",))]]


def test_interleaved_threads_do_not_mix() -> None:
    mixed = [said("а", f"{number}", number, thread) for number in range(3) for thread in ("x", "y")]
    assert turns(*mixed) == [[("а", ("0", "1", "2"))]] * 2


def test_each_post_stands_alone_with_its_title() -> None:
    posts = [Utterance("а", "А", text, "канал", 1, "post", "x", 5, title=text) for text in ("1", "2")]
    assert [(found.title, found.started_at, len(found.turns)) for found in conversations(posts)] == [
        ("1", 5, 1),
        ("2", 5, 1),
    ]


def test_a_work_is_one_turn_and_a_scene_one_conversation() -> None:
    book = [said("автор", text, None, "книга", "prose") for text in "абв"]
    scene = [said(speaker, speaker, None, "сцена", "line") for speaker in "xyx"]
    assert turns(*book, *scene) == [
        [("автор", ("а", "б", "в"))],
        [("x", ("x",)), ("y", ("y",)), ("x", ("x",))],
    ]


@given(
    st.lists(
        st.builds(
            said,
            st.sampled_from("аб"),
            st.text(min_size=1),
            st.none() | st.integers(0, 10**5),
            st.sampled_from("xy"),
        ),
        max_size=20,
    )
)
def test_every_utterance_is_in_one_conversation_and_no_speaker_has_two_turns_running(
    utterances: list[Utterance],
) -> None:
    found = list(conversations(utterances))
    texts = [text for conversation in found for turn in conversation.turns for text in turn.texts]
    assert sorted(texts) == sorted(utterance.text for utterance in utterances)
    for conversation in found:
        speakers = [turn.speaker_id for turn in conversation.turns]
        assert all(one != next_one for one, next_one in pairwise(speakers))


def test_an_answer_goes_on_after_a_silence_but_not_after_days() -> None:
    def answer(sent_at: int, reply_to: int) -> Utterance:
        return Utterance("б", "Б", "да", "чат", 9, "message", "x", sent_at, reply_to=reply_to)

    asked = said("а", "придёшь?", 0)
    assert len(turns(asked, answer(USUAL_SECONDS * 4, reply_to=1))) == 1
    assert len(turns(asked, answer(USUAL_SECONDS * 4, reply_to=7))) == 2
    assert len(turns(asked, answer(2 * DAY, reply_to=1))) == 2


def meaning(texts: Sequence[str]) -> NDArray[np.float32]:
    """Direct texts along one axis for fish, another for taps."""
    return np.array([[float("рыб" in text), float("кран" in text)] for text in texts], np.float32)


def talk(*topics: tuple[str, int], pause: int = 600) -> list[Utterance]:
    """Ten messages of each topic, half a minute apart, with a pause before the next one."""
    found: list[Utterance] = []
    now = 0
    for topic, count in topics:
        now += pause
        for _ in range(count):
            now += 30
            found.append(said("аб"[len(found) % 2], f"{topic} {len(found)}", now))
    return found


def test_a_long_talk_is_cut_where_the_topic_changes_at_a_pause() -> None:
    def sizes(messages: list[Utterance]) -> list[int]:
        found = conversations(messages, USUAL_SECONDS, meaning)
        return [sum(len(turn.texts) for turn in talk.turns) for talk in found]

    assert sizes(talk(("рыба", 12), ("кран", 12), ("рыба", 12))) == [12, 12, 12]
    assert sizes(talk(("рыба", 12), ("рыба", 12))) == [24]
    assert sizes(talk(("рыба", 12), ("кран", 12), pause=0)) == [24]
    assert sizes(talk(("рыба", 6), ("кран", 6))) == [12]
    assert sizes(talk(("рыба", 22), ("кран", 2))) == [24]
    answered = talk(("рыба", 12), ("кран", 12))
    answered[12] = msgspec.structs.replace(answered[12], reply_to=1)
    assert sizes(answered) == [24]
