"""``manera lab search``: many models from nothing, compared on one page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from manera.cli import console, lab
from manera.errors import SettingsError
from manera.voice.folder import name_for

if TYPE_CHECKING:
    from manera.lab.pretrained import Pretrained
    from manera.lab.search import Plan
    from manera.lab.settings import Kind
    from manera.lab.study import Study, Tried
    from manera.lab.texts import TextSplits

MAX_WORKERS = 8


class Asked(NamedTuple):
    """What was typed beside the plan. voices: pretrained ones for the same table; storage: URL of a database."""

    name: str | None
    voices: Sequence[str]
    storage: str | None
    to: Path | None
    speaker: str | None


def search(path: Path, asked: Asked, flags: dict[str, object], as_json: bool) -> None:
    """Search, then write the page; what was found before is gone on with."""
    _require_optuna()
    from manera.lab.search import search as go_on
    from manera.lab.study import open_study

    plan = _plan(flags)
    corpus = lab.opened(path)
    speaker = lab.speaker_of(corpus, path, asked.speaker)
    texts = lab.texts_of(corpus, speaker)
    name = asked.name or name_for(speaker.name)
    study = open_study(name, texts, plan.seconds_each, asked.storage)
    done = [one for one in study.tried() if not one.is_floor]
    if flags["seconds"] and study.seconds != flags["seconds"]:
        raise SettingsError(
            f"the study {name!r} was begun with {study.seconds:g} seconds a trial, and --seconds {flags['seconds']:g} "
            "would not compare with them",
            f"leave --seconds out, or take another --name: {name_for(name)}-2",
        )
    console.say(
        f"study {name}: {len(done)} of {plan.trials} trials are there; {study.seconds:.0f} s each, "
        f"{plan.workers} at once, for {plan.minutes:g} minutes at most"
    )
    try:
        for one in go_on(name, texts, plan, asked.storage):
            console.say(_told(one))
    except KeyboardInterrupt:
        there = len([one for one in study.tried() if not one.is_floor])
        console.say(f"{there} of {plan.trials} trials are there: the same command goes on with the others")
        raise
    if (left := plan.trials - study.count()) > 0:
        console.say(f"the minutes are used up, and {left} trials are left: the same command goes on with them")
    _finish(study, path, texts, asked, as_json)


def _finish(study: "Study", path: Path, texts: "TextSplits", asked: Asked, as_json: bool) -> None:
    from manera.lab import advice, pretrained, search_page
    from manera.lab.search import best_command
    from manera.lab.study import best_of_each_kind

    voices = [pretrained.measure(name, texts) for name in asked.voices]
    tried = study.tried()
    page = asked.to or Path(f"{name_for(study.name)}-search.html")
    found = search_page.write(page, study.name, tried, voices, study.seconds)
    if as_json:
        document = {"study": study.name, "seconds_each": study.seconds, "trials": tried, "pretrained": voices}
        console.result(
            msgspec.to_builtins(document | {"rules": found, "next": advice.sentence(found), "page": str(page)})
        )
        return
    best = best_of_each_kind(tried)
    console.show_table(
        ("best of each kind", "test bits per byte", "parameters", "tokens", "seconds", ""), _rows(best, voices)
    )
    console.show(advice.sentence(found))
    console.show(f"page: {page}")
    if best:
        console.say(f"its best as a voice: {best_command(next(iter(best.values())), str(path), study.seconds)}")


def _rows(best: "Mapping[Kind, Tried]", voices: "Sequence[Pretrained]") -> list[tuple[object, ...]]:
    rows: list[tuple[float, tuple[object, ...]]] = []
    for kind, one in best.items():
        if result := one.result:
            mark = "over-fitted" if result.is_overfitted else ""
            bits = result.test_bits_per_byte
            rows.append((bits, (kind, f"{bits:.3f}", result.parameters, result.tokens, f"{result.seconds:.0f}", mark)))
    for voice in voices:
        bits = voice.test_bits_per_byte
        told = (voice.name, f"{bits:.3f}", voice.parameters, voice.tokens, f"{voice.seconds:.0f}", "pretrained")
        rows.append((bits, told))
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def _told(one: "Tried") -> str:
    head = f"trial {one.number:>3}  {one.kind:<11} {one.settings.tokenizer:<9}"
    if one.state == "failed":
        return f"{head}  failed: {one.reason}"
    bits = f"{one.lowest:.3f} bits per byte" if one.lowest is not None else ""
    if one.state == "given up":
        return f"{head}  {bits}, given up after {one.curve[-1].seconds:.0f} s"
    return f"{head}  {bits}" + ("  over-fitted" if one.result and one.result.is_overfitted else "")


def _plan(flags: dict[str, object]) -> "Plan":
    from manera.lab.search import SAMPLERS, Plan
    from manera.lab.settings import KINDS, TOKENIZERS

    given = {name: value for name, value in flags.items() if value is not None}
    known = {"kinds": KINDS, "pieces": TOKENIZERS, "sampler": SAMPLERS}
    for name, names in known.items():
        asked = given.get(name)
        typed = list(asked) if isinstance(asked, list | tuple) else [asked] if asked else []
        if unknown := [one for one in typed if one not in names]:
            raise SettingsError(
                f"{name}: there is no {', '.join(map(repr, unknown))}", f"give some of {', '.join(names)}"
            )
    try:
        return msgspec.convert({"workers": _workers()} | given, Plan, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"such a search is not possible: {error}", "see manera lab search --help") from error


def _workers() -> int:
    """Return one for each core; one alone where a GPU does the work."""
    import torch

    return (
        1
        if torch.cuda.is_available()
        else min(MAX_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise SettingsError("a search needs Optuna", 'pip install "manera[lab]"') from error
