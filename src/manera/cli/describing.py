"""``manera describe``: a person's writing as a page, as a note for language models, or as figures."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from manera.cli import console
from manera.corpus.description.facts import describe
from manera.corpus.description.page import write_page
from manera.corpus.description.prompt import persona_note
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import DESCRIPTION, open_corpus
from manera.errors import SettingsError
from manera.text.languages import Language


def describe_speaker(folder: Path, speaker: str | None, to: Path | None, as_prompt: bool, as_json: bool) -> None:
    """Describe a speaker, and print where the page lies, or the note, or the figures."""
    if as_prompt and as_json:
        raise SettingsError("a note is no JSON document", "leave out --prompt or --json")
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker, f"manera describe {folder}")
    description = describe(corpus, chosen, partial(_general, chosen.name))
    if as_json:
        console.result(description)
        return
    if as_prompt:
        console.say(f"it quotes {chosen.name}: think before you send it anywhere")
        console.show(persona_note(description).rstrip("\n"))
        return
    path = to or folder / DESCRIPTION
    try:
        write_page(description, path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}", "choose another file: --to FILE") from error
    console.show(f"page: {path}")


def _general(name: str, language: Language) -> Iterator[str]:
    from manera.evaluation.other_authors import bundled_texts  # takes seconds, and is not needed in a chat

    return bundled_texts(language, without=name)
