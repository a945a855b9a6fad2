"""Is it only repeating: the training text in what was written, with the guard and without."""

from collections.abc import Iterator

from manera.evaluation.measures import intervals
from manera.evaluation.measures.copying import COPIED, RUNS, Source
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import UNGUARDED, VOICE
from manera.evaluation.written import Answers
from manera.text.words import words

SHOWN = 5


def measure(answers: Answers, source: Source, seed: int) -> Iterator[Metric | Findings]:
    """Find verbatim runs of the training text in what was written, and in what was really written."""
    texts, groups = answers.texts(), answers.conversations
    unguarded = {UNGUARDED: answers.texts_of(UNGUARDED)} if UNGUARDED in answers.written else {}
    for who, made in {**texts, **unguarded}.items():
        n, sizes = len(made), [len(words(text)) for text in made]
        for run in RUNS:
            share = intervals.ratio([source.copied_words(text, run) for text in made], sizes, seed, groups)
            yield metric(f"copied.{run}_words.{who}", share, "share_of_words_in_runs", n, "lower", "texts", words=run)
        has_copied = intervals.share([source.copied_words(text, COPIED) > 0 for text in made], seed, groups)
        yield metric(f"copied.texts.{who}", has_copied, "share_of_texts_with_a_run", n, "lower", "texts", words=COPIED)
    nearest = [(text, source.nearest(text)) for text in texts[VOICE.name]]
    ranked = sorted(nearest, key=lambda pair: (-pair[1].longest_run, -pair[1].share))
    yield Findings(repeated=[pair for pair in ranked[:SHOWN] if pair[1].longest_run])
    guarded = intervals.share([one.guarded > 0 for one in answers.written[VOICE.name]], seed, groups)
    yield metric("guard.stepped_in", guarded, "share_of_guarded_texts", len(nearest), "neither", "texts")
