"""Tokens that a format adds to a base: their rows are learned, no other changes, and everything reads them back."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import msgspec
import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn

from adapted import logits
from manera.bases import base_model, gguf_file, metadata
from manera.bases.base_model import BaseModel
from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import read_format
from manera.dataset.packing import Rows, pack
from manera.exports.hugging_face import fold_in
from manera.generation.engine import Request, Token, stream
from manera.generation.opening import open_base
from manera.model import packed
from manera.records import Example, Message
from manera.training import methods
from manera.training.methods import method_of, with_added_tokens
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Sampling, Voice, write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice
from tiny_llama import write_tiny_llama

TOKENS = ("@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@")
TALK = (Message("user", "Как дела?"), Message("assistant", "Где-то далеко шёл поезд."))
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=40)
CONFIG = TrainingConfig(rank=8, alpha=16)


class Learned(NamedTuple):
    """A voice that answers in a format with tokens of its own."""

    voice: Voice
    base: Path
    plain: Path
    encoder: Encoder
    state: methods.State


@pytest.fixture(scope="module", params=["tied", "apart"])
def learned(
    request: pytest.FixtureRequest, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Learned]:
    """Of a base whose head is its embedding, and of one whose head is a matrix of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(home))
        plain = home / "bases" / "plain"
        if request.param == "tied":
            shutil.copytree(tiny_base, plain)
        else:
            write_tiny_llama(plain)
            with_own_head(plain / base_model.GGUF)
        yield learn(plain)


def with_own_head(path: Path) -> None:
    """Give a model a head that is not its embedding."""
    reader = metadata.open_gguf(path)
    writer = gguf.GGUFWriter(path=None, arch=metadata.architecture(reader))
    gguf_file.copy_metadata(reader, writer)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        if tensor.name == "token_embd.weight":
            writer.add_tensor("output.weight", tensor.data[::-1] * 0.7, raw_dtype=tensor.tensor_type)
    gguf_file.write_whole(writer, path)


def learn(plain: Path) -> Learned:
    base = base_model.with_tokens(plain, TOKENS)
    described = base_model.read(base)
    template = read_format("pairs").chat_template(described.bos, described.end_of_text)
    encoder = Encoder(base_model.load_tokenizer(base), template)
    method = with_added_tokens(method_of("lora"), len(TOKENS))
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    method.make_trainable(model, CONFIG, "float32")
    learn_by_heart(model, rows_of(encoder))
    recipe = Recipe(rank=8, alpha=16, added_tokens=len(TOKENS))
    voice = voice_of(described, encoder, recipe)
    folder, state = voice_folder(voice.name), method.state(model)
    folder.mkdir(parents=True)
    adapter.write(state, folder, recipe, base)
    write_voice(voice, folder)
    return Learned(voice, base, plain, encoder, state)


def voice_of(described: BaseModel, encoder: Encoder, recipe: Recipe) -> Voice:
    return msgspec.structs.replace(
        tiny_voice(base_model.find_built(described) or Path(), "pairs"),
        recipe=recipe,
        chat_template=encoder.template.source,
        template_sha256=encoder.template.sha256,
        end_of_turn=encoder.template.end_of_turn,
    )


def learn_by_heart(model: nn.Module, rows: Rows, steps: int = 200) -> None:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-2, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - step / steps)
        nats, tokens = packed.rows_nll(model, rows)
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def rows_of(encoder: Encoder) -> Rows:
    encoded = encoder.example(Example(TALK))
    return pack([encoded], len(encoded.input_ids))


def opened(learned: Learned) -> nn.Module:
    model = methods.opened(learned.base, learned.voice.recipe, adapter.read(voice_folder(learned.voice.name)))
    packed.use_matrix_attention(model)
    return model


def rows_in(model: Any) -> tuple[Tensor, Tensor]:
    return model.get_input_embeddings().weight, model.get_output_embeddings().weight


def test_a_base_is_given_rows_that_are_the_mean_of_its_own(learned: Learned) -> None:
    before, after = base_model.read(learned.plain), base_model.read(learned.base)
    assert after.vocabulary == before.vocabulary + 2
    assert after.added == TOKENS
    assert before.differs_in(after) == ["vocabulary_sha256"]
    tokenizer = base_model.load_tokenizer(learned.base)
    assert [tokenizer.token_to_id(token) for token in TOKENS] == [before.vocabulary, before.vocabulary + 1]
    for old, new in zip(rows_in(base_model.load(learned.plain)), rows_in(base_model.load(learned.base)), strict=True):
        torch.testing.assert_close(new[:-2], old)
        torch.testing.assert_close(new[-2:], old.mean(0).expand(2, -1))


def test_such_a_base_is_built_again_where_it_is_gone(learned: Learned) -> None:
    wanted = base_model.read(learned.base)
    assert base_model.with_tokens(learned.plain, TOKENS) == learned.base
    assert base_model.find_built(wanted) == learned.base
    assert base_model.with_tokens(learned.base, ()) == learned.base


def test_only_the_added_rows_change(learned: Learned) -> None:
    is_tied = any("lm_head" in name for name in learned.state)
    assert sum("added_rows" in name for name in learned.state) == 1 + is_tied
    model = opened(learned)
    logits(model, [1, 2])  # the rows are written before anything is read
    for base, voice in zip(rows_in(base_model.load(learned.base)), rows_in(model), strict=True):
        torch.testing.assert_close(voice[:-2], base[:-2], rtol=0, atol=0)
        assert (voice[-2:] - base[-2:]).abs().max() > 0.01


def test_gradients_of_the_rows_are_those_of_the_whole_matrix(learned: Learned) -> None:
    whole: Any = base_model.load(learned.base)
    packed.use_matrix_attention(whole)
    rows = rows_of(learned.encoder)
    packed.rows_nll(whole, rows)[0].backward()  # type: ignore[no-untyped-call]
    model: nn.Module = base_model.load(learned.base)
    packed.use_matrix_attention(model)
    method = with_added_tokens(method_of("lora"), 2)
    method.make_trainable(model, CONFIG, "float32")
    packed.rows_nll(model, rows)[0].backward()  # type: ignore[no-untyped-call]
    found = [parameter.grad for name, parameter in model.named_parameters() if name.endswith("rows")]
    expected = [matrix.grad[-2:] for matrix in dict.fromkeys(rows_in(whole)) if matrix.grad is not None]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_voice_that_is_opened_again_has_the_same_logits(learned: Learned) -> None:
    ids = learned.encoder.example(Example(TALK)).input_ids
    again = opened(learned)
    found = logits(again, ids)
    with methods.measuring(again, with_learned=False):
        torch.testing.assert_close(logits(again, ids), logits_of_base(learned, ids))
    torch.testing.assert_close(logits(again, ids), found)


def logits_of_base(learned: Learned, ids: list[int]) -> Tensor:
    model: nn.Module = base_model.load(learned.base)
    packed.use_matrix_attention(model)
    return logits(model, ids)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # PEFT asks transformers by an old name
def test_peft_loads_the_rows_with_the_adapter(learned: Learned) -> None:
    ids = learned.encoder.example(Example(TALK)).input_ids
    model: Any = PeftModel.from_pretrained(base_model.load(learned.base), str(voice_folder(learned.voice.name)))
    with torch.no_grad():
        found = model(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(found, logits(opened(learned), ids), rtol=1e-3, atol=1e-3)


def test_the_exported_weights_hold_the_rows(learned: Learned) -> None:
    weights = gguf_file.transformers_weights(base_model.open_weights(learned.base))
    fold_in(weights, learned.state, 2.0, transposed=False)
    rows = learned.state["model.embed_tokens.added_rows"]
    torch.testing.assert_close(weights["model.embed_tokens.weight"][-2:], rows)


def test_llama_cpp_answers_as_transformers_does_and_ends(learned: Learned) -> None:
    prompt = learned.encoder.prompt(TALK[:1])
    name, ids = learned.voice.name, learned.encoder.example(Example(TALK)).input_ids
    expected = logits(opened(learned), ids).log_softmax(-1)
    with open_base(learned.base, [name]) as engine:
        said = [item for item in stream(engine, Request(prompt, GREEDY, {name: 1.0})) if isinstance(item, Token)]
        assert "".join(token.text for token in said).startswith(TALK[1].content)
        for place in range(len(prompt) - 1, len(ids) - 2):
            one = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
            token, *_ = stream(engine, Request(ids[: place + 1], one, {name: 1.0}, top_logprobs=1))
            if isinstance(token, Token):  # else it ends within a character
                assert token.top[0][1] == pytest.approx(float(expected[place].max()), abs=0.1)
