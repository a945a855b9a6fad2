"""How well a voice says plain drafts in its manner: ``python benchmarks/rewrite.py VOICE``.

    manera import examples/channel-ru --to build/channel
    manera train build/channel --name channel --rewrite
    python benchmarks/rewrite.py channel --save

Drafts are plain paragraphs about other things (``benchmarks/texts``, or a file of your own), and notes of held-out
posts, of which the person's own way to say them is known. Each is rewritten in one try and in the best of several. Told
are the similarity of meanings (to the draft; to what the person wrote), names and numbers kept and added, and likeness:
how probable the person is to a verifier that reads all of it, 0 to 1. Drafts themselves and real text stand beside.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import machine
from manera import config

TEXTS = Path(__file__).parent / "texts"
TITLES = ("what", "texts", "similarity", "to the person's", "kept", "added", "likeness")


def main() -> None:
    """Rewrite, print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--drafts", type=Path, help="paragraphs with blank lines between them")
    parser.add_argument("--held-out", type=int, default=12, help="of how many held-out posts notes are rewritten")
    parser.add_argument("--tries", nargs="+", type=int, default=[1, 6])
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--show", action="store_true", help="print what was written")
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    print("  ".join(f"{title:>24}" for title in TITLES))
    rows = list(measured(asked))
    document = {"benchmark": "rewrite", "voice": asked.voice, "rows": rows}
    machine.tell(document | machine.described("torch", "xllamacpp"), "rewrite" if asked.save else None)


def measured(asked: argparse.Namespace) -> Any:
    """Yield a row for each set of drafts and number of tries."""
    from manera.dataset.notes import notes
    from manera.evaluation.judge import train_judge
    from manera.evaluation.measures.spread import spread
    from manera.evaluation.other_authors import find_others
    from manera.evaluation.rewriting import likeness_by
    from manera.evaluation.voice_dataset import read_dataset
    from manera.generation.opening import open_voices
    from manera.generation.rewriting import TEMPERATURE, require_rewriting, rewrite
    from manera.retrieval.sentences import embed
    from manera.text.languages import language_of
    from manera.voice.manifest import read_voice

    voice = read_voice(asked.voice)
    rewriting, dataset = require_rewriting(voice), read_dataset(voice)
    judge = train_judge(dataset.training, find_others(voice, dataset.training), voice.kind, [], 500)

    def likeness(texts: Sequence[str]) -> float:
        pieces = judge.pieces(texts)
        return float(judge.verifier.probabilities(pieces).mean()) if pieces else float("nan")

    own = spread([target for example in dataset.test for target in example.targets], asked.held_out)
    path = asked.drafts or TEXTS / f"drafts-{language_of(own)}.txt"
    sets = {
        "plain drafts": (path.read_text("utf-8").strip().split("\n\n"), None),
        "notes of held-out posts": ([notes(text) for text in own], own),
    }
    yield row("real posts", own, likeness=likeness(own))
    with open_voices([asked.voice], print) as ready:
        writer = ready.writers[asked.voice]
        choosing = likeness_by(voice)
        for name, (drafts, real) in sets.items():
            yield row(name, drafts, likeness=likeness(drafts))
            for tries in asked.tries:
                sampling = msgspec.structs.replace(
                    writer.sampling, drafts=tries, seed=1, temperature=asked.temperature or TEMPERATURE
                )
                found = [list(rewrite(ready.engine, writer, rewriting, draft, sampling, choosing)) for draft in drafts]
                texts = ["\n".join(one.text for one in passages) for passages in found]
                if asked.show:
                    print(*(f"{draft}\n    -> {text}" for draft, text in zip(drafts, texts, strict=True)), sep="\n")
                flat = [passage for passages in found for passage in passages]
                yield row(
                    f"{name}, best of {tries}",
                    drafts,
                    similarity=statistics.mean(one.similarity for one in flat),
                    to_person=float((embed(texts) * embed(real)).sum(axis=1).mean()) if real else None,
                    kept=sum(len(one.kept) for one in flat) / sum(len(one.kept) + len(one.lost) for one in flat),
                    added=sum(len(one.added) for one in flat) / len(flat),
                    likeness=likeness(texts),
                )


def row(what: str, texts: Sequence[str], **figures: float | None) -> dict[str, Any]:
    """Print a row of the table and return it."""
    names = ("similarity", "to_person", "kept", "added", "likeness")
    found = {name: None if (value := figures.get(name)) is None else round(value, 3) for name in names}
    cells = ["-" if value is None else value for value in found.values()]
    print("  ".join(f"{cell:>24}" for cell in (what, len(texts), *cells)), flush=True)
    return {"what": what, "texts": len(texts), **found}


if __name__ == "__main__":
    config.let_threads_sleep()
    config.use_large_pages()
    main()
