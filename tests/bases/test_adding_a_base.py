"""A base of a family that manera does not know is added by one value of each, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
import pytest

from adapted import adapted_model, logits
from manera.bases import base_model, catalogue, families
from manera.bases.catalogue import CataloguedBase
from manera.bases.family import Family
from manera.bases.gguf_file import write_whole
from manera.bases.templates import chat_template
from manera.corpus.storage import open_corpus, write
from manera.dataset.encoding import Encoder
from manera.files import fingerprint
from manera.generation.engine import Request, Token, stream
from manera.generation.llama_cpp import open_engine
from manera.sources.reading import read
from manera.training import lora
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.manifest import Sampling, read_voice
from tiny import TEXT
from tiny_llama import SPECIAL, byte_level_vocabulary

LAYERS, WIDTH, HEADS, FEED_FORWARD = 2, 64, 4, 128
EXAMPLE = Path(__file__).parents[2] / "examples" / "channel-en"


OLMO2 = Family(
    architecture="olmo2",
    model_class="Olmo2ForCausalLM",
    model_types=("olmo2",),
    block_names={
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
    settings={
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "block_count": "num_hidden_layers",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "rope.freq_base": "rope_parameters.rope_theta",
    },
    targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
)


def write_file(path: Path) -> Path:
    """Write a tiny OLMo 2 as its makers would have it."""
    vocabulary = byte_level_vocabulary()
    writer = gguf.GGUFWriter(path=None, arch="olmo2")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(list(vocabulary.merges))
    for name, token in (("bos", SPECIAL[0]), ("eos", SPECIAL[2]), ("padding", SPECIAL[0])):
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", SPECIAL.index(token))
    rng = np.random.default_rng(22)
    shapes = {
        **{f"attn_{one}": (WIDTH, WIDTH) for one in ("q", "k", "v", "output")},
        **{f"ffn_{one}": (FEED_FORWARD, WIDTH) for one in ("gate", "up")},
        "ffn_down": (WIDTH, FEED_FORWARD),
    }
    norms = ("attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm")
    writer.add_tensor("token_embd.weight", rng.normal(0, 0.5, (len(vocabulary.pieces), WIDTH)).astype(np.float32))
    writer.add_tensor("output.weight", rng.normal(0, 0.2, (len(vocabulary.pieces), WIDTH)).astype(np.float32))
    writer.add_tensor("output_norm.weight", rng.normal(1, 0.1, WIDTH).astype(np.float32))
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", rng.normal(0, shape[1] ** -0.5, shape).astype(np.float32))
        for name in norms:
            writer.add_tensor(f"blk.{layer}.{name}.weight", rng.normal(1.5, 0.2, WIDTH).astype(np.float32))
    write_whole(writer, path)
    return path


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a line to both tuples; return the base's name."""
    file = write_file(tmp_path / "toy.gguf")

    @contextmanager
    def lend() -> Iterator[Path]:
        yield file

    base = CataloguedBase(
        name="toy",
        lend=lend,
        sha256=fingerprint(file).sha256,
        about="a toy",
        licence="apache-2.0",
        origin="nobody/toy",
        again="write it again",
        bos=SPECIAL[0],
        end_of_text=SPECIAL[0],
    )
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, OLMO2))
    monkeypatch.setattr(catalogue, "CATALOGUE", (*catalogue.CATALOGUE, base))
    return base.name


def test_a_voice_is_trained_on_it_and_is_the_same_in_llama_cpp(toy: str, tmp_path: Path) -> None:
    base = base_model.prepare(name=toy)
    write(read([EXAMPLE]), tmp_path / "corpus")
    settings = TrainingConfig(precision="float32", compile="off", rank=4, alpha=8, epochs=0.2, max_length=128)
    *_, learned = learn(open_corpus(tmp_path / "corpus"), None, "toy-voice", settings, base)
    assert learned.kept_step  # type: ignore[union-attr]
    voice = read_voice("toy-voice")
    assert voice.base.id == toy
    assert voice.template.bos == SPECIAL[0]

    model = adapted_model(base, strength=0.2)
    adapter.write_gguf(lora.adapter_state(model), tmp_path / "adapter.gguf", 8.0, base)
    encoder = Encoder(base_model.load_tokenizer(base), chat_template("post", base_model.read(base)))
    ids = [encoder.bos, *encoder.text(TEXT.strip())][:40]
    expected = logits(model, ids).log_softmax(-1)
    greedy = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
    compared = 0
    with open_engine(base / "base.gguf", {"a": tmp_path / "adapter.gguf"}, slots=1, context_length=256) as engine:
        for place in range(5, len(ids), 4):
            token, *_ = stream(engine, Request(ids[: place + 1], greedy, adapters={"a": 1.0}, top_logprobs=1))
            if isinstance(token, Token):
                assert token.top[0][1] == pytest.approx(float(expected[place].max()), abs=0.03)
                compared += 1
    assert compared > 3
