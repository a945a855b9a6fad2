"""Conversations become examples: every turn of the persona once, within the length, with its context."""

from hypothesis import given
from hypothesis import strategies as st

from manera.dataset.examples import burst, dialogues, example_kind, messages_of, posts, prose, sections
from manera.records import Conversation, Example, Message, Turn, UtteranceKind

ME, YOU, OTHER = "me", "you", "other"
NAMES = {ME: "Аня", YOU: "Боря", OTHER: "Вера"}


def talk(*turns: tuple[str, str], kind: UtteranceKind = "message", title: str | None = None) -> Conversation:
    said = tuple(Turn(who, NAMES[who], tuple(text.split("|"))) for who, text in turns)
    return Conversation("чат", kind, said, title=title)


def cut(conversation: Conversation, max_tokens: int = 1000) -> tuple[list[Example], int]:
    return dialogues(conversation, ME, max_tokens, len)


def learned(examples: list[Example]) -> list[str]:
    return [m.content for example in examples for m in example.messages if m.is_learned]


@given(st.lists(st.text(st.characters(exclude_characters="\r")), min_size=1))
def test_a_bursts_messages_and_their_line_breaks_come_back_exactly(texts: list[str]) -> None:
    assert messages_of(burst(texts)) == [text for text in texts if text.strip()]


def test_a_windows_line_break_is_one_line_break() -> None:
    assert messages_of(burst(["раз\r\nдва", "три"])) == ["раз\nдва", "три"]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns of changing speakers, each text unlike every other."""
    turns: list[Turn] = []
    for number in range(draw(st.integers(1, 30))):
        last = turns[-1].speaker_id if turns else None
        speaker = draw(st.sampled_from([who for who in NAMES if who != last]))
        words = [f"{number}.{part}" + "я" * draw(st.integers(0, 25)) for part in range(draw(st.integers(1, 3)))]
        turns.append(Turn(speaker, NAMES[speaker], tuple(words)))
    return Conversation("чат", "message", tuple(turns))


@given(conversations(), st.integers(4, 120))
def test_every_turn_of_the_persona_is_learned_exactly_once_or_counted(conversation: Conversation, most: int) -> None:
    own = [burst(turn.texts) for turn in conversation.turns if turn.speaker_id == ME]
    examples, too_long = cut(conversation, most)
    assert learned(examples) == [text for text in own if len(text) <= most]
    assert too_long == sum(len(text) > most for text in own)


@given(conversations(), st.integers(4, 120))
def test_no_example_is_longer_than_allowed(conversation: Conversation, most: int) -> None:
    examples, _ = cut(conversation, most)
    assert all(sum(len(m.content) for m in example.messages) <= most for example in examples)


@given(conversations(), st.integers(4, 120))
def test_context_is_what_was_said_just_before_and_weighs_nothing(conversation: Conversation, most: int) -> None:
    whole = [(m.role, m.content) for e in cut(conversation, 10**6)[0] for m in e.messages]
    for example in cut(conversation, most)[0]:
        said = [(m.role, m.content) for m in example.messages]
        at = whole.index(said[0])
        assert whole[at : at + len(said)] == said
        weights = [m.weight for m in example.messages if m.role == "assistant"]
        assert weights == sorted(weights)
        assert weights[-1] == 1
        assert example.messages[-1].role == "assistant"


def test_a_turn_that_needs_the_room_is_given_less_context() -> None:
    conversation = talk((YOU, "к" * 10), (ME, "а" * 30), (YOU, "в" * 40), (ME, "о" * 75))
    examples, _ = cut(conversation, 100)
    assert learned(examples) == ["а" * 30, "о" * 75]
    assert max(sum(len(m.content) for m in example.messages) for example in examples) <= 100


def test_the_next_example_opens_with_the_turns_before_as_context() -> None:
    conversation = talk((YOU, "привет"), (ME, "здравствуй"), (YOU, "как дела"), (ME, "хорошо"))
    first, second = cut(conversation, 24)[0]
    assert first.messages == (Message("user", "привет"), Message("assistant", "здравствуй"))
    assert second.messages == (Message("user", "как дела"), Message("assistant", "хорошо"))
    long = talk((YOU, "раз"), (ME, "два"), (YOU, "три"), (ME, "ч" * 20), (YOU, "пять"), (ME, "ш" * 20))
    last = cut(long, 50)[0][-1]
    assert last.messages[0] == Message("assistant", "ч" * 20, weight=0)


def test_groups_keep_names_and_two_people_need_none() -> None:
    group = talk((YOU, "кто идёт|в кино"), (OTHER, "я"), (ME, "и я"))
    (example,), _ = cut(group)
    assert example.messages == (Message("user", "Боря: кто идёт\nв кино\nВера: я"), Message("assistant", "и я"))
    (example,), _ = cut(talk((YOU, "кто"), (ME, "я")))
    assert example.messages[0].content == "кто"


def test_what_is_said_after_the_personas_last_word_is_left_out() -> None:
    (example,), _ = cut(talk((YOU, "кто"), (ME, "я"), (YOU, "ясно")))
    assert [m.content for m in example.messages] == ["кто", "я"]


def test_the_kind_follows_from_most_of_what_the_persona_wrote() -> None:
    alone = talk((ME, "длинная запись ни для кого"))
    answered = talk((YOU, "?"), (ME, "да"))
    assert example_kind([answered], ME) == "dialogue"
    assert example_kind([alone, answered], ME) == "post"
    assert example_kind([talk((ME, "да"), (YOU, "нет"), kind="line")], ME) == "dialogue"
    assert example_kind([talk((ME, "пост"), kind="post")], ME) == "post"
    assert example_kind([talk((ME, "роман"), kind="prose"), answered], ME) == "continuation"


def test_a_post_is_learned_from_its_title_or_its_own_topic() -> None:
    titled, untitled = posts(
        [
            talk((ME, "Сегодня варили борщ, борщ удался."), kind="post", title="Про борщ"),
            talk((ME, "Велосипед сломался.|Новый {велосипед} куплю."), kind="post"),
        ],
        ME,
        "Напиши пост: {topic}",
        is_short=bool,
    )
    assert titled.messages[0].content == "Напиши пост: Про борщ"
    prompt, post = untitled.messages
    assert "велосипед" in prompt.content
    assert post == Message("assistant", "Велосипед сломался.\nНовый {велосипед} куплю.")


def test_a_long_post_is_learned_in_parts_of_whole_paragraphs() -> None:
    written = "Первый абзац.\n\nВторой.\n\n\nТретий, длиннее прочих.\n\nИ всё."
    parts = list(sections(written, is_short=lambda text: len(text) <= 24))
    assert parts == ["Первый абзац.\n\nВторой.", "Третий, длиннее прочих.", "И всё."]
    examples = list(
        posts([talk((ME, written), kind="post", title="Абзацы")], ME, "{topic}", lambda text: len(text) <= 24)
    )
    assert [example.messages[1].content for example in examples] == parts
    assert examples[0].messages[0].content == "Абзацы"
    assert "третий" in examples[1].messages[0].content


@given(st.text(alphabet="аб \n"), st.integers(1, 20))
def test_parts_of_a_post_hold_all_its_words_in_order(text: str, most: int) -> None:
    parts = list(sections(text, lambda part: len(part) <= most))
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_only_the_personas_words_become_a_post() -> None:
    (post,) = posts([talk((ME, "Моя запись"), (YOU, "чужой ответ"), (ME, "и ещё"))], ME, "{topic}", is_short=bool)
    assert post.messages[1].content == "Моя запись\nи ещё"
    assert "чужой" not in post.messages[0].content


def test_only_the_personas_words_become_prose() -> None:
    assert prose(talk((ME, "раз"), (YOU, "нет"), (ME, "два"), kind="prose"), ME).messages == (
        Message("assistant", "раз\nдва"),
    )
