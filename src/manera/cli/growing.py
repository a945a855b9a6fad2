"""``manera train --continue``: a voice goes on from new text, or from what people preferred, and says what changed."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from manera import config
from manera.bases import base_model
from manera.cli import console
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import open_corpus
from manera.errors import SettingsError, TrainingError
from manera.records import TrainingStep
from manera.training.going_on import Change, Growing, Grown, Preferred, Preferring
from manera.training.settings import TrainingConfig
from manera.voice.manifest import Voice, read_voice
from manera.voice.preferences import preferences_file, read_pairs


def go_on(
    voice: str,
    corpus: Path | None,
    pairs: Path | None,
    speaker: str | None,
    name: str | None,
    flags: Mapping[str, object],
    base: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Train a voice further on a corpus that has grown, or on pairs: by default its own preferences."""
    if corpus and pairs:
        raise SettingsError(
            "new text and pairs are learned one after the other", "leave out --prefer now, and run it alone afterwards"
        )
    settings = config.resolve(TrainingConfig, "training", flags)
    known = read_voice(voice)
    if base not in (None, known.base.id):
        raise TrainingError(
            f"the voice {voice!r} was trained on {known.base.id}, and goes on with it: {base} is another base",
            "leave out --base, or train from the whole corpus under another name",
        )
    if corpus:
        _grow(known, corpus, speaker, name, settings, replace, as_json)
    else:
        _prefer(known, pairs or preferences_file(voice), name, settings, replace, as_json)


def show_preferences(voice: str) -> None:
    """Print what people preferred of a voice's replies as pairs, one a line, without who said so."""
    read_voice(voice)
    pairs = read_pairs(preferences_file(voice))
    for pair in pairs:
        console.show(msgspec.json.encode(pair).decode())
    console.say(f"{len(pairs):,} preferences of the voice {voice!r}")


def require_corpus(corpus: Path | None, pairs: Path | None) -> Path:
    """Return the corpus that a new voice is trained on; raise SettingsError where there is none, or pairs."""
    if pairs:
        raise SettingsError("pairs are learned by a voice that is there", "name it: --continue VOICE --prefer FILE")
    if corpus is None:
        raise SettingsError("there is nothing to learn from", "name a corpus, or go on from a voice: --continue VOICE")
    return corpus


def _grow(
    voice: Voice,
    folder: Path,
    speaker: str | None,
    name: str | None,
    settings: TrainingConfig,
    replace: bool,
    as_json: bool,
) -> None:
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker or voice.persona.speaker_id, f"manera train {folder}")
    if chosen.speaker_id != voice.persona.speaker_id:
        raise TrainingError(
            f"the voice {voice.name!r} is {voice.persona.name}'s, and {chosen.name} is somebody else",
            f"train another voice: manera train {folder} --speaker {chosen.speaker_id}",
        )
    from manera.evaluation.measures.intervals import ratio
    from manera.training.growing import grow

    base = base_model.prepare_for(voice.base)
    grown: Grown = _followed(grow(voice.name, corpus, settings, base, ratio, name, replace), _show_growing)
    if as_json:
        console.result(grown)
    else:
        _show_change("held out before", grown.old)
        _show_change("held out of the new text", grown.new)
        _show_end(grown.voice, grown.because, grown.steps, grown.seconds)
    _fail_if(grown.because)


def _prefer(
    voice: Voice, pairs: Path, name: str | None, settings: TrainingConfig, replace: bool, as_json: bool
) -> None:
    from manera.training.preferring import prefer

    base = base_model.prepare_for(voice.base)
    preferred: Preferred = _followed(prefer(voice.name, pairs, settings, base, name, replace), _show_preferring)
    if as_json:
        console.result(preferred)
    else:
        console.show(f"preferred replies lead in {preferred.preferred:.0%} of pairs, by {preferred.margin:.2f}")
        console.show(
            f"the person's own text: {preferred.nats_before:.3f} nats a token before, {preferred.nats_after:.3f} after"
        )
        _show_end(preferred.voice, preferred.because, preferred.steps, preferred.seconds)
    _fail_if(preferred.because)


def _followed(events: Generator[Any], show: Any) -> Any:
    """Draw a run from start to end; an interruption leaves the voice as it was."""
    event = None
    with console.training_progress() as progress:
        for event in events:
            if isinstance(event, TrainingStep):
                progress.advance(event)
            else:
                show(event)
    return event


def _show_growing(event: Growing | Grown) -> None:
    if not isinstance(event, Growing):
        return
    counts = ", ".join(f"{count:,} {part}" for part, count in event.examples.items())
    console.say(f"new {event.kind} examples: {counts}")
    console.say(f"{event.new_tokens:,} new tokens are learned, and {event.known_tokens:,} known ones with them")
    for reason, count in event.dropped.items():
        console.say(f"  {count:>8,}  left out: {reason}")


def _show_preferring(event: Preferring | Preferred) -> None:
    if not isinstance(event, Preferring):
        return
    chosen_on = f", {event.held_out:,} of all to choose the best point on" if event.held_out else ""
    console.say(f"{event.pairs:,} pairs, {event.liked:,} liked, {event.disliked:,} disliked{chosen_on}")
    if event.left_out:
        console.say(f"  {event.left_out:>8,}  left out: too long, or twice the same reply")


def _show_change(what: str, change: Change) -> None:
    bounds = "" if change.low is None or change.high is None else f"{change.low:+.4f} to {change.high:+.4f}, "
    console.show(
        f"{what}: {change.before:.4f} -> {change.after:.4f} bits per byte, "
        f"{change.difference:+.4f} ({bounds}{change.conversations:,} conversations)"
    )


def _show_end(voice: str, because: str | None, steps: int, seconds: float) -> None:
    console.show(f"{steps} steps in {seconds:,.0f} s")
    console.show(f"voice: {voice}" if because is None else f"{voice} stays as it was: {because}")


def _fail_if(because: str | None) -> None:
    """Let the exit code tell scripts that nothing was changed."""
    if because:
        raise SystemExit(1)
