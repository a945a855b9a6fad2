"""Which draft of a reply is best? The weights of the choice, on validation text.

    python benchmarks/sense.py draft VOICE --prompts 14 --drafts 6 > drafts.json
    python benchmarks/sense.py choose drafts.json...

The first writes drafts on a voice's validation prompts and tells how each fits. A person then sets "acceptable" of
each to true or false. The second prints, for shares of what a draft costs apart from its context and for numbers of
drafts, how many of those that would be chosen are acceptable, how long they are, and how many of their words are
invented. Real replies stand beside them, and are never chosen.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import msgspec

from manera.evaluation.asked import tasks
from manera.evaluation.evaluate import SHOWN_MESSAGES
from manera.evaluation.measures.invented import Lexicon, judged
from manera.evaluation.measures.spread import spread
from manera.evaluation.opening import Opened, Options, open_voice
from manera.evaluation.voice_dataset import read_part
from manera.generation.drafting import DraftingEngine, Fit
from manera.generation.engine import Request
from manera.generation.reply import voice_writer, writing
from manera.text.words import count_words

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NUMBERS = (1, 2, 4, 6, 8)


class Draft(msgspec.Struct):
    """One draft, how it fits its context, and whether a person would let it stand there."""

    text: str
    is_whole: bool
    nats: float | None
    nats_apart: float | None
    words: int
    invented: list[str]
    acceptable: bool | None = None

    def score(self, share: float) -> tuple[bool, float]:
        """Order drafts as the engine does."""
        return Fit(self.is_whole, self.nats, self.nats_apart).score(share)


class Asked(msgspec.Struct):
    """A validation prompt, its drafts, and what was really written."""

    asked: list[str]
    real: str
    drafts: list[Draft]


def main() -> None:
    """Write drafts, or choose among them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    draft = commands.add_parser("draft")
    draft.add_argument("voice")
    draft.add_argument("--prompts", type=int, default=14)
    draft.add_argument("--drafts", type=int, default=6)
    draft.add_argument("--temperature", type=float)
    draft.add_argument("--min-p", type=float)
    draft.add_argument("--dry-multiplier", type=float)
    choose = commands.add_parser("choose")
    choose.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "choose":
        for path in given.files:
            print(path.name)
            for row in table(msgspec.json.decode(path.read_bytes(), type=list[Asked])):
                print(row)
        return
    sampled = {name: getattr(given, name) for name in ("temperature", "min_p", "dry_multiplier")}
    opened = open_voice(given.voice, Options(drafts=given.drafts))
    found = list(write(opened, given.prompts, given.drafts, {k: v for k, v in sampled.items() if v is not None}))
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)))


def write(opened: Opened, prompts: int, drafts: int, sampled: dict[str, float]) -> Iterator[Asked]:
    """Write drafts on validation prompts; the same seeds give the same drafts."""
    training = opened.dataset.training
    lexicon = Lexicon(message.content for example in training for message in example.messages)
    asked = spread(tasks(read_part(opened.voice, "validation"), opened.voice.kind), prompts)
    encoded = opened.prompts.of(opened.encoders.voice, asked)
    used = voice_writer(opened.voice, opened.encoders.voice.tokenizer)
    with opened.writer.open_engine() as engine:
        drafting = writing(engine, used)
        assert isinstance(drafting, DraftingEngine)
        for seed, (task, prompt) in enumerate(zip(asked, encoded, strict=True)):
            sampling = msgspec.structs.replace(opened.voice.sampling, seed=seed, **sampled)
            request = Request(prompt, sampling, used.adapters)
            made = []
            for draft in drafting.write(request, drafts, lambda: False):
                text = "".join(token.text for token in draft.tokens)
                fit = drafting.fit(request, draft, lambda: False)
                made.append(Draft(text, *fit, len(judged(text)), lexicon.invented(text)))
            print(f"{seed + 1} of {len(asked)}", file=sys.stderr, flush=True)
            yield Asked([message.content for message in task.messages[-SHOWN_MESSAGES:]], task.reply, made)


def table(found: Sequence[Asked]) -> Iterator[str]:
    """Yield a row for each share and number of drafts: over all ways to draw so many of those that were written."""
    yield "drafts  share  acceptable  words  invented"
    for number in NUMBERS:
        for share in SHARES if number > 1 else SHARES[:1]:
            chosen = [one for asked in found for one in _chosen(asked.drafts, number, share)]
            if not chosen:
                continue
            labelled = [one.acceptable for one in chosen if one.acceptable is not None]
            acceptable = f"{sum(labelled) / len(labelled):10.1%}" if labelled else f"{'-':>10}"
            words = sum(count_words(one.text) for one in chosen) / len(chosen)
            invented = sum(len(one.invented) for one in chosen) / max(1, sum(one.words for one in chosen))
            yield f"{number:6d}  {share:5.2f}  {acceptable}  {words:5.1f}  {invented:8.2%}"


def _chosen(drafts: Sequence[Draft], number: int, share: float) -> Iterator[Draft]:
    for drawn in combinations(drafts, number):
        yield max(drawn, key=lambda one: one.score(share))


if __name__ == "__main__":
    main()
