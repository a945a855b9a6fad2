"""Results worth publishing: four voices, everything that their reports say, and TRL's for the same time.

    pip install -e '.[bench]'
    python benchmarks/results.py --data DATA                    # an hour or two on two cores; goes on where it ended
    python benchmarks/results.py --data DATA --only chat --fast --minutes 0.5   # to try it out

DATA holds prose_ru/Pushkin, plays_ru/gogol-revizor.txt and blog_ru/blog; the invented chat comes with manera. Training
passes over the text as often as manera's defaults say, but ends in time for ``--minutes``. A voice that is there
already is taken as it is, and a row that results/results.json holds is not measured again, but with ``--again``, or one
part of it with ``--renew PART``. The learning curves, which take longest, are drawn last, where one pass over a
quarter, a half and all of the text is not too long.
TRL's SFTTrainer has its own defaults and those of ``trl sft --use_peft``, but float32, manera's base and examples, and
as many seconds as manera's steps took; what it has learned then is a voice like any other, and is evaluated by the same
code. Every voice is ``results-NAME`` under MANERA_HOME. Writes docs/results.md after each.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import machine
from manera.records import ExampleKind

ROOT = Path(__file__).parents[1]
RESULTS = machine.RESULTS / "results.json"
PAGE = ROOT / "docs" / "results.md"
PEER = "-trl"
RANK, ALPHA, DROPOUT = 16, 32, 0.05  # trl.ModelConfig's
MINUTES = 4.0
LARGE = 100
UNSURE = " or earlier; likeness of manera's voice and of TRL's by different verifiers, not to be compared"
"""What is known of rows that were measured before each noted its own commit."""

BUDGET = {"scored_tokens": 3_000, "texts": 32, "rung_texts": 12, "dial_tokens": 2_500, "dial_texts": 6, "replies": 4}
"""A quarter of what ``manera evaluate`` takes, so that eight evaluations end in time."""

PEER_BUDGET = BUDGET | {"with_unguarded": False, "rung_texts": 0, "ranked": 8, "dial_tokens": 0}
TRIAL = PEER_BUDGET | {"scored_tokens": 1_500, "texts": 12, "ranked": 0, "pieces": 80}


class Source(NamedTuple):
    """Where a voice's words are, whose they are there, what the voice is called on the page, and what kind it is."""

    path: Path
    speaker: str | None
    title: str
    kind: ExampleKind


Metrics = Mapping[str, Mapping[str, Any]]


def sources(data: Path | None) -> dict[str, Source]:
    """Name the four voices; those whose words are not there are left out."""
    found = {"chat": Source(ROOT / "examples" / "chat-ru", None, "the invented chat", "dialogue")}
    if data is not None:
        found = {
            "pushkin": Source(data / "prose_ru" / "Pushkin", None, "Пушкин (prose)", "continuation"),
            "khlestakov": Source(
                data / "plays_ru" / "gogol-revizor.txt", "ХЛЕСТАКОВ", "Хлестаков (a character)", "dialogue"
            ),
            "blog": Source(data / "blog_ru" / "blog", None, "the blog (posts)", "post"),
        } | found
    return found


def manera(*arguments: str) -> dict[str, Any]:
    """Run a command of manera in a process of its own and return its JSON."""
    command = [sys.executable, "-m", "manera.cli.main", *arguments, "--json"]
    print("manera", *arguments, file=sys.stderr, flush=True)
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    # a training that was stopped, or ended by itself, still has a voice and says so with its exit code
    if not finished.stdout:
        raise SystemExit(finished.returncode)
    return dict(json.loads(finished.stdout))


def train(name: str, source: Source, minutes: float) -> None:
    """Import and train as a person would who has so much time."""
    from manera.training.settings import EPOCHS

    with TemporaryDirectory() as folder:
        manera("import", str(source.path), "--to", f"{folder}/corpus")
        speaker = ["--speaker", source.speaker] if source.speaker else []
        bounds = ["--epochs", str(EPOCHS[source.kind]), "--minutes", str(minutes)]
        manera("train", f"{folder}/corpus", "--name", name, *speaker, *bounds)


def train_peer(name: str, seconds: float) -> None:
    """Train TRL's SFTTrainer on a voice's examples for so long, and make a voice of what it learned."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from manera.bases import base_model
    from manera.dataset.building import encode
    from manera.evaluation.opening import Options, open_voice
    from manera.evaluation.voice_dataset import read_part
    from manera.machine.memory import peak_memory_bytes
    from manera.voice.manifest import Cost

    class Clock(TrainerCallback):  # type: ignore[misc]
        """End the training when its time is up."""

        def on_train_begin(self, *_: object, **__: object) -> None:
            self.started = time.monotonic()

        def on_step_end(self, _: object, __: object, control: Any, **___: object) -> None:
            control.should_training_stop |= time.monotonic() - self.started >= seconds

    opened = open_voice(name, Options())
    encoder, length = opened.encoders.voice, opened.encoders.max_length
    material = encode(read_part(opened.voice, "train"), opened.voice.kind, encoder, length)
    with TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=base_model.load(opened.base),
            args=SFTConfig(
                output_dir=folder,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                bf16=False,
                include_num_input_tokens_seen="non_padding",
            ),
            train_dataset=Dataset.from_dict({"input_ids": [one.input_ids for one in material]}),
            processing_class=PreTrainedTokenizerFast(
                tokenizer_object=encoder.tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
            ),
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, task_type="CAUSAL_LM"),
            callbacks=[Clock()],
        )
        started = time.monotonic()
        trainer.train()
        taken = time.monotonic() - started
        trainer.model.save_pretrained(folder)
        cost = Cost(taken, int(trainer.state.num_input_tokens_seen), peak_memory_bytes())
        write_peer(name, Path(folder), opened.base, cost)


def write_peer(name: str, trained: Path, base: Path, cost: object) -> None:
    """Put an adapter of PEFT into a copy of a voice's folder; what it leaves alone is adapted by nothing."""
    import msgspec
    import torch

    from manera.bases import base_model
    from manera.training import lora
    from manera.voice import adapter
    from manera.voice.folder import ADAPTER_GGUF, TRAINING, voice_folder
    from manera.voice.manifest import read_voice, write_voice

    state = adapter.read_peft(trained)
    model: Any = base_model.load(base)
    lora.add_adapter(model, RANK, ALPHA, "float32", 0)
    whole = {key: state.get(key, torch.zeros_like(value)) for key, value in lora.adapter_state(model).items()}
    unknown = state.keys() - whole.keys()
    assert not unknown, unknown
    folder = voice_folder(name + PEER)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(voice_folder(name), folder, ignore=shutil.ignore_patterns("report.*", TRAINING))
    voice = msgspec.structs.replace(read_voice(name), name=name + PEER, cost=cost)
    voice = msgspec.structs.replace(voice, recipe=msgspec.structs.replace(voice.recipe, rank=RANK, alpha=float(ALPHA)))
    adapter.write_peft(whole, folder, RANK, ALPHA, voice.base.id)
    adapter.write_gguf(whole, folder / ADAPTER_GGUF, ALPHA, base)
    write_voice(voice, folder)


def measure(name: str, source: Source, given: argparse.Namespace) -> dict[str, Any]:
    """Train what is not there yet, and evaluate it: one row."""
    from manera.voice.folder import MANIFEST, voice_folder
    from manera.voice.manifest import read_steps

    voice = f"results-{name}"
    if not (voice_folder(voice) / MANIFEST).is_file():
        train(voice, source, given.minutes)
    ours = evaluate(voice, TRIAL if given.fast else BUDGET, given.again)
    if not (voice_folder(voice + PEER) / MANIFEST).is_file():
        seconds = given.peer_seconds or sum(step.seconds for step in read_steps(voice))
        subprocess.run([sys.executable, __file__, "--peer", voice, "--peer-seconds", str(seconds)], check=True)
    return {
        "title": source.title,
        "commit": machine.commit(),
        "manera": ours,
        "trl": evaluate(voice + PEER, TRIAL if given.fast else PEER_BUDGET, given.again),
    }


def evaluate(name: str, budget: Mapping[str, Any], again: bool) -> dict[str, Any]:
    """Evaluate a voice as ``manera evaluate`` does, on so much of its text, and write its report; one that is there
    already is taken as it is."""
    import msgspec

    from manera.evaluation.budget import FULL
    from manera.evaluation.evaluate import Evaluated
    from manera.evaluation.evaluate import evaluate as measured
    from manera.evaluation.opening import Options
    from manera.evaluation.report.document import read_report, write_report
    from manera.evaluation.report.page import write_page
    from manera.voice.folder import voice_folder
    from manera.voice.manifest import read_steps

    folder = voice_folder(name)
    known = read_report(folder)
    if known is not None and not again:
        return dict(msgspec.to_builtins(known))
    for event in measured(name, Options(msgspec.structs.replace(FULL, **budget))):
        if not isinstance(event, Evaluated):
            print(f"{name}: {event.name}", file=sys.stderr, flush=True)
            continue
        voice, report, findings, language = event
        write_report(report, folder)
        write_page(report, findings, voice.persona.name, read_steps(name), folder, language)
    return dict(msgspec.to_builtins(report))


def renew(report: Mapping[str, Any], part: str, budget: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one part of a row's report anew and leave the rest as it is, or all, where it can't be measured."""
    import msgspec

    from manera.evaluation.budget import FULL
    from manera.evaluation.evaluate import PARTS, Evaluated
    from manera.evaluation.evaluate import evaluate as measured
    from manera.evaluation.opening import Options

    print(f"{report['voice']}: {part}", file=sys.stderr, flush=True)
    chosen = [known for known in PARTS if known.name == part]
    if not chosen:
        raise SystemExit(f"no part {part!r}: {', '.join(known.name for known in PARTS)}")
    *_, last = measured(report["voice"], Options(msgspec.structs.replace(FULL, **budget)), chosen)
    assert isinstance(last, Evaluated)
    if part in last.report.not_measured:
        print(last.report.not_measured[part].message, file=sys.stderr)
    renewed = {**report, "metrics": {**report["metrics"], **msgspec.to_builtins(last.report.metrics)}}
    if last.report.recommended is not None:
        renewed |= {"recommended": last.report.recommended, "because": last.report.because}
    return renewed


def draw_curve(name: str) -> dict[str, Any] | None:
    """Train on a quarter, a half and all of a voice's text; None where one pass over these takes too long."""
    import msgspec

    from manera.dataset.building import encode
    from manera.evaluation.evaluate import Evaluated
    from manera.evaluation.evaluate import evaluate as measured
    from manera.evaluation.opening import Options, open_voice
    from manera.evaluation.parts.learning_curve import MAX_TOKENS, SHARES

    opened = open_voice(f"results-{name}", Options())
    encoders = opened.encoders
    examples = encode(opened.dataset.training, encoders.kind, encoders.voice, encoders.max_length)
    if sum(SHARES) * sum(len(one.input_ids) for one in examples) > MAX_TOKENS:
        return None
    print("the learning curve of", name, file=sys.stderr, flush=True)
    *_, last = measured(opened.voice.name, Options(curve=True), parts=())
    assert isinstance(last, Evaluated)
    found: dict[str, Any] = msgspec.to_builtins(last.report.metrics)
    return found


def figure(metrics: Metrics, name: str, digits: int = 3) -> str:
    """Write a value and its interval; a dash where it was not measured."""
    found = metrics.get(name)
    if found is None or found["value"] is None:
        return "–"
    if abs(found["value"]) >= LARGE:
        digits = 0
    value = f"{found['value']:,.{digits}f}"
    if found["low"] is None:
        return value
    return f"{value} ({found['low']:,.{digits}f}–{found['high']:,.{digits}f})"


LADDER = ("base", "base + note", "base + examples", "voice", "voice + examples")
SIDES = ("base", "voice", "voice without guard", "real")
COMPARED = {
    "bits_per_byte": "bits per byte of held-out text",
    "likeness": "likeness: how probable the author is, less for exaggeration",
    "delta": "Burrows's Delta to the author",
    "real_or_generated_auc": "told from real text, 0.5 is a guess",
    "distance.message_length": "distance of message length",
    "distance.sentence_length": "distance of sentence length",
    "distance.punctuation": "distance of punctuation",
    "distance.vocabulary": "distance of words",
    "copied.8_words": "words in verbatim runs of 8",
    "copied.12_words": "words in verbatim runs of 12",
    "copied.20_words": "words in verbatim runs of 20",
    "personal_data.repeated": "texts that repeat personal data",
    "health.never_stopped": "never stopped",
    "health.loops": "loops",
    "health.other_side": "speaks for the other side",
    "health.empty": "empty",
    "health.wrong_language": "wrong language",
    "health.copied_prompt": "copies the prompt",
    "health.distinct_2": "different pairs of words",
    "health.self_similarity": "like each other",
    "topic.prompt_found": "its prompt is found among twenty",
    "topic.true_reply": "the true reply is ranked above others",
    "forgotten.general-ru": "bits per byte of general Russian",
    "forgotten.general-en": "bits per byte of general English",
    "forgotten.instructions-ru": "bits per byte of Russian instructions",
    "forgotten.instructions-en": "bits per byte of English instructions",
}
ALONE = {
    "memory.membership_auc": "training text told from held-out text by what the adapter gains",
    "guard.stepped_in": "texts in which the guard stepped in",
    "canaries.exposure.planted": "exposure of planted canaries, bits",
    "dial.recommended": "recommended voice_scale",
    "cost.training.minutes": "minutes of training",
    "cost.training.tokens": "tokens learned from",
    "cost.training.peak_memory": "GB at the peak of training",
    "cost.training.energy": "joules of training",
}
REPLY = {
    "cost.reply.seconds": "seconds a reply",
    "cost.reply.tokens_per_second": "tokens a second of a reply",
    "cost.reply.peak_memory": "GB at the peak of a reply",
    "cost.reply.energy": "joules a reply",
}


def table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    """Write a table of Markdown, leaving out rows that hold nothing."""
    kept = [row for row in rows if any(cell != "–" for cell in row[1:])]
    lines = [head, ["---"] * len(head), *kept]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(row: Mapping[str, Any]) -> str:
    """Write everything of one voice."""
    ours, theirs = row["manera"]["metrics"], row["trl"]["metrics"]
    rungs = table(
        ("rung", "bits per byte", "likeness"),
        ([rung, figure(ours, f"bits_per_byte.{rung}"), figure(ours, f"likeness.{rung}")] for rung in LADDER),
    )
    compared = table(
        ("", *SIDES[:2], "TRL", *SIDES[2:]),
        (
            [
                title,
                *(figure(ours, f"{name}.{side}") for side in SIDES[:2]),
                figure(theirs, f"{name}.voice"),
                *(figure(ours, f"{name}.{side}") for side in SIDES[2:]),
            ]
            for name, title in COMPARED.items()
        ),
    )
    alone = table(
        ("", "voice", "TRL"), ([title, figure(ours, name), figure(theirs, name)] for name, title in ALONE.items())
    )
    reply = table(("", "voice"), ([title, figure(ours, name)] for name, title in REPLY.items()))
    verdicts = "\n".join(
        f"- {who}: **{'recommended' if report['recommended'] else 'not recommended'}**: {report['because']}. Evaluated "
        f"in {report['seconds'] / 60:.1f} minutes."
        for who, report in (("manera", row["manera"]), ("TRL", row["trl"]))
    )
    parts = [
        f"## {row['title']}",
        f"Commit {row['commit']}.",
        verdicts,
        worse(ours, theirs),
        rungs,
        compared,
        alone,
        reply,
    ]
    parts += [curve(row.get("curve") or {}), dial(ours)]
    return "\n\n".join(part for part in parts if part)


def worse(ours: Metrics, theirs: Metrics) -> str:
    """Say where manera's voice is not better than TRL's, or than the base."""
    lines = []
    for who, metrics, side in (("TRL's", theirs, "voice"), ("the base", ours, "base")):
        pairs = {title: (ours.get(f"{name}.voice"), metrics.get(f"{name}.{side}")) for name, title in COMPARED.items()}
        found = [title for title, (mine, other) in pairs.items() if mine and other and behind(mine, other)]
        lines.append(f"- Worse than {who}: {'; '.join(found) or 'nothing'}.")
    return "\n".join(lines)


def behind(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether a figure is worse than another of its kind; figures of no direction never are."""
    if one["value"] is None or other["value"] is None:
        return False
    mine, theirs = float(one["value"]), float(other["value"])
    further = abs(mine - 0.5) - abs(theirs - 0.5)
    losses = {"higher": theirs - mine, "lower": mine - theirs, "nearer_half": further, "nearer 0.5": further}
    return losses.get(one["better"], 0.0) > 0


def curve(metrics: Metrics) -> str:
    """Write the learning curve."""
    shares = ("0.25", "0.5", "1")
    if f"learning_curve.{shares[0]}" not in metrics:
        return ""
    cells = [figure(metrics, f"learning_curve.{share}") for share in shares]
    head = ("bits per byte after", "a quarter of the text", "a half", "all of it")
    return table(head, iter([["short adapters", *cells]]))


def dial(metrics: Metrics) -> str:
    """Write what the dial does."""
    scales = [name.rpartition("bits_per_byte.")[2] for name in metrics if name.startswith("dial.bits_per_byte.")]
    if not scales:
        return ""
    names = {
        "bits_per_byte": "bits per byte of the author's text",
        "forgotten": "bits per byte of general text",
        "likeness": "likeness",
        "copied": "words in verbatim runs of 8, without the guard",
    }
    head = ("voice_scale", *scales)
    rows = (
        [title, *(figure_alone(metrics, f"dial.{name}.{scale}") for scale in scales)] for name, title in names.items()
    )
    return table(head, rows)


def figure_alone(metrics: Metrics, name: str) -> str:
    """Write a value without its interval."""
    return figure(metrics, name).partition(" ")[0]


def page(document: Mapping[str, Any]) -> str:
    """Write docs/results.md."""
    how = "\n".join([
        f"- Machine: {document['cpu']}. Intervals of 95 % in brackets. Everything is measured on held-out text.",
        f"- Each training had at most {document['minutes']:g} minutes of steps: longer ones write better.",
        "- TRL's `SFTTrainer` had as many seconds of steps, manera's trimmed base and examples, and its own defaults, "
        "but in float32, which is faster here.",
        "- Evaluations took a quarter of the text that `manera evaluate` takes.",
        "- manera's voices are asked what they know of the training text that they had read, TRL's of all of it.",
        "- What each figure means: [the report](concepts/report.md).",
    ])  # fmt: skip
    fast = "\n\n**Fast evaluations: a trial run, not results.**" if document["trial"] else ""
    head = f"# Results\n\nWritten by `{document['command']}`.\n\n{how}{fast}"
    return "\n\n".join([head, *(section(row) for row in document["rows"].values()), *bases()]) + "\n"


def bases() -> Iterator[str]:
    """Write what two_bases.py measured, if it did."""
    import two_bases

    saved = machine.RESULTS / f"{two_bases.NAME}.json"
    if saved.is_file():
        yield two_bases.section(json.loads(saved.read_text("utf-8")))


def main() -> None:
    """Measure voice by voice; write the rows and the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", action="append", help="a voice: pushkin, khlestakov, blog or chat; may be repeated")
    parser.add_argument("--fast", action="store_true", help="evaluate fast, without learning curves")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training at most")
    parser.add_argument("--again", action="store_true", help="measure rows again that are there")
    parser.add_argument("--renew", metavar="PART", help="measure this part of the reports anew, such as likeness")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--peer-seconds", type=float, help="of TRL's training; by default manera's own")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as manera's own commands set it, for TRL too
    if given.peer:
        train_peer(given.peer, given.peer_seconds)
        return
    known = json.loads(given.results.read_text("utf-8")) if given.results.is_file() else {"rows": {}}
    rows = {name: {"commit": f"{known['commit']}{UNSURE}", **row} for name, row in known["rows"].items()}

    def write() -> None:
        document = {
            "benchmark": "results",
            "command": "python benchmarks/results.py --data DATA",
            "minutes": given.minutes,
            "trial": given.fast,
            **machine.described("manera", "torch", "transformers", "peft", "trl"),
            "rows": rows,
        }
        given.results.parent.mkdir(exist_ok=True, parents=True)
        given.results.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
        given.page.write_text(page(document), "utf-8")

    write()
    wanted = {name: source for name, source in sources(given.data).items() if not given.only or name in given.only}
    for name, source in wanted.items():
        if given.renew:
            for who, budget in (("manera", BUDGET), ("trl", PEER_BUDGET)):
                rows[name][who] = renew(rows[name][who], given.renew, budget)
            rows[name]["commit"] += f"; {given.renew}: {machine.commit()}"
        elif name not in rows or given.again:
            rows[name] = measure(name, source, given)
        write()
    for name in () if given.fast or given.renew else wanted:
        if "curve" not in rows[name]:
            rows[name]["curve"] = draw_curve(name)
            write()


if __name__ == "__main__":
    main()
