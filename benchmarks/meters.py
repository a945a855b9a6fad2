"""Is the meter itself right? The report's meters, tried on authors and characters whose truth is known.

    python benchmarks/meters.py prose --data PROSE --save    # verification of unseen works of five authors
    python benchmarks/meters.py chats --data PLAYS --save    # bundles of 20 messages of invented and real speakers
    python benchmarks/meters.py copies --data PROSE --save   # planted verbatim copies and false alarms
    python benchmarks/meters.py order VOICE... --save        # held-out real > voice > base
    python benchmarks/meters.py seeds VOICE --save           # the same voice, evaluated with two seeds
    python benchmarks/meters.py canaries --save              # planted secrets: exposed when learned, else not
    python benchmarks/meters.py gate VOICE --data OTHER --save   # three adapters that have to be refused

PROSE is a folder of authors' folders of plain-text works, PLAYS one of scripts, OTHER the works of another author than
the voice's. Which works are unseen is decided by the hashes of their titles; ``--development`` deals the other works
alone once more in the same way, and is what the verifier's settings were chosen on. Plays among the prose are left out.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

import machine
from manera.evaluation.measures.copying import COPIED, RUNS, index_source
from manera.evaluation.measures.delta import fit_delta
from manera.evaluation.measures.pieces import Cut, Size, cut, cut_to_learn
from manera.evaluation.measures.spread import spread
from manera.evaluation.measures.verifier import MAX_PIECES, area_under_curve, fit_features, train_verifier
from manera.text.words import words

EXAMPLES = Path(__file__).parents[1] / "examples"
NOT_PROSE = ("Ревизор", "Вишнёвый сад", "Три сестры")
UNSEEN_SHARE = 0.25
MIN_LINES = 100
BUNDLE = 20
GATE_TOKENS = 3_000
ORDER_TEXTS = 48
ORDER = ("real", "voice", "base")
PAGES = 2
SECRETS = ("planted", "never planted")
HEADLINES = (
    "bits_per_byte.base",
    "bits_per_byte.voice",
    "likeness.real",
    "likeness.voice",
    "likeness.base",
    "real_or_generated_auc.voice",
    "copied.8_words.voice",
)

Works = dict[str, str]


def deal(works: Works) -> tuple[Works, Works]:
    """Deal an author's works into seen and unseen: unseen are those first by hash that make up a quarter at most."""
    ordered = sorted(works, key=lambda title: hashlib.sha256(title.encode()).hexdigest())
    total = sum(len(text.split()) for text in works.values())
    unseen, size = [], 0
    for title in ordered:
        length = len(works[title].split())
        if size + length <= UNSEEN_SHARE * total:
            unseen.append(title)
            size += length
    return {t: works[t] for t in ordered if t not in unseen}, {t: works[t] for t in unseen}


def read_authors(data: Path) -> dict[str, Works]:
    """Read the prose of each author."""
    folders = sorted(folder for folder in data.iterdir() if folder.is_dir())
    return {
        folder.name: {
            path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt")) if path.stem not in NOT_PROSE
        }
        for folder in folders
    }


def paragraphs(works: Works) -> list[list[str]]:
    """Split works into paragraphs."""
    return [[line for line in text.split("\n") if line.strip()] for text in works.values()]


def verify(seen: Mapping[str, Cut], unseen: Mapping[str, Cut]) -> dict[str, Any]:
    """Train a verifier for each author against the others, and score everybody's unseen pieces."""
    names = sorted(seen)
    truth = [name for name in names for _ in unseen[name].pieces]
    pieces = [piece for name in names for piece in unseen[name].pieces]
    scores = np.zeros((len(pieces), len(names)))
    features = fit_features([spread(seen[name].pieces, MAX_PIECES) for name in names])
    for column, name in enumerate(names):
        others = {other: seen[other] for other in names if other != name}
        verifier = train_verifier(seen[name], others, features=features)
        scores[:, column] = verifier.probabilities(pieces)
    own = np.array(truth)
    curves = {
        name: area_under_curve(scores[own == name, column], scores[own != name, column])
        for column, name in enumerate(names)
    }
    delta = fit_delta({name: seen[name].pieces for name in names})
    by_delta = []
    for piece in pieces:
        distances = delta.distances(piece)
        by_delta.append(min(distances, key=lambda name: distances[name]))
    nearest = np.array(names)[scores.argmax(1)]
    outcome = np.concatenate([own == name for name in names])
    return {
        "auc": float(np.mean(list(curves.values()))),
        "auc_by_author": curves,
        "nearest_author_accuracy": _balanced(nearest == own, own),
        "delta_accuracy": _balanced(np.array(by_delta) == own, own),
        "calibration_error": _calibration_error(scores.T.reshape(-1), outcome, own, names),
        "pieces": {name: int((own == name).sum()) for name in names},
        "seen_pieces": {name: len(seen[name].pieces) for name in names},
    }


def _balanced(right: np.ndarray, own: np.ndarray) -> float:
    """Average accuracy over authors, so that who wrote most does not decide it."""
    return float(np.mean([right[own == name].mean() for name in np.unique(own)]))


def _calibration_error(scores: np.ndarray, outcome: np.ndarray, own: np.ndarray, names: Sequence[str]) -> float:
    """Compare probabilities with outcomes at even odds, in ten bins (expected calibration error)."""
    weights = np.concatenate(
        [np.where(own == name, 0.5 / (own == name).sum(), 0.5 / (own != name).sum()) for name in names]
    )
    bins = np.minimum((scores * 10).astype(int), 9)
    gaps = [abs((weights * (outcome - scores))[bins == index].sum()) for index in range(10)]
    return float(np.sum(gaps) / weights.sum())


def prose(data: Path, development: bool) -> dict[str, Any]:
    """Verify unseen works in pieces of 1,000, 300 and 100 words."""
    found: dict[str, Any] = {}
    parts = {}
    for name, works in read_authors(data).items():
        seen, unseen = deal(works)
        if development:
            seen, unseen = deal(seen)
            if not unseen:  # one work is left: its last quarter is what the settings are tried on
                ((title, text),) = seen.items()
                border = int(len(text) * (1 - UNSEEN_SHARE))
                seen, unseen = {title: text[:border]}, {title: text[border:]}
        parts[name] = (seen, unseen)
    for length in (1000, 300, 100):
        started = time.monotonic()
        size = Size(words=length)
        row = verify(
            {name: cut_to_learn(paragraphs(seen), size) for name, (seen, _) in parts.items()},
            {name: cut(paragraphs(unseen), size) for name, (_, unseen) in parts.items()},
        )
        row["seconds"] = time.monotonic() - started
        found[f"{length} words"] = row
        print(
            f"{length:>6} words  AUC {row['auc']:.3f}  nearest author {row['nearest_author_accuracy']:.3f}"
            f"  Delta {row['delta_accuracy']:.3f}  calibration error {row['calibration_error']:.3f}"
            f"  {sum(row['pieces'].values())} pieces, {row['seconds']:.0f} s",
            flush=True,
        )
    return {"sizes": found, "unseen_works": {name: sorted(unseen) for name, (_, unseen) in parts.items()}}


def lines_of(paths: Sequence[Path]) -> dict[str, list[list[str]]]:
    """Read who says what: the lines of each speaker, conversation by conversation."""
    from manera.corpus.conversations import conversations
    from manera.records import Utterance
    from manera.sources.reading import read

    spoken: dict[str, list[list[str]]] = {}
    for path in paths:
        utterances = [record for record in read([path]) if isinstance(record, Utterance)]
        for conversation in conversations(utterances):
            said: dict[str, list[str]] = {}
            for turn in conversation.turns:
                said.setdefault(f"{path.stem}: {turn.speaker}", []).extend(turn.texts)
            for speaker, texts in said.items():
                spoken.setdefault(speaker, []).append(texts)
    return spoken


def last_quarter(talks: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Hold out the last quarter of somebody's messages, cutting one conversation where it must."""
    total = sum(map(len, talks))
    seen: list[list[str]] = []
    unseen: list[list[str]] = []
    count = 0
    for talk in talks:
        border = max(0, min(len(talk), int(total * (1 - UNSEEN_SHARE)) - count))
        seen += [talk[:border]] if border else []
        unseen += [talk[border:]] if border < len(talk) else []
        count += len(talk)
    return seen, unseen


def chats(data: Path) -> dict[str, Any]:
    """Verify bundles of 20 messages of the last quarter: of two who chat, and of characters of plays."""
    sets = {
        "invented chat": lines_of([EXAMPLES / "chat-ru" / "result.json"]),
        "invented chat, channel and play": lines_of(
            [
                EXAMPLES / "chat-ru" / "result.json",
                EXAMPLES / "channel-ru" / "result.json",
                EXAMPLES / "play-ru" / "dacha.txt",
            ]
        ),
        "characters of plays": lines_of([path for path in sorted(data.glob("*.txt")) if path.stem != "NOTICE"]),
    }
    found = {}
    for name, spoken in sets.items():
        held = {who: last_quarter(talks) for who, talks in spoken.items() if sum(map(len, talks)) >= MIN_LINES}
        size = Size(messages=BUNDLE)
        row = verify(
            {who: cut_to_learn(seen, size) for who, (seen, _) in held.items()},
            {who: cut(unseen, size) for who, (_, unseen) in held.items()},
        )
        found[name] = row
        print(
            f"{name:34} {len(held):>3} speakers  AUC {row['auc']:.3f}  nearest {row['nearest_author_accuracy']:.3f}"
            f"  Delta {row['delta_accuracy']:.3f}  {sum(row['pieces'].values())} bundles",
            flush=True,
        )
    return {"sets": found}


def copies(data: Path, planted: int = 500, seed: int = 0) -> dict[str, Any]:
    """Plant runs of training words into unseen pieces, and count what is found in pieces with and without them."""
    chance = np.random.default_rng(seed)
    rows: dict[str, Any] = {}
    for name, works in read_authors(data).items():
        seen, unseen = deal(works)
        source = index_source(list(seen.values()))
        clean = [" ".join(piece) for piece in cut(paragraphs(unseen), Size(words=100)).pieces]
        corpus = [words(text) for text in seen.values()]
        found = {}
        for run in RUNS:
            hits = 0
            for _ in range(planted):
                text = clean[chance.integers(len(clean))].split(" ")
                work = corpus[chance.integers(len(corpus))]
                start = chance.integers(len(work) - run + 1)
                place = chance.integers(len(text) + 1)
                mixed = " ".join([*text[:place], *work[start : start + run], *text[place:]])
                hits += source.copied_words(mixed, run) >= run
            alarms = sum(source.copied_words(text, run) > 0 for text in clean)
            found[str(run)] = {"found": hits / planted, "false_alarms": alarms / len(clean)}
        rows[name] = {"pieces": len(clean), "runs": found}
        print(
            name, *(f"{run} words: found {r['found']:.1%}, alarms {r['false_alarms']:.2%} " for run, r in found.items())
        )
    pooled = sum(r["runs"][str(COPIED)]["false_alarms"] * r["pieces"] for r in rows.values())
    total = sum(r["pieces"] for r in rows.values())
    print(f"all: false alarms of runs of {COPIED} words {pooled / total:.2%} of {total} pieces")
    return {"authors": rows, "false_alarms": pooled / total, "pieces": total, "planted": planted * len(rows)}


def order(voices: Sequence[str], seeds: int) -> dict[str, Any]:
    """Ask whether real text is more like the author than the voice's text, and that than the base's.

    Goes on where the saved runs end. A voice with fewer pieces of held-out text than have an interval is left out:
    there is nothing to put in order. Tells too how often a run's likeness lies in the interval of another run.
    """
    runs = _saved_runs()
    known = {(run["name"], run["seed"]) for run in runs}
    for seed in range(seeds):
        for name in voices:
            if (name, seed) in known:
                continue
            likeness = _likeness(name, seed)
            if any(found["low"] is None for found in likeness.values()):
                print(f"{name:24} left out: too few pieces of held-out text", flush=True)
                continue
            values = [likeness[who]["value"] for who in ORDER]
            is_right = values == sorted(set(values), reverse=True)
            runs.append({"commit": machine.commit(), "name": name, "seed": seed, "right": is_right, **likeness})
            shown = "  ".join(f"{who} {value:.3f}" for who, value in zip(ORDER, values, strict=True))
            print(f"{name:24} seed {seed}  {shown}  {'right' if is_right else 'WRONG'}", flush=True)
    right = sum(bool(run["right"]) for run in runs)
    print(f"in order: {right} of {len(runs)}")
    pairs = [(one, other) for one in runs for other in runs if one["name"] == other["name"] and one is not other]
    inside = {
        who: sum(one[who]["low"] <= other[who]["value"] <= one[who]["high"] for one, other in pairs) for who in ORDER
    }
    for who, count in inside.items():
        print(f"likeness of {who}: in the interval of another seed {count} of {len(pairs)} times")
    return {"runs": runs, "right": right, "pairs": len(pairs), "inside": inside}


def _saved_runs() -> list[dict[str, Any]]:
    path = machine.RESULTS / "meters-order.json"
    return list(json.loads(path.read_bytes())["runs"]) if path.is_file() else []


def _likeness(name: str, seed: int) -> dict[str, dict[str, Any]]:
    """Measure the likeness of real text, the voice's and the base's, with intervals.

    What base and voice wrote stays in the voice's folder, so that another measure can be tried on the same texts.
    """
    from manera.evaluation.budget import FULL
    from manera.evaluation.opening import Options, open_voice
    from manera.evaluation.parts import likeness
    from manera.evaluation.report.metric import Metric
    from manera.evaluation.writing import Written
    from manera.evaluation.written import Answers
    from manera.files import replacing
    from manera.voice.folder import voice_folder

    budget = msgspec.structs.replace(FULL, texts=ORDER_TEXTS, with_unguarded=False, rung_texts=0)
    opened = open_voice(name, Options(budget, seed))
    kept = voice_folder(name) / f"order-{ORDER_TEXTS}-{seed}.json"
    if kept.is_file():
        answers = Answers(opened.tasks, msgspec.json.decode(kept.read_bytes(), type=dict[str, list[Written]]))
    else:
        answers = opened.answers
        with replacing(kept) as unfinished:
            unfinished.write_bytes(msgspec.json.encode(answers.written))
    measured = likeness.measure(opened.judge, answers, seed)
    found = {one.id: one for one in measured if isinstance(one, Metric)}
    return {who: msgspec.to_builtins(found[f"likeness.{who}"]) for who in ORDER}


def seeds(name: str, fast: bool) -> dict[str, Any]:
    """Evaluate a voice with two seeds: is every headline figure of one inside the interval of the other?"""
    from manera.evaluation.budget import FAST, FULL
    from manera.evaluation.evaluate import PARTS, Evaluated, evaluate
    from manera.evaluation.opening import Options

    # bits per byte draw nothing; what other rungs write is no headline
    budget = msgspec.structs.replace(
        FAST if fast else FULL, scored_tokens=FAST.scored_tokens, with_unguarded=False, rung_texts=0
    )
    parts = [part for part in PARTS if part.name in {"ladder", "likeness", "real_or_generated", "copying"}]
    found = []
    for seed in (0, 1):
        *_, last = evaluate(name, Options(budget, seed), parts)
        assert isinstance(last, Evaluated)
        found.append(last.report.metrics)
    rows = {}
    for metric in HEADLINES:
        one, other = (metrics.get(metric) for metrics in found)
        if one and other and one.value is not None and other.value is not None:
            inside = (other.low or 0) <= one.value <= (other.high or 0) and (one.low or 0) <= other.value <= (
                one.high or 0
            )
            rows[metric] = {"values": [one.value, other.value], "inside": inside}
            print(f"{metric:36} {one.value:.3f} {other.value:.3f} {'inside' if inside else 'OUTSIDE'}")
    return {"voice": name, "headlines": rows}


def canaries(export: Path, planted: int, epochs: float) -> dict[str, Any]:
    """Train as ``manera train --canaries`` does, so that the kept point has seen each ten times, and rank them."""
    from manera.bases import base_model
    from manera.corpus.storage import open_corpus, write
    from manera.evaluation.evaluate import PARTS, Evaluated, evaluate
    from manera.evaluation.opening import Options
    from manera.sources.reading import read
    from manera.training.learn import Learned, learn
    from manera.training.settings import TrainingConfig

    name = "canaries-benchmark"
    # scored once, at the end: what is kept is the last point
    config = TrainingConfig(canaries=planted, epochs=epochs, validations_per_epoch=1, patience=50)
    with TemporaryDirectory() as folder:
        write(read([export]), Path(folder) / "corpus")
        base = base_model.prepare()
        *_, learned = learn(open_corpus(Path(folder) / "corpus"), None, name, config, base, replace=True)
    assert isinstance(learned, Learned)
    *_, last = evaluate(name, Options(), [part for part in PARTS if part.name == "canaries"])
    assert isinstance(last, Evaluated)
    metrics = last.report.metrics
    for metric, found in metrics.items():
        print(f"{metric:36} {found.value:.2f}  {found.low or 0:.2f} to {found.high or 0:.2f}  {found.unit}")
    is_exposed = {who: (metrics[f"canaries.above_chance.{who}"].low or 0) > 0 for who in SECRETS}
    for who, exposed in is_exposed.items():
        print(f"{who}: {'exposed' if exposed else 'not exposed'}")
    return {
        "exposed": is_exposed,
        "steps": learned.steps,
        "kept_step": learned.kept_step,
        "seconds": learned.seconds,
        "metrics": msgspec.to_builtins(metrics),
    }


def gate(name: str, other: Path, minutes: float) -> dict[str, Any]:
    """Ask the gate about a voice as it is, about one that does nothing, with an adapter that another author trained,
    and with one trained for thirty epochs on its first pages."""
    from torch import nn

    from manera.corpus.storage import open_corpus, write
    from manera.dataset.building import encode
    from manera.dataset.packing import pack
    from manera.evaluation.budget import FAST
    from manera.evaluation.evaluate import verdict_of
    from manera.evaluation.opening import Opened, Options, open_voice
    from manera.evaluation.report.verdict import because
    from manera.sources.reading import read
    from manera.training import lora
    from manera.training.fitting import fit
    from manera.training.learn import learn
    from manera.training.loop import plan
    from manera.training.settings import TrainingConfig
    from manera.training.setup import LEARNING_RATES, MICRO_BATCH_TOKENS
    from manera.voice import adapter
    from manera.voice.folder import voice_folder

    def idle(opened: Opened) -> None:
        for layer in lora.adapted_layers(opened.model).values():
            nn.init.zeros_(layer.lora_B)

    def foreign(opened: Opened) -> None:
        learned = "gate-benchmark"
        with TemporaryDirectory() as folder:
            write(read([other]), Path(folder) / "corpus")
            recipe = opened.voice.recipe
            config = TrainingConfig(minutes=minutes, epochs=2, rank=recipe.rank, alpha=recipe.alpha)
            for _ in learn(open_corpus(Path(folder) / "corpus"), None, learned, config, opened.base, replace=True):
                pass
        lora.load_adapter_state(opened.model, adapter.read_peft(voice_folder(learned)))

    def overfitted(opened: Opened) -> None:
        kind, length, encoder = opened.voice.kind, opened.encoders.max_length, opened.encoders.voice
        idle(opened)
        rows = pack(encode(opened.dataset.training, kind, encoder, length), length).take(range(PAGES))
        rate = LEARNING_RATES[kind]
        planned = plan(len(rows), length, 1024, MICRO_BATCH_TOKENS[False], 30, 1, learning_rate=rate, patience=1000)
        for _ in fit(opened.model, rows, rows.take([0]), planned, lambda step: None):
            pass

    def nothing(_: Opened) -> None:
        pass

    offered = {
        "as it was trained": (nothing, True),
        "does nothing": (idle, False),
        f"learned from {other.name}": (foreign, False),
        f"thirty epochs of its first {PAGES} rows": (overfitted, False),
    }
    found = {}
    for title, (change, is_good) in offered.items():
        opened = open_voice(name, Options(msgspec.structs.replace(FAST, scored_tokens=GATE_TOKENS)))
        change(opened)
        verdict = verdict_of(opened)
        is_right, why = verdict.recommended == is_good, because(verdict)
        found[title] = {"recommended": verdict.recommended, "right": is_right, "because": why}
        word = "recommended" if verdict.recommended else "refused"
        print(f"{title:36} {word}, {'right' if is_right else 'WRONG'}: {why}", flush=True)
    return {"voice": name, "offered": found}


def main() -> None:
    """Print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("prose", "chats", "copies", "order", "seeds", "canaries", "gate"))
    parser.add_argument("voices", nargs="*")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--epochs", type=float, default=1, help="of the training with canaries")
    parser.add_argument("--minutes", type=float, default=1, help="of training on another author's text")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "prose": lambda: prose(given.data, given.development),
        "chats": lambda: chats(given.data),
        "copies": lambda: copies(given.data),
        "order": lambda: order(given.voices, given.seeds),
        "seeds": lambda: seeds(given.voices[0], given.fast),
        "canaries": lambda: canaries(given.data or EXAMPLES / "channel-ru", 10, given.epochs),
        "gate": lambda: gate(given.voices[0], given.data, given.minutes),
    }
    document = {
        "benchmark": f"meters {given.part}{' development' if given.development else ''}",
        "command": f"python benchmarks/meters.py {given.part}{' --development' if given.development else ''}",
        **machine.described("manera", "scikit-learn", "numpy"),
        **parts[given.part](),
    }
    machine.tell(document, f"meters-{given.part}" if given.save else None)


if __name__ == "__main__":
    main()
