"""Several drafts of a reply, and the one that is handed over."""

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest
import torch

from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.generation import llama_cpp, transformers_engine
from manera.generation.drafting import SEEDS_APART, SHARE, DraftingEngine, with_drafts
from manera.generation.engine import Engine, Finished, Request, Token, stream
from manera.generation.guard import Guard
from manera.generation.reply import Writer, writing
from manera.records import Message
from manera.text.words import words
from manera.voice.manifest import Sampling
from tiny import TEXT

WARM = Sampling(temperature=1.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=16, seed=7)
ONCE = Sampling(temperature=0, repetition_penalty=None)


@pytest.fixture(scope="module", params=["llama.cpp", "transformers"])
def engine(request: pytest.FixtureRequest, tiny_base: Path) -> Iterator[Engine]:
    if request.param == "llama.cpp":
        with llama_cpp.open_engine(tiny_base / "base.gguf", slots=4, context_length=256, threads=1) as opened:
            yield opened
    else:
        with transformers_engine.open_engine(tiny_base, context_length=256, device="cpu") as opened:
            yield opened


@pytest.fixture
def prompt(tiny_encoder: Encoder) -> list[int]:
    return tiny_encoder.prompt([Message("user", "Привет, как дела?")])


@pytest.fixture
def drafting(engine: Engine, tiny_encoder: Encoder) -> DraftingEngine:
    return DraftingEngine(engine, engine, tiny_encoder, [tiny_encoder.bos])


def write(engine: Engine, request: Request) -> tuple[list[Token], Finished]:
    *tokens, finished = stream(engine, request)
    assert isinstance(finished, Finished)
    return [token for token in tokens if isinstance(token, Token)], finished


def text(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens)


def nats(engine: Engine, prompt: list[int], ids: list[int]) -> list[float]:
    tokens, _ = write(engine, Request(prompt, ONCE, forced=tuple(ids)))
    return [token.logprob for token in tokens if token.logprob is not None]


def test_a_given_text_is_scored_as_the_model_scores_it(engine: Engine, tiny_base: Path, tiny_encoder: Encoder) -> None:
    ids = [tiny_encoder.bos, *tiny_encoder.text(TEXT)][:40]
    with torch.no_grad():
        expected = base_model.load(tiny_base)(torch.tensor([ids])).logits.log_softmax(-1)[0]
    tokens, finished = write(engine, Request(ids[:8], ONCE, stop=("а",), forced=tuple(ids[8:])))
    assert text(tokens) == tiny_encoder.decode(ids[8:])
    assert finished.new_tokens == len(ids) - 8
    known = dict(enumerate(ids[8:], start=7))
    told = [token.logprob for token in tokens]
    if len(told) == len(known):  # where no character takes several tokens
        assert told == pytest.approx([expected[place, token].item() for place, token in known.items()], abs=0.06)


def test_the_draft_that_its_context_makes_likeliest_is_handed_over(
    engine: Engine, drafting: DraftingEngine, prompt: list[int], tiny_encoder: Encoder
) -> None:
    sampling = msgspec.structs.replace(WARM, drafts=4)
    chosen, finished = write(drafting, Request(prompt, sampling))
    drafts = [write(engine, _alone(prompt, sampling, index)) for index in range(4)]

    def score(tokens: list[Token]) -> float:
        scored = [token for token in tokens if "\ufffd" not in token.text]  # it is several tokens here
        own = [token.logprob for token in scored if token.logprob is not None]
        apart = nats(engine, [tiny_encoder.bos], tiny_encoder.text(text(scored)))
        return sum(own) / len(own) - SHARE * sum(apart) / len(apart)

    best = max(drafts, key=lambda draft: (draft[1].reason == "stop", score(draft[0])))
    assert text(chosen) == text(best[0])
    assert finished.reason == best[1].reason
    assert finished.new_tokens == sum(ended.new_tokens for _, ended in drafts)
    assert all(token.logprob is None for token in chosen)


def _alone(prompt: list[int], sampling: Sampling, index: int) -> Request:
    assert sampling.seed is not None
    seed = sampling.seed + index * SEEDS_APART
    return Request(prompt, msgspec.structs.replace(sampling, drafts=1, seed=seed), top_logprobs=0)


def test_log_probabilities_come_along_where_they_are_asked_for(drafting: DraftingEngine, prompt: list[int]) -> None:
    tokens, _ = write(drafting, Request(prompt, msgspec.structs.replace(WARM, drafts=2), top_logprobs=3))
    assert tokens
    assert all(token.logprob is not None and len(token.top) == 3 for token in tokens)


@pytest.mark.parametrize("drafts", [None, 1])
def test_one_draft_is_streamed_as_it_is_written(
    engine: Engine, drafting: DraftingEngine, prompt: list[int], drafts: int | None
) -> None:
    request = Request(prompt, msgspec.structs.replace(WARM, drafts=drafts))
    assert write(drafting, request)[0] == write(engine, request)[0]


def test_a_cancelled_reply_ends_all_drafts(drafting: DraftingEngine, prompt: list[int]) -> None:
    delivered: SimpleQueue[Token] = SimpleQueue()
    request = Request(prompt, msgspec.structs.replace(WARM, drafts=3))
    assert drafting.generate(request, delivered.put, lambda: True).reason == "cancelled"
    assert delivered.empty()


def test_every_draft_is_guarded(engine: Engine, tiny_encoder: Encoder, prompt: list[int]) -> None:
    sampling = msgspec.structs.replace(WARM, drafts=3, max_new_tokens=24)
    unguarded = Writer("tiny", "dialogue", tiny_encoder, sampling)
    recited = text(write(writing(engine, unguarded), Request(prompt, sampling))[0])
    guard = Guard(tiny_encoder, lambda: [TEXT], fillers=words(recited)[:1])
    tokens, finished = write(writing(engine, unguarded._replace(guard=guard)), Request(prompt, sampling))
    assert words(recited)[0] not in text(tokens).casefold()
    assert finished.reason in ("stop", "length")


def test_drafts_are_left_out_where_the_reply_is_decided_or_may_be_long() -> None:
    open_ = Sampling(max_new_tokens=100)
    assert with_drafts(open_, 4).drafts == 4
    for decided in ({"seed": 1}, {"temperature": 0.0}, {"max_new_tokens": 1000}):
        assert with_drafts(msgspec.structs.replace(open_, **decided), 4).drafts == 1
        assert with_drafts(msgspec.structs.replace(open_, drafts=3, **decided), 4).drafts == 3
