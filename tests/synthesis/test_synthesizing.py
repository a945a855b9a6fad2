"""A corpus by a real server that fails, refuses, repeats itself and writes other languages."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import msgspec
import pytest

from commands import run
from faulty_server import Asked, Faulty, Reply, Respond, Waiting, completion, fault, faulty
from manera.cli.synthesizing import Wanted, synthesize
from manera.corpus.manifest import Manifest
from manera.corpus.storage import DIVERSITY, SYNTHESIS, open_corpus, write
from manera.errors import CorpusError, GenerationError, SettingsError, SynthesisError
from manera.generation.server import Answer
from manera.records import Opened, SourceRecord, Utterance
from manera.synthesis import sieve, topics
from manera.synthesis.prompts import read_examples, read_style
from manera.synthesis.settings import SynthesisConfig
from manera.synthesis.writing import Order, Synthesized, planned
from manera.synthesis.writing import synthesize as written

WORDS = """туман вокзал сосед письмо трамвай чашка дождь окно сад сторож берег лодка фонарь лестница кошка хлеб печь
дорога снег мост колодец зеркало часы пальто ключ площадь скамейка голубь рынок яблоко тетрадь сапог гвоздь колокол
веранда идёт стоит молчит смотрит звенит падает пахнет ждёт горит тает скрипит плывёт прячется растёт дрожит блестит
тихо долго снова вчера утром вдруг никогда рядом далеко над возле между сквозь почти наконец однажды осенью зимой"""
SEEDS = ("дождь за окном", "старый трамвай", "варенье", "соседский кот", "ночной поезд")


def text(seed: int, words: int = 40) -> str:
    rng = random.Random(seed)
    sentences = [" ".join(rng.choices(WORDS.split(), k=8)).capitalize() + "." for _ in range(words // 8)]
    return " ".join(sentences)


def author(asked: Asked, _: int = 0) -> Reply:
    """Write a text by the seed; of topics a list."""
    said = asked["messages"][-1]["content"]
    if "Придумай" in said:
        rng = random.Random(asked["seed"])
        return completion(
            "Вот темы:\n" + "\n".join(f"{n}. {' '.join(rng.sample(WORDS.split(), 3))}" for n in range(1, 21))
        )
    return completion(text(asked["seed"]))


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(
        style="Пиши как ворчливый дачник.",
        seeds=SEEDS,
        count=12,
        folder=tmp_path / "corpus",
        name="дачник",
        server=Faulty().server,
        config=SynthesisConfig(),
        language="ru",
    )


def made(order: Order, server: Faulty, **settings: object) -> Synthesized:
    config = order.config.model_copy(update=settings)
    *_, last = written(replace(order, server=server.server, config=config), Waiting())
    assert isinstance(last, Synthesized)
    return last


def test_the_result_is_a_corpus_like_any_other_and_is_marked(order: Order) -> None:
    with faulty(author) as server:
        found = made(order, server)
    corpus = open_corpus(order.folder)
    said = list(corpus.utterances())
    assert (found.texts, len(said), found.topics) == (12, 12, 12)
    assert {one.kind for one in said} == {"post"}
    assert [one.title for one in said][:5] == list(SEEDS)
    assert corpus.manifest.synthetic == ("a-model",)
    assert corpus.manifest.ledger.kept == 12
    assert [source.name for source in corpus.manifest.sources] == ["answers.jsonl"]
    assert (order.folder / SYNTHESIS).stat().st_mode & 0o777 == 0o600
    assert msgspec.json.decode((order.folder / SYNTHESIS).read_bytes())["spent"]["calls"] == len(server.asked)
    page = (order.folder / DIVERSITY).read_text("utf-8")
    assert page.count('class="dot own"') == 12
    assert "src=" not in page


def test_a_second_run_asks_for_nothing_and_makes_the_same(order: Order) -> None:
    with faulty(author) as server:
        first = made(order, server)
        asked = len(server.asked)
        again = made(replace(order, replace=True), server)
        assert len(server.asked) == asked
        assert msgspec.json.encode(again) == msgspec.json.encode(first)
        larger = made(replace(order, count=16, replace=True), server)
        assert larger.texts == 16
        assert len(server.asked) == asked + 4 + 1  # four texts, and a batch of topics


def bad(asked: Asked, _: int) -> Reply:
    """Spoil the first try of most texts; each in its own way."""
    said, seed = asked["messages"][-1]["content"], asked["seed"]
    if "Придумай" in said or seed % 10:
        return author(asked)
    ways = {
        0: completion("К сожалению, я не могу выполнить этот запрос: это противоречит правилам, которых я держусь."),
        1: completion(text(seed), finish_reason="length"),
        2: completion(
            "This one is written in another language, which nobody has asked for at all, and it goes on so. " * 2
        ),
        3: completion("Коротко."),
        4: completion(""),
        5: completion(text(1000)),
        6: completion(text(1000)),
        7: completion(text(seed), finish_reason="content_filter"),
        8: completion(f"Конечно! Вот текст:\n\n«{text(seed)}»"),
    }
    return ways.get(seed // 10, author(asked))


def test_what_is_not_worth_keeping_is_dropped_by_name_and_asked_for_again(order: Order) -> None:
    with faulty(bad) as server:
        found = made(order, server)
    dropped = Counter(found.ledger.dropped)
    assert dropped == {
        sieve.REFUSED: 1,
        sieve.CUT: 1,
        f"{sieve.OTHER} (en)": 1,
        sieve.SHORT: 1,
        sieve.EMPTY: 1,
        sieve.REPEATED: 1,
        sieve.FILTERED: 1,
    }
    assert found.texts == 12
    texts = [one.text for one in open_corpus(order.folder).utterances()]
    assert texts[8] == text(80)
    assert found.ledger.characters.dropped[sieve.INTRODUCED] > 10


def real_corpus(folder: Path) -> list[str]:
    texts = [text(5000 + number, 60) for number in range(30)]

    def records() -> Iterator[SourceRecord]:
        source = folder.with_suffix(".txt")
        source.write_text("\n\n".join(texts), "utf-8")
        yield Opened("text", source.name, source)
        for place, one in enumerate(texts):
            yield Utterance("анна", "Анна", one, "блог", place, "post", source.name, title=f"запись {place}")

    write(records(), folder)
    return texts


def test_real_texts_are_shown_and_no_text_may_copy_them(order: Order, tmp_path: Path) -> None:
    real = real_corpus(tmp_path / "real")
    examples = read_examples(tmp_path / "real", None)
    assert set(examples.shown) < set(real)
    held_out = next(one for one in real if one not in examples.shown)

    def respond(asked: Asked, _: int) -> Reply:
        return completion(held_out) if asked["seed"] == 30 else author(asked)

    with faulty(respond) as server:
        found = made(replace(order, examples=examples), server)
        texts = [asked for asked in server.asked if "Придумай" not in asked["messages"][-1]["content"]]
        shown = [sum(one in asked["messages"][-1]["content"] for one in real) for asked in texts]
        assert set(shown) == {3}
        assert all(held_out not in asked["messages"][-1]["content"] for asked in texts)
    assert found.ledger.dropped == {sieve.COPIED: 1}
    assert found.diversity.distinct_real
    assert 'class="dot others"' in (order.folder / DIVERSITY).read_text("utf-8")


def test_a_style_with_a_topic_in_it_is_the_whole_question(order: Order) -> None:
    with faulty(author) as server:
        made(replace(order, style="{topic}", count=3), server)
        assert [asked["messages"] for asked in sorted(server.asked, key=lambda asked: asked["seed"])] == [
            [{"role": "user", "content": topic}] for topic in SEEDS[:3]
        ]


PROGRAM = """
import sys
from pathlib import Path
from manera.generation.server import Server
from manera.synthesis.settings import SynthesisConfig
from manera.synthesis.writing import Order, synthesize
seeds = ("дождь за окном", "старый трамвай", "варенье", "соседский кот", "ночной поезд")
server = Server(sys.argv[2], None, "KEY", "a-model")
order = Order("Пиши.", seeds, 12, Path(sys.argv[1]), "дачник", server, SynthesisConfig(at_once=2), "ru")
list(synthesize(order))
"""


def test_a_process_that_is_killed_leaves_no_corpus_and_the_next_one_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    killed, over = Event(), Event()

    def respond(asked: Asked, number: int) -> Reply:
        if number == 8 and not over.is_set():
            running.kill()
            running.wait()
            killed.set()
        return author(asked)

    with faulty(respond) as server:
        command = [sys.executable, "-c", PROGRAM, str(out), server.url]
        running = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert killed.wait(300)
        over.set()
        assert not out.exists()
        before = len(server.asked)
        kept = (tmp_path / "corpus.synthesis" / "answers.jsonl").read_bytes().count(b"\n")
        subprocess.run(command, check=True)
        assert len(server.asked) - before == 13 - kept  # twelve texts and a batch of topics
    assert open_corpus(out).manifest.ledger.kept == 12


def test_a_budget_that_is_used_up_leaves_what_was_bought(order: Order, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."a-model"]\ninput = 0\noutput = 1000000', "utf-8")
    with faulty(author) as server:
        with pytest.raises(GenerationError, match="the budget of 2000 is used up") as caught:
            made(order, server, prices=prices, budget=2000.0)
        enough = re.search(r"--count (\d+) --tries 1 makes a corpus of what there is", str(caught.value.hint))
        assert enough
        assert not order.folder.exists()
        spent = len(server.asked)
        less = replace(order, count=int(enough[1]), folder=order.folder)
        assert made(less, server, prices=prices, budget=2000.0, tries=1).texts == less.count
        assert len(server.asked) == spent
        order = replace(order, replace=True)
        found = made(order, server, prices=prices, budget=20000.0)
        assert len(server.asked) == 13
    assert 0 < spent < 13
    assert (found.spent.money, found.spent.calls) == (5 * 13, 13)


def test_a_plan_asks_for_nothing_and_leaves_nothing(order: Order, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\n[models."a-model"]\ninput = 0\noutput = 10', "utf-8")
    with faulty(author) as server:
        priced = replace(order, server=server.server, config=SynthesisConfig(prices=prices))
        found = planned(priced)
        assert server.asked == []
        assert not priced.work.exists()
        assert (found.calls, found.topic_calls, found.known, found.currency) == (13, 1, 0, "EUR")
        assert found.completion_tokens == 12 * 600 + 800
        assert found.money == pytest.approx(found.completion_tokens * 10 / 1e6)
        made(order, server)
        assert planned(replace(priced, replace=True)).calls == 0


def test_topics_are_those_least_like_each_other() -> None:
    from manera.retrieval.sentences import embed

    candidates = ["дождь за окнами", "дождь за окном!", "ядерная физика", "покупка автомобиля", "варенье из вишни"]
    found = topics.spread(["дождь за окном", "варенье"], candidates, 4, embed)
    assert found[:2] == ("дождь за окном", "варенье")
    assert set(found[2:]) == {"ядерная физика", "покупка автомобиля"}
    assert len(topics.spread(["дождь за окном"], ["дождь за окном!"], 9, embed)) == 1


def test_a_model_that_can_think_of_no_topics_is_asked_for_them_once(order: Order) -> None:
    def respond(asked: Asked, _: int) -> Reply:
        return completion("нет") if "Придумай" in asked["messages"][-1]["content"] else author(asked)

    with faulty(respond) as server:
        found = made(order, server)
        asked = len(server.asked)
        made(replace(order, replace=True), server)
        assert len(server.asked) == asked
    assert (found.texts, found.topics) == (12, 6)  # "нет" is a topic too


def test_a_list_of_topics_is_read_without_its_marks() -> None:
    answer = "Конечно, вот темы:\n\n1. Первый снег.\n2) «Письмо»\n- **ключ**\n\n* \n" + "слово " * 40
    assert list(topics.listed(answer)) == ["Первый снег", "Письмо", "ключ"]


@pytest.mark.parametrize(
    ("answer", "is_refusal"),
    [
        ("Извините, но я не могу помочь с этим.", True),
        ("I'm sorry, but I can't assist with that request.", True),
        ("As an AI language model, I have no feelings about trams.", True),
        ("Как языковая модель, я не пишу таких текстов.", True),
        ("Я не могу забыть тот вечер: снег падал, и трамвай всё не шёл.", False),
        ("Извините меня, старика: заговорился, а чай простыл.", False),
        ("I could not sleep that night, and the rain went on.", False),
    ],
)
def test_a_refusal_is_told_from_a_text(answer: str, is_refusal: bool) -> None:
    given = Answer("m", "", 0, answer, "stop", 1, 1)
    found = sieve.Sieve("ru" if answer[0] > "я"[0] or "а" <= answer[0].lower() <= "я" else "en", 3, []).refusal(
        given, answer
    )
    assert (found == sieve.REFUSED) == is_refusal


def never(_: Asked, __: int) -> Reply:
    raise AssertionError("nothing is to be asked")


def nothing_is_left(folder: Path) -> bool:
    return not any(folder.glob("corpus*"))


@pytest.fixture
def typed(tmp_path: Path) -> Wanted:
    (tmp_path / "style.md").write_text("Пиши как ворчливый дачник.", "utf-8")
    (tmp_path / "topics.txt").write_text("\n".join(SEEDS), "utf-8")
    return Wanted(tmp_path / "style.md", tmp_path / "topics.txt", 6, tmp_path / "corpus")


def test_a_count_of_nothing_is_named(typed: Wanted, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--count 0 asks for no text") as caught:
        synthesize(replace(typed, count=0), {}, plan=False, as_json=False)
    assert "--count 200" in str(caught.value.hint)
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(("content", "message"), [(b"\n \n", "no topic in"), (b"\xff\xfe\xd0", "no text in UTF-8")])
def test_topics_that_are_none_are_named(typed: Wanted, tmp_path: Path, content: bytes, message: str) -> None:
    typed.topics.write_bytes(content)
    with pytest.raises(SynthesisError, match=message) as caught:
        synthesize(typed, {}, plan=False, as_json=False)
    assert caught.value.hint
    assert nothing_is_left(tmp_path)


def test_a_style_that_says_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "style.md"
    with pytest.raises(SynthesisError, match="cannot be read"):
        read_style(path)
    path.write_text(" \n", "utf-8")
    with pytest.raises(SynthesisError, match="says nothing"):
        read_style(path)


def test_a_folder_that_is_in_use_or_cannot_be_written_is_named_before_anything_is_paid(
    order: Order, tmp_path: Path
) -> None:
    with faulty(never) as server:
        full = tmp_path / "full"
        full.mkdir()
        (full / "notes.txt").write_text("mine", "utf-8")
        with pytest.raises(CorpusError, match="is not empty and holds no corpus"):
            made(replace(order, folder=full), server)
        real_corpus(tmp_path / "real")
        with pytest.raises(CorpusError, match="there is a corpus in"):
            made(replace(order, folder=tmp_path / "real"), server)
        (tmp_path / "file").write_text("", "utf-8")
        with pytest.raises(CorpusError, match="cannot be written") as caught:
            made(replace(order, folder=tmp_path / "file" / "corpus"), server)
        assert "--out" in str(caught.value.hint)
        assert server.asked == []


@pytest.mark.parametrize(
    ("respond", "message", "hint"),
    [
        (lambda *_: fault(401, "Incorrect API key"), "Incorrect API key", "OPENAI_API_KEY"),
        (lambda *_: Reply("<html>", 200, (("content-type", "text/html"),)), "a web page", "/v1"),
        (lambda *_: fault(429, "no quota", code="insufficient_quota"), "no quota", "no money left"),
    ],
    ids=["wrong-key", "html", "no-money"],
)
def test_a_server_that_will_not_is_named_and_no_corpus_is_begun(
    order: Order, respond: Respond, message: str, hint: str
) -> None:
    with faulty(respond) as server, pytest.raises(GenerationError, match=message) as caught:
        made(order, server)
    assert hint in str(caught.value.hint)
    assert not order.folder.exists()


def test_a_model_that_writes_nothing_worth_keeping_is_named(order: Order) -> None:
    message = "of 36 answers of a-model none can be kept: too short"
    with faulty(lambda *_: completion("нет")) as server, pytest.raises(SynthesisError, match=message) as caught:
        made(order, server)
    assert "--min-words" in str(caught.value.hint)
    assert not order.folder.exists()


def test_two_processes_do_not_pay_for_one_corpus(order: Order) -> None:
    def respond(asked: Asked, number: int) -> Reply:
        if not number:
            with pytest.raises(SynthesisError, match="another process writes"):
                made(order, server)
        return author(asked)

    with faulty(respond) as server:
        assert made(order, server).texts == 12


def test_the_command_says_what_it_takes_and_prints_one_document(typed: Wanted, tmp_path: Path) -> None:
    options = ("--style", typed.style, "--topics", typed.topics, "--out", typed.out, "--count", "6")
    with faulty(author) as server:
        plan = run("synthesize", *options, "--url", server.url, "--plan", home=tmp_path / "home")
        assert (plan.returncode, server.asked) == (0, [])
        assert "7 calls of a-model, 1 of them for topics" in plan.stdout
        done = run("synthesize", *options, "--url", server.url, "--json", home=tmp_path / "home")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["texts"] == 6
        assert "7 calls" in done.stderr
        again = run("synthesize", *options, "--url", server.url, home=tmp_path / "home")
    assert again.returncode == 1
    assert "there is a corpus in" in again.stderr
    assert text(0)[:20] not in done.stderr


def test_a_server_elsewhere_needs_a_key_and_many_models_a_choice(
    typed: Wanted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsError, match=r"there is no key for https://api\.openai\.com/v1"):
        synthesize(typed, {"model": "m"}, plan=True, as_json=False)
    with faulty(never, models=("one", "two")) as server:
        (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY=of-dotenv\n", "utf-8")
        with pytest.raises(SettingsError, match="has 2 models: one, two") as caught:
            synthesize(typed, {}, plan=True, as_json=False)
        assert "--model" in str(caught.value.hint)
        synthesize(typed, {"model": "two"}, plan=True, as_json=True)


def test_the_mark_stays_where_a_corpus_goes_on(order: Order, tmp_path: Path) -> None:
    from manera.corpus.adding import add
    from manera.corpus.forgetting import forget_message

    with faulty(author) as server:
        made(order, server)
    source = tmp_path / "more.txt"
    source.write_text("ещё", "utf-8")
    more: list[SourceRecord] = [
        Opened("text", "more.txt", source),
        Utterance("анна", "Анна", text(9000), "блог", 0, "post", "more.txt", title="ещё"),
    ]
    add(more, order.folder)
    assert open_corpus(order.folder).manifest.synthetic == ("a-model",)
    forget_message(order.folder, "дачник/3")
    manifest: Manifest = open_corpus(order.folder).manifest
    assert manifest.synthetic == ("a-model",)
