"""Does it write like the author, by a verifier and by Burrows's Delta."""

from collections.abc import Iterator

from manera.evaluation.judge import Judge
from manera.evaluation.measures.verifier import likeness_of, over_pieces
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Better, Metric, metric
from manera.evaluation.rungs import RUNGS, VOICE
from manera.evaluation.written import Answers


def measure(judge: Judge, answers: Answers, seed: int) -> Iterator[Metric | Findings]:
    """Say how like the author it is what was written on each rung, and what the author wrote."""
    yield Findings(others=judge.others)
    by_rung = {rung.name: answers.texts_of(rung.name) for rung in RUNGS}
    real = [task.reply for task in answers.tasks]
    for who, made in {"real": real, **{rung: made for rung, made in by_rung.items() if made}}.items():
        pieces = judge.pieces(made)
        n = len(pieces)
        better: Better = "higher" if who.startswith(VOICE.name) else "neither"
        likeness = likeness_of(judge.verifier, pieces, len(made))
        yield metric(f"likeness.{who}", likeness, "probability_of_the_author", n, better, "pieces")
        off = over_pieces([judge.delta.distances(piece)["author"] for piece in pieces], seed)
        yield metric(f"delta.{who}", off, "burrows_delta", n, "lower", "pieces")
