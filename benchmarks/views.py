"""What asking for posts in several ways is worth where there are few: ``python benchmarks/views.py CORPUS``.

    manera import examples/channel-ru --to build/channel
    python benchmarks/views.py build/channel --posts 50 100 200 400 --save

With each number of posts two voices make the same steps over the same text: one asked by topic alone, one in several
views. Each is kept at its best point on validation text. Held-out posts are then scored as asked by topic, by key words
and by their opening. On these three texts are written, unless ``--texts 0``. What is obeyed of them: how many are about
their own prompt among twenty, and how many begin as they were told to.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

import machine
from manera import config

MEASURED = ("topic", "key words", "opening")
TITLES = ("posts", "views", "steps", *(f"bits/byte, {view}" for view in MEASURED))
TEXTS = 40


def main() -> None:
    """Print a row for each number of posts and views, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--posts", nargs="+", type=int, default=[50, 100, 200, 400])
    parser.add_argument("--views", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--epochs", type=float, help="passes over the text; by default as manera train")
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    print("  ".join(f"{title:>20}" for title in (*TITLES, *(f"obeyed, {view}" for view in MEASURED))))
    found = [
        curve_point(asked, posts, views, seed) for posts in asked.posts for seed in asked.seeds for views in asked.views
    ]
    document = {"benchmark": "views", "corpus": asked.corpus.name, "points": found}
    machine.tell(document | machine.described("torch", "transformers"), "views" if asked.save else None)


def curve_point(asked: argparse.Namespace, posts: int, views: int, seed: int) -> dict[str, Any]:
    """Train one voice, score it, let it write, and print its row."""
    from manera.bases import base_model
    from manera.corpus.storage import open_corpus
    from manera.evaluation.measures.spread import spread
    from manera.training.asking import with_views
    from manera.training.fitting import fit
    from manera.training.instructions import maker
    from manera.training.material import gather, pack_again
    from manera.training.settings import TrainingConfig
    from manera.training.setup import set_up_material

    settings = TrainingConfig(views=views, epochs=asked.epochs, seed=seed, compile="off")
    base = base_model.prepare()
    material = gather(open_corpus(asked.corpus), asked.speaker, base, None)
    dataset = material.dataset
    few = {**dataset.examples, "train": spread(dataset.examples["train"], posts)}
    material = pack_again(replace(material, dataset=replace(dataset, examples=few)))
    with TemporaryDirectory() as folder:
        material = with_views(
            material, settings, maker(Path(folder), _asking(base, Path(folder)) if views > 4 else None)
        )
    setup = set_up_material(material, settings)
    rows, kept = setup.material.dataset.rows, dict[str, Any]()

    def keep(step: Any) -> None:
        kept.update(state=setup.method.state(setup.model), step=step.step)

    steps = list(fit(setup.model, rows["train"], rows["validation"], setup.planned, keep))
    setup.method.load_state(setup.model, kept["state"])
    found: dict[str, Any] = {
        "posts": len(few["train"]),
        "views": views,
        "seed": seed,
        "questions": material.questions,
        "steps": len(steps),
        "kept_step": kept["step"],
        "tokens": sum(step.tokens for step in steps),
    }
    tests = held_out(material)
    found |= {f"bits_per_byte.{view}": round(_bits_per_byte(setup, made), 4) for view, made in tests.items()}
    if asked.texts:
        found |= obedience(setup, kept["state"], {view: spread(made, asked.texts) for view, made in tests.items()})
    shown = [found["posts"], views, f"{found['kept_step']} of {len(steps)}"]
    shown += [found[f"bits_per_byte.{view}"] for view in MEASURED]
    shown += [found.get(f"obeyed.{view}", "-") for view in MEASURED]
    print("  ".join(f"{cell:>20}" for cell in shown), flush=True)
    return found


def _asking(base: Path, folder: Path) -> Any:
    from manera.cli.instructing import asking
    from manera.training.settings import TrainingConfig

    return asking(TrainingConfig(), base, folder)


def held_out(material: Any) -> dict[str, list[Any]]:
    """Return held-out posts as they are asked for in each view; those that have all of them."""
    from manera.dataset.views import views
    from manera.records import Message

    made = [*material.dataset.examples["test"], *material.dataset.examples["validation"]]
    ways = views([example.targets[0] for example in made], {})
    complete = [(example, way[0], way[2]) for example, way in zip(made, ways, strict=True) if way[0] and way[2]]

    def asked(example: Any, view: str) -> Any:
        message = Message("user", material.instruction.replace("{topic}", view))
        return msgspec.structs.replace(example, messages=(message, *example.messages[1:]))

    return {
        "topic": [example for example, *_ in complete],
        "key words": [asked(example, key_words) for example, key_words, _ in complete],
        "opening": [asked(example, opening) for example, _, opening in complete],
    }


def _bits_per_byte(setup: Any, made: Sequence[Any]) -> float:
    from manera.dataset.packing import pack
    from manera.model import packed

    material = setup.material
    encoded = [material.encoder.example(example) for example in made]
    encoded = [one for one in encoded if len(one.input_ids) <= material.max_length]
    size = sum(len(material.encoder.decode([i for i in one.labels if i >= 0]).encode()) for one in encoded)
    with setup.method.measuring(setup.model, True):
        nll = packed.measure(setup.model, pack(encoded, material.max_length), 2)
    return float(nll.bits_per_byte(size))


def obedience(setup: Any, state: Any, asked: dict[str, Sequence[Any]]) -> dict[str, float]:
    """Let a voice write on held-out prompts; say how many texts are about their own, or begin as told."""
    from manera.bases import base_model
    from manera.evaluation.measures.prompt_matching import found_prompts
    from manera.evaluation.writing import write_all
    from manera.generation.llama_cpp import open_engine
    from manera.text.words import words
    from manera.voice import adapter
    from manera.voice.folder import ADAPTER_GGUF
    from manera.voice.manifest import Sampling

    material, found = setup.material, dict[str, float]()
    sampling = Sampling(max_new_tokens=120)
    with TemporaryDirectory() as folder:
        adapter.write(state, Path(folder), setup.recipe(1, 1), material.base)
        adapters = {"voice": Path(folder) / ADAPTER_GGUF}
        with open_engine(material.base / base_model.GGUF, adapters, slots=4) as engine:
            for view, examples in asked.items():
                prompts = [material.encoder.prompt(example.messages[:1]) for example in examples]
                texts = [one.text for one in write_all(engine, prompts, sampling, {"voice": 1.0}, 4)]
                told = [example.messages[0].content.partition(": ")[2] for example in examples]
                if view == "opening":
                    begun = [
                        words(text)[: len(words(one))] == words(one) for text, one in zip(texts, told, strict=True)
                    ]
                    found[f"obeyed.{view}"] = round(sum(begun) / len(begun), 3)
                else:
                    right = found_prompts(told, texts)
                    found[f"obeyed.{view}"] = round(sum(right) / max(1, len(right)), 3)
    return found


if __name__ == "__main__":
    config.let_threads_sleep()
    config.use_large_pages()
    main()
