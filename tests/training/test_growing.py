"""A voice that goes on: from new text, and from preferences. It changes whole, or stays as it was."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manera.corpus.storage import Corpus
from manera.errors import CorpusError, ModelError, TrainingError
from manera.evaluation.measures.intervals import ratio
from manera.files import read_records, write_records
from manera.records import Example, Message, TrainingStep
from manera.training.going_on import Change, Growing, Grown, Preferred, Preferring
from manera.training.growing import grow
from manera.training.learn import learn
from manera.training.preferring import prefer
from manera.training.settings import TrainingConfig
from manera.voice.dataset import PARTS, dataset_file
from manera.voice.folder import KNOWN, voice_folder, voices_folder
from manera.voice.manifest import read_voice, write_voice
from manera.voice.preferences import Pair, preferences_file
from tiny import TEXT, tiny_corpus

LINES = [line for line in TEXT.split("\n") if line]
DAY = 86_400
QUICK: dict[str, Any] = {
    "precision": "float32",
    "compile": "off",
    "rank": 4,
    "alpha": 8,
    "max_length": 96,
    "batch_tokens": 400,
    "learning_rate": 3e-3,
    "epochs": 1,
}


def settings(**changed: Any) -> TrainingConfig:
    fixed = {name: value for name, value in QUICK.items() if name not in ("rank", "alpha", "max_length")}
    return TrainingConfig(**(fixed | changed))


def exported(folder: Path, days: int, other: str = "Аня") -> Corpus:
    """Write so many days of a chat as a corpus: eight messages a day, of which half are the persona's."""
    messages = [
        {
            "id": number,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + DAY * (number // 8) + 60 * (number % 8)),
            "from": (other, "Боря")[number % 2],
            "from_id": f"user{number % 2 + 1 + 7 * (other != 'Аня')}",
            "text": f"{LINES[number % 12]} {number} {number // 8}" if number % 2 == 0 else f"Ну и что ты {number}?",
        }
        for number in range(8 * days)
    ]
    folder.mkdir()
    chat = {"name": "Боря", "type": "personal_chat", "id": 2, "messages": messages}
    (folder / "result.json").write_text(json.dumps(chat), "utf-8")
    return tiny_corpus(folder / "result.json", folder / "corpus")


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return exported(tmp_path_factory.mktemp("chat") / "before", 20)


@pytest.fixture(scope="session")
def after(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The same chat, half as long again."""
    return exported(tmp_path_factory.mktemp("chat") / "after", 30)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def trained(before: Corpus, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a voice of the shorter chat."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(tmp_path_factory.mktemp("trained")))
        list(learn(before, "Аня", "anna", TrainingConfig(**QUICK), tiny_base))
        return voice_folder("anna")


@pytest.fixture
def anna(home: Path, trained: Path) -> str:
    """That voice, to be changed."""
    shutil.copytree(trained, voice_folder("anna"))
    return "anna"


def examples(voice: str, part: Any) -> list[Example]:
    return list(read_records(dataset_file(voice, part), Example))


def own(made: list[Example]) -> set[str]:
    return {text for example in made for text in example.targets}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ended(events: Any) -> Any:
    return list(events)[-1]


def test_a_voice_grows_and_what_it_held_out_stays_held_out(anna: str, after: Corpus, tiny_base: Path) -> None:
    old = {part: examples(anna, part) for part in PARTS}
    known = len((voice_folder(anna) / KNOWN).read_bytes())
    begun, *steps, grown = grow(anna, after, settings(), tiny_base, ratio)
    assert isinstance(begun, Growing)
    assert isinstance(grown, Grown)
    assert all(isinstance(step, TrainingStep) for step in steps)
    assert grown.because is None
    assert grown.new.after < grown.new.before
    new = {part: examples(anna, part) for part in PARTS}
    for part in PARTS:
        assert new[part][: len(old[part])] == old[part]
        assert len(new[part]) == len(old[part]) + begun.examples[part] > len(old[part])
    learned, validated, tested = (own(new[part]) for part in PARTS)
    assert not learned & validated
    assert not learned & tested
    assert not validated & tested
    assert len((voice_folder(anna) / KNOWN).read_bytes()) > known
    assert read_voice(anna).recipe.grown == 1
    with pytest.raises(CorpusError, match="0 characters to learn from"):
        ended(grow(anna, after, settings(), tiny_base, ratio))


def test_conversations_of_the_new_text_are_not_taken_for_old_ones(anna: str, after: Corpus, tiny_base: Path) -> None:
    old = {example.conversation for example in examples(anna, "test")}
    count = len(examples(anna, "test"))
    ended(grow(anna, after, settings(), tiny_base, ratio))
    assert not old & {example.conversation for example in examples(anna, "test")[count:]}


def test_as_much_of_the_old_text_is_learned_again_as_is_new(anna: str, after: Corpus, tiny_base: Path) -> None:
    begun = next(grow(anna, after, settings(), tiny_base, ratio))
    assert isinstance(begun, Growing)
    one_example = 96
    assert begun.new_tokens <= begun.known_tokens < begun.new_tokens + one_example


@pytest.mark.parametrize(
    ("differences", "why"),
    [
        ([(0.1, 0.05, 0.2), (-1, -2, -0.5)], "what was held out before is predicted worse than before"),
        ([(-1, -2, -0.5), (0.1, 0.05, 0.2)], "what is held out of the new text is predicted worse than before"),
        ([(0.1, -0.1, 0.2), (0.0, -0.1, 0.1)], "what is held out of the new text is predicted no better than before"),
    ],
)
def test_a_voice_that_became_worse_stays_as_it_was_and_the_reason_is_said(
    anna: str, after: Corpus, tiny_base: Path, differences: list[tuple[float, float, float]], why: str
) -> None:
    whole = files_of(voices_folder())
    found = iter(differences)
    grown = ended(grow(anna, after, settings(epochs=0.2), tiny_base, lambda *_: next(found)))
    assert isinstance(grown, Grown)
    assert grown.because == why
    assert files_of(voices_folder()) == whole


def test_of_one_conversation_alone_the_figure_decides() -> None:
    assert Change(1.0, 1.1, 0.1, None, None, 1).is_worse
    assert not Change(1.1, 1.0, -0.1, None, None, 1).is_worse
    assert not Change(1.0, 1.1, 0.1, -0.1, 0.3, 20).is_worse
    assert Change(1.0, 1.1, 0.1, 0.01, 0.3, 20).is_worse


def test_under_another_name_the_voice_itself_stays(anna: str, after: Corpus, tiny_base: Path) -> None:
    whole = files_of(voice_folder(anna))
    grown = ended(grow(anna, after, settings(), tiny_base, ratio, into="anna-2"))
    assert grown.because is None
    assert files_of(voice_folder(anna)) == whole
    assert read_voice("anna-2").recipe.grown == 1


def test_an_interruption_leaves_the_voice_as_it_was(anna: str, after: Corpus, tiny_base: Path) -> None:
    whole = files_of(voices_folder())
    events = grow(anna, after, settings(), tiny_base, ratio)
    next(events)
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)
    assert files_of(voices_folder()) == whole


def test_another_rank_is_refused(anna: str, after: Corpus, tiny_base: Path) -> None:
    with pytest.raises(TrainingError, match="rank = 8 is not that of the voice 'anna': 4"):
        ended(grow(anna, after, settings(rank=8), tiny_base, ratio))


def test_weights_by_age_are_refused(anna: str, after: Corpus, tiny_base: Path) -> None:
    with pytest.raises(TrainingError, match="half_life is counted over a whole corpus"):
        ended(grow(anna, after, settings(half_life=30), tiny_base, ratio))


def test_a_corpus_without_the_speaker_is_refused(anna: str, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="user1"):
        ended(grow(anna, exported(tmp_path / "other", 40, "Вера"), settings(), tiny_base, ratio))


def test_another_base_and_another_template_are_refused(anna: str, after: Corpus, tiny_base: Path) -> None:
    voice = read_voice(anna)
    other = msgspec.structs.replace(voice, base=msgspec.structs.replace(voice.base, revision="another"))
    write_voice(other, voice_folder(anna))
    with pytest.raises(ModelError, match="they differ in revision"):
        ended(grow(anna, after, settings(), tiny_base, ratio))
    write_voice(msgspec.structs.replace(voice, chat_template=voice.chat_template + " "), voice_folder(anna))
    with pytest.raises(ModelError, match="template of voice 'anna' was changed"):
        ended(grow(anna, after, settings(), tiny_base, ratio))


def test_a_voice_of_an_earlier_version_says_what_to_do(anna: str, after: Corpus, tiny_base: Path) -> None:
    (voice_folder(anna) / KNOWN).unlink()
    with pytest.raises(ModelError, match="does not know which text it was made of"):
        ended(grow(anna, after, settings(), tiny_base, ratio))


def liked(count: int) -> list[Pair]:
    return [
        Pair((Message("user", f"Ну и что ты {number}?"),), f"Да, {number}, пойдём.", f"Нет, {number}, не пойдём.")
        for number in range(count)
    ]


def test_preferences_are_learned_and_the_voice_keeps_the_persons_text(anna: str, tiny_base: Path) -> None:
    write_records(preferences_file(anna), [*liked(10), Pair(liked(1)[0].messages, "Хорошо.", None)])
    dataset = {part: examples(anna, part) for part in PARTS}
    begun, *_, preferred = prefer(anna, preferences_file(anna), settings(learning_rate=1e-3, epochs=8), tiny_base)
    assert isinstance(begun, Preferring)
    assert isinstance(preferred, Preferred)
    assert (begun.pairs, begun.liked, begun.disliked, begun.left_out, begun.held_out) == (10, 1, 0, 0, 0)
    assert preferred.because is None
    assert preferred.margin > 0
    assert preferred.preferred > 0.9
    assert preferred.nats_after <= preferred.nats_before + 0.021
    assert {part: examples(anna, part) for part in PARTS} == dataset
    voice = read_voice(anna)
    assert voice.recipe.preferences == 11
    assert (voice.recipe.rank, voice.recipe.learning_rate) == (4, 3e-3)
    assert preferences_file(anna).is_file()


def test_pairs_that_pull_a_voice_from_the_person_change_nothing(
    anna: str, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(preferences_file(anna), liked(10))
    whole = files_of(voices_folder())
    preferred = ended(prefer(anna, preferences_file(anna), settings(learning_rate=0.1), tiny_base))
    assert preferred.because == "any step made the person's own text too unlikely"
    assert files_of(voices_folder()) == whole


def test_of_many_pairs_some_are_held_out_to_choose_on(anna: str, tiny_base: Path) -> None:
    write_records(preferences_file(anna), liked(40))
    begun = next(prefer(anna, preferences_file(anna), settings(), tiny_base))
    assert isinstance(begun, Preferring)
    assert begun.held_out == 8


def test_few_preferences_are_refused(anna: str, tiny_base: Path) -> None:
    write_records(preferences_file(anna), liked(3))
    with pytest.raises(TrainingError, match="has 3 preferences that can be learned, and 8 are needed"):
        ended(prefer(anna, preferences_file(anna), settings(), tiny_base))
