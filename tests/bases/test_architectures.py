"""Every architecture, from its makers' files to what llama.cpp writes: a small random model of the real class each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import pytest
import torch
import transformers
from torch import Tensor, nn

from adapted import adapted_model, logits
from manera.bases import base_model, catalogue, conversion, gguf_file
from manera.bases.catalogue import CataloguedBase
from manera.bases.special import Special
from manera.bases.templates import chat_template
from manera.bases.tokenizer import read_vocabulary
from manera.bases.vocabulary import kept_tokens
from manera.corpus.storage import open_corpus, write
from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.dataset.packing import pack
from manera.exports.folder import export
from manera.files import fingerprint
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import stream_reply, voice_writer
from manera.model import packed
from manera.records import Message
from manera.sources.reading import read
from manera.training import lora
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import Sampling, read_voice
from tiny import TEXT
from tiny_models import MODELS, TinyModel, save_tiny_model

ALPHA = 8.0
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
TEXTS = Path(__file__).parents[2] / "examples" / "channel-en"


@pytest.fixture(scope="module", params=MODELS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Hugging Face files."""
    return save_tiny_model(request.param, tmp_path_factory.mktemp("saved") / request.param)


@pytest.fixture(scope="module")
def base(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder made from it."""
    folder = tmp_path_factory.mktemp("converted")
    conversion.write_gguf(saved, folder / "whole.gguf")
    base_model.build(folder / "whole.gguf", saved.name, "seed 23", (), folder / "base")
    return folder / "base"


@pytest.fixture(scope="module")
def ids(base: Path) -> list[int]:
    encoder = Encoder(base_model.load_tokenizer(base), chat_template("post", base_model.read(base)))
    return [encoder.bos, *encoder.text(TEXT.strip())][:60]


def test_packed_examples_do_not_see_each_other(base: Path, ids: list[int]) -> None:
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    parts = [ids[start : start + 12] for start in (0, 12, 24)]
    examples = [Encoded(part, [IGNORE_INDEX, *part[1:]]) for part in parts]
    (together,) = packed.measure_each(model, pack(examples, 48))
    alone = [float(packed.measure_each(model, pack([example], 12))[0]) for example in examples]
    assert sorted(together.tolist()) == pytest.approx(sorted(alone), rel=1e-4)


def test_a_trimmed_base_tells_the_same_of_the_tokens_that_are_left(base: Path, ids: list[int], tmp_path: Path) -> None:
    reader = base_model.open_weights(base)
    kept = kept_tokens(read_vocabulary(reader), ids)
    whole = base_model.read(base)
    assert len(kept) < whole.vocabulary - 50
    gguf_file.write_trimmed(reader, kept, tmp_path / "base.gguf")
    base_model.describe(tmp_path, whole.id, whole.revision, ("en",), Special(whole.bos, whole.end_of_text, whole.bos))
    model, trimmed = base_model.load(base), base_model.load(tmp_path)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[..., kept]
        found = trimmed(torch.tensor([[kept.index(index) for index in ids]])).logits
    torch.testing.assert_close(found, expected)


def told(engine: LlamaCpp, ids: list[int], adapters: dict[str, float]) -> Iterator[tuple[int, float]]:
    """Yield, for places at which llama.cpp begins a token of text, the place and its best log-probability."""
    for place in range(5, len(ids), 4):
        token, *_ = stream(engine, Request(ids[: place + 1], GREEDY, adapters=adapters, top_logprobs=1))
        if isinstance(token, Token):
            yield place, token.top[0][1]


def test_the_converted_base_is_the_model_that_was_saved(saved: Path, base: Path, ids: list[int]) -> None:
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0].log_softmax(-1)
        found = base_model.load(base)(torch.tensor([ids])).logits[0].log_softmax(-1)
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.2)  # eight bits a weight
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.8
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved)
    read_by_makers = tokenizer.encode(" It's 2024:    yes.\n\n«Да, мама»", add_special_tokens=False)
    assert base_model.load_tokenizer(base).decode(read_by_makers).split() == ["It's", "2024:", "yes.", "«Да,", "мама»"]


def test_llama_cpp_computes_what_transformers_does(base: Path, ids: list[int], tmp_path: Path) -> None:
    model = adapted_model(base, strength=0.2)
    state = lora.adapter_state(model)
    adapter.write_gguf(state, tmp_path / "adapter.gguf", ALPHA, base)
    with lora.measuring(model, with_adapter=False):
        plain = logits(model, ids).log_softmax(-1)
    adapted = logits(model, ids).log_softmax(-1)
    assert (adapted - plain).abs().mean() > 0.05
    with open_engine(base / "base.gguf", {"a": tmp_path / "adapter.gguf"}, slots=1, context_length=256) as engine:
        require_same(engine, ids, {}, plain)
        require_same(engine, ids, {"a": 1.0}, adapted)
    adapter.write_merged(base / "base.gguf", state, 2.0, tmp_path / "merged.gguf", gguf.GGMLQuantizationType.F32)
    with open_engine(tmp_path / "merged.gguf", slots=1, context_length=256) as engine:
        require_same(engine, ids, {}, adapted)


def require_same(engine: LlamaCpp, ids: list[int], adapters: dict[str, float], expected: Tensor) -> None:
    compared = list(told(engine, ids, adapters))
    assert len(compared) > 3
    for place, best in compared:
        assert best == pytest.approx(float(expected[place].max()), abs=0.1)


def test_a_voice_is_trained_on_it_and_writes(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    conversion.write_gguf(saved, tmp_path / "whole.gguf")
    base = base_model.prepare(name=catalogued(tmp_path / "whole.gguf", MODELS[saved.name], monkeypatch))
    write(read([TEXTS]), tmp_path / "corpus")
    settings = TrainingConfig(precision="float32", compile="off", rank=4, alpha=8, epochs=0.2, max_length=128)
    *_, learned = learn(open_corpus(tmp_path / "corpus"), None, "voice", settings, base)
    assert learned.kept_step  # type: ignore[union-attr]
    voice = read_voice("voice")
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    adapters = {"voice": voice_folder("voice") / ADAPTER_GGUF}
    with open_engine(base / "base.gguf", adapters, slots=1, context_length=256) as engine:
        *tokens, finished = stream_reply(engine, writer, [Message("user", "Write a post about rain.")]).tokens
    assert isinstance(finished, Finished)
    assert "".join(token.text for token in tokens if isinstance(token, Token)).strip()
    for form in ("merged", "gguf"):  # each compares what it wrote with the voice
        assert export(voice, base, form, tmp_path / form, "float32", replace=False)


def catalogued(file: Path, made: TinyModel, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a line to the catalogue; return the base's name."""

    @contextmanager
    def lend() -> Iterator[Path]:
        yield file

    base = CataloguedBase(
        name="tiny",
        lend=lend,
        sha256=fingerprint(file).sha256,
        about="a toy",
        licence="apache-2.0",
        origin="nobody/tiny",
        again="write it again",
        bos=made.bos or made.eos,
        end_of_text=made.eos,
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", (base,))
    return base.name
