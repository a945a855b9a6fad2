"""What can be set about a training run."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from manera.dataset.views import VIEWS
from manera.records import ExampleKind, MethodName

MAX_EPOCHS = 100.0
EPOCHS: dict[ExampleKind, float] = {"dialogue": 2, "post": 3, "continuation": 2}


class TrainingConfig(BaseModel):
    """Settings of ``[training]``; None lets the material or the machine decide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float | None = Field(None, gt=0, le=100, description="passes over the training text")
    minutes: float | None = Field(None, gt=0, description="end after so many minutes; the learning rate falls in time")
    learning_rate: float | None = Field(None, gt=0, le=0.1, description="peak of a linear warm-up and decay")
    rank: int = Field(16, ge=1, le=256, description="rank of the adapter")
    method: MethodName = Field("lora", description=f"what is trained, and how: {', '.join(get_args(MethodName))}")
    alpha: float | None = Field(
        None, gt=0, description="the adapter is scaled by alpha / rank, in rslora by alpha / sqrt(rank); 32, or 8 there"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's input that is left out while it learns")
    targets: tuple[str, ...] | None = Field(
        None, description="layers that are adapted, by the last part of their names, or all-linear"
    )
    max_length: int | None = Field(None, ge=32, le=4096, description="tokens of the longest example")
    batch_tokens: int | None = Field(None, ge=32, description="tokens an optimizer step sees")
    micro_batch_tokens: int | None = Field(
        None, ge=32, description="tokens that are in memory at once; changes no gradient"
    )
    validations_per_epoch: int = Field(3, ge=1, le=50, description="how often held-out text is scored")
    patience: int = Field(4, ge=1, description="validations without a lower loss before training ends")
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto", description="arithmetic of the products with frozen weights"
    )
    compile: Literal["auto", "on", "off"] = Field("auto", description="compile the layers with torch.compile")
    threads: int | None = Field(None, ge=1, description="processor threads")
    device: str = Field("auto", description="cpu, cuda, mps or auto")
    preset: str | None = Field(None, description="whose settings stand where none are given; manera presets lists them")
    format: str | None = Field(
        None,
        min_length=1,
        description="how messages are written: own, a name, or a file; else what fits",
    )
    context_weight: float | None = Field(
        None, ge=0, le=1, description="how much a token that is only read counts in the loss; one that is learned: 1"
    )
    context_share: float = Field(
        0, ge=0, le=1, description="of the examples of a chat, how many open with what memory would recall"
    )
    checkpoint_seconds: float = Field(30.0, ge=0, description="how often an unfinished run is saved, at most")
    tensorboard: str | None = Field(None, description="folder to write steps to for TensorBoard")
    canaries: int = Field(0, ge=0, le=1000, description="secrets to plant, to see whether the voice gives them away")
    per_thread: float | None = Field(
        None, gt=0, description="at most so much of one chat: up to 1 a share of what is learned, else tokens"
    )
    half_life: float | None = Field(None, gt=0, description="days after which a text weighs half as much as a new one")
    replay: float = Field(0.0, ge=0, lt=1, description="share of general text among what is learned")
    replay_from: Path | None = Field(None, description="corpus that this text is taken from; by default a bundled one")
    views: Annotated[int, Field(ge=1, le=len(VIEWS))] | Literal["auto"] = Field(
        1, description=f"ways in which a post is asked for, in turn: {', '.join(VIEWS)}; auto: more where posts are few"
    )
    rewrite: bool = Field(False, description="learn to say a plain draft in the person's manner")
    instructions_from: str | None = Field(
        None, description="server of a model that makes questions for views, and drafts to rewrite"
    )
    instructions_model: str | None = Field(None, description="name of that model; by default the server's first")
    seed: int = Field(0, ge=0, description="seed of the adapter and of the order of examples")

    @field_validator("targets", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Take layers separated by commas, as they are given on a command line."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


ALPHA = 32.0
ALPHA_BY_ROOT = 8.0
"""With either, an adapter of the rank 16 is scaled by 2."""


def alpha_of(config: TrainingConfig) -> float:
    """Return the alpha that was asked for, else the method's own."""
    if config.alpha is not None:
        return config.alpha
    return ALPHA_BY_ROOT if config.method == "rslora" else ALPHA


def epochs_of(config: TrainingConfig, kind: ExampleKind) -> float:
    """Return how many passes are made at most: so many that only the time ends them where it is all that is given."""
    if config.epochs is not None:
        return config.epochs
    return MAX_EPOCHS if config.minutes else EPOCHS[kind]
