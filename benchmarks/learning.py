"""What a change of the recipe is worth: the same trainings with and without it, on several corpora and seeds.

    python benchmarks/learning.py rows ROWS --data DATA       # corpora as token rows, and a base: a folder to carry
    python benchmarks/learning.py train ROWS                  # a table, then one JSON line
    python benchmarks/learning.py train ROWS --only chat --variants before now --seeds 1 --steps 5    # to try it out

One small training leaves a GPU idle. So the runs of a corpus are trained at once: one frozen base, and adapters side by
side, each with its own seed, order of rows and settings. Everything else is the loop's, and a run has the losses that
it has there (a test). A run ends after TOKENS at the latest, some five minutes of two cores.
DATA holds prose_ru/Pushkin, plays_ru/gogol-revizor.txt and blog_ru/blog; chats and a channel come with manera.
"""

import argparse
import json
import math
import statistics
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import machine
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows, with_context
from manera.model import packed
from manera.model.likelihood import each_nll
from manera.records import ExampleKind, SplitName
from manera.training import loop, lora
from manera.training.settings import ALPHA, EPOCHS, TrainingConfig
from manera.training.setup import BATCH_TOKENS, CONTEXT_WEIGHTS, LEARNING_RATES

ROOT = Path(__file__).parents[1]
TOKENS = 150_000
MICRO_BATCH_TOKENS = 1024
TOKENS_AT_ONCE = 18_000
"""Of all the runs that are trained together: 20 GB on a GPU."""

INFO, GENERAL = "rows.json", ("general-ru", "general-en")
PARTS = ("train", "validation", "test")
FIELDS = ("input_ids", "labels", "segments", "positions")


@dataclass(frozen=True)
class Recipe:
    """How one run learns; rate: of a kind's learning rate; noise: NEFTune's alpha; passes: of a kind's epochs."""

    learning_rate: float
    batch_tokens: int
    context_weight: float
    betas: tuple[float, float] = loop.BETAS
    average: float = loop.AVERAGE_EXPONENT
    rank: int = TrainingConfig().rank
    alpha: float = ALPHA
    rate: float = 1.0
    passes: float = 1.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    noise: float = 0.0
    max_norm: float = loop.MAX_GRADIENT_NORM


def recipe_of(kind: ExampleKind, changed: Mapping[str, Any]) -> Recipe:
    """Return the defaults of a kind of text, with these changes."""
    return replace(Recipe(LEARNING_RATES[kind], BATCH_TOKENS[kind], CONTEXT_WEIGHTS[kind]), **changed)


BEFORE: dict[str, Any] = {"batch_tokens": 1024, "context_weight": 0.0, "betas": (0.9, 0.99), "average": 7.0}
"""What was the default until 2026-11-27, with a dialogue's rate of 3e-4."""

VARIANTS: dict[str, dict[str, Any]] = {
    "rate x 0.33": {"rate": 0.33},
    "rate x 2": {"rate": 2.0},
    "steps of 512 tokens": {"batch_tokens": 512},
    "context 0.1": {"context_weight": 0.1},
    "context 0.3": {"context_weight": 0.3},
    "context 1": {"context_weight": 1.0},
    "momentum 0.8": {"betas": (0.8, 0.99)},
    "second moment 0.95": {"betas": (0.9, 0.95)},
    "average of a fifth": {"average": 3.0},
    "weight decay 10": {"weight_decay": 10.0},
    "weight decay 30": {"weight_decay": 30.0},
    "noise 5": {"noise": 5.0},
    "dropout 0.1": {"dropout": 0.1},
    "clipped at 0.3": {"max_norm": 0.3},
    "alpha 64": {"alpha": 64.0},
    "rank 4": {"rank": 4},
    "rank 64": {"rank": 64},
    "half the passes": {"passes": 0.55},
}


def variants_of(kind: ExampleKind) -> dict[str, Recipe]:
    """Return what is compared: as it was before, as it is now, and as it was with one thing changed."""
    rate = {"dialogue": 3e-4, "post": 1e-3, "continuation": 1e-3}[kind]
    before = recipe_of(kind, {**BEFORE, "learning_rate": rate})
    changed = {name: replace(before, **settings) for name, settings in VARIANTS.items()}
    return {"before": before, "now": recipe_of(kind, {}), "now, rank 64": recipe_of(kind, {"rank": 64}), **changed}


@dataclass(frozen=True)
class Text:
    """A corpus as rows, and the bytes of what each part scores."""

    name: str
    kind: ExampleKind
    rows: dict[str, Rows]
    bytes: dict[str, int]

    @property
    def length(self) -> int:
        """Tokens of a row."""
        return int(self.rows["test"].input_ids.shape[1])

    def bits_per_byte(self, part: str, nats: float) -> float:
        """Divide the nats of a part."""
        return nats / math.log(2) / self.bytes[part]


def write_rows(data: Path | None, folder: Path) -> None:
    """Import every corpus as a person would, and write its rows."""
    import shutil

    from manera.bases import base_model
    from manera.corpus.storage import open_corpus, write
    from manera.dataset.encoding import Encoder
    from manera.dataset.formats.format import read_format
    from manera.dataset.packing import pack
    from manera.evaluation.general_text import paragraphs
    from manera.sources.reading import read
    from manera.training.material import gather
    from results import sources

    base = base_model.prepare()
    folder.mkdir(parents=True)
    shutil.copytree(base, folder / "base")
    found = {name: (source.path, source.speaker) for name, source in sources(data).items()}
    found |= {"channel": (ROOT / "examples" / "channel-ru", None), "chat-en": (ROOT / "examples" / "chat-en", None)}
    info: dict[str, Any] = {}
    for name, (path, speaker) in found.items():
        with TemporaryDirectory() as corpus:
            write(read([path]), Path(corpus) / "corpus")
            material = gather(open_corpus(Path(corpus) / "corpus"), speaker, base, None)
        _write(folder, name, material.dataset.rows)
        info[name] = {"kind": material.kind, "bytes": material.dataset.scored_bytes}
    known = base_model.read(base)
    prose = read_format("prose").chat_template(known.bos, known.end_of_text)
    encoder = Encoder(base_model.load_tokenizer(base), prose)
    for name in GENERAL:
        texts = paragraphs(name)
        _write(folder, name, {"test": pack((one for text in texts for one in encoder.windows(text, 256)), 256)})
        info[name] = {"kind": "continuation", "bytes": {"test": sum(len(text.encode()) for text in texts)}}
    (folder / INFO).write_text(json.dumps(info), "utf-8")


def _write(folder: Path, name: str, parts: Mapping[SplitName, Rows]) -> None:
    arrays = {
        f"{part}.{field}": array.astype(np.int32)
        for part, rows in parts.items()
        for field, array in zip(FIELDS, rows.arrays(), strict=True)
    }
    np.savez_compressed(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]


def read_rows(folder: Path) -> dict[str, Text]:
    """Read what ``write_rows`` wrote."""
    found = {}
    for name, known in json.loads((folder / INFO).read_text("utf-8")).items():
        with np.load(folder / f"{name}.npz") as kept:
            rows = {
                part: Rows(*(kept[f"{part}.{field}"].astype(np.int64) for field in FIELDS))
                for part in PARTS
                if f"{part}.labels" in kept
            }
        found[name] = Text(name, known["kind"], rows, known["bytes"])
    return found


class Adapters:
    """The adapters of all runs, as one matrix with a row for each, of which every layer sees its part."""

    def __init__(self, model: nn.Module) -> None:
        self.layers = [SideBySide(layer) for layer in lora.adapted_layers(model).values()]
        for name, layer in zip(list(lora.adapted_layers(model)), self.layers, strict=True):
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, layer)

    def begin(self, recipes: Sequence[Recipe], seeds: Sequence[int]) -> None:
        """Make an adapter for each run: what the loop's would be with this seed."""
        runs, rank = len(recipes), recipes[0].rank
        sizes = [rank * (layer.inner + layer.columns) for layer in self.layers]
        device = self.layers[0].weight.device
        self.values = torch.zeros(runs, sum(sizes), device=device)
        self.gradients = torch.zeros_like(self.values)
        dropout = column(recipes, "dropout", device)
        start = 0
        for layer, size in zip(self.layers, sizes, strict=True):
            layer.scale = column(recipes, "alpha", device)[..., None] / rank
            layer.dropout = dropout[..., None] if bool(dropout.any()) else None
            layer.view(self.values[:, start : start + size], self.gradients[:, start : start + size], rank)
            start += size
        for run, seed in enumerate(seeds):
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(seed)
                for layer in self.layers:
                    drawn = torch.empty(rank, layer.inner)
                    nn.init.uniform_(drawn, -1 / math.sqrt(layer.inner), 1 / math.sqrt(layer.inner))
                    layer.down[run].copy_(drawn)


class SideBySide(nn.Module):
    """A frozen linear layer with the additions of all runs, whose rows come one run after another."""

    weight: Tensor

    def __init__(self, layer: lora.LoraLinear) -> None:
        super().__init__()
        self.register_buffer("weight", layer.get_buffer("weight"), persistent=False)
        self.columns, self.inner = self.weight.shape
        self.scale = self.down = self.up = torch.empty(0)
        self.dropout: Tensor | None = None

    def view(self, values: Tensor, gradients: Tensor, rank: int) -> None:
        """Let the layer's matrices, and their gradients, lie in parts (runs, size) of those of all layers."""
        runs, split = len(values), rank * self.inner
        matrices = []
        for part, shape in ((slice(split), (rank, self.inner)), (slice(split, None), (self.columns, rank))):
            matrix = values[:, part].view(runs, *shape).requires_grad_()
            matrix.grad = gradients[:, part].view(runs, *shape)
            matrices.append(matrix)
        self.down, self.up = matrices

    def forward(self, x: Tensor) -> Tensor:
        """x: (runs * B, T, K) -> (runs * B, T, N)."""
        rows = x.reshape(len(self.down), -1, self.inner)
        frozen = F.linear(rows, self.weight)
        if self.dropout is not None and self.training:
            kept = torch.rand(rows.shape, device=x.device) >= self.dropout
            rows = (rows * kept / (1 - self.dropout)).to(x.dtype)
        low = torch.bmm(rows, (self.down * self.scale).to(x.dtype).transpose(1, 2))
        return torch.baddbmm(frozen, low, self.up.to(x.dtype).transpose(1, 2)).view(*x.shape[:-1], self.columns)


def column(recipes: Sequence[Recipe], name: str, device: torch.device) -> Tensor:
    """Return a setting of every run: (runs, 1)."""
    return torch.tensor([float(getattr(one, name)) for one in recipes], device=device)[:, None]


def head_of(model: nn.Module) -> Tensor:
    """Return what turns the last hidden states into logits: (V, D)."""
    head: Tensor = model.get_output_embeddings().weight  # type: ignore[operator]
    return head


def nats_of_runs(model: nn.Module, batch: packed.Batch, runs: int) -> tuple[Tensor, Tensor]:
    """Return the weighted nats of a batch's labels, and those of each run's together (runs,)."""
    nats = each_nll(packed.hidden_states(model, batch), head_of(model), batch.labels)
    supervised = (batch.labels[:, 1:] != IGNORE_INDEX).flatten()
    if batch.weights is not None:
        nats = nats * batch.weights[:, 1:].flatten()[supervised]
    run = torch.arange(runs, device=nats.device).repeat_interleave(len(supervised) // runs)[supervised]
    return nats, torch.zeros(runs, device=nats.device).index_add(0, run, nats.detach())


def measure(model: nn.Module, rows: Rows, runs: int) -> Tensor:
    """Sum the nats of some rows for each run: (runs,)."""
    total = torch.zeros(runs, dtype=torch.float64)
    at_once = max(1, 2 * TOKENS_AT_ONCE // (runs * rows.input_ids.shape[1]))
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), at_once):
            some = rows.take(range(start, min(start + at_once, len(rows))))
            batch = packed.to_batch(joined([some] * runs), head_of(model).device)
            total += nats_of_runs(model, batch, runs)[1].double().cpu()
    return total


def joined(parts: Sequence[Rows]) -> Rows:
    """Put rows under each other; those without weights weigh one."""
    ids, labels, segments, positions = (
        np.concatenate(part) for part in zip(*(one.arrays() for one in parts), strict=True)
    )
    if all(one.weights is None for one in parts):
        return Rows(ids, labels, segments, positions)
    weights = [np.ones(one.labels.shape, np.float32) if one.weights is None else one.weights for one in parts]
    return Rows(ids, labels, segments, positions, np.concatenate(weights))


@dataclass
class Outcome:
    """What became of a run: held-out nats per token after each validated step, and bits per byte of each text."""

    curve: list[tuple[int, float]]
    kept_step: int
    bits_per_byte: dict[str, float]


def train(
    model: nn.Module, adapters: Adapters, text: Text, recipes: Sequence[Recipe], seeds: Sequence[int], steps: int | None
) -> list[Outcome]:
    """Train some runs together, each as ``loop.train`` would, and score what it keeps.

    They share rank, batch_tokens and passes. steps: end after so many.
    """
    runs, planned = len(recipes), plan_of(text, recipes[0], steps)
    adapters.begin(recipes, seeds)
    values, gradients = adapters.values, adapters.gradients
    device = values.device
    rates = column(recipes, "learning_rate", device) * column(recipes, "rate", device)
    beta1, beta2 = (torch.tensor([one.betas[which] for one in recipes], device=device)[:, None] for which in (0, 1))
    decay, max_norm = column(recipes, "weight_decay", device), column(recipes, "max_norm", device)
    first, second = torch.zeros_like(values), torch.zeros_like(values)
    means, kept = values.clone(), values.clone()
    rows = [with_context(text.rows["train"], one.context_weight) for one in recipes]
    orders = [loop._endless_order(len(rows[0]), seed) for seed in seeds]
    outcomes = [Outcome([], 0, {}) for _ in range(runs)]
    with noise_on_embeddings(model, column(recipes, "noise", device)):
        for step in range(1, planned.steps + 1):
            batches = [
                part.take(list(islice(order, planned.rows_per_step))) for part, order in zip(rows, orders, strict=True)
            ]
            model.train()
            _accumulate(model, batches)
            gradients.mul_((max_norm / (gradients.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1))
            rate = rates * loop._schedule(step / planned.steps)
            values.mul_(1 - rate * decay)
            first.lerp_(gradients, 1 - beta1)
            second.mul_(beta2).add_(gradients.square().mul_(1 - beta2))
            values.sub_(rate * (first / (1 - beta1**step)) / ((second / (1 - beta2**step)).sqrt_() + 1e-8))
            means.lerp_(values, 1 - (1 - 1 / step) ** (column(recipes, "average", device) + 1))
            gradients.zero_()
            if step == planned.steps or step % planned.steps_per_validation == 0:
                _validate(model, text, values, means, kept, outcomes, step, planned.patience)
    values.copy_(kept)
    return outcomes


def plan_of(text: Text, recipe: Recipe, steps: int | None) -> loop.Plan:
    """Plan as training does, for TOKENS at most."""
    planned = loop.plan(
        len(text.rows["train"]),
        text.length,
        recipe.batch_tokens,
        MICRO_BATCH_TOKENS,
        epochs=EPOCHS[text.kind],
        validations_per_epoch=3,
        learning_rate=recipe.learning_rate,
    )
    most = math.ceil(TOKENS / (planned.rows_per_step * text.length))
    return replace(planned, steps=min(steps or most, max(1, round(recipe.passes * min(most, planned.steps)))))


def _accumulate(model: nn.Module, batches: Sequence[Rows]) -> None:
    """Add up the gradients of each run's mean loss."""
    batch = packed.to_batch(joined(batches), head_of(model).device)
    nats, _ = nats_of_runs(model, batch, len(batches))
    counts = torch.tensor([part.supervised_tokens for part in batches], device=nats.device)
    with warnings.catch_warnings():
        # the matrices lie in one of all layers, so their rows are not next to each other
        warnings.filterwarnings("ignore", "grad and param do not obey the gradient layout contract")
        (nats / counts.repeat_interleave(counts)).sum().backward()  # type: ignore[no-untyped-call]


def _validate(
    model: nn.Module,
    text: Text,
    values: Tensor,
    means: Tensor,
    kept: Tensor,
    outcomes: Sequence[Outcome],
    step: int,
    patience: int,
) -> None:
    """Score the means, and keep those of the runs that were never better; a run that got stale is over."""
    now = values.clone()
    values.copy_(means)
    validation = text.rows["validation"]
    for run, nats in enumerate(measure(model, validation, len(outcomes)).tolist()):
        curve = outcomes[run].curve
        lowest = min((found for _, found in curve), default=math.inf)
        later = [place for place, _ in curve if place > outcomes[run].kept_step]
        if len(later) >= patience:
            continue
        curve.append((step, nats / validation.supervised_tokens))
        if curve[-1][1] < lowest:
            outcomes[run].kept_step = step
            kept[run].copy_(means[run])
    values.copy_(now)


@contextmanager
def noise_on_embeddings(model: nn.Module, alphas: Tensor) -> Iterator[None]:
    """Add noise to what the layers are given while the model trains (NEFTune, Jain et al., 2023, arXiv 2310.05914).

    alphas: (runs, 1).
    """

    def add(_: nn.Module, __: object, found: Tensor) -> Tensor:
        if not model.training:
            return found
        strength = alphas.repeat_interleave(len(found) // len(alphas), 0)[:, :, None]
        drawn = torch.rand_like(found) * 2 - 1
        return found + (drawn * strength / math.sqrt(found.shape[1] * found.shape[2])).to(found.dtype)

    embeddings = model.get_input_embeddings()  # type: ignore[operator]
    hook = embeddings.register_forward_hook(add) if bool(alphas.any()) else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()


def groups(recipes: Mapping[str, Recipe], seeds: int, length: int) -> Iterator[list[tuple[str, int]]]:
    """Yield which variants, with which seeds, are trained together."""
    shapes: dict[tuple[int, int, float], list[tuple[str, int]]] = {}
    for name, one in recipes.items():
        shapes.setdefault((one.rank, one.batch_tokens, one.passes), []).extend((name, seed) for seed in range(seeds))
    for (_, batch_tokens, _), runs in shapes.items():
        size = max(1, TOKENS_AT_ONCE // max(length, batch_tokens))
        for start in range(0, len(runs), size):
            yield runs[start : start + size]


def compare(
    folder: Path, only: Sequence[str], wanted: Sequence[str], seeds: int, steps: int | None
) -> list[dict[str, Any]]:
    """Train everything that is asked for: a record a run."""

    texts = read_rows(folder)
    model, adapters = load(folder / "base")
    found = []
    for name in only or [name for name in texts if name not in GENERAL]:
        text = texts[name]
        recipes = {variant: one for variant, one in variants_of(text.kind).items() if variant in wanted or not wanted}
        for runs in groups(recipes, seeds, text.length):
            started = time.monotonic()
            chosen = [recipes[variant] for variant, _ in runs]
            outcomes = train(model, adapters, text, chosen, [seed for _, seed in runs], steps)
            for scored, part in ((text, "validation"), (text, "test"), *((texts[one], "test") for one in GENERAL)):
                for outcome, nats in zip(outcomes, measure(model, scored.rows[part], len(runs)).tolist(), strict=True):
                    label = scored.name if scored.name in GENERAL else part
                    outcome.bits_per_byte[label] = round(scored.bits_per_byte(part, nats), 5)
            for (variant, seed), outcome in zip(runs, outcomes, strict=True):
                found.append({"corpus": name, "variant": variant, "seed": seed, **asdict(outcome)})
            print(f"{name}: {len(runs)} runs in {time.monotonic() - started:.0f} s", flush=True)
    return found


def load(base: Path) -> tuple[nn.Module, Adapters]:
    """Load the base, frozen, with room for adapters."""
    from manera.bases import base_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 1, 1.0, "bfloat16" if device == "cuda" else "float32", 0)
    model.to(device)
    return model, Adapters(model)


def summary(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each corpus and variant the mean over seeds, and by how many per cent it lies above ``before``."""
    cells: dict[tuple[str, str], dict[int, Mapping[str, float]]] = {}
    for run in runs:
        cells.setdefault((run["corpus"], run["variant"]), {})[run["seed"]] = run["bits_per_byte"]
    found = []
    for (corpus, variant), seeds in cells.items():
        row: dict[str, Any] = {"corpus": corpus, "variant": variant, "seeds": len(seeds)}
        for text in ("validation", "test", *GENERAL):
            row[text] = round(statistics.mean(one[text] for one in seeds.values()), 4)
            before = cells.get((corpus, "before"), {})
            pairs = [(seeds[seed][text], before[seed][text]) for seed in seeds if seed in before]
            if pairs:
                changes = [100 * (after / earlier - 1) for after, earlier in pairs]
                row[f"{text}_change"] = round(statistics.mean(changes), 2)
                row[f"{text}_changes"] = [round(change, 2) for change in changes]
        found.append(row)
    return found


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table."""
    print(f"{'corpus':12}{'variant':26}{'seeds':>6}{'validation':>12}{'%':>7}{'test':>9}{'%':>7}{'general %':>11}")
    for row in rows:
        changes = [row.get(f"{text}_change", math.nan) for text in ("validation", "test", GENERAL[0])]
        print(
            f"{row['corpus']:12}{row['variant']:26}{row['seeds']:>6}{row['validation']:>12.4f}{changes[0]:>+7.2f}"
            f"{row['test']:>9.4f}{changes[1]:>+7.2f}{changes[2]:>+11.2f}"
        )


def main() -> None:
    """Write rows, or compare variants on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("rows", "train"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--variants", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="end runs after so many")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if given.part == "rows":
        write_rows(given.data, given.rows)
        return
    runs = compare(given.rows, given.only, given.variants, given.seeds, given.steps)
    rows = summary(runs)
    show(rows)
    document = {
        "benchmark": "learning",
        "command": "python benchmarks/learning.py train ROWS",
        **machine.described("manera", "torch", "transformers"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "rows": rows,
    }
    machine.tell(document, "learning" if given.save else None)


if __name__ == "__main__":
    main()
