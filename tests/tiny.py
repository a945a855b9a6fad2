"""A real base model, small enough to build in a second: Gemma 3's architecture with seeded weights."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from manera.bases import base_model
from manera.bases.gguf_file import write_whole
from manera.bases.templates import chat_template
from manera.bases.tokenizer import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, USER_DEFINED, Vocabulary
from manera.corpus.cleaning import Cleaning
from manera.corpus.storage import Corpus, open_corpus, write
from manera.dataset.template import ChatTemplate
from manera.records import ExampleKind
from manera.sources.reading import read
from manera.voice.manifest import HeldOut, Likelihood, Persona, Sampling, Voice
from manera.voice.recipe import Recipe

NAME = "tiny-gemma3"
LAYERS, WIDTH, HEADS, KEY_VALUE_HEADS, HEAD_WIDTH, FEED_FORWARD = 2, 64, 2, 1, 32, 128
CONTEXT_LENGTH, SLIDING_WINDOW = 1 << 18, 48
PIECES = 600
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>")

TURNS = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
    "{{ message['content'] }}<end_of_turn>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA_TURNS = ChatTemplate(TURNS, end_of_turn="<end_of_turn>")
"""Turns as the Gemma family marks them, with special tokens of their own."""

LINEAR_SHAPES = {
    "attn_q": (HEADS * HEAD_WIDTH, WIDTH),
    "attn_k": (KEY_VALUE_HEADS * HEAD_WIDTH, WIDTH),
    "attn_v": (KEY_VALUE_HEADS * HEAD_WIDTH, WIDTH),
    "attn_output": (WIDTH, HEADS * HEAD_WIDTH),
    "ffn_gate": (FEED_FORWARD, WIDTH),
    "ffn_up": (FEED_FORWARD, WIDTH),
    "ffn_down": (WIDTH, FEED_FORWARD),
}
"""The linear layers of one block as (out, in)."""

NORM_WIDTHS = {
    "attn_norm": WIDTH,
    "attn_q_norm": HEAD_WIDTH,
    "attn_k_norm": HEAD_WIDTH,
    "post_attention_norm": WIDTH,
    "ffn_norm": WIDTH,
    "post_ffw_norm": WIDTH,
}

NORM_SCALES = {"attn_q_norm": 2.0, "attn_k_norm": 2.0, "post_attention_norm": 6.0, "post_ffw_norm": 3.0}
"""Sharp attention that outweighs the last token: otherwise greedy text soon repeats one piece."""

Array = NDArray[np.float32]

TEXT = """
Мой дядя самых честных правил, когда не в шутку занемог, он уважать себя заставил и лучше выдумать не мог.
Его пример другим наука; но, боже мой, какая скука с больным сидеть и день и ночь, не отходя ни шагу прочь!
Привет, как дела? Да ничего, спасибо, а у тебя? Сегодня пойдём гулять, если не будет дождя. Ну ладно, напиши вечером.
Я вчера весь день сидел дома и читал. А потом позвонила мама, и мы долго говорили про лето, про море и про дачу.
Зима! Крестьянин, торжествуя, на дровнях обновляет путь; его лошадка, снег почуя, плетётся рысью как-нибудь.
Не знаю, что сказать. Может быть, завтра. Хорошо, договорились: в семь часов у метро, не опаздывай, пожалуйста.
Она посмотрела в окно и ничего не ответила. Где-то далеко шёл поезд. Было тихо, тепло и немного грустно.
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.
Call me when you get home. I have been thinking about what you said, and I am not sure that you are right.
The quick brown fox jumps over the lazy dog; then the dog wakes up, looks around, and goes back to sleep again.
We shall see. There is nothing either good or bad, but thinking makes it so. What is the matter with you today?
He said that he would come at seven, but nobody was there: only the wind, the rain and an old grey cat.
"""


def write_tiny_base(folder: Path) -> Path:
    """Write a base folder just as ``base_model.build`` does, and return it."""
    folder.mkdir(parents=True)
    _write_model(folder / "base.gguf", train_vocabulary())
    base_model.describe(folder, NAME, revision="seed 20", languages=("ru", "en"))
    return folder


def tiny_corpus(source: Path, folder: Path) -> Corpus:
    """Import a text that is made up of a few lines: as repeats most of it would go."""
    write(read([source]), folder, cleaning=Cleaning(keep_names=True, manner_only=False))
    return open_corpus(folder)


def train_vocabulary() -> Vocabulary:
    """Train a small vocabulary in SentencePiece's manner, laid out as Gemma's is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"\n|{SPACE}[^{SPACE}\n]*|[^{SPACE}\n]+"), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=PIECES, show_progress=False, max_token_length=12)
    tokenizer.train_from_iterator([TEXT], trainer)
    learned = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    ranked = [piece for piece, _ in learned if piece != "\n"]
    rows = [(piece, UNKNOWN if piece == "<unk>" else CONTROL, -1000.0) for piece in SPECIAL]
    rows += [("\n" * count, USER_DEFINED, -1000.0) for count in (1, 2, 3)]
    rows += [(f"<0x{byte:02X}>", BYTE, -1000.0) for byte in range(256)]
    rows += [(piece, NORMAL, -float(rank)) for rank, piece in enumerate(ranked)]
    return Vocabulary([row[0] for row in rows], [row[2] for row in rows], [row[1] for row in rows])


def write_tiny_adapter(path: Path, seed: int, rank: int = 4, strength: float = 1.0) -> Path:
    """Write a random adapter of the tiny base as a GGUF file, and return it."""
    chance = np.random.default_rng(seed)
    writer = GGUFWriter(path=None, arch="gemma3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for layer in range(LAYERS):
        for name, (out, width) in LINEAR_SHAPES.items():
            tensor = f"blk.{layer}.{name}.weight"
            writer.add_tensor(f"{tensor}.lora_a", chance.normal(0, width**-0.5, (rank, width)).astype(np.float32))
            writer.add_tensor(f"{tensor}.lora_b", chance.normal(0, strength, (out, rank)).astype(np.float32))
    write_whole(writer, path)
    return path


def tiny_voice(base: Path, name: str, kind: ExampleKind = "dialogue", instruction: str | None = None) -> Voice:
    """Describe a voice of the tiny base, as training would."""
    template = chat_template(kind)
    likelihood = Likelihood(perplexity=20.0, bits_per_byte=0.9)
    return Voice(
        name=name,
        kind=kind,
        persona=Persona(name.title(), "user1"),
        base=base_model.read(base),
        chat_template=template.source,
        template_sha256=template.sha256,
        end_of_turn=template.end_of_turn,
        instruction=instruction,
        dataset_sha256="0" * 64,
        recipe=Recipe(rank=4, alpha=4.0, seed=20),
        held_out=HeldOut(base=likelihood, voice=likelihood),
        sampling=Sampling(max_new_tokens=32),
        created_at="2026-01-01T00:00:00Z",
        manera_version="0.1.0",
    )


def _write_model(path: Path, vocabulary: Vocabulary) -> None:
    writer = GGUFWriter(path=None, arch="gemma3")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_sliding_window(SLIDING_WINDOW)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.kinds)
    writer.add_pad_token_id(SPECIAL.index("<pad>"))
    writer.add_eos_token_id(SPECIAL.index("<eos>"))
    writer.add_bos_token_id(SPECIAL.index("<bos>"))
    writer.add_unk_token_id(SPECIAL.index("<unk>"))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    for name, tensor in _weights(vocabulary):
        writer.add_tensor(f"{name}.weight", tensor, raw_dtype=gguf.GGMLQuantizationType.F32)
    write_whole(writer, path)


def _weights(vocabulary: Vocabulary) -> Iterator[tuple[str, Array]]:
    chance = np.random.default_rng(20)
    embedding = chance.normal(0, 0.25, (len(vocabulary.pieces), WIDTH))
    # special and byte tokens are rare, as in a trained model
    embedding[np.array(vocabulary.kinds) != NORMAL] *= 0.2
    yield "token_embd", embedding.astype(np.float32)
    yield "output_norm", _norm(chance, WIDTH, 1.0)
    for layer in range(LAYERS):
        for name, shape in LINEAR_SHAPES.items():
            yield f"blk.{layer}.{name}", chance.normal(0, shape[1] ** -0.5, shape).astype(np.float32)
        for name, width in NORM_WIDTHS.items():
            yield f"blk.{layer}.{name}", _norm(chance, width, NORM_SCALES.get(name, 1.0))


def _norm(chance: np.random.Generator, width: int, scale: float) -> Array:
    return chance.normal(scale, 0.1, width).astype(np.float32)
