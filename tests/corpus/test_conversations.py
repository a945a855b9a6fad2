from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manera.corpus.conversations import SILENCE_SECONDS, conversations
from manera.records import Utterance, UtteranceKind


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
    assert len(turns(said("а", "1", 0), said("б", "2", SILENCE_SECONDS))) == 1
    assert turns(said("а", "1", 0), said("а", "2", SILENCE_SECONDS + 1)) == [[("а", ("1",))], [("а", ("2",))]]


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
