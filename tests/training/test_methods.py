"""Every method of training: it learns, what it learned is read back everywhere, and nothing else has changed."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import gguf
import msgspec
import pytest
import torch
from torch import Tensor, nn

from adapted import lay_out, logits, random_rows
from manera.bases import base_model
from manera.config import resolve
from manera.dataset.encoding import Encoder
from manera.dataset.packing import Rows, pack
from manera.errors import GenerationError, SettingsError, TrainingError
from manera.exports.hugging_face import fold_in
from manera.generation.engine import Request, Token, stream
from manera.generation.opening import EngineChoice, open_base
from manera.model import packed
from manera.records import MethodName, Precision
from manera.training import methods
from manera.training.methods import Method, method_of
from manera.training.settings import TrainingConfig, alpha_of
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Sampling, Voice, write_voice
from manera.voice.recipe import Recipe
from tiny import LINEAR_SHAPES, PIECES, tiny_voice

LINE = "Где-то далеко шёл поезд. Было тихо, тепло и немного грустно."
STEPS = 80
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=60)
LOW_RANK = tuple(name for name in get_args(MethodName) if name != "full")


class Learned(NamedTuple):
    """A voice that can say one line by heart."""

    voice: Voice
    state: methods.State
    base: Path


def settings(method: str, **changed: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {"method": method, "rank": 8, "alpha": 16 if method != "rslora" else 5, **changed}
    )


def trainable(base: Path, config: TrainingConfig, precision: Precision = "float32") -> nn.Module:
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    method_of(config.method).make_trainable(model, config, precision)
    return model


def learn_by_heart(model: nn.Module, method: Method, rows: Rows, steps: int = STEPS) -> None:
    rate = 2e-2 * method.rate_share
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        nats, tokens = packed.rows_nll(model, rows)
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def line(encoder: Encoder) -> Rows:
    (window,) = encoder.windows(LINE, 128)
    return pack([window], len(window.input_ids))


@pytest.fixture(scope="module")
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(tiny_base, home / "bases" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(home))
        yield home


@pytest.fixture(scope="module", params=get_args(MethodName))
def method(request: pytest.FixtureRequest) -> Method:
    if request.param == "qlora":
        pytest.importorskip("bitsandbytes")
    return method_of(request.param)


@pytest.fixture(scope="module")
def learned(method: Method, home: Path, tiny_base: Path, tiny_encoder: Encoder) -> Learned:
    config = settings(method.name)
    model = trainable(tiny_base, config)
    learn_by_heart(model, method, line(tiny_encoder))
    recipe = Recipe(method=config.method, rank=config.rank, alpha=alpha_of(config))
    voice = msgspec.structs.replace(tiny_voice(tiny_base, method.name, "continuation"), recipe=recipe)
    folder, state = voice_folder(method.name), method.state(model)
    folder.mkdir(parents=True)
    adapter.write(state, folder, recipe, tiny_base)
    write_voice(voice, folder)
    return Learned(voice, state, tiny_base)


@pytest.fixture(scope="module")
def ids(tiny_encoder: Encoder) -> list[int]:
    return [tiny_encoder.bos, *tiny_encoder.text(LINE)]


def opened(learned: Learned) -> nn.Module:
    model = methods.opened(learned.base, learned.voice.recipe, adapter.read(voice_folder(learned.voice.name)))
    packed.use_matrix_attention(model)
    return model


def untouched(base: Path, ids: list[int]) -> Tensor:
    with torch.no_grad():
        found: Tensor = base_model.load(base)(torch.tensor([ids])).logits[0]
    return found


def test_a_method_begins_at_the_base(method: Method, tiny_base: Path, ids: list[int]) -> None:
    model = trainable(tiny_base, settings(method.name))
    with method.measuring(model, False):
        expected = logits(model, ids) if method.name == "qlora" else untouched(tiny_base, ids)
    torch.testing.assert_close(logits(model, ids), expected, atol=5e-4, rtol=1e-3)


def test_four_bits_stay_near_the_base(tiny_base: Path, ids: list[int]) -> None:
    pytest.importorskip("bitsandbytes")
    expected = untouched(tiny_base, ids).log_softmax(-1)
    found = logits(trainable(tiny_base, settings("qlora")), ids).log_softmax(-1)
    assert 0.001 < (found - expected).abs().mean() < 0.5


def test_only_what_the_method_learns_has_a_gradient(method: Method, tiny_base: Path) -> None:
    model = trainable(tiny_base, settings(method.name))
    nats, _ = packed.rows_nll(model, random_rows(PIECES, [40], 48))
    nats.backward()  # type: ignore[no-untyped-call]
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    if method.name == "full":
        assert with_gradient == {name for name, _ in model.named_parameters()}
    else:
        assert with_gradient
        assert all("lora_" in name for name in with_gradient)


def test_the_head_learns_too_where_everything_does(tiny_base: Path) -> None:
    model = trainable(tiny_base, settings("full"))
    rows = random_rows(PIECES, [40], 48)
    nats, _ = packed.rows_nll(model, rows)
    nats.backward()  # type: ignore[no-untyped-call]
    name = "model.embed_tokens.weight"
    found = model.get_parameter(name).grad
    model.zero_grad()
    batch = packed.to_batch(rows)
    whole = packed.hidden_states(model, batch)[:, :-1] @ model.get_parameter(name).t()
    torch.nn.functional.cross_entropy(whole.flatten(0, 1), batch.labels[:, 1:].flatten(), reduction="sum").backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, model.get_parameter(name).grad, atol=1e-4, rtol=1e-3)


def test_what_is_learned_by_heart_is_said_by_llama_cpp(learned: Learned, ids: list[int]) -> None:
    name = learned.voice.name
    with open_base(learned.base, [name]) as engine:
        found = stream(engine, Request(ids[:3], GREEDY, {name: 1.0}))
        text = "".join(item.text for item in found if isinstance(item, Token))
        base = stream(engine, Request(ids[:3], GREEDY, {}))
        assert "".join(item.text for item in base if isinstance(item, Token)) != text
    tokenizer = base_model.load_tokenizer(learned.base)
    assert (tokenizer.decode(ids[1:3]) + text).strip().startswith(LINE)


def test_llama_cpp_computes_as_transformers_does(learned: Learned, ids: list[int]) -> None:
    name = learned.voice.name
    expected = logits(opened(learned), ids).log_softmax(-1)
    once = msgspec.structs.replace(GREEDY, max_new_tokens=1)
    tokenizer = base_model.load_tokenizer(learned.base)
    differences = []
    with open_base(learned.base, [name]) as engine:
        for place in range(3, len(ids), 3):
            found = next(stream(engine, Request(ids[:place], once, {name: 1.0}, top_logprobs=1)))
            if isinstance(found, Token) and found.logprob is not None:
                best = int(expected[place - 1].argmax())
                assert found.top[0][0] == tokenizer.decode([best])
                differences.append(abs(found.logprob - float(expected[place - 1, best])))
    assert len(differences) > 3
    assert max(differences) < 0.05


def test_what_is_saved_is_what_was_kept(learned: Learned) -> None:
    stored = adapter.read(voice_folder(learned.voice.name))
    assert stored.keys() == learned.state.keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in learned.state.items())


def test_a_voice_that_is_opened_again_has_the_same_logits(learned: Learned, method: Method, ids: list[int]) -> None:
    config = settings("lora" if method.name == "qlora" else method.name)
    model = trainable(learned.base, config)
    method.load_state(model, learned.state)
    torch.testing.assert_close(logits(opened(learned), ids), logits(model, ids), atol=1e-5, rtol=1e-5)


def test_without_what_was_learned_it_is_the_base(learned: Learned, ids: list[int]) -> None:
    model = opened(learned)
    with methods.measuring(model, False):
        base = logits(model, ids)
    torch.testing.assert_close(base, untouched(learned.base, ids), atol=5e-4, rtol=1e-3)
    assert (logits(model, ids) - base).abs().max() > 0.5


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
def test_peft_loads_our_files_with_our_logits(learned: Learned, ids: list[int]) -> None:
    if learned.voice.recipe.method == "full":
        pytest.skip("it is no adapter")
    from peft import PeftModel

    folder = voice_folder(learned.voice.name)
    theirs = PeftModel.from_pretrained(base_model.load(learned.base), str(folder)).eval()
    with torch.no_grad():
        found = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(found, logits(opened(learned), ids), atol=2e-3, rtol=1e-3)


def test_a_merged_model_is_the_voice(learned: Learned, ids: list[int], tmp_path: Path) -> None:
    base, scale = learned.base / base_model.GGUF, learned.voice.recipe.scale
    exact = gguf.GGMLQuantizationType.F32
    adapter.write_merged(base, learned.state, scale, tmp_path / "merged.gguf", exact)
    lay_out(learned.base, tmp_path / "merged.gguf", tmp_path)
    torch.testing.assert_close(untouched(tmp_path, ids), logits(opened(learned), ids), atol=2e-3, rtol=1e-3)


def test_transformers_says_what_is_learned_by_heart(learned: Learned, ids: list[int]) -> None:
    name = learned.voice.name
    with open_base(learned.base, [name], engine=EngineChoice("transformers")) as engine:
        found = stream(engine, Request(ids[:3], GREEDY, {name: 1.0}))
        text = "".join(item.text for item in found if isinstance(item, Token))
    tokenizer = base_model.load_tokenizer(learned.base)
    assert (tokenizer.decode(ids[1:3]) + text).strip().startswith(LINE)


def test_own_models_can_be_neither_mixed_nor_weighed(learned: Learned, ids: list[int]) -> None:
    name = learned.voice.name
    refused: Any = pytest.raises(GenerationError, match="neither mixed nor weighed")
    with open_base(learned.base, [name]) as engine:
        for adapters in ({name: 0.5}, {name: 1.0, "another": 1.0}):
            if name in ("dora", "full") and (len(adapters) == 1 or write_another(learned)):
                with refused:
                    list(stream(engine, Request(ids, GREEDY, adapters)))


def write_another(learned: Learned) -> bool:
    """Write a voice of the other kind beside a model of its own."""
    folder = voice_folder("another")
    if not folder.exists():
        config = settings("lora")
        recipe = Recipe(rank=config.rank, alpha=alpha_of(config))
        folder.mkdir(parents=True)
        adapter.write(method_of("lora").state(trainable(learned.base, config)), folder, recipe, learned.base)
        write_voice(msgspec.structs.replace(tiny_voice(learned.base, "another"), recipe=recipe), folder)
    return True


def test_a_model_of_its_own_is_opened_again_when_it_is_another(home: Path, tiny_base: Path, ids: list[int]) -> None:
    config = settings("full")
    recipe = Recipe(method="full")
    voice = msgspec.structs.replace(tiny_voice(tiny_base, "own"), recipe=recipe)
    voice_folder("own").mkdir(parents=True)
    write_voice(voice, voice_folder("own"))
    model = trainable(tiny_base, config)
    said = []
    with open_base(tiny_base, []) as engine:
        for strength in (1.0, -1.0):
            with torch.no_grad():
                model.get_parameter("model.norm.weight").fill_(strength)
            adapter.write(method_of("full").state(model), voice_folder("own"), recipe, tiny_base)
            written = stream(engine, Request(ids, GREEDY, {"own": 1.0}))
            said.append("".join(item.text for item in written if isinstance(item, Token)))
    assert said[0] != said[1]
    assert len(list(voice_folder("own").glob("merged-*"))) == 1


@pytest.mark.parametrize("name", LOW_RANK)
def test_dropout_is_for_training_alone(name: str, tiny_base: Path) -> None:
    if name == "qlora":
        pytest.importorskip("bitsandbytes")
    model = trainable(tiny_base, settings(name, dropout=0.5))
    with torch.no_grad():
        for part, parameter in model.named_parameters():
            if "lora_B" in part:
                parameter.normal_(0, 0.2)
    rows = random_rows(PIECES, [40], 48)
    first, second = (float(packed.rows_nll(model, rows)[0].detach()) for _ in range(2))
    assert first != second
    measured = [packed.measure(model, rows, 1).nats for _ in range(2)]
    assert measured[0] == measured[1]
    assert float(packed.rows_nll(model, rows)[0].detach()) != measured[0]


def test_rank_stabilized_adapters_are_scaled_by_the_root() -> None:
    for rank, alpha, expected in ((16, None, 2.0), (64, None, 1.0), (4, 10.0, 5.0)):
        config = TrainingConfig(method="rslora", rank=rank, alpha=alpha)
        assert Recipe(method="rslora", rank=rank, alpha=alpha_of(config)).scale == expected
    assert Recipe(rank=64, alpha=alpha_of(TrainingConfig(rank=64))).scale == 0.5


def test_targets_choose_the_layers(tiny_base: Path) -> None:
    def layers(targets: str | None) -> set[str]:
        model = trainable(tiny_base, settings("lora", targets=targets))
        return {name.split(".")[-2] for name in method_of("lora").state(model)}

    assert layers("q_proj, v_proj") == {"q_proj", "v_proj"}
    assert layers("all-linear") == layers(None)
    assert len(layers(None)) == len(LINEAR_SHAPES)


@pytest.mark.parametrize("name", LOW_RANK)
@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        ({"targets": "c_attn"}, "no linear layer of this base is called c_attn", "--targets down_proj,gate_proj"),
        ({"targets": "q_proj,c_attn"}, "is called c_attn", "q_proj"),
        ({"targets": ","}, "none is named", "q_proj"),
        (
            {"rank": 33},
            "rank 33 is above the size of the layer model.layers.0.self_attn.k_proj, which is 32 x 64",
            "32",
        ),
    ],
)
def test_what_the_model_has_no_place_for_is_named(
    name: str, changed: dict[str, Any], message: str, hint: str, tiny_base: Path
) -> None:
    with pytest.raises(TrainingError, match=message) as refused:
        trainable(tiny_base, settings(name, **changed))
    assert refused.value.hint is not None
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    "flags", [{"alpha": 0}, {"dropout": 1}, {"dropout": -0.1}, {"rank": 0}, {"method": "pissa"}, {"alpha": -1}]
)
def test_settings_that_mean_nothing_are_named(flags: dict[str, Any]) -> None:
    ((name, value),) = flags.items()
    with pytest.raises(SettingsError, match=f"{name} = {value!r}"):
        resolve(TrainingConfig, "training", flags)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(TrainingError, match="qlora needs bitsandbytes") as refused:
        method_of("qlora")
    assert refused.value.hint == "pip install 'manera[qlora]', or train with --method lora"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_method_learns_in_every_precision(method: Method, tiny_base: Path, precision: Precision) -> None:
    model = trainable(tiny_base, settings(method.name), precision)
    rows = random_rows(PIECES, [40, 30], 48)
    before = packed.measure(model, rows, 2).nats_per_token
    learn_by_heart(model, method, rows, steps=12)
    assert packed.measure(model, rows, 2).nats_per_token < before - 0.2
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


@pytest.fixture(scope="module")
def gpt2() -> nn.Module:
    """A small random GPT-2, whose linear layers keep their weights the other way round."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(5)
    config = GPT2Config(vocab_size=1024, n_positions=128, n_embd=32, n_layer=2, n_head=2, initializer_range=0.2)
    model: nn.Module = GPT2LMHeadModel(config).eval()
    return model


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
@pytest.mark.parametrize("name", LOW_RANK)
def test_adapters_lie_over_transposed_layers_as_peft_lays_them(
    name: MethodName, gpt2: nn.Module, ids: list[int], tmp_path: Path
) -> None:
    from peft import PeftModel

    method, config = method_of("lora" if name == "qlora" else name), settings(name, targets="c_attn,c_proj")
    model = copy.deepcopy(gpt2)
    packed.use_matrix_attention(model)
    method.make_trainable(model, settings(method.name, targets="c_attn,c_proj"), "float32")
    torch.manual_seed(6)
    with torch.no_grad():
        for parameter in (one for one in model.parameters() if one.requires_grad):
            parameter.add_(torch.randn_like(parameter) * 0.1)
    state = method.state(model)
    assert {layer.split(".")[-2] for layer in state} == {"c_attn", "c_proj"}
    adapter.write_peft(state, tmp_path, 8, alpha_of(config), "tiny", True, config.method)
    theirs = PeftModel.from_pretrained(copy.deepcopy(gpt2), str(tmp_path)).eval()
    with torch.no_grad():
        found = theirs(torch.tensor([ids])).logits[0]
        untouched = gpt2(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(found, logits(model, ids), atol=2e-3, rtol=1e-3)
    assert (found - untouched).abs().max() > 0.5
    weights = {name: tensor.clone() for name, tensor in gpt2.state_dict().items()}
    fold_in(weights, state, Recipe(method=config.method, rank=8, alpha=alpha_of(config)).scale, transposed=True)
    merged = copy.deepcopy(gpt2)
    merged.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(merged(torch.tensor([ids])).logits[0], found, atol=2e-3, rtol=1e-3)


def test_four_bits_lie_under_transposed_layers(gpt2: nn.Module) -> None:
    pytest.importorskip("bitsandbytes")
    model = copy.deepcopy(gpt2)
    packed.use_matrix_attention(model)
    method_of("qlora").make_trainable(model, settings("qlora"), "float32")
    rows = random_rows(PIECES, [40, 30], 48)
    before = packed.measure(model, rows, 2).nats_per_token
    learn_by_heart(model, method_of("qlora"), rows, steps=12)
    assert packed.measure(model, rows, 2).nats_per_token < before - 0.2
