"""``manera runs``: trainings that were broken off."""

from typing import TYPE_CHECKING

from manera.cli import console
from manera.errors import TrainingError

if TYPE_CHECKING:
    from manera.training.checkpoint import Checkpoint


def show_runs(as_json: bool) -> None:
    """List the unfinished runs, and how far they are."""
    from manera.training import checkpoint

    found = checkpoint.unfinished()
    if as_json:
        listed = [{"voice": one.voice, **_described(one)} for one in found]
        console.result({"runs": listed})
        return
    if not found:
        console.say("there is no unfinished run")
        return
    rows = [(one.voice, *("-" if fact is None else fact for fact in _described(one).values())) for one in found]
    console.show_table(("voice", "step", "of", "held-out loss", "base", "hours"), rows)


def remove_run(name: str) -> None:
    """Forget an unfinished run; raise TrainingError where there is none, or it is being trained."""
    from manera.training import checkpoint

    folder = checkpoint.run_folder(name)
    if not folder.exists():
        raise TrainingError(f"there is no unfinished run {name!r}", "manera runs lists them")
    with checkpoint.alone(folder):
        checkpoint.remove_all(folder)
    console.say(f"the unfinished run {name!r} is removed")


def _described(found: "Checkpoint") -> dict[str, object]:
    last = found.steps[-1]
    lowest = found.position.lowest
    return {
        "step": last.step,
        "steps": last.steps,
        "held_out_loss": None if lowest is None else round(lowest, 3),
        "base": found.origin.base.id,
        "hours": round(found.seconds / 3600, 2),
    }
