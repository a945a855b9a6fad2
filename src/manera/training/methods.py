"""The methods of training: each makes some of a model trainable, and knows what of it is to be kept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from manera.bases import base_model
from manera.machine.precision import fastest
from manera.records import MethodName, Precision
from manera.training import added_tokens, dora, full, lora, nf4
from manera.training.settings import TrainingConfig, alpha_of
from manera.voice.recipe import Recipe, adapter_scale

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Method:
    """One way to learn from examples.

    make_trainable: changes a loaded model in place, so that what is to be learned requires gradients, with products of
    the given precision; raises TrainingError for settings that the model has no place for. state: copies what is to be
    kept. load_state: puts it back. measuring: for the length of a block computes as exactly as serving does, with what
    was learned or without it. precisions: those it computes in; compiles: whether its layers can be compiled.
    rate_share: of the learning rate that is right for LoRA.
    """

    name: MethodName
    make_trainable: Callable[[nn.Module, TrainingConfig, Precision], None]
    state: Callable[[nn.Module], dict[str, Tensor]]
    load_state: Callable[[nn.Module, State], None]
    measuring: Callable[[nn.Module, bool], AbstractContextManager[None]]
    precisions: tuple[Precision, ...] = ("bfloat16", "float32")
    compiles: bool = True
    rate_share: float = 1.0


def _adapt(model: nn.Module, config: TrainingConfig, precision: Precision, four_bits: bool = False) -> None:
    alpha = alpha_of(config)
    lora.add_adapter(
        model,
        config.rank,
        alpha,
        precision,
        config.seed,
        scale=adapter_scale(config.method, alpha, config.rank),
        targets=config.targets,
        dropout=config.dropout,
        four_bits=four_bits,
    )


LORA = Method(
    "lora",
    _adapt,
    lora.adapter_state,
    lora.load_adapter_state,
    lora.measuring,
    precisions=("bfloat16", "float32", "int8"),
)

METHODS = (
    LORA,
    replace(LORA, name="rslora"),
    replace(LORA, name="qlora", make_trainable=partial(_adapt, four_bits=True), precisions=("bfloat16", "float32")),
    Method(
        "dora", dora.make_trainable, dora.state, dora.load_state, dora.measuring, compiles=False
    ),  # not peft's layers
    Method(
        "full",
        lambda model, _, precision: full.make_trainable(model, precision),
        full.state,
        full.load_state,
        full.measuring,
        rate_share=full.RATE_SHARE,
    ),
)


def with_added_tokens(method: Method, count: int) -> Method:
    """Return a method that trains the rows of a base's last tokens too, of which it has so many."""
    if not count or method.name == "full":
        return method

    def make_trainable(model: nn.Module, config: TrainingConfig, precision: Precision) -> None:
        rows = added_tokens.last_rows(model, count)
        method.make_trainable(model, config, precision)
        added_tokens.make_trainable(model, rows)

    def load_state(model: nn.Module, state: State) -> None:
        method.load_state(model, state)
        added_tokens.load_state(model, state)

    @contextmanager
    def measuring(model: nn.Module, with_learned: bool = True) -> Iterator[None]:
        with method.measuring(model, with_learned), added_tokens.measuring(model, with_learned):
            yield

    return replace(
        method,
        make_trainable=make_trainable,
        state=lambda model: method.state(model) | added_tokens.state(model),
        load_state=load_state,
        measuring=measuring,
    )


def opened(base: Path, recipe: Recipe, state: State, precision: Precision = "float32") -> nn.Module:
    """Load a base with what a voice learned on it; KeyError or RuntimeError where they do not fit."""
    model: nn.Module = base_model.load(base)
    served = method_of("lora" if recipe.method == "qlora" else recipe.method)  # over whole weights
    method = with_added_tokens(served, recipe.added_tokens)
    if method.name == "full":
        full.keep_base(model)
    method.make_trainable(model, settings_of(recipe), precision)
    method.load_state(model, state)
    return model.eval()


def settings_of(recipe: Recipe) -> TrainingConfig:
    """Return the settings that make the same parts of a base trainable again."""
    return TrainingConfig(
        method=recipe.method,
        rank=recipe.rank,
        alpha=recipe.alpha,
        dropout=recipe.dropout,
        targets=recipe.targets,
        seed=recipe.seed,
    )


@contextmanager
def measuring(model: nn.Module, with_learned: bool = True) -> Iterator[None]:
    """Compute as exactly as serving does, with what was learned or without it, by whatever method it was."""
    with ExitStack() as stack:
        for one in dict.fromkeys((added_tokens.measuring, *(method.measuring for method in METHODS))):
            stack.enter_context(one(model, with_learned))
        yield


def precision_of(method: Method, device: str = "cpu") -> Precision:
    """Return the fastest precision that a method computes in."""
    found = fastest(device)
    return found if found in method.precisions else "float32"


def method_of(name: MethodName) -> Method:
    """Return the method of this name; raise TrainingError where its library is missing."""
    if name == "qlora":
        nf4.require()
    return next(method for method in METHODS if method.name == name)
