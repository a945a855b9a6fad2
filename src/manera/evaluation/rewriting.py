"""How like the person it is what a voice made of a draft."""

from collections.abc import Callable, Sequence

from manera.dataset.examples import messages_of
from manera.evaluation.budget import FAST
from manera.evaluation.judge import train_judge
from manera.evaluation.other_authors import find_others
from manera.evaluation.voice_dataset import read_dataset
from manera.voice.manifest import Voice


def likeness_by(voice: Voice) -> Callable[[Sequence[str]], Sequence[float]]:
    """Learn to tell the person from others, and return who says of texts how probable the person is.

    Of one short text that is a weak sign, good to choose among tries by. Raises NotMeasuredError.
    """
    training = read_dataset(voice).training
    judge = train_judge(training, find_others(voice, training), voice.kind, [], FAST.pieces)

    def likeness(texts: Sequence[str]) -> Sequence[float]:
        found: list[float] = judge.verifier.probabilities([messages_of(text) for text in texts]).tolist()
        return found

    return likeness
