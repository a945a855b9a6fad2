"""``manera lab``: words, tokenizers and models from nothing."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manera import config
from manera.cli import console, corpora
from manera.corpus.manifest import Speaker
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import Corpus, is_corpus, open_corpus, write
from manera.errors import SettingsError
from manera.lab.words import Words, count_words
from manera.voice.folder import name_for

if TYPE_CHECKING:
    from manera.lab.settings import Budget, LabSettings
    from manera.lab.sizes import Size
    from manera.lab.texts import TextSplits
    from manera.lab.training import Trained

DEFAULT_MINUTES = 10.0
PAGE = "words.html"
SWEEP_PAGE = "sizes.html"


def show_words(paths: list[Path], speaker: str | None, to: Path | None, as_json: bool) -> None:
    """Count the words of one text or two, and write their page."""
    from manera.lab import pages

    if len(paths) > 2:
        raise SettingsError(f"{len(paths)} texts cannot be laid over each other", "name one or two")
    names = [path.name for path in paths] if len({path.name for path in paths}) == len(paths) else map(str, paths)
    counted = [_words_of(path, name, speaker) for path, name in zip(paths, names, strict=True)]
    if as_json:
        console.result({"texts": counted})
        return
    page = to or Path(PAGE)
    pages.write_words(page, counted)
    columns = ("text", "words", "different", "seen once", "the 1,000 most frequent cover")
    rows = ((one.name, one.words, one.different, f"{one.once / one.different:.0%}", _covered(one)) for one in counted)
    console.show_table(columns, rows)
    console.show(f"page: {page}")


def _words_of(path: Path, name: str, speaker: str | None) -> Words:
    """Count what one speaker wrote, or, where none is asked for, everybody."""
    corpus = opened(path)
    command = f"manera lab words {path}"
    chosen = choose_speaker(corpus.manifest, speaker, command).speaker_id if speaker else None
    texts = (one.text for one in corpus.utterances() if chosen in (None, one.speaker_id))
    return count_words(name, texts)


def _covered(one: Words) -> str:
    return next((f"{share:.0%}" for size, share in one.coverage if size >= 1000), "100%")


def make_tokenizer(
    path: Path,
    speaker: str | None,
    kind: str,
    vocabulary: str,
    model: str,
    seconds: float,
    to: Path | None,
    as_json: bool,
) -> None:
    """Make a tokenizer of a size, or of the size that a sweep chooses, and save it with the sweep's page."""
    from manera.lab import pages, sizes, tokenizers
    from manera.lab.settings import settings_for

    settings = settings_for(model, tokenizer=kind)  # refuses unknown names before anything is read
    corpus = opened(path)
    texts = texts_of(corpus, speaker_of(corpus, path, speaker))
    folder = to or Path(f"tokenizer-{kind}")
    tried: list[Size] = []
    if vocabulary == "auto" and settings.tokenizer in tokenizers.SIZED:
        found = []
        for one in sizes.sweep(texts, settings.tokenizer, model=settings.kind, seconds=seconds):
            found.append(one)
            console.say(_told(one.size))
        tried = [one.size for one in found]
        tokenizer = found[tried.index(sizes.choose(tried))].tokenizer
    else:
        size = _number(vocabulary) if settings.tokenizer in tokenizers.SIZED else 0
        tokenizer = tokenizers.learn(settings.tokenizer, texts.train, size)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizers.save(tokenizer, folder)
    if tried:
        pages.write_sizes(folder / SWEEP_PAGE, settings, seconds, tried)
    if as_json:
        console.result({"folder": str(folder), "vocabulary": tokenizer.get_vocab_size(), "tried": tried})
        return
    console.show(f"tokenizer: {folder / tokenizers.TOKENIZER}, {tokenizer.get_vocab_size():,} tokens")
    if tried:
        console.show(f"page: {folder / SWEEP_PAGE}")


def _told(size: "Size") -> str:
    return (
        f"{size.vocabulary:>6,} tokens: {size.bits_per_byte:.3f} bits per byte, "
        f"{size.bytes_per_token:.2f} bytes per token, {size.seen:.0%} of them often enough"
        + ("" if size.is_borne else ": too few")
    )


def _number(vocabulary: str) -> int:
    if not vocabulary.isdecimal():
        raise SettingsError(f"--vocab {vocabulary!r} is no number of tokens", "give a number, or auto")
    return int(vocabulary)


def train(
    path: Path,
    speaker: str | None,
    name: str | None,
    flags: Mapping[str, object],
    bounds: Mapping[str, float | None],
    replace: bool,
    as_json: bool,
) -> None:
    """Train a model from nothing and write its voice."""
    from manera.lab.settings import Budget, settings_for
    from manera.training.result import require_free

    settings = settings_for(**flags)  # type: ignore[arg-type]
    minutes, epochs = bounds["minutes"], bounds["epochs"]
    if minutes is None and epochs is None:
        minutes = DEFAULT_MINUTES
    if minutes is not None and minutes <= 0:
        raise SettingsError(f"--minutes {minutes:g} cannot be used", "give a number above 0")
    budget = Budget(seconds=None if minutes is None else minutes * 60, epochs=epochs)
    corpus = opened(path)
    chosen = speaker_of(corpus, path, speaker)
    voice = name or f"{name_for(chosen.name)}-{settings.kind}"[:64]
    require_free(voice, replace)
    texts = texts_of(corpus, chosen)
    trained = _followed(texts, settings, budget, or_fewer=flags["vocabulary"] is None)
    from manera.lab.voice import write_voice

    on_test = trained.measured(texts.test)
    held_out = write_voice(corpus, chosen, voice, trained, on_test)
    if as_json:
        console.result(_figures(voice, trained, on_test))
        return
    console.show_held_out(held_out)
    console.show(
        f"{trained.parameters:,} {'grams' if settings.kind == 'ngram' else 'parameters'}, {trained.tokens:,} tokens in "
        f"{trained.seconds:,.0f} s; test text {on_test:.3f} bits per byte, validation {trained.bits_per_byte:.3f}"
    )
    if trained.is_overfitted:
        console.show(f"it over-fitted: step {trained.kept_step:,} was the best on held-out text, and is kept")
    console.show(f"voice: {voice}")
    console.say(f"let it write: manera write {voice}")


def _followed(texts: "TextSplits", settings: "LabSettings", budget: "Budget", or_fewer: bool) -> "Trained":
    """Draw a training from nothing as it goes; return what was trained.

    or_fewer: whether a vocabulary that nobody asked for may be smaller where the text allows no such.
    """
    from manera.lab import tokenizers
    from manera.lab.training import Trained, train

    started = time.monotonic()
    tokenizer = tokenizers.learn(settings.tokenizer, texts.train, settings.vocabulary, or_fewer)
    settings = msgspec.structs.replace(settings, vocabulary=tokenizer.get_vocab_size())
    if budget.seconds is not None:
        spent = time.monotonic() - started
        budget = msgspec.structs.replace(budget, seconds=max(1.0, budget.seconds - spent))
    if settings.kind != "ngram":
        console.say("Ctrl+C ends it, and keeps what told held-out text best so far")
    for event in train(texts, settings, budget, tokenizer):
        if isinstance(event, Trained):
            return event
        if event.bits_per_byte is not None:
            speed = event.tokens / max(event.seconds, 1e-9)
            console.say(
                f"step {event.step:,}  {event.seconds:,.0f} s  {speed:,.0f} tokens/s  "
                f"loss {event.loss:.3f}  held-out {event.bits_per_byte:.3f} bits per byte"
            )
    raise AssertionError("training ends with what was trained")


def _figures(voice: str, trained: "Trained", on_test: float) -> dict[str, object]:
    shown = ("bits_per_byte", "parameters", "tokens", "seconds", "kept_step", "is_overfitted", "curve")
    figures = {name: getattr(trained, name) for name in shown}
    return {"voice": voice, "settings": msgspec.to_builtins(trained.settings), "test_bits_per_byte": on_test, **figures}


def opened(path: Path) -> Corpus:
    """Open a corpus; anything else that can be read is imported first, beside those that ``manera up`` makes."""
    if is_corpus(path):
        return open_corpus(path)
    folder = config.home() / "corpora" / name_for(path.absolute().stem)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.say(f"importing {path}")
    write(corpora.wanted([path], {}), folder, replace=True, cleaning=corpora.cleaning({}))
    return open_corpus(folder)


def speaker_of(corpus: Corpus, path: Path, speaker: str | None) -> Speaker:
    """Choose whose words are learned."""
    return choose_speaker(corpus.manifest, speaker, f"manera lab train {path}")


def texts_of(corpus: Corpus, speaker: Speaker) -> "TextSplits":
    """Split what a speaker wrote."""
    from manera.lab import texts

    return texts.texts_of(corpus, speaker)
