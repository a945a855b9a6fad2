"""The page's words: the same ids in both languages, and nothing that somebody wrote becomes markup."""

from string import Formatter
from typing import Any

import pytest

from manera.faces.web import pieces
from manera.faces.web.words import LANGUAGES, preferred_language, words_of
from manera.training.going_on import REFUSALS

say = words_of("en")
EVIL = '<img src=x onerror="alert(1)">'


def test_languages_have_the_same_words_that_name_the_same_things() -> None:
    russian, english = LANGUAGES["ru"], LANGUAGES["en"]
    assert set(russian) == set(english)
    for id, words in english.items():
        named, also = ({name for _, name, _, _ in Formatter().parse(text) if name} for text in (words, russian[id]))
        assert named == also, id


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ru", "ru"), ("ru-RU,en;q=0.5", "ru"), ("de-DE, EN-gb;q=0.7, ru;q=0.1", "en"), ("fr", "en"), ("", "en")],
)
def test_language_is_the_browsers_first_that_the_page_has(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language


def training(**more: Any) -> dict[str, Any]:
    return {"status": "training", "step": 30, "steps": 120, "tokens_per_second": 1234.6, "seconds_left": 95.2} | more


def test_training_is_told_in_words() -> None:
    losses = {"losses": [[1, 3.5], [30, 2.5]], "validation_losses": [[20, 2.9]], "base_loss": 3.1}
    shown = pieces.progress(training(**losses), say)
    assert "step 30 of 120 · 1\u202f235 tokens/s · 1:35 left" in shown
    assert shown.count("<polyline") == 3
    assert "Waiting: 2 before it" in pieces.progress(training(status="queued", position=2), say)
    failed = pieces.progress(training(status="failed", error={"message": EVIL, "hint": EVIL}), say)
    assert "It failed: &lt;img" in failed
    assert "<img" not in failed


def test_what_goes_on_from_a_voice_says_whether_that_was_kept() -> None:
    bits = {part: {"before": 1.25, "after": 1.2} for part in ("old", "new")}
    gate = {"recommended": True, "outcome": "better", "because": "in English"}
    kept = pieces.change(training(kind="growth", grown=bits | {"refusal": None}, **gate), say)
    assert "<b>Kept</b>" in kept
    assert "Held out before: 1.2500 → 1.2000 bits per byte." in kept
    assert "<b>Recommended</b> It surely predicts" in kept
    lead = {"preferred": 0.9, "nats_before": 2.5, "nats_after": 2.6, "refusal": "text_unlikely"}
    refused = {"recommended": None, "because": "in English"}
    left = pieces.change(training(kind="preferences", preferred=lead, **refused), words_of("ru"))
    assert "<b>Не принято</b> Любой шаг делал слова самого человека" in left
    assert "in English" not in left
    assert "the voice is as it was" in pieces.progress(training(kind="growth", status="stopped"), say)


def test_every_refusal_has_words() -> None:
    assert {f"refusal.{id}" for id in REFUSALS} == {id for id in LANGUAGES["en"] if id.startswith("refusal.")}


def test_what_somebody_wrote_is_never_markup() -> None:
    message = {"role": "user", "content": EVIL}
    origin = {"overlap": 0.5, "message": {"text": EVIL, "answers": EVIL}}
    memory = {"text": EVIL, "answer": EVIL, "kind": "talk"}
    for shown in (
        pieces.quotes([EVIL]),
        pieces.counts(EVIL, {EVIL: 1}),
        pieces.messages([[message]]),
        pieces.origins([origin], say),
        pieces.recalled([memory], say),
        pieces.verdict({"recommended": True, "because": EVIL}, say),
        pieces.heading(EVIL),
    ):
        assert "<img" not in shown
        assert "&lt;img" in shown
