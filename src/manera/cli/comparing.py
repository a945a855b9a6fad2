"""One corpus on several bases: trained one after another, or only read; and one table at the end."""

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from manera.bases.base_model import built
from manera.bases.catalogue import DEFAULT_BASE
from manera.cli import console
from manera.cli.bases import ready_base
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import open_corpus
from manera.errors import ManeraError, TrainingError
from manera.training import presets
from manera.training.settings import TrainingConfig
from manera.voice.folder import name_for, name_on

if TYPE_CHECKING:
    from manera.evaluation.untuned import Untuned
    from manera.training.learn import Learned

PROMPTS = 2


@dataclass(frozen=True)
class Run:
    """What is trained on which base, under which name."""

    corpus: Path
    speaker_id: str
    voice: str
    settings: TrainingConfig
    base: Path
    replace: bool
    resume: bool


class Compared(msgspec.Struct, frozen=True):
    """A base, and the voice that was trained on it. replies: to the same held-out prompts."""

    base: str
    voice: str
    base_bits_per_byte: float
    voice_bits_per_byte: float
    minutes: float
    peak_memory_bytes: int
    was_stopped: bool
    replies: list[str]


class Options(NamedTuple):
    """What ``manera train`` was given beside the bases."""

    speaker: str | None
    name: str | None
    flags: Mapping[str, object]
    languages: Sequence[str]
    replace: bool
    resume: bool


def train_on_several(folder: Path, bases: Sequence[str], options: Options, as_json: bool) -> None:
    """Train a voice on each base, each in a process of its own, and show them beside each other, the best first.

    What cannot be trained is told and left out. Ends with exit code 1 where one was, or was stopped.
    """
    settings = presets.resolve(options.flags)
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, options.speaker, command=f"manera train {folder}")
    ready = {base: ready_base(base, options.languages) for base in dict.fromkeys(bases)}
    trained: dict[str, Learned] = {}
    for base, place in ready.items():
        voice = name_on(options.name or name_for(chosen.name), base)
        console.say(f"{voice}: {chosen.name} on {base}")
        run = Run(folder, chosen.speaker_id, voice, settings, place, options.replace, options.resume)
        result, was_interrupted = _in_new_process(run)
        if isinstance(result, ManeraError):
            console.say(f"not trained on {base}: {result.message}")
        else:
            trained[base] = result
        if was_interrupted:
            break
    if not trained:
        raise TrainingError("nothing was trained on any of these bases", "what each lacks stands above")
    prompts, compared = _compared(trained)
    if as_json:
        console.result({"prompts": prompts, "voices": msgspec.to_builtins(compared)})
    else:
        _show(prompts, compared)
    if len(trained) < len(ready) or any(one.was_stopped for one in compared):
        raise SystemExit(1)


def propose(folder: Path, speaker: str | None, bases: Sequence[str], as_json: bool) -> None:
    """Show how the untuned bases read a person's held-out text, the best first; by default those that are ready."""
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker, command=f"manera bases --for {folder}")
    places = [ready_base(base, ()) for base in bases] or [place for place, _ in built()]
    from manera.evaluation.untuned import compare

    found = list(compare(corpus, chosen.speaker_id, places or [ready_base(DEFAULT_BASE, ())]))
    found.sort(key=lambda one: one.bits_per_byte)
    if as_json:
        console.result({"speaker": chosen.name, "bases": msgspec.to_builtins(found)})
        return
    rows = [(one.base, f"{one.bits_per_byte:.3f}", f"{one.tokens_per_character:.3f}") for one in found]
    console.show_table((f"untuned, on {found[0].bytes:,} bytes", "bits per byte", "tokens a character"), rows)
    console.show(_advice(found))


def _advice(found: "Sequence[Untuned]") -> str:
    best, *others = found
    if not others:
        return f"only {best.base} is ready; name more to compare: --base NAME"
    second = others[0]
    lead = f"{best.base} knows this text best, by {second.bits_per_byte - best.bits_per_byte:.3f} bits per byte"
    longer = best.tokens_per_character / second.tokens_per_character - 1
    if longer > 0:
        return f"{lead}, but reads and writes {longer:.0%} more tokens for it than {second.base}"
    return f"{lead}: train on it"


def _in_new_process(run: Run) -> "tuple[Learned | ManeraError, bool]":
    """Train in a process of its own, so that its peak of memory is its own.

    Returns what came of it, and whether it was interrupted.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_learn, args=(run, sender), daemon=True)
    process.start()
    sender.close()
    was_interrupted = False
    while True:
        try:
            return receiver.recv(), was_interrupted
        except EOFError:
            return TrainingError("its process ended; it may have lacked memory"), was_interrupted
        except KeyboardInterrupt:
            was_interrupted = True  # the process that trains was told too, and keeps its best point


def _learn(run: Run, sender: Connection) -> None:
    from manera.cli.learning import follow

    try:
        corpus = open_corpus(run.corpus)
        sender.send(follow(corpus, run.speaker_id, run.voice, run.settings, run.base, run.replace, run.resume))
    except ManeraError as error:
        sender.send(error)


def _compared(trained: "Mapping[str, Learned]") -> tuple[list[str], list[Compared]]:
    """Let each voice answer the same held-out prompts, and sort them by what they cost the held-out text."""
    from manera.evaluation.same_prompts import held_out_prompts, replies

    first = next(iter(trained.values())).voice
    asked = held_out_prompts(first, PROMPTS)
    compared = [
        Compared(
            base=base,
            voice=learned.voice,
            base_bits_per_byte=learned.held_out.base.bits_per_byte,
            voice_bits_per_byte=learned.held_out.voice.bits_per_byte,
            minutes=learned.seconds / 60,
            peak_memory_bytes=learned.peak_memory_bytes,
            was_stopped=learned.stopped is not None,
            replies=replies(learned.voice, asked),
        )
        for base, learned in trained.items()
    ]
    return [task.asked for task in asked], sorted(compared, key=lambda one: one.voice_bits_per_byte)


def _show(prompts: Sequence[str], compared: Sequence[Compared]) -> None:
    rows = [
        (
            one.base,
            f"{one.base_bits_per_byte:.3f}",
            f"{one.voice_bits_per_byte:.3f}",
            f"{one.minutes:.1f}",
            f"{one.peak_memory_bytes / 1e9:.1f}",
            one.voice,
        )
        for one in compared
    ]
    console.show_table(("bits per byte, held-out", "untuned", "voice", "minutes", "GB", "called"), rows)
    for place, prompt in enumerate(prompts):
        console.show(f"\n>>> {prompt}")
        for one in compared:
            console.show(f"\n[{one.voice}]\n{one.replies[place]}")
