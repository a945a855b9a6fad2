"""Which of these two is real? A held-out text beside one that was written just now, until somebody has voted.

games/<id>/order.json     Game
"""

import random
import shutil
import time

import msgspec

from manera.dataset.examples import LINE_BREAK
from manera.errors import JobError, ManeraError
from manera.evaluation.asked import Task, tasks
from manera.evaluation.measures.intervals import wilson
from manera.evaluation.voice_dataset import read_part
from manera.files import replacing_folder
from manera.jobs.folder import (
    ORDER,
    Tenant,
    UnknownJobError,
    find_folder,
    job_folders,
    jobs_folder,
    new_id,
    read_record,
    write_record,
)  # fmt: skip
from manera.jobs.preferences import keep_preference, keep_vote, votes_on
from manera.records import Message
from manera.voice.folder import is_there
from manera.voice.manifest import Voice

GAMES = "games"
SECONDS_KEPT = 24 * 3600


class Game(msgspec.Struct, frozen=True):
    """Two texts on one prompt; real: which of them the person wrote."""

    tenant: Tenant
    created_ns: int
    voice: str
    messages: tuple[Message, ...]
    texts: tuple[str, str]
    real: int


class Shown(msgspec.Struct, frozen=True):
    """A game as it is played."""

    id: str
    asked: str
    texts: list[str]


class Voted(msgspec.Struct, frozen=True):
    """What a vote told. votes and accuracy with its 95 % interval: of all votes on this voice; half is a guess."""

    real: int
    right: bool
    votes: int
    accuracy: float
    low: float
    high: float


def drawn_task(voice: Voice) -> Task:
    """Draw a held-out turn; raise JobError where there is none."""
    try:
        found = tasks(read_part(voice, "test"), voice.kind)
    except ManeraError as error:
        raise JobError(error.message, error.hint) from error
    if not found:
        raise JobError("no held-out text of this voice can be guessed at", "train it on more of what they wrote")
    return random.SystemRandom().choice(found)


def begin_game(tenant: Tenant, voice: Voice, task: Task, written: str) -> Shown:
    """Put both texts in a drawn order."""
    _sweep()
    real, other = task.reply.replace(LINE_BREAK, "\n").strip(), written.strip()
    if voice.kind == "continuation":  # of both, as many words: one may be cut anywhere
        words = min(len(real.split()), len(other.split()))
        real, other = (" ".join(text.split()[:words]) for text in (real, other))
    place = random.SystemRandom().randrange(2)
    texts = (real, other) if place == 0 else (other, real)
    game = Game(tenant, time.time_ns(), voice.name, task.messages, texts, place)
    id = new_id()
    with replacing_folder(jobs_folder(GAMES) / id) as new:
        write_record(new / ORDER, game)
    return Shown(id, task.asked, list(texts))


def vote(id: str, tenant: Tenant, choice: int) -> Voted:
    """Take a vote, once; what was taken for real is also a preference. Raises UnknownJobError."""
    folder = find_folder(GAMES, id)
    game = read_record(folder / ORDER, Game)
    if game is None or game.tenant != tenant or not is_there(game.voice):
        raise UnknownJobError(f"there is nothing called {id!r} in {GAMES}")
    shutil.rmtree(folder)
    keep_vote(game.voice, choice == game.real)
    keep_preference(game.voice, tenant, game.messages, game.texts[choice], game.texts[1 - choice], "game")
    votes = votes_on(game.voice)
    accuracy = wilson(sum(votes) / len(votes), len(votes))
    return Voted(game.real, choice == game.real, len(votes), *accuracy)


def _sweep() -> None:
    """Remove games that nobody has finished."""
    oldest = time.time_ns() - SECONDS_KEPT * 10**9
    for folder in job_folders(GAMES):
        game = read_record(folder / ORDER, Game)
        if game is None or game.created_ns < oldest:
            shutil.rmtree(folder, ignore_errors=True)
