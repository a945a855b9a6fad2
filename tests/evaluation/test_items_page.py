"""A page of single texts and of pairs, and what people answered on it."""

import json
import re
from pathlib import Path

import pytest

from manera.errors import EvaluationError
from manera.evaluation.report.items_page import Written, holds_item_votes, read_item_votes, write_items

ASKED = ["Здравствуй", "Который <час>?"]
WRITTEN = [
    Written([*ASKED, str(n)], f"наскоро {n}", f"лучшее {n}" if n else "наскоро 0", f"сам {n}" if n < 4 else None)
    for n in range(6)
]


def test_items_are_shuffled_and_none_tells_its_writer(tmp_path: Path) -> None:
    page, key = write_items(WRITTEN, 12, tmp_path, "ru")
    html = page.read_text("utf-8")
    shown = re.findall(r'class="text">(\w+) \d<', html)
    assert len(shown) == 12
    assert shown != sorted(shown)
    assert "Который &lt;час&gt;?" in html
    assert key.name not in html
    told = json.loads(key.read_text("utf-8"))
    names = {"наскоро": "voice", "лучшее": "drafts", "сам": "real"}
    assert all(names[word] == who or word == "наскоро" for word, who in zip(shown, told["items"].values(), strict=True))
    assert len(told["pairs"]) == 5  # alike drafts are no pair


def test_answers_are_counted_by_writer_with_intervals(tmp_path: Path) -> None:
    _, key = write_items(WRITTEN, 16, tmp_path, "ru")
    told = json.loads(key.read_text("utf-8"))
    sides = dict(told["pairs"])
    sides["1"] = "neither"
    votes = tmp_path / "votes.json"
    answers = {number: "no" if who == "voice" else "yes" for number, who in told["items"].items()}
    votes.write_text(json.dumps({"items": answers, "pairs": sides}), "utf-8")
    assert holds_item_votes(votes)
    found = {one.id: one for one in read_item_votes(votes, tmp_path)}
    values = {id: (one.value, one.n) for id, one in found.items()}
    assert values == {
        "votes.acceptable.voice": (0.0, 6),
        "votes.acceptable.drafts": (1.0, 6),
        "votes.acceptable.real": (1.0, 4),
        "votes.preferred.drafts": (1.0, 4),
    }
    low = found["votes.preferred.drafts"].low
    assert low is not None
    assert 0.5 < low < 1


def test_answers_to_other_items_are_refused(tmp_path: Path) -> None:
    votes = tmp_path / "votes.json"
    votes.write_text('{"items": {"99": "yes"}, "pairs": {}}', "utf-8")
    with pytest.raises(EvaluationError, match="no file"):
        read_item_votes(votes, tmp_path)
    write_items(WRITTEN, 12, tmp_path, "ru")
    with pytest.raises(EvaluationError, match="not among"):
        read_item_votes(votes, tmp_path)
    votes.write_text('{"1": "left"}', "utf-8")
    assert not holds_item_votes(votes)
