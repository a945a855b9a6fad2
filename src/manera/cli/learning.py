"""``manera train``: the run drawn as it goes, and its figures at the end."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from manera import logs
from manera.bases.catalogue import DEFAULT_BASE
from manera.cli import console
from manera.cli.bases import ready_base
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import Corpus, open_corpus
from manera.errors import SettingsError
from manera.records import TrainingStep
from manera.training import presets
from manera.training.settings import TrainingConfig
from manera.voice.folder import name_for

if TYPE_CHECKING:
    from manera.training.forecast import Forecast
    from manera.training.learn import Event, Learned, Prepared


def train_voice(
    folder: Path,
    speaker: str | None,
    name: str | None,
    flags: Mapping[str, object],
    base: str,
    languages: str | None,
    replace: bool,
    resume: bool,
) -> "Learned":
    """Train with a progress bar; return the figures."""
    settings = presets.resolve(flags)
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker, command=f"manera train {folder}")
    console.say(f"voice of {chosen.name} ({chosen.utterances:,} utterances, {chosen.words:,} words)")
    ready = ready_base(base, chosen_languages(languages))
    return follow(corpus, chosen.speaker_id, name or name_for(chosen.name), settings, ready, replace, resume)


def follow(
    corpus: Corpus,
    speaker_id: str,
    name: str,
    settings: TrainingConfig,
    base: Path,
    replace: bool,
    resume: bool = False,
) -> "Learned":
    """Draw a training run from start to end."""
    from manera.cli.instructing import asking
    from manera.training.checkpoint import run_folder
    from manera.training.learn import Learned, learn  # takes seconds: what can be refused was refused before

    ask = asking(settings, base, run_folder(name))
    events = learn(corpus, speaker_id, name, settings, base, replace, resume, ask=ask)
    with logs.kept("training", on_console=False), console.training_progress() as progress:
        event: Event | None = None
        while not isinstance(event, Learned):
            try:
                event = next(events)
                _draw(event, progress)
            except KeyboardInterrupt:
                # between two steps it is caught here, not in the run, which knows what to keep
                event = events.throw(KeyboardInterrupt())
                _draw(event, progress)
    return event


def plan_voice(
    folder: Path,
    speaker: str | None,
    name: str | None,
    flags: Mapping[str, object],
    base: str,
    languages: str | None,
    as_json: bool,
) -> None:
    """Train for some steps, tell from them what the whole run would take, and keep nothing."""
    settings = presets.resolve(flags).model_copy(update={"instructions_from": None})  # a plan sends nothing anywhere
    corpus = open_corpus(folder)
    chosen = choose_speaker(corpus.manifest, speaker, command=f"manera plan {folder}")
    ready = ready_base(base, chosen_languages(languages))
    from manera.training.forecast import Forecast
    from manera.training.learn import Prepared, learn

    with TemporaryDirectory(prefix="manera-plan-") as nowhere, ExitStack() as end:
        voice = name or name_for(chosen.name)
        events = learn(corpus, chosen.speaker_id, voice, settings, ready, replace=True, folder=Path(nowhere) / voice)
        end.callback(events.close)
        for event in events:
            if isinstance(event, Prepared) and not as_json:
                _show_prepared(event)
            if isinstance(event, Forecast):
                break
    assert isinstance(event, Forecast)
    if as_json:
        console.result(event)
    else:
        console.show(in_words(event))


def in_words(forecast: "Forecast") -> str:
    """Say what a run will take, in one line."""
    return (
        f"{forecast.steps:,} steps in {console.minutes(forecast.step_seconds)}, "
        f"{console.minutes(forecast.seconds)} in all; "
        f"{forecast.peak_memory_bytes / 1e9:.1f} GB of memory, {forecast.disk_bytes / 1e6:,.0f} MB of disk; "
        f"{forecast.rows_at_once} of {forecast.rows_per_step} rows of a step at once"
    )


def _draw(event: "Event", progress: console.TrainingProgress) -> None:
    from manera.training.forecast import Forecast
    from manera.training.learn import Prepared
    from manera.training.run import Unsaved

    if isinstance(event, TrainingStep):
        progress.advance(event)
    elif isinstance(event, Prepared):
        _show_prepared(event)
    elif isinstance(event, Forecast):
        console.say(f"as the first steps were: {in_words(event)}")
    elif isinstance(event, Unsaved):
        console.say(f"step {event.step} could not be saved ({event.reason})")


def one_base(named: Sequence[str] | None, preset: object = None) -> str:
    """Return the one base that was named, else that of the preset, or the default; raise SettingsError for several."""
    if named is not None and len(named) > 1:
        raise SettingsError(f"one base at a time, not {', '.join(named)}", f"--base {named[0]}")
    if named:
        return named[0]
    return (presets.find(str(preset)).base if preset else None) or DEFAULT_BASE


def chosen_languages(listed: str | None) -> list[str]:
    """Read languages given as ``ru,en``; none where none are given."""
    return sorted({language.strip() for language in (listed or "").split(",") if language.strip()})


def report(learned: "Learned", as_json: bool) -> None:
    """Show the figures of a finished run, and whether the voice is recommended."""
    from manera.evaluation.evaluate import recommended

    if learned.stopped:
        console.say(f"{learned.stopped}; the best point so far, step {learned.kept_step}, is kept")
        if learned.can_go_on:
            console.say("the same command with --resume goes on from there")
    if as_json:
        document = msgspec.to_builtins(learned)
        shown = ("voice", "kind", "held_out", "tokens_per_second", "seconds", "peak_memory_bytes")
        verdict = dict(zip(("recommended", "because"), recommended(learned.voice, is_origin_known=True), strict=True))
        console.result({key: document[key] for key in shown} | verdict)
        return
    console.show_held_out(learned.held_out)
    console.show(
        f"{learned.steps} steps in {learned.seconds:,.0f} s, {learned.tokens_per_second:,.0f} tokens/s, "
        f"{learned.peak_memory_bytes / 1e9:.1f} GB at most; step {learned.kept_step} was the best on held-out text"
    )
    console.show_verdict(*recommended(learned.voice, is_origin_known=True))
    console.show(f"voice: {learned.voice}")
    console.say(f"talk to it: manera chat {learned.voice}")


def fail_if_stopped(learned: "Learned") -> None:
    """Let the exit code tell scripts that training ended before its time, though its best point was kept."""
    if learned.stopped:
        raise SystemExit(1)


def _show_prepared(prepared: "Prepared") -> None:
    counts = ", ".join(f"{count:,} {part}" for part, count in prepared.examples.items())
    console.say(f"{prepared.kind} examples: {counts} ({prepared.tokens['train']:,} tokens to learn from)")
    for reason, count in prepared.dropped.items():
        console.say(f"  {count:>8,}  left out: {reason}")
    lightest, heaviest = prepared.weights
    if lightest < heaviest:
        console.say(f"newer text weighs more: from {lightest:.2f} to {heaviest:.2f} of the mean")
    if prepared.replayed:
        console.say(f"general text is {prepared.replayed:.1%} of what is learned")
    if prepared.views > 1:
        questions = f", {prepared.questions:,} by a question" if prepared.questions else ""
        console.say(f"posts are asked for in {prepared.views} ways, in turn{questions}")
    if prepared.rewrites:
        console.say(f"{prepared.rewrites:,} passages are learned from plain drafts of them too")
    if prepared.canaries:
        console.say(f"{prepared.canaries:,} canaries planted, {prepared.copies:,} copies of each")
    console.say(
        f"the untuned base predicts held-out text with perplexity {prepared.base.perplexity:.1f}; "
        f"training in {prepared.precision}{', compiled' if prepared.compiled else ''}"
    )
    console.say(
        f"{prepared.method}: {prepared.trained_parameters:,} parameters change, which takes "
        f"{prepared.trained_bytes / 1e6:,.0f} MB beside the model: gradients, Adam's moments, their mean"
    )
    if prepared.resumed_step:
        console.say(f"going on after step {prepared.resumed_step} of an unfinished run")
