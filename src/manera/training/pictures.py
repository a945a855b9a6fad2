"""A run as people look at it: its losses as a picture, and in TensorBoard."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manera import drawing
from manera.errors import TrainingError
from manera.records import TrainingStep

MAX_POINTS = 300


def losses(steps: Sequence[TrainingStep]) -> str:
    """Draw the losses of a run as an SVG file: of the training text, and of held-out text where it was scored."""
    every = -(-len(steps) // MAX_POINTS)
    thinned = [(float(step.step), step.loss) for step in steps[::-1][::every]][::-1]
    scored = [(float(step.step), step.validation_loss) for step in steps if step.validation_loss is not None]
    series = {"training": thinned} | ({"held-out": scored} if scored else {})
    title = "nats per token: training text grey, held-out text red"
    return drawing.standalone(drawing.curves(series, title, title + "; step"))


@contextmanager
def told_to_tensorboard(folder: str | None) -> Iterator[Callable[[TrainingStep], None]]:
    """Lend what writes steps for TensorBoard, if a folder is given; raise TrainingError where it is not installed."""
    if folder is None:
        yield lambda step: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("TensorBoard is not installed", "pip install 'manera[tensorboard]'") from error
    writer = SummaryWriter(Path(folder))

    def tell(step: TrainingStep) -> None:
        writer.add_scalar("loss/training", step.loss, step.step)
        writer.add_scalar("learning_rate", step.learning_rate, step.step)
        writer.add_scalar("tokens_per_second", step.tokens / step.seconds, step.step)
        if step.validation_loss is not None:
            writer.add_scalar("loss/held_out", step.validation_loss, step.step)

    try:
        yield tell
    finally:
        writer.close()
