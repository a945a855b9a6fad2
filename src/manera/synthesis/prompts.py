"""How a text is asked for: a style, a topic, and texts of somebody real to show what is meant."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from manera.corpus.conversations import conversations_of
from manera.corpus.speakers import choose_speaker
from manera.corpus.splitting import split
from manera.corpus.storage import open_corpus
from manera.errors import SynthesisError
from manera.generation.server import Ask
from manera.records import Conversation, Message
from manera.retrieval.sentences import embed
from manera.synthesis.settings import SynthesisConfig
from manera.text.languages import Language

TOPIC = "{topic}"
"""A style that has this is the whole question, as a voice is asked; else it is what the model is told to be."""

_SHOWN_CHARACTERS = (80, 1500)
_ASKED = {
    "ru": ("Вот как пишет этот автор:", "Напиши новый текст в той же манере. Тема: {topic}. Ничего не повторяй из "
           "показанного. Только сам текст, без вступлений и пояснений."),
    "en": ("This is how the author writes:", "Write a new text in the same manner. Topic: {topic}. Repeat nothing of "
           "what is shown. Only the text itself, without introduction or comment."),
}  # fmt: skip


class Examples(NamedTuple):
    """Texts of somebody real. shown: what a question may show; all: what no text may copy, held-out text as well."""

    speaker: str
    shown: tuple[str, ...]
    all: tuple[str, ...]


def read_style(path: Path) -> str:
    """Read how texts are to be written; raise SynthesisError where nothing is said."""
    try:
        style = path.read_text("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SynthesisError(f"{path} is no text in UTF-8", "save it as plain text in UTF-8") from error
    except OSError as error:
        raise SynthesisError(
            f"the style in {path} cannot be read: {error.strerror}",
            "say in a file how the texts are to be written; manera describe CORPUS --prompt makes one of real text",
        ) from error
    if not style:
        raise SynthesisError(f"{path} says nothing", "say how the texts are to be written, and by whom")
    return style


def read_examples(folder: Path, speaker: str | None) -> Examples:
    """Take texts of one speaker of a corpus; only what a voice would learn from is ever shown. Raises ManeraError."""
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker, f"manera synthesize --examples {folder}")
    parts = split(conversations_of(corpus, embed), chosen.speaker_id).conversations
    learned = tuple(_texts(parts["train"], chosen.speaker_id))
    every = tuple(said.text for said in corpus.utterances() if said.speaker_id == chosen.speaker_id)
    low, high = _SHOWN_CHARACTERS
    shown = tuple(text for text in learned if low <= len(text) <= high)
    if not shown:
        raise SynthesisError(
            f"no text of {chosen.name} in {folder} has {low} to {high:,} characters", "leave out --examples"
        )
    return Examples(chosen.name, shown, every)


def _texts(conversations: Sequence[Conversation], speaker_id: str) -> list[str]:
    found = []
    for conversation in conversations:
        for turn in conversation.turns:
            if turn.speaker_id == speaker_id:
                found += ["\n".join(turn.texts)] if conversation.kind == "post" else list(turn.texts)
    return found


def ask(
    style: str,
    topic: str,
    examples: Examples | None,
    language: Language,
    config: SynthesisConfig,
    place: int,
    attempt: int,
) -> Ask:
    """Ask for the text at a place; the same is asked for whatever else the corpus is to hold."""
    seed = config.seed + place * 10 + attempt
    if TOPIC in style:
        return Ask((Message("user", style.replace(TOPIC, topic)),), config.max_tokens, config.temperature, seed)
    heading, wanted = _ASKED[language]
    told = wanted.format(topic=topic)
    if examples and config.shots:
        rng = random.Random(f"{config.seed}/{place}/{attempt}")
        shown = rng.sample(examples.shown, min(config.shots, len(examples.shown)))
        told = "\n\n---\n\n".join([heading, *shown]) + f"\n\n---\n\n{told}"
    messages = (Message("system", style), Message("user", told))
    return Ask(messages, config.max_tokens, config.temperature, seed)
