"""What the persona answered to whom: kept at training, recalled by what is asked and by who asks."""

import json
from pathlib import Path

import pytest

from manera.corpus.storage import open_corpus, write
from manera.errors import ModelError
from manera.records import Conversation, Turn
from manera.retrieval.own_exchanges import OwnExchanges, open_exchanges
from manera.sources.reading import read
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice.dataset import dataset_file
from manera.voice.exchanges import Exchange, Relations, exchanges_of, read_exchanges, read_relations
from manera.voice.folder import EXCHANGES, EXCHANGES_INDEX, RELATIONS, voice_folder

CHAT = Path(__file__).parents[2] / "examples" / "chat-ru"

MOTHER = Exchange("Ты поел? Суп в холодильнике", "поел, суп вкусный", "user2", "Мама", "мама")
FRIEND = Exchange("идём за супом в столовую?", "суп там варят из прошлого года", "user3", "Лёня", "лёня")
OTHER = Exchange("когда поезд?", "в семь с третьего пути", "user3", "Лёня", "лёня")


def turn(speaker: str, *texts: str) -> Turn:
    return Turn(speaker.lower(), speaker, texts)


def test_an_exchange_is_all_that_was_said_before_an_answer() -> None:
    talk = Conversation(
        "group",
        "message",
        (turn("Me", "hi"), turn("Ann", "a", "b"), turn("Bob", "c"), turn("Me", "d", "e"), turn("Ann", "bye")),
        started_at=7,
    )
    assert list(exchanges_of([talk], "me")) == [Exchange("a\nb\nc", "d\ne", "bob", "Bob", "group", 7)]


def test_who_speaks_alone_answers_nobody() -> None:
    assert list(exchanges_of([Conversation("posts", "post", (turn("Me", "a"),))], "me")) == []


def test_a_relation_chooses_whose_exchanges_are_recalled() -> None:
    relations = Relations({"Мама": "parent", "Лёня": "friend"}, {"friend": "a friend", "Мама": "my mother"})
    own = OwnExchanges([MOTHER, FRIEND, OTHER], relations)

    def partners(relation: str | None) -> set[str]:
        return {one.exchange.partner for one in own.recall("вкусный суп?", relation).exchanges}

    assert partners(None) == {"Мама", "Лёня"}
    assert partners("parent") == partners("мама") == {"Мама"}
    assert partners("Friend") == partners("Лёня") == {"Лёня"}
    assert partners("stranger") == {"Мама", "Лёня"}
    notes = [own.recall("суп", relation).note for relation in (None, "parent", "мама", "friend", "лёня", "stranger")]
    assert notes == [None, None, "my mother", "a friend", "a friend", None]


def test_nothing_alike_recalls_nothing() -> None:
    own = OwnExchanges([MOTHER, FRIEND, OTHER])
    assert own.recall("what is the capital of France?").exchanges == []
    assert own.recall("🙂").exchanges == []
    assert OwnExchanges([]).recall("суп").exchanges == []


def test_what_was_said_twice_is_recalled_once() -> None:
    found = OwnExchanges([MOTHER, MOTHER, FRIEND]).recall("суп в холодильнике").exchanges
    assert [one.exchange for one in found].count(MOTHER) == 1


@pytest.fixture(scope="module")
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MANERA_HOME with a voice of the bundled chat, trained for a moment."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(home))
        _train(home, tiny_base)
    return home


def _train(home: Path, base: Path, replace: bool = False) -> None:
    write(read([CHAT]), home / "corpus", replace=True)
    settings = TrainingConfig(precision="float32", compile="off", epochs=0.02, rank=2, alpha=4)
    list(learn(open_corpus(home / "corpus"), None, "tasya", settings, base, replace))


def test_training_keeps_exchanges_of_the_training_part_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))
    exchanges = read_exchanges("tasya")
    learned, test = (dataset_file("tasya", part).read_text("utf-8") for part in ("train", "test"))
    assert len(exchanges) > 300
    # a stand-in: whom somebody wrote to is nobody's business
    assert {exchange.partner for exchange in exchanges} == {"Денис Матвеев"}
    in_training = [json.dumps(exchange.reply, ensure_ascii=False)[1:-1] in learned for exchange in exchanges]
    assert sum(in_training) > 0.99 * len(exchanges)  # a turn too long for an example may still be recalled
    long = [exchange.reply for exchange in exchanges if len(exchange.reply) > 40]
    assert not any(json.dumps(reply, ensure_ascii=False)[1:-1] in test for reply in long)
    assert read_relations("tasya") == Relations({"Денис Матвеев": None})


def test_a_trained_voice_recalls_by_the_index_that_came_with_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))
    index = voice_folder("tasya") / EXCHANGES_INDEX
    found = open_exchanges("tasya").recall("как приготовить кабачковую икру?")
    assert any("икр" in one.exchange.asked + one.exchange.reply for one in found.exchanges)
    stored = index.read_bytes()
    index.write_bytes(b"no database")
    assert open_exchanges("tasya").recall("как приготовить кабачковую икру?") == found
    index.write_bytes(stored)


def test_a_voice_trained_before_has_no_exchanges(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    assert open_exchanges("tasya").recall("икра") == ([], None)


def test_broken_files_say_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))
    for name, reader in ((EXCHANGES, read_exchanges), (RELATIONS, read_relations)):
        path = voice_folder("tasya") / name
        stored = path.read_bytes()
        path.write_text('{"partners": ["Anna"]}')
        with pytest.raises(ModelError, match=name) as raised:
            reader("tasya")
        assert raised.value.hint
        path.write_bytes(stored)


def test_training_again_keeps_what_the_owner_wrote(
    home: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))
    path = voice_folder("tasya") / RELATIONS
    path.write_text('{"partners": {"Денис Матвеев": "friend"}, "notes": {"friend": "Ты пишешь другу."}}', "utf-8")
    _train(home, tiny_base, replace=True)
    assert read_relations("tasya") == Relations({"Денис Матвеев": "friend"}, {"friend": "Ты пишешь другу."})
