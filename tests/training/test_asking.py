"""Views and plain drafts put to a dataset: what asks changes, and what is learned does not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

from manera.corpus.storage import Corpus
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.views import VIEWS
from manera.errors import GenerationError, TrainingError
from manera.evaluation.measures.intervals import ratio
from manera.files import read_records
from manera.records import Example
from manera.training import instructions
from manera.training.asking import with_rewriting, with_views
from manera.training.going_on import Grown
from manera.training.growing import grow
from manera.training.instructions import nothing
from manera.training.learn import Prepared, learn
from manera.training.loop import _endless_order
from manera.training.material import Material, gather, unread
from manera.training.settings import TrainingConfig
from manera.voice.dataset import dataset_file, read_rewrites
from manera.voice.folder import DATASET, INSTRUCTIONS, voice_folder
from manera.voice.instructions import Kind, read_made
from manera.voice.manifest import read_voice
from tiny import TEXT, tiny_corpus

LINES = [line for line in TEXT.split("\n") if line]


def channel(folder: Path, count: int = 48) -> Corpus:
    messages = [
        {
            "id": number,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + 86_400 * number),
            "from": "Аня",
            "from_id": "channel1",
            "text": f"{LINES[number % 12]} Это было {number} раз.",
        }
        for number in range(count)
    ]
    (folder / "result.json").write_text(
        json.dumps({"name": "Аня", "type": "public_channel", "id": 1, "messages": messages}), "utf-8"
    )
    return tiny_corpus(folder / "result.json", folder / "corpus")


@pytest.fixture(scope="session")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return channel(tmp_path_factory.mktemp("posts"))


@pytest.fixture(scope="session")
def plain(posts: Corpus, tiny_base: Path) -> Material:
    return gather(posts, None, tiny_base, 256)


@pytest.fixture(scope="session")
def viewed(plain: Material) -> Material:
    return with_views(plain, TrainingConfig(views=4), nothing)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def asked(kind: Kind, texts: Sequence[str]) -> Iterator[str]:
    """Answer as a model would: with a question about the text, or with the text in other words."""
    for text in texts:
        first, *others = text.rstrip(".").split(". ")
        yield (
            f"{max(text.split(), key=len)} {text.split()[-2]} раз?"
            if kind == "question"
            else f"{'. '.join(others)}. {first}."
        )


def settings(**changed: Any) -> TrainingConfig:
    quick: dict[str, Any] = {"precision": "float32", "compile": "off", "rank": 4, "max_length": 256, "epochs": 1}
    return TrainingConfig(**quick | {"batch_tokens": 512} | changed)


def learned(material: Material, way: int) -> list[list[int]]:
    rows = material.dataset.rows["train"]
    labels = rows.labels[way * len(rows) : (way + 1) * len(rows)]
    return [[label for label in row.tolist() if label != IGNORE_INDEX] for row in labels]


def test_what_is_learned_is_the_same_in_every_row_and_way(viewed: Material) -> None:
    rows = viewed.dataset.rows["train"]
    assert rows.ways == 4
    assert learned(viewed, 0) == learned(viewed, 1) == learned(viewed, 2) == learned(viewed, 3)
    assert len({rows.input_ids[way * len(rows)].tobytes() for way in range(4)}) == 4


def test_the_text_is_that_of_a_training_without_views(plain: Material, viewed: Material) -> None:
    assert sorted(chain(*learned(viewed, 0))) == sorted(chain(*learned(plain, 0)))
    assert viewed.dataset.rows["train"].supervised_tokens == plain.dataset.rows["train"].supervised_tokens
    assert [e.messages for e in viewed.dataset.examples["train"]] == [
        e.messages for e in plain.dataset.examples["train"]
    ]


def test_what_is_held_out_is_asked_for_as_before_and_views_never_cross_parts(plain: Material, viewed: Material) -> None:
    for part in ("validation", "test"):
        assert viewed.dataset.examples[part] == plain.dataset.examples[part]
        held_out = {example.targets for example in viewed.dataset.examples[part]}
        assert not held_out & {example.targets for example in viewed.dataset.examples["train"]}


def test_each_pass_reads_every_row_in_its_next_way() -> None:
    order = list(islice(_endless_order(5, 0, 3), 20))
    passes = [order[start : start + 5] for start in range(0, 20, 5)]
    assert [sorted({place // 5 for place in one}) for one in passes] == [[0], [1], [2], [0]]
    assert all(sorted(place % 5 for place in one) == list(range(5)) for one in passes)
    assert list(islice(_endless_order(5, 0), 10)) == [place % 5 for place in order[:10]]


def test_what_was_never_read_is_known_with_views_too(viewed: Material) -> None:
    count = len(viewed.dataset.rows["train"])
    assert unread(viewed, set(range(count))) == []
    assert sorted(unread(viewed, set())) == list(range(len(viewed.dataset.examples["train"])))


def test_auto_asks_in_several_ways_where_posts_are_few_and_a_chat_has_none(plain: Material) -> None:
    found = with_views(plain, TrainingConfig(views="auto"), nothing)
    assert found.dataset.rows["train"].ways == VIEWS.index("question")
    talk = replace(plain, kind="dialogue")
    assert with_views(talk, TrainingConfig(views="auto"), nothing) is talk
    with pytest.raises(TrainingError, match="views are of posts"):
        with_views(talk, TrainingConfig(views=2), nothing)


def test_a_voice_keeps_its_views_and_questions(posts: Corpus, tiny_base: Path, home: Path) -> None:
    config = settings(views=5, instructions_from="http://127.0.0.1:1")
    events = list(learn(posts, None, "anna", config, tiny_base, ask=asked))
    prepared = next(event for event in events if isinstance(event, Prepared))
    train = list(read_records(dataset_file("anna", "train"), Example))
    assert prepared.views == read_voice("anna").recipe.views == 5
    assert prepared.questions == len(train) == len(read_made(voice_folder("anna") / DATASET))
    assert all(example.asks[3].endswith("?") for example in train)
    assert not (home / "runs" / "anna").exists()


def test_a_server_that_breaks_loses_nothing_and_nothing_is_asked_twice(
    posts: Corpus, tiny_base: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(views=5, instructions_from="http://127.0.0.1:1")
    told: list[str] = []

    def breaking(kind: Kind, texts: Sequence[str]) -> Iterator[str]:
        told.extend(texts[:7])
        yield from asked(kind, texts[:7])
        raise GenerationError("the server has died")

    with pytest.raises(GenerationError, match="has died"):
        list(learn(posts, None, "anna", config, tiny_base, ask=breaking))
    kept = home / "runs" / "anna" / INSTRUCTIONS
    assert len(read_made(kept.parent)) == 7
    with kept.open("ab") as out:
        out.write(b'{"kind":"question","text_sha')  # as a process that was killed leaves it

    def steady(kind: Kind, texts: Sequence[str]) -> Iterator[str]:
        told.extend(texts)
        yield from asked(kind, texts)

    with caplog.at_level("DEBUG"):
        list(learn(posts, None, "anna", config, tiny_base, ask=steady))
    assert len(told) == len(set(told)) == len(read_made(voice_folder("anna") / DATASET))
    assert not any(line in caplog.text for line in LINES)
    told.clear()
    list(learn(posts, None, "anna", config, tiny_base, replace=True, ask=steady))
    assert told == []


def test_questions_about_something_else_are_left_out(tmp_path: Path) -> None:
    texts = ["Поезд ушёл в семь утра.", "Кот спал.", "Дождь лил три дня.", "Печь остыла.", "Шёл снег.", "И шёл дождь."]
    answers = ["Когда ушёл поезд?", "Кот спал.", "Кто такой Вольтер?", "Печь остыла в 1812 году?", *["Что шёл?"] * 2]
    make = instructions.maker(tmp_path, lambda kind, _: iter(answers))
    assert make("question", texts) == {texts[0]: answers[0]}


def test_drafts_that_copy_or_lose_something_are_left_out(tmp_path: Path) -> None:
    texts = [
        "Ну вот, опять трамвай номер 5 встал на мосту, и мы с Верой ждали битых 40 минут!",
        "Суп сегодня вышел на славу, даже кот пришёл понюхать.",
        "Поезд до Казани ушёл в семь, а мы всё ещё пили чай на вокзале.",
    ]
    answers = [
        "На мосту снова остановился трамвай номер 5. Ждать с Верой пришлось 40 минут.",
        texts[1],
        "Мы пили чай на вокзале, когда ушёл поезд.",
    ]
    make = instructions.maker(tmp_path, lambda kind, _: iter(answers))
    assert make("draft", texts) == {texts[0]: answers[0]}


def test_rewriting_is_learned_from_notes_where_nobody_makes_drafts(plain: Material) -> None:
    found = with_rewriting(plain, TrainingConfig(rewrite=True), nothing)
    assert found.rewriting is not None
    assert found.rewriting.from_notes
    own = {target for example in plain.dataset.examples["train"] for target in example.targets}
    assert found.rewrites
    assert {pair.targets[0] for pair in found.rewrites} <= own
    assert found.dataset.examples == plain.dataset.examples
    assert len(found.beside) == len(found.rewrites)


def test_a_voice_that_learned_to_rewrite_says_so(posts: Corpus, tiny_base: Path) -> None:
    list(learn(posts, None, "anna", settings(rewrite=True), tiny_base))
    list(learn(posts, None, "plain", settings(), tiny_base))
    assert read_voice("anna").rewriting is not None
    assert read_voice("plain").rewriting is None
    assert len(read_rewrites("anna")) > 0 == len(read_rewrites("plain"))


def test_a_voice_grows_with_its_views_and_still_rewrites(posts: Corpus, tiny_base: Path, tmp_path: Path) -> None:
    list(learn(posts, None, "anna", settings(views=3, rewrite=True, epochs=0.2), tiny_base))
    before = read_rewrites("anna")
    (tmp_path / "more").mkdir()
    events = list(grow("anna", channel(tmp_path / "more", 96), settings(epochs=2), tiny_base, ratio))
    assert isinstance(events[-1], Grown)
    assert events[-1].because is None
    train = list(read_records(dataset_file("anna", "train"), Example))
    assert {len(example.asks) for example in train} == {2}
    assert read_voice("anna").rewriting is not None
    assert len(read_rewrites("anna")) > len(before)
    assert set(read_rewrites("anna")) >= set(before)


def test_running_text_cannot_be_asked_to_rewrite(plain: Material) -> None:
    with pytest.raises(TrainingError, match="without instructions"):
        with_rewriting(replace(plain, kind="continuation"), TrainingConfig(rewrite=True), nothing)
