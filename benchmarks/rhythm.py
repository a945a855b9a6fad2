"""How near a learned rhythm comes to when people really write: ``python benchmarks/rhythm.py``.

    python benchmarks/rhythm.py [EXPORT ...] [--irc FOLDER] [--save]

Learned from the first four fifths of somebody's turns, measured on the last: the bundled chat, and every speaker of the
exports that are named who has enough. The peer is the usual rule of such bots: 1.5 to 3.5 seconds, a message for each
sentence. The floor is how far real turns are from real ones: the held-out turns' two halves (every other turn), and as
many turns just before. Gap: the largest of the cumulative shares; W1: Wasserstein's distance, of log seconds for waits.

--irc: a copy of github.com/jkkummerfeld/irc-disentanglement (CC BY 4.0), days of #ubuntu, for want of free exports of a
group: whether its most talkative people speak, within five minutes and three messages of others, in the last fifth of
their time. Rules: when named or replied to; when they wrote in the last five minutes; always. Its times are whole
minutes, so its waits are not measured.
"""

import argparse
import re
from calendar import timegm
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

import numpy as np
from scipy.stats import wasserstein_distance

import machine
from manera.evaluation.measures import intervals
from manera.evaluation.measures.distances import Floats, gap
from manera.evaluation.parts.rhythm import drawn_waits
from manera.records import Utterance
from manera.rhythm import learning, pace
from manera.rhythm.record import Rhythm
from manera.sources.reading import read

EXAMPLE = Path(__file__).parents[1] / "examples" / "chat-ru"
SEED = 20
DRAWS = 20
PEOPLE = 6
IRC_LINE = re.compile(r"\[(\d\d):(\d\d)\] <([^>]+)> (.+)")
IRC_BOTS = frozenset({"ubottu", "ubotu", "ubot3", "ubottu`"})
SENTENCE = re.compile(r"(?<=[.!?…])\s+")
DAY = 86_400

Numbers = Sequence[float] | Floats


class Group(NamedTuple):
    """Decisions that were held out, 1 for yes: what each rule says, what was right, and on which day it was."""

    learned: list[float]
    named: list[float]
    active: list[float]
    spoke: list[float]
    days: list[int]

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            for column, value in zip(cast("tuple[list[Any], ...]", self), row, strict=True):
                column.append(value)


def utterances(paths: Sequence[Path]) -> list[Utterance]:
    return [record for record in read(paths) if isinstance(record, Utterance)]


def irc(folder: Path) -> Iterator[Utterance]:
    """Yield what was said on each day; the hours after midnight are the next day's."""
    for path in sorted(folder.glob("data/*/*.raw.txt"), key=lambda path: path.name):
        date = re.match(r"\d{4}-\d\d-\d\d", path.name)
        if not date:
            continue
        day, last = timegm(datetime.fromisoformat(date[0]).timetuple()), 0
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines()):
            if said := IRC_LINE.match(line):
                minute = 60 * int(said[1]) + int(said[2])
                day, last = day + DAY * (minute < last - 720), minute
                at = day + 60 * minute
                yield Utterance(said[3], said[3], said[4], path.name, number, "message", "irc", at)


def distances(real: Numbers, other: Numbers, log: bool) -> dict[str, float]:
    one, two = (np.log(np.maximum(values, 0.5)) if log else np.asarray(values, float) for values in (real, other))
    return {"gap": round(gap(np.sort(two), one), 3), "w1": round(float(wasserstein_distance(one, two)), 3)}


def timing(said: Sequence[Utterance], speaker_id: str) -> dict[str, Any] | None:
    """Compare the held-out turns of one speaker with what is drawn, with the usual rule, and with real turns."""
    learned = learning.learn(said, speaker_id)
    if learned is None:
        return None
    rhythm, (held_out, before) = learned.rhythm, (learned.compared.held_out, learned.compared.before)
    rng = Random(SEED)
    answers = [turn for turn in held_out if turn.waited is not None]
    waits = [float(turn.waited or 0) for turn in answers]
    sizes = [len(turn.lengths) for turn in held_out]
    found: dict[str, dict[str, Numbers]] = {
        "waiting": {
            "drawn": drawn_waits(rhythm, answers * DRAWS, rng),
            "usual rule": [rng.uniform(*pace.USUAL) for _ in range(len(waits) * DRAWS)],
            "turns before": [float(turn.waited) for turn in before if turn.waited is not None],
        },
        "bubbles": {
            "drawn": [pace.bubbles(rhythm, rng) for _ in range(len(sizes) * DRAWS)],
            "usual rule": list(sentences(said, speaker_id, held_out[0].at)),
            "turns before": [len(turn.lengths) for turn in before],
        },
    }
    result: dict[str, Any] = {"turns": rhythm.turns, "held_out": len(held_out)}
    for what, real in (("waiting", waits), ("bubbles", [float(size) for size in sizes])):
        log = what == "waiting"
        result[what] = {"halves": distances(real[::2], real[1::2], log)} | {
            name: distances(real, other, log) for name, other in found[what].items()
        }
    return result


def sentences(said: Sequence[Utterance], speaker_id: str, since: int) -> Iterator[int]:
    """Count the messages that a rule would make of each real turn: one for each sentence."""
    for thread in learning.timed_threads(said):
        for turn in learning.turns_of(thread):
            if turn[0].speaker_id == speaker_id and (turn[0].sent_at or 0) >= since:
                yield len(SENTENCE.split(" ".join(message.text for message in turn)))


def group(said: Sequence[Utterance], speaker_id: str) -> Group | None:
    """Ask on every held-out message of others whether they speak."""
    learned = learning.learn(said, speaker_id)
    if learned is None or learned.rhythm.answering is None:
        return None
    since = learned.compared.held_out[0].at
    found = Group([], [], [], [], [])
    for thread in learning.timed_threads(said):
        if learning.is_group_of(thread, speaker_id):
            decisions = learning.decisions(thread, speaker_id)
            found.add(asked(decision, learned.rhythm) for decision in decisions if decision.heard[-1].at >= since)
    return found


def asked(decision: learning.Decision, rhythm: Rhythm) -> tuple[Any, ...]:
    """Return a row of Group."""
    last = decision.heard[-1]
    probability, threshold = pace.speaks(rhythm, decision.heard), rhythm.answering and rhythm.answering.threshold
    is_active = any(said.is_mine and last.at - said.at <= learning.ANSWER_SECONDS for said in decision.heard)
    return (
        float((probability or 0.0) >= (threshold or 0.0)),
        float(last.mentions_me or last.is_reply_to_me),
        float(is_active),
        float(decision.spoke),
        int(last.at) // DAY,
    )


def f1(says: Numbers, right: Numbers) -> float:
    return 2 * float(np.dot(says, right)) / max(float(np.sum(says) + np.sum(right)), 1.0)


def precision(says: Numbers, right: Numbers) -> float:
    return float(np.dot(says, right)) / max(float(np.sum(says)), 1.0)


def recall(says: Numbers, right: Numbers) -> float:
    return float(np.dot(says, right)) / max(float(np.sum(right)), 1.0)


def drawn_again(
    measure: Callable[[Numbers, Numbers], float], says: Floats, right: Floats, drawn: intervals.Indices
) -> float:
    return measure(says[drawn], right[drawn])


MEASURES: dict[str, Callable[[Numbers, Numbers], float]] = {"precision": precision, "recall": recall, "f1": f1}


def scores(found: Group) -> dict[str, Any]:
    """Return precision, recall and F1 of each rule, with intervals over days."""
    right = np.array(found.spoke, float)
    rules = {
        "learned": found.learned,
        "when named": found.named,
        "when active": found.active,
        "always": [1.0] * len(right),
    }
    result: dict[str, Any] = {"decisions": len(right), "spoken": int(right.sum())}
    for rule, says in rules.items():
        said = np.array(says, float)
        result[rule] = {}
        for name, measure in MEASURES.items():
            bounds = intervals.of_groups(found.days, partial(drawn_again, measure, said, right))
            result[rule][name] = [None if np.isnan(part) else round(float(part), 3) for part in bounds]
    return result


def speakers(said: Sequence[Utterance]) -> list[tuple[str, str]]:
    """Return ids and names, the most talkative first."""
    names = {utterance.speaker_id: utterance.speaker for utterance in said}
    counted = Counter(utterance.speaker_id for utterance in said if utterance.speaker not in IRC_BOTS)
    return [(speaker_id, names[speaker_id]) for speaker_id, _ in counted.most_common()]


def timings(paths: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in paths:
        said = utterances([path])
        for speaker_id, name in speakers(said):
            if found := timing(said, speaker_id):
                yield f"{path.name}: {name}", found


def groups(said: Sequence[Utterance]) -> Iterator[tuple[str, dict[str, Any]]]:
    pooled = Group([], [], [], [], [])
    for number, (speaker_id, _) in enumerate(speakers(said)[:PEOPLE]):
        if found := group(said, speaker_id):
            yield f"person {number + 1}", scores(found)
            pooled.add((*row[:-1], row[-1] + number * 10**6) for row in zip(*found, strict=True))
    if pooled.spoke:
        yield "all of them", scores(pooled)


def show_timing(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}: learned from {found['turns']} turns, measured on {found['held_out']}")
    print(f"{'':14}{'waiting gap':>12}{'W1 log s':>10}{'bubbles gap':>13}{'W1':>7}")
    for rule in ("drawn", "usual rule", "turns before", "halves"):
        waiting, bubbles = found["waiting"][rule], found["bubbles"][rule]
        print(f"{rule:14}{waiting['gap']:12.3f}{waiting['w1']:10.3f}{bubbles['gap']:13.3f}{bubbles['w1']:7.3f}")


def show_group(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}: spoke after {found['spoken']:,} of {found['decisions']:,} held-out messages")
    for rule in ("learned", "when named", "when active", "always"):
        cells = (f"{measure} {value:.3f} [{low}, {high}]" for measure, (value, low, high) in found[rule].items())
        print(f"{rule:12}", "  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exports", nargs="*", type=Path)
    parser.add_argument("--irc", type=Path)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    timed = dict(timings([EXAMPLE, *given.exports]))
    for name, found in timed.items():
        show_timing(name, found)
    spoken = dict(groups(list(irc(given.irc)))) if given.irc else {}
    for name, found in spoken.items():
        show_group(name, found)
    result = {
        "benchmark": "rhythm",
        "command": "python benchmarks/rhythm.py" + " EXPORT" * bool(given.exports) + " --irc FOLDER" * bool(given.irc),
        "seed": SEED,
        "timing": timed,
        "groups": spoken,
        **machine.described("numpy"),
    }
    machine.tell(result, "rhythm" if given.save else None)


if __name__ == "__main__":
    main()
