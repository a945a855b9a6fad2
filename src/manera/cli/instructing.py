"""Who makes questions and plain drafts for a training: a server that was named, or the base itself."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from manera.cli import console
from manera.errors import ManeraError
from manera.training.settings import TrainingConfig

if TYPE_CHECKING:
    from manera.clock import Clock
    from manera.training.instructions import Ask
    from manera.voice.instructions import Kind

TOLD_EVERY = 25
NAMED = {"question": "questions that posts answer", "draft": "plain drafts of passages"}


def asking(settings: TrainingConfig, base: Path, run: Path, clock: "Clock | None" = None) -> "Ask":
    """Return who is asked, each time saying first where the text goes; a server that fails loses nothing.

    run: the folder of the unfinished run, where what a server answers is kept.
    """

    def ask(kind: "Kind", texts: Sequence[str]) -> Iterator[str]:
        is_served = settings.instructions_from is not None
        answers = _of_server(settings, run, kind, texts, clock) if is_served else _of_base(base, kind, texts)
        made = 0
        try:
            for answer in answers:
                made += 1
                if made % TOLD_EVERY == 0 or made == len(texts):
                    console.say(f"{made} of {len(texts)} {NAMED[kind]}")
                yield answer
        except ManeraError as error:
            kept = f"{made} of {len(texts)} {NAMED[kind]} are kept: the same command asks for the others"
            raise type(error)(error.message, f"{error.hint}; {kept}" if error.hint else kept) from error

    return ask


def _of_server(
    settings: TrainingConfig, run: Path, kind: "Kind", texts: Sequence[str], clock: "Clock | None"
) -> Iterator[str]:
    from manera.generation import instructing
    from manera.generation.answers import open_answers
    from manera.training.checkpoint import ANSWERS

    url = str(settings.instructions_from)
    server = instructing.find_server(url, settings.instructions_model, clock)
    if server.is_elsewhere:
        console.say(
            f"{len(texts)} texts of the person LEAVE THIS MACHINE now, for {server.model} at {url}: "
            "whoever runs it can read them; Ctrl-C ends it"
        )
    with open_answers(run / ANSWERS) as kept:
        yield from instructing.by_server(server, kept, kind, texts, clock)


def _of_base(base: Path, kind: "Kind", texts: Sequence[str]) -> Iterator[str]:
    from manera.bases import base_model
    from manera.generation import instructing
    from manera.generation.opening import open_base
    from manera.generation.reply import base_writer

    console.say(f"the base itself makes {NAMED[kind]}; a larger model makes better ones: --instructions-from URL")
    encoder = base_writer(base_model.read(base), base_model.load_tokenizer(base)).encoder
    with open_base(base, [], slots=instructing.AT_ONCE) as engine:
        yield from instructing.answers(partial(instructing.by_base, engine, encoder), instructing.AT_ONCE, kind, texts)
