"""The dial: the voice turned up from nothing to one and a half."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import nn

from manera.dataset.encoding import Encoder
from manera.evaluation import general_text
from manera.evaluation.asked import Prompts, Task
from manera.evaluation.judge import Judge
from manera.evaluation.measures import intervals
from manera.evaluation.measures.copying import RUNS, Source
from manera.evaluation.measures.verifier import likeness_of
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.scoring import bits
from manera.evaluation.stretches import Stretch
from manera.evaluation.writing import Writer
from manera.text.words import words

DIAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def scored(
    stretches: Sequence[Stretch], encoder: Encoder, model: nn.Module, language: str, seed: int
) -> Iterator[Metric]:
    """Score held-out and general text at every setting, and recommend the one at which held-out text is likeliest."""
    n, sizes = len(stretches), [one.bytes for one in stretches]
    groups = [one.conversation for one in stretches]
    found = np.array([bits(model, [one.encoded for one in stretches], scale) for scale in DIAL])
    general = f"general-{language}"
    for scale, own in zip(DIAL, found, strict=True):
        per_byte = intervals.ratio(own, sizes, seed, groups)
        yield metric(f"dial.bits_per_byte.{scale:g}", per_byte, "bits_per_byte", n, "lower", "stretches")
        forgotten = general_text.bits_per_byte(model, encoder, scale, general)
        count = len(general_text.paragraphs(general))
        yield metric(f"dial.forgotten.{scale:g}", forgotten, "bits_per_byte", count, "lower", "paragraphs")
    of_each = np.array([found[:, np.equal(groups, group)].sum(-1) for group in np.unique(groups)]).T
    best = intervals.statistic(
        of_each.shape[1], lambda drawn: np.array(DIAL)[of_each[:, drawn].sum(-1).argmin(0)], seed
    )
    yield metric("dial.recommended", best, "voice_scale", n, "neither", "stretches")


def write(tasks: Sequence[Task], prompts: Prompts, encoder: Encoder, writer: Writer) -> dict[float, list[str]]:
    """Write on tasks at every setting, without the guard, which would hide what leaks."""
    encoded = prompts.of(encoder, tasks)
    with writer.open_engine() as engine:
        return {scale: [one.text for one in writer.write(engine, scale, encoded)] for scale in DIAL}


def judged(
    written: Mapping[float, Sequence[str]], tasks: Sequence[Task], judge: Judge, source: Source, seed: int
) -> Iterator[Metric]:
    """Say how like the author it is what was written at each setting, and how much of it is copied."""
    groups, run = [task.conversation for task in tasks], RUNS[0]
    for scale, texts in written.items():
        pieces = judge.pieces(texts)
        likeness = likeness_of(judge.verifier, pieces, len(texts))
        name, unit = f"dial.likeness.{scale:g}", "probability_of_the_author"
        yield metric(name, likeness, unit, len(pieces), "higher", "pieces")
        copied = [source.copied_words(text, run) for text in texts]
        share = intervals.ratio(copied, [len(words(text)) for text in texts], seed, groups)
        name, unit = f"dial.copied.{scale:g}", "share_of_words_in_runs"
        yield metric(name, share, unit, len(texts), "lower", "texts", words=run)
