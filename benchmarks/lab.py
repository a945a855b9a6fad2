"""How fast and how well models from nothing learn: ``python benchmarks/lab.py WHAT --data TEXTS``.

speed: tokens/s of a GRU and an LSTM of the lab against torch's own layers called bare, in the same run, in turn: an
embedding, the layer, a head, cross-entropy, clipping, AdamW, and nothing else.
baselines: held-out bits per byte of 5-grams over several tokenizers, and of a character LSTM with char-rnn's settings
(https://github.com/karpathy/char-rnn: 2 layers of 128, 50 characters, 50 side by side, rate 0.002, nothing tied).
best: of the model that the lab trains in so many seconds from nothing, its tokenizer among them.
search: what manera lab search finds in MANERA_HOME: the table of every trial, and what each voice of --voices
is worth on the same text. A search that was broken off goes on in the same MANERA_HOME.
Texts are told whole by the model at its best point on the validation text; the test text is told once, at the end.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine
from manera import config
from manera.lab.settings import Budget, LabSettings, settings_for

if TYPE_CHECKING:
    from torch import Tensor

    from manera.lab.texts import TextSplits

ROUNDS, STEPS = 5, 12
GRAMS = (("character", 0), ("bpe", 500), ("bpe", 2000))
CHAR_RNN = settings_for(
    "lstm",
    tokenizer="character",
    width=128,
    layers=2,
    context=50,
    batch=50,
    learning_rate=2e-3,
    dropout=0.0,
    is_tied=False,
    clipping=5.0,
    weight_decay=0.0,
)


def main() -> None:
    """Measure what was asked for, print it, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "baselines", "best", "search"))
    parser.add_argument("--data", type=Path, required=True, help="what manera import reads")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the best model")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--voices", nargs="*", default=[], help="of pretrained bases, trained on the same texts")
    parser.add_argument("--page", type=Path, default=Path("lab-search.html"))
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    config.let_threads_sleep()  # these take effect only before torch is loaded
    config.use_large_pages()
    texts = read(asked.data)
    rows = list({"speed": speeds, "baselines": baselines, "best": best, "search": searched}[asked.what](texts, asked))
    document = {"benchmark": f"lab {asked.what}", "data": asked.data.name, "seconds": asked.seconds, "rows": rows}
    machine.tell(document | machine.described("torch", "tokenizers"), f"lab-{asked.what}" if asked.save else None)


def read(path: Path) -> "TextSplits":
    """Import texts into a corpus that is not kept, and split it as manera lab train does."""
    from tempfile import TemporaryDirectory

    from manera.corpus.speakers import choose_speaker
    from manera.corpus.storage import open_corpus, write
    from manera.lab.texts import texts_of
    from manera.sources.reading import read as read_files

    with TemporaryDirectory() as room:
        write(read_files([path]), Path(room) / "corpus")
        corpus = open_corpus(Path(room) / "corpus")
        return texts_of(corpus, choose_speaker(corpus.manifest, None))


def speeds(texts: "TextSplits", asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Compare the lab's recurrent models with the bare layers."""
    import torch

    from manera.lab import tokenizers

    for kind in ("gru", "lstm"):
        settings = settings_for(kind, dropout=0.0)
        tokenizer = tokenizers.learn(settings.tokenizer, texts.train, settings.vocabulary)
        ids = torch.tensor(tokenizers.stream(tokenizer, texts.train))
        steps = {"lab": _lab(settings, tokenizer, ids), "bare": _bare(settings, tokenizer.get_vocab_size(), ids)}
        taken: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                started = time.perf_counter()
                for _ in range(STEPS):
                    step()
                taken[name].append(time.perf_counter() - started)
        tokens = STEPS * settings.batch * settings.context
        found = {name: tokens / statistics.median(seconds) for name, seconds in taken.items()}
        share = statistics.median(b / a for a, b in zip(taken["lab"], taken["bare"], strict=True))
        print(f"{kind:5} lab {found['lab']:>8,.0f}  bare {found['bare']:>8,.0f} tokens/s  {share:.1%}")
        yield {"kind": kind, "tokens_per_second": found, "share_of_bare": share}


def _lab(settings: LabSettings, tokenizer: Any, ids: "Tensor") -> Callable[[], object]:
    """Return what makes one step as ``train`` does."""
    from manera.lab import models, scoring, training

    model = models.build(settings, tokenizer, ())
    run = training.Run(model, settings, Budget(epochs=1000), time.monotonic())
    steps = run.steps(ids, scoring.lay_out(["measured never"], tokenizer, settings))
    return lambda: next(steps)


def _bare(settings: LabSettings, vocabulary: int, ids: "Tensor") -> Callable[[], object]:
    import torch
    import torch.nn.functional as F
    from torch import nn

    layer = {"gru": nn.GRU, "lstm": nn.LSTM}[settings.kind](
        settings.width, settings.width, settings.layers, batch_first=True
    )
    embedding, head = nn.Embedding(vocabulary, settings.width), nn.Linear(settings.width, vocabulary)
    head.weight = embedding.weight
    weights = [*embedding.parameters(), *layer.parameters(), head.bias]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, fused=True)
    lanes = ids[: len(ids) // settings.batch * settings.batch].view(settings.batch, -1)
    state: Any = None
    place = 0

    def step() -> object:
        nonlocal state, place
        if place + settings.context + 1 > lanes.shape[1]:
            place = 0
        inputs, targets = (lanes[:, place + k : place + k + settings.context] for k in (0, 1))
        optimizer.zero_grad(set_to_none=True)
        states, state = layer(embedding(inputs), state)
        loss = F.cross_entropy(head(states).flatten(0, 1), targets.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, settings.clipping)
        optimizer.step()
        state = tuple(one.detach() for one in state) if isinstance(state, tuple) else state.detach()
        place += settings.context
        return float(loss.detach())

    return step


def baselines(texts: "TextSplits", asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Measure the floors: 5-grams, and char-rnn's settings for as long as the best model has."""
    for tokenizer, vocabulary in GRAMS:
        settings = settings_for("ngram", tokenizer=tokenizer, vocabulary=vocabulary or None)
        yield _measured(f"5-gram, {tokenizer} {vocabulary or ''}", texts, settings, asked.seconds)
    yield _measured("char-rnn", texts, CHAR_RNN, asked.seconds)


def best(texts: "TextSplits", asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Measure the model that the settings asked for make."""
    import json

    chosen = {name: _value(value, json.loads) for name, _, value in (one.partition("=") for one in asked.set)}
    yield _measured("best", texts, settings_for(chosen.pop("kind", "lstm"), **chosen), asked.seconds)


def searched(texts: "TextSplits", asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Search, write the page, and tell every trial but its curve and its sample."""
    import msgspec

    from manera.lab import advice, pretrained, search_page
    from manera.lab.search import Plan, search
    from manera.lab.study import open_study

    kinds = ("linear", "rnn", "gru", "lstm", "transformer")
    plan = Plan(kinds=kinds, trials=asked.trials, minutes=asked.minutes, workers=asked.workers)  # type: ignore[arg-type]
    started = time.monotonic()
    for one in search(f"benchmark-{asked.data.name}", texts, plan):
        print(f"{one.number:>3} {one.kind:11} {one.state:9} {one.lowest} {one.reason or ''}", flush=True)
    taken = time.monotonic() - started
    study = open_study(f"benchmark-{asked.data.name}", texts, plan.seconds_each)
    tried = study.tried()
    voices = [pretrained.measure(name, texts) for name in asked.voices]
    found = search_page.write(asked.page, asked.data.name, tried, voices, study.seconds)
    print(f"{taken:.0f} s\n{advice.sentence(found)}")
    yield {"seconds": taken, "seconds_each": study.seconds, "workers": plan.workers, "next": advice.sentence(found)}
    yield from ({"pretrained": msgspec.to_builtins(voice)} for voice in voices)
    for one in tried:
        told = msgspec.to_builtins(one)
        told.pop("curve")
        (told["result"] or {}).pop("sample", None)
        yield told


def _value(text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError:
        return text


def _measured(name: str, texts: "TextSplits", settings: LabSettings, seconds: float) -> dict[str, object]:
    import msgspec

    from manera.lab import training

    *_, trained = training.train(texts, settings, Budget(seconds=seconds))
    assert isinstance(trained, training.Trained)
    on_test = trained.measured(texts.test)
    print(
        f"{name:22} test {on_test:.3f}  validation {trained.bits_per_byte:.3f} bits per byte, "
        f"{trained.parameters:,} parameters, {trained.tokens:,} tokens in {trained.seconds:.0f} s, "
        f"kept step {trained.kept_step} of {trained.curve[-1].step}",
        [round(one.bits_per_byte or 0.0, 3) for one in trained.curve],
        flush=True,
    )
    return {
        "name": name,
        "settings": msgspec.to_builtins(settings),
        "test_bits_per_byte": on_test,
        "validation_bits_per_byte": trained.bits_per_byte,
        "parameters": trained.parameters,
        "tokens": trained.tokens,
        "seconds": trained.seconds,
        "is_overfitted": trained.is_overfitted,
    }


if __name__ == "__main__":
    main()
