"""The guard: what is never written, and that everything else stays as it was."""

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import perf_counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.bases.templates import chat_template
from manera.dataset.encoding import Encoder
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.guard import RUN_WORDS, Guard, turn_headers
from manera.generation.guarded_engine import GuardedEngine, guarded
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.text.words import words
from manera.voice.manifest import Sampling
from overfitted import overfit
from tiny import GEMMA_TURNS, TEXT

LINES = TEXT.strip().splitlines()
TEXTS = [f"{first} {second}" for first, second in zip(LINES[:6:2], LINES[1:6:2], strict=True)]
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=64)
DRAWN = Sampling(temperature=0.7, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=64)


@pytest.fixture(scope="module")
def engine(tiny_base: Path, tiny_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    """The tiny base with an adapter that knows TEXTS by heart."""
    folder = overfit(tiny_base, tiny_encoder, TEXTS, tmp_path_factory.mktemp("overfitted") / "parrot")
    adapters = {"parrot": folder / "adapter.gguf"}
    with open_engine(tiny_base / "base.gguf", adapters, slots=1, context_length=256, threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(engine: LlamaCpp, tiny_encoder: Encoder) -> Callable[..., Request]:
    def ask(prompt: str, sampling: Sampling = GREEDY, **fields: object) -> Request:
        ids = [tiny_encoder.bos, *tiny_encoder.text(prompt)]
        return msgspec.structs.replace(Request(ids, sampling, {"parrot": 1.0}), **fields)

    return ask


def written(engine: LlamaCpp, request: Request, guard: Guard | None = None) -> tuple[str, Finished]:
    *tokens, finished = stream(guarded(engine, guard), request)
    assert isinstance(finished, Finished)
    return "".join(token.text for token in tokens if isinstance(token, Token)), finished


def runs(text: str, length: int = RUN_WORDS) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + length]) for start in range(len(found) - length + 1)}


def beginning(text: str, count: int = 3) -> str:
    return " ".join(text.split()[:count])


def knowing(encoder: Encoder, *texts: str, fillers: tuple[str, ...] = ()) -> Guard:
    return Guard(encoder, lambda: texts, fillers)


def test_without_a_guard_the_training_text_is_recited(engine: LlamaCpp, ask: Callable[..., Request]) -> None:
    for text in TEXTS:
        assert runs(written(engine, ask(beginning(text)))[0]) & runs(text)


beginnings = st.builds(beginning, st.sampled_from(TEXTS), st.integers(1, 16))
trained_on = st.lists(st.sampled_from([*TEXTS, *LINES]), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=trained_on, prompt=beginnings, seed=st.integers(0, 9), temperature=st.sampled_from([0.0, 0.5, 1.0]))
def test_no_run_of_the_training_text_is_written(
    engine: LlamaCpp,
    tiny_encoder: Encoder,
    ask: Callable[..., Request],
    texts: list[str],
    prompt: str,
    seed: int,
    temperature: float,
) -> None:
    sampling = msgspec.structs.replace(DRAWN, temperature=temperature, seed=seed)
    text, finished = written(engine, ask(prompt, sampling), knowing(tiny_encoder, *texts))
    for known in texts:
        assert not runs(text) & runs(known)
    assert finished.new_tokens <= sampling.max_new_tokens
    unguarded, _ = written(engine, ask(prompt, sampling))
    assert finished.guarded or text == unguarded


def test_what_was_written_before_the_run_stays(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    recited, _ = written(engine, ask(beginning(TEXTS[0])))
    text, finished = written(engine, ask(beginning(TEXTS[0])), knowing(tiny_encoder, *TEXTS))
    assert finished.guarded >= 1
    assert words(text)[: RUN_WORDS - 2] == words(recited)[: RUN_WORDS - 2]
    assert len(words(text)) > RUN_WORDS


def test_guarded_replies_are_the_same_under_a_seed(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    guard = knowing(tiny_encoder, *TEXTS)
    for seed in range(4):
        asked = ask(beginning(TEXTS[1]), msgspec.structs.replace(DRAWN, seed=seed))
        assert written(engine, asked, guard)[0] == written(engine, asked, guard)[0]


def test_foreign_scripts_are_not_written(engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]) -> None:
    wild = Sampling(temperature=4.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=120, seed=3)
    latin, cyrillic = set(string.ascii_letters), set("абвгдежзийклмнопрстуфхцчшщъыьэюя")
    unguarded = set(written(engine, ask("Мой", wild))[0].lower())
    assert unguarded & latin
    assert unguarded & cyrillic
    russian, finished = written(engine, ask("Мой", wild), knowing(tiny_encoder, LINES[0]))
    assert finished.guarded
    assert not set(russian) & latin
    assert set(russian.lower()) & cyrillic
    english, _ = written(engine, ask("It", wild), knowing(tiny_encoder, LINES[7]))
    assert not set(english.lower()) & cyrillic


def test_fillers_are_not_written_in_any_case(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    recited, _ = written(engine, ask(beginning(TEXTS[0])))
    filler = " ".join(recited.split()[3:6])
    text, finished = written(engine, ask(beginning(TEXTS[0])), knowing(tiny_encoder, fillers=(filler.upper(),)))
    assert filler not in text
    assert finished.guarded
    assert text.startswith(recited[: recited.index(filler)].rstrip())


def test_other_side_is_not_spoken_for(engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]) -> None:
    assert turn_headers(tiny_encoder.template) == ("\nA:\n", "\nB:\n")
    assert turn_headers(chat_template("continuation")) == turn_headers(chat_template("post")) == ()
    assert turn_headers(GEMMA_TURNS) == ()
    whole, _ = written(engine, ask(beginning(TEXTS[0])))
    first, second = whole.split()[4:6]
    guard = knowing(tiny_encoder)
    guard.headers = (f" {first} {second}",)  # as if the voice's template wrote this between turns
    text, finished = written(engine, ask(beginning(TEXTS[0])), guard)
    assert (text, finished.reason) == (whole[: whole.index(f" {first} {second}")], "stop")


def test_empty_reply_is_asked_for_once_more(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    ends = {tiny_encoder.end_of_turn: 30.0}
    assert written(engine, ask("Мой", logit_bias=ends))[0] == ""
    text, finished = written(engine, ask("Мой", logit_bias=ends), knowing(tiny_encoder))
    assert (finished.guarded, finished.reason) == (1, "stop")
    assert text.strip()


def test_reply_that_ends_after_a_line_break_loses_nothing_when_asked_for_once_more(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    (line_break,), (word,) = tiny_encoder.text("\n"), tiny_encoder.text(" не")
    bias = {line_break: 60.0, tiny_encoder.end_of_turn: 50.0, word: 40.0}
    asked = ask("Мой", msgspec.structs.replace(GREEDY, repetition_penalty=1.9), logit_bias=bias)
    assert written(engine, asked)[0] == "\n"
    text, finished = written(engine, asked, knowing(tiny_encoder))
    assert (text, finished.guarded, finished.reason) == ("\n не", 1, "stop")


def test_reply_that_only_repeats_itself_ends(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    (word,) = tiny_encoder.text(" не")
    endless = msgspec.structs.replace(GREEDY, max_new_tokens=200)
    text, finished = written(engine, ask("Мой", endless, logit_bias={word: 90.0}), knowing(tiny_encoder))
    assert finished.reason == "stop"
    assert RUN_WORDS < len(words(text)) < 3 * RUN_WORDS


def test_stop_string_across_a_step_back_is_found(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    guard = knowing(tiny_encoder, *TEXTS)
    whole, finished = written(engine, ask(beginning(TEXTS[0])), guard)
    assert finished.guarded
    for start in range(len(whole) - 8):
        stop = whole[start : start + 8]
        assert stop not in written(engine, ask(beginning(TEXTS[0]), stop=(stop,)), guard)[0]


def test_cancelled_guarded_reply_says_so(engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]) -> None:
    cancelled, texts = Event(), []

    def deliver(token: Token) -> None:
        texts.append(token.text)
        cancelled.set()

    parrot = GuardedEngine(engine, knowing(tiny_encoder, *TEXTS))
    finished = parrot.generate(ask(beginning(TEXTS[0])), deliver, cancelled.is_set)
    assert (finished.reason, len(texts)) == ("cancelled", 1)


def test_a_failing_consumer_of_a_guarded_reply_is_heard(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    def deliver(_: Token) -> None:
        raise LookupError("consumer")

    parrot = GuardedEngine(engine, knowing(tiny_encoder, *TEXTS))
    with pytest.raises(LookupError, match="consumer"):
        parrot.generate(ask(beginning(TEXTS[0])), deliver, lambda: False)


def test_runs_do_not_reach_from_one_text_into_the_next(tiny_encoder: Encoder) -> None:
    halves = ["a b c d e f g h", "i j k l m n o p"]
    apart, together = knowing(tiny_encoder, *halves), knowing(tiny_encoder, " ".join(halves))
    assert len(apart._known.runs) == 0
    assert len(together._known.runs) == 16 - RUN_WORDS + 1


def test_two_megabytes_are_learned_within_a_second(tiny_encoder: Encoder) -> None:
    text = " ".join(f"{word}{chr(1072 + number % 32)}" for number in range(3000) for word in words(TEXT)[:60])
    assert len(text.encode()) > 2_000_000
    guard = knowing(tiny_encoder, text)
    start = perf_counter()
    guard.is_copied(0)
    assert perf_counter() - start < 2  # of another's processor; 0.3 s alone


def test_reply_that_fills_the_context_under_a_guard_ends_by_length(
    engine: LlamaCpp, tiny_encoder: Encoder, ask: Callable[..., Request]
) -> None:
    endless = msgspec.structs.replace(DRAWN, max_new_tokens=10_000, seed=5)
    for taken in range(200, 215):
        asked = ask(beginning(TEXTS[0]), endless, stops_at_end=False)
        filled = msgspec.structs.replace(asked, prompt=[tiny_encoder.bos] * taken + asked.prompt)
        text, finished = written(engine, filled, knowing(tiny_encoder, *TEXTS))
        assert finished.reason == "length"
        assert not any(runs(text) & runs(known) for known in TEXTS)
