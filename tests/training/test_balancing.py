"""Balance put to a whole dataset: what is learned changes, what is held out does not."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manera.corpus.storage import Corpus
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows
from manera.errors import CorpusError, DatasetError
from manera.evaluation import general_text
from manera.training.balancing import CAPPED, balance, learned_tokens, with_replay
from manera.training.material import Material, gather, unread
from manera.training.replay import TEXTS
from manera.training.settings import TrainingConfig
from tiny import TEXT, tiny_corpus

LINES = [line for line in TEXT.split("\n") if line]
DAY = 86_400


def chat(number: int, partner: str, messages: int) -> dict[str, Any]:
    said = [
        {
            "id": place,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + number * 777 + DAY * (place // 2)),
            "from": ("Аня", partner)[place % 2],
            "from_id": ("user1", f"user{number}")[place % 2],
            "text": f"{LINES[place % 12]} {number} {place}" if place % 2 == 0 else "Ну и что?",
        }
        for place in range(messages)
    ]
    return {"name": partner, "type": "personal_chat", "id": number, "messages": said}


@pytest.fixture(scope="session")
def three_chats(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """One person in a long chat and two short ones, a day between what they say."""
    folder = tmp_path_factory.mktemp("chats")
    chats = [chat(2, "Боря", 160), chat(3, "Вера", 60), chat(4, "Глеб", 60)]
    (folder / "result.json").write_text(json.dumps({"chats": {"list": chats}}), "utf-8")
    return tiny_corpus(folder / "result.json", folder / "corpus")


@pytest.fixture(scope="session")
def plain(three_chats: Corpus, tiny_base: Path) -> Material:
    return gather(three_chats, "Аня", tiny_base, 192)


def balanced(material: Material, **settings: Any) -> Material:
    config = TrainingConfig(**settings)
    return with_replay(balance(material, config), config)


def tokens_of_threads(material: Material) -> dict[str, int]:
    found: dict[str, int] = {}
    for example in material.dataset.examples["train"]:
        assert example.conversation is not None
        thread = material.learned_from[example.conversation].thread
        found[thread] = found.get(thread, 0) + learned_tokens(example, material.encoder)
    return found


def same(one: Rows, other: Rows) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.arrays(), other.arrays(), strict=True))


def test_learned_tokens_are_those_that_rows_supervise(plain: Material) -> None:
    counted = sum(learned_tokens(example, plain.encoder) for example in plain.dataset.examples["train"])
    assert counted == plain.dataset.rows["train"].supervised_tokens


def test_a_long_chat_is_cut_to_its_share_and_the_ledger_says_so(plain: Material) -> None:
    before, capped = tokens_of_threads(plain), balanced(plain, per_thread=0.4)
    after = tokens_of_threads(capped)
    longest = max(before, key=lambda thread: before[thread])
    assert before[longest] > 0.4 * sum(before.values())
    assert after[longest] <= 0.4 * sum(after.values()) + 1
    assert {thread: n for thread, n in after.items() if thread != longest} == {
        thread: n for thread, n in before.items() if thread != longest
    }
    left_out = len(plain.dataset.examples["train"]) - len(capped.dataset.examples["train"])
    assert capped.dropped == plain.dropped | {CAPPED: left_out}
    assert capped.dataset.rows["train"].supervised_tokens == sum(after.values())


@pytest.mark.parametrize("settings", [{"per_thread": 0.4}, {"half_life": 10}, {"replay": 0.2}])
def test_what_is_held_out_stays_as_it_was(plain: Material, settings: dict[str, Any]) -> None:
    after = balanced(plain, **settings)
    for part in ("validation", "test"):
        assert after.dataset.examples[part] == plain.dataset.examples[part]
        assert same(after.dataset.rows[part], plain.dataset.rows[part])
        assert after.dataset.rows[part].weights is None
    assert not same(after.dataset.rows["train"], plain.dataset.rows["train"]) or settings == {"half_life": 10}


def test_newer_text_weighs_more_in_the_rows(plain: Material) -> None:
    aged = balanced(plain, half_life=10)
    weights = {
        aged.learned_from[example.conversation or 0].started_at: example.weight
        for example in aged.dataset.examples["train"]
    }
    times = sorted(time for time in weights if time is not None)
    for older, newer in pairwise(times):
        assert weights[newer] / weights[older] == pytest.approx(2 ** ((newer - older) / DAY / 10))
    rows = aged.dataset.rows["train"]
    assert rows.weights is not None
    assert rows.weights[rows.labels != IGNORE_INDEX].mean() == pytest.approx(1, rel=1e-5)
    assert sorted(set(np.round(rows.weights[rows.weights > 0], 3))) == sorted({round(w, 3) for w in weights.values()})


def test_general_text_has_its_share_and_is_nobodys_example(plain: Material) -> None:
    mixed = balanced(plain, replay=0.3)
    own, all_ = plain.dataset.rows["train"].supervised_tokens, mixed.dataset.rows["train"].supervised_tokens
    assert mixed.replayed == pytest.approx((all_ - own) / all_)
    assert mixed.replayed == pytest.approx(0.3, abs=0.05)
    assert mixed.dataset.examples == plain.dataset.examples
    assert sorted(unread(mixed, set())) == list(range(len(plain.dataset.examples["train"])))


def test_general_text_can_come_from_a_corpus(plain: Material, tmp_path: Path) -> None:
    (tmp_path / "книга.txt").write_text("\n\n".join(f"{line} Совсем другое." for line in LINES), "utf-8")
    tiny_corpus(tmp_path / "книга.txt", tmp_path / "general")
    mixed = balanced(plain, replay=0.1, replay_from=tmp_path / "general")
    assert any("Совсем другое" in plain.encoder.decode(row.tolist()) for row in mixed.dataset.rows["train"].input_ids)
    with pytest.raises(CorpusError, match="there is no corpus"):
        balanced(plain, replay=0.1, replay_from=tmp_path / "nothing")


def test_bundled_general_text_is_not_what_forgetting_is_measured_on() -> None:
    replayed = "\n".join(path.read_text("utf-8") for path in TEXTS.glob("replay-*.txt"))
    assert len(replayed) > 10_000
    for name in general_text.GENERAL:
        for paragraph in general_text.paragraphs(name):
            words = paragraph.split()
            runs = [" ".join(words[start : start + 6]) for start in range(len(words) - 5)]
            assert not [run for run in runs if run in replayed]


def test_one_chat_alone_cannot_be_cut_to_a_share(tiny_base: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(chat(2, "Боря", 160)), "utf-8")
    material = gather(tiny_corpus(path, tmp_path / "corpus"), "Аня", tiny_base, 192)
    with pytest.raises(DatasetError, match="their number is 1"):
        balanced(material, per_thread=0.5)
    assert balanced(material, per_thread=200).dataset.rows["train"].supervised_tokens <= 200
