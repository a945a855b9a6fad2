"""Adapters: what they change, what they leave alone, and the same everywhere they are written to."""

from pathlib import Path

import gguf
import msgspec
import pytest
import torch
from torch import Tensor, nn

from adapted import ALPHA, RANK, adapted_model, lay_out, logits, random_rows
from manera.bases import base_model, gemma3, metadata
from manera.dataset.encoding import Encoder
from manera.errors import ModelError
from manera.generation.engine import Request, Token, stream
from manera.generation.llama_cpp import open_engine
from manera.model import packed
from manera.records import Precision
from manera.training import lora
from manera.voice import adapter, merging
from manera.voice.folder import voice_folder
from manera.voice.manifest import Sampling, Voice
from manera.voice.recipe import Recipe
from tiny import LAYERS, PIECES, TEXT, tiny_voice

EVERY: list[Precision] = ["float32", "bfloat16", "int8"]
ONE_STEP = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)


@pytest.fixture(scope="module")
def ids(tiny_encoder: Encoder) -> list[int]:
    return [tiny_encoder.bos, *tiny_encoder.text(TEXT)][:120]


@pytest.fixture(scope="module")
def untouched(tiny_base: Path, ids: list[int]) -> Tensor:
    model = base_model.load(tiny_base)
    with torch.no_grad():
        found: Tensor = model(torch.tensor([ids])).logits[0]
    return found


def test_a_fresh_adapter_changes_nothing(tiny_base: Path, ids: list[int], untouched: Tensor) -> None:
    torch.testing.assert_close(logits(adapted_model(tiny_base, strength=0), ids), untouched, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_base_with_its_adapter_off_is_the_base(
    tiny_base: Path, ids: list[int], untouched: Tensor, precision: Precision
) -> None:
    model = adapted_model(tiny_base, precision)
    with lora.measuring(model, with_adapter=False):
        torch.testing.assert_close(logits(model, ids), untouched, atol=2e-4, rtol=1e-4)
    assert (logits(model, ids) - untouched).abs().max() > 0.5


def test_only_the_adapter_is_trained(tiny_base: Path) -> None:
    model = adapted_model(tiny_base)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {f"{n}.{w}" for n in lora.adapted_layers(model) for w in ("lora_A", "lora_B")}
    assert len(trained) == 2 * LAYERS * len(gemma3.FAMILY.targets)


def test_the_seed_decides_the_fresh_adapter_and_disturbs_no_other_chance(tiny_base: Path) -> None:
    def fresh(seed: int) -> dict[str, Tensor]:
        model: nn.Module = base_model.load(tiny_base)
        lora.add_adapter(model, RANK, ALPHA, "float32", seed)
        return lora.adapter_state(model)

    before = torch.random.get_rng_state()
    first, again, other = fresh(1), fresh(1), fresh(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("lora_A"))


@pytest.mark.parametrize("precision", EVERY)
def test_adapters_stay_float32_and_move_by_less_than_bfloat16_could_hold(tiny_base: Path, precision: Precision) -> None:
    model = adapted_model(tiny_base, precision)
    rows = random_rows(PIECES, [40, 45], 48)
    before = lora.adapter_state(model)
    assert {tensor.dtype for tensor in before.values()} == {torch.float32}
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.0)
    nats, tokens = packed.batch_nll(model, packed.to_batch(rows))
    (nats / tokens).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for name, tensor in lora.adapter_state(model).items():
        moved = tensor != before[name]
        assert moved.float().mean() > 0.9, name
        assert (tensor - before[name]).abs().max() < 2e-6
        if name.endswith("lora_B"):
            assert (tensor.bfloat16() == before[name].bfloat16()).float().mean() > 0.5, name


def test_bfloat16_stays_near_float32(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [40, 45, 30], 48)
    exact = packed.measure(adapted_model(tiny_base), rows, 2)
    rough = packed.measure(adapted_model(tiny_base, "bfloat16"), rows, 2)
    assert rough.nats_per_token == pytest.approx(exact.nats_per_token, rel=0.02)


def test_a_state_that_is_put_back_gives_the_same_logits(tiny_base: Path, ids: list[int]) -> None:
    model = adapted_model(tiny_base)
    kept, expected = lora.adapter_state(model), logits(model, ids)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    assert not torch.equal(logits(model, ids), expected)
    lora.load_adapter_state(model, kept)
    assert torch.equal(logits(model, ids), expected)


def test_measuring_leaves_the_model_as_it_was(tiny_base: Path) -> None:
    model = adapted_model(tiny_base, "int8")
    with pytest.raises(KeyError), lora.measuring(model, with_adapter=False):
        raise KeyError
    assert all(layer.enabled and not layer.exact for layer in lora.adapted_layers(model).values())


@pytest.fixture(scope="module")
def written(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter in every format."""
    folder = tmp_path_factory.mktemp("adapter")
    state = lora.adapter_state(adapted_model(tiny_base))
    adapter.write_peft(state, folder, RANK, ALPHA, "tiny")
    adapter.write_gguf(state, folder / "adapter.gguf", ALPHA, tiny_base)
    adapter.write_merged(tiny_base / "base.gguf", state, ALPHA / RANK, folder / "merged.gguf")
    return folder


def test_what_is_saved_is_loaded_with_the_same_logits(tiny_base: Path, written: Path, ids: list[int]) -> None:
    model = adapted_model(tiny_base, strength=0)
    lora.load_adapter_state(model, adapter.read_peft(written))
    assert torch.equal(logits(model, ids), logits(adapted_model(tiny_base), ids))


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
def test_peft_loads_our_files_with_our_logits(tiny_base: Path, written: Path, ids: list[int]) -> None:
    from peft import PeftModel

    theirs = PeftModel.from_pretrained(base_model.load(tiny_base), str(written)).eval()
    with torch.no_grad():
        found = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(found, logits(adapted_model(tiny_base), ids), atol=5e-4, rtol=1e-3)


def test_an_adapter_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no readable adapter"):
        adapter.read_peft(tmp_path)
    (tmp_path / adapter.WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no readable adapter"):
        adapter.read_peft(tmp_path)


def test_a_merged_base_is_the_base_with_its_adapter_on(
    tiny_base: Path, written: Path, ids: list[int], tmp_path: Path
) -> None:
    lay_out(tiny_base, written / "merged.gguf", tmp_path)
    expected = logits(adapted_model(tiny_base), ids).log_softmax(-1)
    model = base_model.load(tmp_path)
    with torch.no_grad():
        found = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    assert (found - expected).abs().mean() < 0.05  # what eight bits cost
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.9


def test_a_merged_base_keeps_all_else_bit_by_bit(tiny_base: Path, written: Path) -> None:
    merged = {tensor.name: tensor for tensor in metadata.open_gguf(written / "merged.gguf").tensors}
    for tensor in metadata.open_gguf(tiny_base / "base.gguf").tensors:
        if merged[tensor.name].tensor_type == gguf.GGMLQuantizationType.Q8_0:
            assert tensor.name.startswith("blk.")
        else:
            assert merged[tensor.name].data.tobytes() == tensor.data.tobytes()


@pytest.fixture
def voice(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Voice:
    """A voice on disk, with what merging reads of it."""
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    state = lora.adapter_state(adapted_model(tiny_base, strength=0.2))
    described = msgspec.structs.replace(tiny_voice(tiny_base, "anna"), recipe=Recipe(rank=RANK, alpha=ALPHA))
    voice_folder("anna").mkdir(parents=True)
    adapter.write_peft(state, voice_folder("anna"), RANK, ALPHA, "tiny")
    return described


def test_a_model_that_serves_one_voice_is_nearer_to_the_voice_than_the_base_is(
    voice: Voice, tiny_base: Path, ids: list[int], tmp_path: Path
) -> None:
    lay_out(tiny_base, merging.merge(voice, tiny_base), tmp_path)
    expected = logits(adapted_model(tiny_base, strength=0.2), ids).log_softmax(-1)
    with torch.no_grad():
        merged, base = (
            base_model.load(folder)(torch.tensor([ids])).logits[0].log_softmax(-1) for folder in (tmp_path, tiny_base)
        )
    assert (merged - expected).abs().mean() < 0.2 * (base - expected).abs().mean()


def test_a_merged_model_is_written_again_for_another_adapter_only(voice: Voice, tiny_base: Path) -> None:
    first = merging.merge(voice, tiny_base)
    assert merging.merged_file(voice, tiny_base) == first
    state = {name: -matrix for name, matrix in adapter.read_peft(voice_folder("anna")).items()}
    adapter.write_peft(state, voice_folder("anna"), RANK, ALPHA, "tiny")
    second = merging.merge(voice, tiny_base)
    assert second != first
    assert list(voice_folder("anna").glob("merged-*")) == [second]
    (voice_folder("anna") / adapter.WEIGHTS).unlink()
    with pytest.raises(ModelError, match="no readable adapter"):
        merging.merged_file(voice, tiny_base)


def test_layers_that_have_eight_bits_keep_them(tiny_base: Path, written: Path, tmp_path: Path) -> None:
    kinds = gguf.GGMLQuantizationType
    state = adapter.read_peft(written)
    adapter.write_merged(written / "merged.gguf", state, 1.0, tmp_path / "again.gguf", kinds.Q5_1)
    adapter.write_merged(tiny_base / "base.gguf", state, 1.0, tmp_path / "once.gguf", kinds.Q5_1)
    for name, kind in (("again", kinds.Q8_0), ("once", kinds.Q5_1)):
        tensors = metadata.open_gguf(tmp_path / f"{name}.gguf").tensors
        assert {tensor.tensor_type for tensor in tensors if tensor.name.endswith("ffn_up.weight")} == {kind}


def test_llama_cpp_applies_the_adapter_as_transformers_does(
    tiny_base: Path, written: Path, ids: list[int], tiny_encoder: Encoder
) -> None:
    expected = logits(adapted_model(tiny_base), ids).log_softmax(-1)
    texts = [tiny_encoder.decode([index]) for index in range(expected.shape[1])]
    ids_of = {text: index for index, text in enumerate(texts)}  # a letter, not its byte
    with open_engine(
        tiny_base / "base.gguf", {"a": written / "adapter.gguf"}, slots=1, context_length=256, threads=1
    ) as engine:
        for length in range(1, len(ids), 17):
            token, _ = stream(engine, Request(ids[:length], ONE_STEP, adapters={"a": 1.0}, top_logprobs=5))
            assert isinstance(token, Token)
            row = expected[length - 1]
            assert token.text == texts[int(row.argmax())]
            for text, logprob in token.top:
                assert logprob == pytest.approx(float(row[ids_of[text]]), abs=0.03)
