"""The whole evaluation: a voice in; the name of each part as it begins, and at last the report, out."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from manera.dataset.encoding import Encoder
from manera.dataset.examples import messages_of
from manera.dataset.template import ChatTemplate
from manera.errors import EvaluationError, ManeraError
from manera.evaluation import distances, forgetting, health, intervals, ladder, probes, scoring, topicality
from manera.evaluation.copying import COPIED, RUNS, Nearest, index_source
from manera.evaluation.delta import fit_delta
from manera.evaluation.distractors import gather, language_of, own_writing
from manera.evaluation.held_out import (
    Material,
    Scored,
    Task,
    plain_encoder,
    prompt_ids,
    read_material,
    require_unchanged,
    spread,
    tasks,
    to_score,
    within,
)
from manera.evaluation.intervals import Floats, Interval
from manera.evaluation.ladder import BITS, RUNGS, Prefixes, Rung, Verdict
from manera.evaluation.likeness import (
    SIZES,
    Size,
    area_under_curve,
    cut,
    cut_to_learn,
    discriminability,
    train_verifier,
)
from manera.evaluation.report import Better, Metric, Report, count, metric
from manera.evaluation.retrieval import Retriever
from manera.evaluation.style import words
from manera.evaluation.writing import Written, write_all
from manera.generation.engine import Engine
from manera.generation.llama_cpp import open_engine
from manera.model import base_model
from manera.model.voice import ADAPTER_GGUF, Voice, read_voice, require_base, voice_folder

BASE, VOICE = RUNGS[0], RUNGS[3]
IMITATION = "the untrained base, shown the author's examples"
DIAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
LEAST_TASKS = 8
LEAST_BUNDLES = 6
LEAST_BUNDLE = 5
WORKERS = 4
CONTEXT = 1024
SHOWN = 10


class Budget(NamedTuple):
    """How much is measured: tokens scored on each rung, texts written, replies ranked, tokens for each dial setting,
    and pieces of each author that the verifier learns from."""

    scored_tokens: int
    texts: int
    ranked: int
    dial_tokens: int
    pieces: int


FULL = Budget(scored_tokens=12_000, texts=120, ranked=20, dial_tokens=2_500, pieces=500)
FAST = Budget(scored_tokens=1_500, texts=24, ranked=0, dial_tokens=0, pieces=80)


class Part(NamedTuple):
    """A part that begins."""

    name: str


class DialPoint(NamedTuple):
    """One setting of the dial: bits per byte of the author's held-out text, and of general text."""

    voice_scale: float
    own: float
    general: float


class SideBySide(NamedTuple):
    """One held-out prompt, what base and voice write on it, and what the person really wrote."""

    prompt: str
    base: str
    voice: str
    real: str


@dataclass
class Findings:
    """What a page shows beside the report's figures; it quotes people, and is never logged."""

    language: str = "en"
    verdict: Verdict | None = None
    others: list[str] = field(default_factory=list)
    rungs: dict[str, Interval] = field(default_factory=dict)
    dial: list[DialPoint] = field(default_factory=list)
    shown: list[SideBySide] = field(default_factory=list)
    parroted: list[tuple[str, Nearest]] = field(default_factory=list)
    message_lengths: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluated:
    """A report and its findings."""

    report: Report
    findings: Findings


@dataclass
class Subject:
    """A voice being measured: what it was trained on, how it is asked, and its models once they are needed."""

    voice: Voice
    base: Path
    encoder: Encoder
    budget: Budget
    seed: int
    metrics: dict[str, Metric] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    @cached_property
    def material(self) -> Material:
        """The dataset, which has to be the one that was trained on."""
        require_unchanged(self.voice)
        return read_material(self.voice)

    @cached_property
    def model(self) -> nn.Module:
        """Base and adapter, to be scored."""
        return scoring.load_model(self.base, self.voice)

    @cached_property
    def plain(self) -> Encoder:
        """The template for the untrained base."""
        return plain_encoder(self.voice, self.encoder)

    @cached_property
    def tasks(self) -> list[Task]:
        """What both are asked to write."""
        return spread(tasks(self.material.test, self.voice.kind), self.budget.texts)

    @cached_property
    def retriever(self) -> Retriever:
        """The author's own examples, by what they answer."""
        return Retriever(tasks(self.material.training, self.voice.kind))

    @cached_property
    def written(self) -> dict[str, list[Written]]:
        """What base and voice wrote on the tasks, and the base, shown the author's examples, on training prompts."""
        if len(self.tasks) < LEAST_TASKS:
            raise EvaluationError(
                f"{len(self.tasks)} held-out turns can be answered, and {LEAST_TASKS} are needed",
                "train on a larger corpus",
            )
        adapters = {self.voice.name: voice_folder(self.voice.name) / ADAPTER_GGUF}
        earlier = spread(tasks(self.material.training, self.voice.kind), self.budget.texts)
        with open_engine(self.base / "base.gguf", adapters, slots=WORKERS, context_length=CONTEXT) as engine:
            return {
                BASE.name: self._write(engine, BASE, self.plain, self.tasks),
                VOICE.name: self._write(engine, VOICE, self.encoder, self.tasks),
                IMITATION: self._write(engine, BASE, self.plain, earlier, self.retriever),
            }

    def _write(
        self, engine: Engine, rung: Rung, encoder: Encoder, asked: Sequence[Task], shown: Retriever | None = None
    ) -> list[Written]:
        sampling = self.voice.sampling
        room = CONTEXT - sampling.max_new_tokens - 1
        fitting = []
        for task in asked:
            ids = prompt_ids(encoder, self.voice.kind, task)[1:][-room:]
            free = min(ladder.RETRIEVED_TOKENS, room - len(ids))
            examples = shown.shown(task.asked, self.voice.kind, encoder, ladder.RETRIEVED, free, task) if shown else []
            fitting.append([encoder.bos, *examples, *ids])
        scale = {self.voice.name: rung.voice_scale}
        return list(write_all(engine, fitting, sampling, scale, WORKERS, self.seed))

    def texts(self) -> dict[str, list[str]]:
        """Return what was really written on the tasks, and what base and voice wrote."""
        real = [task.reply for task in self.tasks]
        return {"real": real, **{who: [one.text for one in self.written[who]] for who in (BASE.name, VOICE.name)}}

    def stretches(self, examples: str, encoder: Encoder, most: int) -> list[Scored]:
        """Return stretches of a part of the dataset."""
        chosen = self.material.test if examples == "test" else self.material.training
        length = int(str(self.voice.settings.get("max_length") or 512))
        return within(to_score(chosen, self.voice.kind, encoder, length), most)

    def add(self, name: str, found: Interval, unit: str, n: int, better: Better, of: str = "conversations") -> None:
        """Note a metric."""
        self.metrics[name] = metric(found, unit, n, better, of)


def open_subject(name: str, fast: bool = False, seed: int = 0, base: Path | None = None) -> Subject:
    """Read a voice and its base, by default the built-in one; raise ModelError when one is missing or does not fit."""
    voice = read_voice(name)
    base = base or base_model.prepare(voice.base.languages)
    require_base(voice, base_model.read(base))
    template = ChatTemplate(voice.chat_template, end_of_turn=voice.end_of_turn)
    encoder = Encoder(base_model.load_tokenizer(base), template)
    return Subject(voice, base, encoder, FAST if fast else FULL, seed)


def evaluate(subject: Subject, against: Sequence[str] = (), fast: bool = False) -> Generator[Part | Evaluated]:
    """Measure everything that can be; what cannot says why not in the report."""
    started = time.monotonic()
    not_measured: dict[str, str] = {}
    parts: dict[str, Callable[[Subject], None]] = {
        "ladder": measure_ladder,
        "writing": measure_health,
        "likeness": measure_likeness,
        "distances": measure_distances,
        "copying": measure_copying,
        "forgetting": measure_forgetting,
        "topic": measure_topic,
        "dial": measure_dial,
    }
    for name, measure in parts.items():
        yield Part(name)
        try:
            measure(subject)
        except ManeraError as error:
            not_measured[name] = error.message
    for other in against:
        yield Part(f"against {other}")
        try:
            measure_against(subject, other)
        except ManeraError as error:
            not_measured[f"against {other}"] = error.message
    verdict = subject.findings.verdict
    report = Report(
        voice=subject.voice.name,
        kind=subject.voice.kind,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        manera_version=version("manera"),
        seed=subject.seed,
        fast=fast,
        metrics=subject.metrics,
        recommended=None if verdict is None else verdict.recommended,
        because=not_measured.get("ladder", "") if verdict is None else verdict.because("en"),
        not_measured=not_measured,
        compared_with=tuple(subject.findings.others),
        seconds=time.monotonic() - started,
    )
    yield Evaluated(report, subject.findings)


def measure_ladder(subject: Subject) -> None:
    """Score every rung on the same held-out stretches, ask the gate, and compare with the training text."""
    material, most = subject.material, subject.budget.scored_tokens
    subject.findings.language = language_of(own_writing(material.training))
    prefixes = Prefixes(material, subject.retriever, ladder.persona_note(material))
    encoders = {rung.name: subject.encoder if rung.voice_scale else subject.plain for rung in RUNGS}
    held_out = {name: subject.stretches("test", encoder, most) for name, encoder in encoders.items()}
    sizes = [one.bytes for one in held_out[VOICE.name]]
    bits: dict[str, Floats] = {}
    for rung in RUNGS:
        encoder = encoders[rung.name]
        bits[rung.name] = ladder.score(rung, subject.model, held_out[rung.name], prefixes, encoder)
        found = intervals.ratio(bits[rung.name], sizes, subject.seed)
        subject.findings.rungs[rung.name] = found
        subject.add(f"bits_per_byte.{rung.name}", found, "bits per byte", len(sizes), "lower", "stretches")
    seen = {rung.name: subject.stretches("train", encoders[rung.name], most) for rung in (BASE, VOICE)}
    learned = np.subtract(
        *(ladder.score(rung, subject.model, seen[rung.name], prefixes, encoders[rung.name]) for rung in (BASE, VOICE))
    )
    knowledge = measure_knowledge(
        learned, [one.bytes for one in seen[VOICE.name]], bits[BASE.name] - bits[VOICE.name], sizes, subject
    )
    subject.findings.verdict = ladder.gate(bits, sizes, knowledge, subject.seed)


def measure_knowledge(
    seen: Floats, seen_sizes: Sequence[int], unseen: Floats, unseen_sizes: Sequence[int], subject: Subject
) -> Interval:
    """Compare what the adapter gains on training text with what it gains on held-out text, in bits per byte."""
    border = len(seen)
    gains, sizes = np.concatenate([seen, unseen]), np.concatenate([seen_sizes, unseen_sizes]).astype(float)

    def curve(drawn: np.ndarray) -> float:
        per_byte = gains[drawn] / sizes[drawn]
        return area_under_curve(per_byte[drawn < border], per_byte[drawn >= border])

    def advantage(drawn: np.ndarray) -> float:
        own, other = drawn[drawn < border], drawn[drawn >= border]
        if not len(own) or not len(other):
            return float("nan")
        return float(gains[own].sum() / sizes[own].sum() - gains[other].sum() / sizes[other].sum())

    singles = range(len(gains))
    found = intervals.of_groups(singles, advantage, intervals.RESAMPLES, subject.seed)
    n = len(gains)
    subject.add("memory.gain_on_training_text", found, "bits per byte", n, "neither", "stretches")
    membership = intervals.of_groups(singles, curve, seed=subject.seed)
    subject.add("memory.membership_auc", membership, "area under the curve", n, "nearer 0.5", "stretches")
    return found


def measure_against(subject: Subject, name: str) -> None:
    """Score another voice on this one's held-out text; the base has its rung already."""
    if name == subject.voice.base.id:
        return
    other = read_voice(name)
    require_base(other, subject.voice.base)
    template = ChatTemplate(other.chat_template, end_of_turn=other.end_of_turn)
    encoder = Encoder(subject.encoder.tokenizer, template)
    most = subject.budget.scored_tokens
    stretches = subject.stretches("test", encoder, most)
    model = scoring.load_model(subject.base, other)
    bits = scoring.nats(model, [one.encoded for one in stretches], 1.0) * BITS
    sizes = [one.bytes for one in stretches]
    found = intervals.ratio(bits, sizes, subject.seed)
    subject.findings.rungs[name] = found
    subject.add(f"bits_per_byte.{name}", found, "bits per byte", len(sizes), "lower", "stretches")


def measure_health(subject: Subject) -> None:
    """Write on the held-out prompts, and count what is wrong with what was written."""
    language = language_of([[task.reply for task in subject.tasks]])
    prompts = [task.asked for task in subject.tasks]
    for who in (BASE.name, VOICE.name):
        written = subject.written[who]
        for fault, found in health.faults(written, prompts, subject.voice.kind, language).items():
            share = intervals.mean(found, subject.seed)
            subject.add(f"health.{fault}.{who}", share, "share of texts", len(found), "lower", "texts")
    for who, texts in subject.texts().items():
        subject.metrics[f"health.distinct_2.{who}"] = count(
            health.distinct(texts), "share of pairs of words", len(texts), "neither", "texts"
        )
        subject.metrics[f"health.self_similarity.{who}"] = count(
            health.self_similarity(texts), "cosine", len(texts), "neither", "texts"
        )
    together = side_by_side(subject)
    subject.findings.shown = together[:: max(1, len(together) // SHOWN)][:SHOWN]
    speed = [one.new_tokens / one.seconds for one in subject.written[VOICE.name] if one.seconds]
    together_speed = f"tokens per second and text, {WORKERS} texts at a time"
    subject.add("cost.writing", intervals.mean(speed, subject.seed), together_speed, len(speed), "higher", "texts")


def side_by_side(subject: Subject) -> list[SideBySide]:
    """Put what was written on each prompt together."""
    made = subject.texts()
    rows = zip(subject.tasks, made[BASE.name], made[VOICE.name], strict=True)
    return [SideBySide(task.asked, base, voice, task.reply) for task, base, voice in rows]


def measure_likeness(subject: Subject) -> None:
    """Ask a verifier how probable the author is of real, base's and voice's texts, and how well they can be told."""
    material = subject.material
    others = gather(material.voice, material.training)
    others[IMITATION] = [messages_of(one.text) for one in subject.written[IMITATION]]
    subject.findings.others = list(others)
    texts = {who: [messages_of(text) for text in made] for who, made in subject.texts().items()}
    size = _piece_size(SIZES[material.voice.kind], texts["real"])
    own = cut_to_learn(own_writing(material.training), size)
    learned = {name: cut_to_learn(writing, size) for name, writing in others.items()}
    verifier = train_verifier(own, learned, subject.seed, most=subject.budget.pieces)
    delta = fit_delta({"author": own.pieces, **{name: other.pieces for name, other in learned.items() if other.pieces}})
    scores: dict[str, Floats] = {}
    for who, talks in texts.items():
        pieces = cut(talks, size).pieces
        scores[who] = verifier.probabilities(pieces)
        better: Better = "neither" if who != VOICE.name else "higher"
        likeness = intervals.mean(scores[who], subject.seed)
        subject.add(f"likeness.{who}", likeness, "probability of the author", len(pieces), better, "pieces")
        off = intervals.mean([delta.distances(piece)["author"] for piece in pieces], subject.seed)
        subject.add(f"delta.{who}", off, "Burrows's Delta to the author", len(pieces), "lower", "pieces")
    for who in (BASE.name, VOICE.name):
        found = discriminability(texts["real"], texts[who], subject.seed)
        n = 2 * len(subject.tasks)
        subject.add(f"real_or_generated_auc.{who}", found, "area under the curve", n, "nearer 0.5", "texts")


def _piece_size(size: Size, real: Sequence[Sequence[str]]) -> Size:
    """Make bundles smaller where full ones would be too few to tell anything."""
    if size.messages is None:
        return size
    total = sum(map(len, real))
    return size._replace(messages=max(LEAST_BUNDLE, min(size.messages, total // LEAST_BUNDLES)))


def measure_distances(subject: Subject) -> None:
    """Compare lengths, marks, emoji and words with the real ones, and real ones with each other."""
    texts = subject.texts()
    kind = subject.voice.kind
    earlier = [task.reply for task in spread(tasks(subject.material.training, kind), len(subject.tasks))]
    for who, made in {**texts, "real": earlier}.items():
        for name, found in distances.distances(made, texts["real"], kind, subject.seed).items():
            subject.add(f"distance.{name}.{who}", found, "0 alike, 1 nothing shared", len(made), "lower", "texts")
    for who, made in texts.items():
        subject.findings.message_lengths[who] = [n for text in made for n in distances.message_lengths(text)]


def measure_copying(subject: Subject) -> None:
    """Find the training text in what was written, and in what was really written; probe for personal data."""
    training = [" ".join(talk) for talk in own_writing(subject.material.training)]
    source = index_source(training)
    texts = subject.texts()
    for who, made in texts.items():
        sizes = [len(words(text)) for text in made]
        for run in RUNS:
            share = intervals.ratio([source.copied_words(text, run) for text in made], sizes, subject.seed)
            name, unit = f"copied.{run}_words.{who}", f"share of words in verbatim runs of {run}"
            subject.add(name, share, unit, len(made), "lower", "texts")
    nearest = [(text, source.nearest(text)) for text in texts[VOICE.name]]
    ranked = sorted(nearest, key=lambda pair: (-pair[1].longest_run, -pair[1].share))
    subject.findings.parroted = [pair for pair in ranked[:5] if pair[1].longest_run]
    longest = intervals.mean([found.longest_run >= COPIED for _, found in nearest], subject.seed)
    unit = f"share of texts with {COPIED} words or more verbatim"
    subject.add("copied.texts", longest, unit, len(nearest), "lower", "texts")
    everything = [message.content for example in subject.material.training for message in example.messages]
    inputs = [m.content for example in subject.material.training for m in example.messages if m.role == "user"]
    found = {
        "inputs": probes.counted(inputs),
        "targets": probes.counted(training),
        "repeated": probes.repeated(texts[VOICE.name], everything),
    }
    for where, kinds in found.items():
        subject.metrics[f"personal_data.{where}"] = count(
            kinds.total(), "found by pattern", len(everything), "lower", "messages"
        )


def measure_forgetting(subject: Subject) -> None:
    """Score general texts with and without the adapter."""
    names = list(forgetting.GENERAL) if subject.budget.ranked else [f"general-{subject.findings.language}"]
    for name in names:
        for rung in (BASE, VOICE):
            found = forgetting.bits_per_byte(subject.model, subject.encoder, rung.voice_scale, name)
            n = len(forgetting.paragraphs(name))
            subject.add(f"forgotten.{name}.{rung.name}", found, "bits per byte", n, "lower", "paragraphs")


def measure_topic(subject: Subject) -> None:
    """Find prompts by what was written on them; rank true replies among twenty."""
    if subject.voice.kind == "dialogue":
        if not subject.budget.ranked:
            raise EvaluationError("ranking replies takes longer than --fast allows", "evaluate without --fast")
        chosen = spread(subject.tasks, subject.budget.ranked)
        replies = [task.reply for task in chosen]
        for rung, encoder in ((BASE, subject.plain), (VOICE, subject.encoder)):
            shares = topicality.true_reply_ranks(subject.model, encoder, chosen, replies, rung.voice_scale)
            found = intervals.mean(shares, subject.seed)
            unit = f"share of {len(replies) - 1} other replies ranked below the true one"
            subject.add(f"topic.true_reply.{rung.name}", found, unit, len(shares), "higher", "prompts")
        return
    prompts = [task.asked for task in subject.tasks]
    if len(prompts) < topicality.CANDIDATES:
        raise EvaluationError(
            f"{len(prompts)} held-out prompts, and {topicality.CANDIDATES} are needed", "train on a larger corpus"
        )
    for who, texts in subject.texts().items():
        right = topicality.found_prompts(prompts, texts)
        unit = f"share of texts whose prompt is found among {topicality.CANDIDATES}"
        subject.add(
            f"topic.prompt_found.{who}", intervals.mean(right, subject.seed), unit, len(right), "higher", "texts"
        )


def measure_dial(subject: Subject) -> None:
    """Turn the voice up from nothing to one and a half, and recommend the best setting for held-out text."""
    if not subject.budget.dial_tokens:
        raise EvaluationError("the dial takes longer than --fast allows", "evaluate without --fast")
    stretches = subject.stretches("test", subject.encoder, subject.budget.dial_tokens)
    sizes = [one.bytes for one in stretches]
    general = f"general-{subject.findings.language}"
    for scale in DIAL:
        bits = scoring.nats(subject.model, [one.encoded for one in stretches], scale) * BITS
        own = float(bits.sum() / sum(sizes))
        forgotten = forgetting.bits_per_byte(subject.model, subject.encoder, scale, general)
        subject.findings.dial.append(DialPoint(scale, own, forgotten.value))
    best = min(subject.findings.dial, key=lambda point: point.own)
    subject.metrics["dial.recommended"] = count(best.voice_scale, "voice_scale", len(sizes), "neither", "stretches")
