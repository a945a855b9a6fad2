"""How a person's text is asked for, put to a dataset: in several views of a post, and by plain drafts of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from manera.dataset.building import INSTRUCTION_TOKENS, encode
from manera.dataset.notes import notes
from manera.dataset.rewriting import INSTRUCTIONS, Rewriting, pairs, passages
from manera.dataset.views import VIEWS, views
from manera.errors import TrainingError
from manera.records import Example, Message
from manera.training.instructions import Make
from manera.training.material import Material, pack_again
from manera.training.settings import TrainingConfig

FEW_POSTS = 400
"""Up to so many, ``auto`` asks for each in several ways."""

BY_ITSELF = VIEWS.index("question")
"""How many ways ``auto`` has where no model is named that could write questions."""


def views_of(material: Material, config: TrainingConfig) -> int:
    """Return in how many ways a post is asked for; raise TrainingError where there are no posts."""
    if config.views == "auto":
        is_little = material.kind == "post" and len(material.dataset.examples["train"]) <= FEW_POSTS
        return 1 if not is_little else len(VIEWS) if config.instructions_from else BY_ITSELF
    if config.views > 1 and material.kind != "post":
        raise TrainingError(
            f"views are of posts, and a voice of {material.kind} examples is asked in no instructions",
            "train without --views",
        )
    return config.views


def with_views(material: Material, config: TrainingConfig, make: Make) -> Material:
    """Let each pass over the posts ask for them in another way; what is held out is asked for as before."""
    count = views_of(material, config)
    if count == 1:
        return material
    made = material.dataset.examples["train"]
    texts = [example.targets[0] for example in made]
    questions = make("question", texts) if count == len(VIEWS) else {}
    others = views(texts, questions)
    asked = [_asked(material, example, other[: count - 1]) for example, other in zip(made, others, strict=True)]
    examples = {**material.dataset.examples, "train": asked}
    changed = replace(material, dataset=replace(material.dataset, examples=examples), questions=len(questions))
    return pack_again(changed)


def _asked(material: Material, example: Example, others: Sequence[str | None]) -> Example:
    """Give an example its other ways; where it has none, or they do not fit, it is asked for by its topic once more."""
    topic, instruction = example.messages[0].content, material.instruction or "{topic}"
    written = (topic if other is None else instruction.replace("{topic}", other) for other in others)
    return msgspec.structs.replace(
        example, asks=tuple(ask if _fits(material, _asking(example, ask)) else topic for ask in written)
    )


def _asking(example: Example, ask: str) -> Example:
    return msgspec.structs.replace(example, messages=(Message("user", ask), *example.messages[1:]))


def _fits(material: Material, example: Example) -> bool:
    return len(material.encoder.example(example).input_ids) <= material.max_length


def with_rewriting(material: Material, config: TrainingConfig, make: Make) -> Material:
    """Put pairs of a plain draft and the person's text beside the rows, where that is asked for.

    Drafts are made by the model that is named, else they are notes of the text.
    """
    if not config.rewrite:
        return material
    if material.kind == "continuation":
        raise TrainingError(
            "running text is learned without instructions, so it cannot be asked to rewrite", "train without --rewrite"
        )
    rewriting = Rewriting(INSTRUCTIONS[material.language], from_notes=config.instructions_from is None)
    found = with_pairs(replace(material, rewriting=rewriting), make)
    if not found.rewrites:
        raise TrainingError(
            "no passage of the training text has a plain draft to learn rewriting from",
            "let another model make them, or leave --instructions-from out: notes of the text will do",
        )
    return found


def with_pairs(material: Material, make: Make) -> Material:
    """Put pairs of what the rows hold beside it, where the voice is to rewrite."""
    rewriting = material.rewriting
    if rewriting is None:
        return material
    found = list(passages(_read_now(material), lambda text: _is_half(material, text)))
    texts = [text for _, text in found]
    drafts = {text: notes(text) for text in texts} if rewriting.from_notes else make("draft", texts)
    rewrites = [pair for pair in pairs(found, drafts, rewriting) if _fits(material, pair)]
    encoded = encode(rewrites, material.kind, material.encoder, material.max_length)
    others = set(material.rewrites).difference(rewrites)
    kept = tuple(pair for pair in material.rewrites if pair in others)
    return pack_again(replace(material, rewrites=(*kept, *rewrites), beside=(*material.beside, *encoded)))


def _read_now(material: Material) -> Iterator[Example]:
    made = enumerate(material.dataset.examples["train"])
    return (example for place, example in made if place not in material.left_out)


def _is_half(material: Material, text: str) -> bool:
    """Tell whether a text leaves room for a draft of it."""
    return 2 * len(material.encoder.text(text)) <= material.max_length - INSTRUCTION_TOKENS
