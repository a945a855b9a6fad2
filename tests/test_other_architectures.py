"""What llama.cpp does not compute, from its makers' files to a report: small random models of the real classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import tiny_own_form
from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.cli.main import app
from manera.corpus.storage import open_corpus, write
from manera.dataset.encoding import Encoder
from manera.dataset.packing import pack
from manera.errors import GenerationError, TrainingError
from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.opening import Options
from manera.generation import transformers_engine
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.opening import EngineChoice, open_base
from manera.model import packed
from manera.model.encoder_decoder import STRETCH, decoder_opening, encoder_input, turns_of
from manera.records import Example, Message
from manera.sources.reading import read
from manera.training import lora
from manera.training.learn import Learned, learn
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Sampling, read_voice
from shortened import BUDGET, EXAMPLES

CHAT = EXAMPLES / "chat-en"
QUICK = TrainingConfig(precision="float32", compile="off", rank=4, alpha=8, epochs=0.2, max_length=128, threads=1)
TALK = Example(
    (
        Message("user", "Call me when you get home."),
        Message("assistant", "We shall see."),
        Message("user", "What is the matter with you today?"),
        Message("assistant", "Nothing, but thinking makes it so."),
    )
)
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=24)

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # PEFT asks transformers by an old name


@pytest.fixture(scope="module", params=tiny_own_form.NAMES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_own_form.write_base(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def encoder(base: Path) -> Encoder:
    return Encoder(base_model.load_tokenizer(base), chat_template("dialogue", base_model.read(base)))


def test_every_turn_is_scored_as_the_model_itself_scores_it(base: Path, encoder: Encoder) -> None:
    model: Any = base_model.load(base)
    packed.use_matrix_attention(model)
    example = encoder.example(TALK)
    other = encoder.example(Example(TALK.messages[2:]))
    (found,) = packed.measure_each(model, pack([example, other], 160))
    expected = []
    for one in (example, other):
        expected.append(sum(_nats(model, one.input_ids, one.labels)))
    torch.testing.assert_close(found.sort().values, torch.tensor(sorted(expected)), rtol=1e-4, atol=1e-3)


def _nats(model: Any, ids: list[int], labels: list[int]) -> list[float]:
    """Score the learned tokens of one example by transformers' own forward."""
    places = [place for place, label in enumerate(labels) if label != -100]
    with torch.no_grad():
        if not model.config.is_encoder_decoder:
            told = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            return [-float(told[place - 1, ids[place]]) for place in places]
        found = []
        for first in (place for place in places if place - 1 not in places):
            turn = [ids[place] for place in places if place >= first]
            turn = turn[: next((n for n in range(1, len(turn)) if first + n not in places), len(turn))]
            opening = decoder_opening(model.config)
            read = torch.tensor([encoder_input(ids[:first], model.config)])
            told = model(input_ids=read, decoder_input_ids=torch.tensor([[*opening, *turn]])).logits[0].log_softmax(-1)
            found += [-float(told[len(opening) - 1 + place, token]) for place, token in enumerate(turn)]
        return found


def test_running_text_is_told_in_stretches_each_from_all_before_it(base: Path, encoder: Encoder) -> None:
    config = base_model.load(base).config
    if not config.is_encoder_decoder:
        pytest.skip("it has no encoder")
    (window,) = encoder.windows("the wind, the rain and an old grey cat; " * 12, 512)
    rows = pack([window], 512)
    turns = turns_of(packed.to_batch(rows), config)
    count = rows.supervised_tokens
    assert len(turns.labels) == -(-count // STRETCH) > 1
    assert int((turns.labels != -100).sum()) == count
    assert turns.is_read.sum(1).tolist() == [
        len(encoder_input(window.input_ids[: 1 + STRETCH * n], config)) for n in range(len(turns.labels))
    ]


def test_the_adapter_is_the_same_in_peft_and_an_over_fitted_example_comes_back(
    base: Path, encoder: Encoder, tmp_path: Path
) -> None:
    model = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 16, 32.0, "float32", seed=0)
    rows = pack([encoder.example(Example(TALK.messages[:2]))], 64)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3)
    losses = []
    for _ in range(200):
        nats, tokens = packed.rows_nll(model, rows)
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        losses.append(float(nats.detach()) / tokens)
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0] / 4
    family = base_model.family(base)
    state = lora.adapter_state(model)
    adapter.write_peft(state, tmp_path, 16, 32.0, base_model.read(base).id, has_encoder=family.has_encoder)
    assert adapter.read_peft(tmp_path).keys() == state.keys()
    with transformers_engine.open_engine(base, {"anna": tmp_path}, device="cpu") as engine:
        prompt = encoder.prompt(TALK.messages[:1])
        *made, ended = stream(engine, Request(prompt, GREEDY, {"anna": 1.0}))
    assert isinstance(ended, Finished)
    assert ended.reason == "stop"
    assert "".join(token.text for token in made if isinstance(token, Token)).strip() == "We shall see."


@pytest.mark.slow
@pytest.mark.parametrize("name", tiny_own_form.NAMES)
def test_from_its_makers_files_to_a_report(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    files = tiny_own_form.save(name, tmp_path / f"tiny-{name}")
    write(read([CHAT]), tmp_path / "corpus")
    base = base_model.prepare(name=str(files))
    assert base == base_model.prepare(name=str(files))
    *_, learned = learn(open_corpus(tmp_path / "corpus"), "Dot Marlowe", "dot", QUICK, base)
    assert isinstance(learned, Learned)
    assert learned.held_out.voice.bits_per_byte < learned.held_out.base.bits_per_byte
    voice = read_voice("dot")
    assert (voice.base.form, voice.base.architecture) == ("transformers", name)
    assert not (voice_folder("dot") / "adapter.gguf").exists()

    written = CliRunner().invoke(app, ["write", "dot", "hello", "--max-tokens", "8"], catch_exceptions=False)
    assert written.exit_code == 0
    *_, evaluated = evaluate("dot", Options(budget=BUDGET))
    assert isinstance(evaluated, Evaluated)
    missing = evaluated.report.not_measured
    assert not {"ladder", "writing", "cost_of_a_reply"}.intersection(missing), missing


def test_what_only_llama_cpp_could_do_is_refused(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    with pytest.raises(GenerationError, match="does not compute tiny-"):
        open_base(base, [], engine=EngineChoice("llama.cpp"))
    write(read([CHAT]), tmp_path / "corpus")
    corpus = open_corpus(tmp_path / "corpus")
    with pytest.raises(TrainingError, match="is not trained by full"):
        next(learn(corpus, "Dot Marlowe", "dot", QUICK.model_copy(update={"method": "full"}), base))
    with pytest.raises(TrainingError, match="cannot be compiled"):
        next(learn(corpus, "Dot Marlowe", "dot", QUICK.model_copy(update={"compile": "on"}), base))
