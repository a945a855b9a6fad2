"""``manera up``: the whole road, from a file to a conversation."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

from manera import config, logs
from manera.bases.catalogue import DEFAULT_BASE
from manera.cli import console, corpora, learning, talking
from manera.cli.bases import ready_base
from manera.cli.serving import ServeOptions, serve
from manera.cli.web import web_settings
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import Corpus, open_corpus, write
from manera.errors import SettingsError
from manera.generation.opening import Opened, open_voices
from manera.records import Message
from manera.serving.app import create_app_on
from manera.serving.catalogue import Catalogue
from manera.serving.listening import HOST, PORT, serve_in_thread
from manera.training import presets
from manera.voice.folder import is_there, name_for
from manera.voice.manifest import read_voice
from manera.voice.prompts import held_out_prompts

SHOWN_TOKENS = 220
SHOWN_SEED = 1


class UpOptions(NamedTuple):
    """Whose voice ``manera up`` makes, how long it trains, where it serves, and whether it talks at the end."""

    speaker: str | None = None
    name: str | None = None
    minutes: float | None = None
    epochs: float | None = None
    base: str = DEFAULT_BASE
    languages: str | None = None
    replace: bool = False
    port: int = PORT
    talk: bool = True
    web: bool = False
    web_port: int | None = None


def up(path: Path | None, options: UpOptions) -> None:
    """Import, train, compare with the base, serve and chat; a voice that is there already is not trained again.

    With the page, a path may come later: it is dropped there. Raises SettingsError where there is neither.
    """
    if options.web:
        web_settings({"port": options.web_port})  # what can be refused is refused before the training
    elif path is None:
        raise SettingsError("there is nothing to learn from", "manera up PATH, or manera up --web")
    if path is not None:
        voice = _made(path, options)
        with open_voices([voice], console.say) as ready:
            show_replies(ready, voice)
            if options.talk and not options.web and sys.stdin.isatty():
                _serve_and_talk(ready, voice, options.port)
            elif not options.web:
                console.say(f"\ntalk to it:  manera chat {voice}\nserve it:    manera serve {voice}")
    if options.web:
        ready_base(options.base, learning.chosen_languages(options.languages))
        serve([], ServeOptions(port=options.port, web=True, web_port=options.web_port))


def _made(path: Path, options: UpOptions) -> str:
    """Import and train, unless the voice is there; return its name."""
    settings = presets.resolve({"minutes": options.minutes, "epochs": options.epochs})
    corpus = _imported(path, options.name, options.speaker)
    chosen = choose_speaker(corpus.manifest, options.speaker, command=f"manera up {path}")
    voice = options.name or name_for(chosen.name)
    console.say(f"voice of {chosen.name} ({chosen.utterances:,} utterances, {chosen.words:,} words)")
    if is_there(voice) and not options.replace:
        _show_trained(voice)
    else:
        base = ready_base(options.base, learning.chosen_languages(options.languages))
        learned = learning.follow(corpus, chosen.speaker_id, voice, settings, base, options.replace)
        learning.report(learned, as_json=False)
    return voice


def _imported(path: Path, name: str | None, speaker: str | None) -> Corpus:
    """Import a file or folder into a corpus of its own, and show what was kept."""
    folder = config.home() / "corpora" / (name or name_for(path.absolute().stem))
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.say(f"importing {path}")
    cleaning = corpora.cleaning({}, [speaker] if speaker else [])
    write(corpora.wanted([path], {}), folder, replace=True, cleaning=cleaning)
    corpus = open_corpus(folder)
    corpora.show_import(corpus, console.say)
    return corpus


def _show_trained(voice: str) -> None:
    from manera.evaluation.evaluate import recommended

    console.say(f"there is a voice {voice!r} already; --replace trains it again")
    console.show_held_out(read_voice(voice).held_out)
    console.show_verdict(*recommended(voice, is_origin_known=False))


def show_replies(ready: Opened, voice: str) -> None:
    """Print what base and voice write on held-out prompts; both are asked in the voice's own way."""
    writer = ready.writers[voice]
    for prompt in held_out_prompts(voice):
        print(f"\n>>> {prompt}")
        for title, asked in (("untuned base", writer._replace(adapters={})), (voice, writer)):
            flags = {"seed": SHOWN_SEED, "max_new_tokens": SHOWN_TOKENS}
            answer = "".join(talking.reply(ready, asked, [Message("user", prompt)], flags))
            print(f"\n[{title}]\n{answer.strip()}", flush=True)


def _serve_and_talk(ready: Opened, voice: str, port: int) -> None:
    """Talk in the terminal while the API is served on loopback."""
    catalogue = Catalogue(ready.engine, ready.base, ready.writers, int(time.time()))
    with logs.kept("api", on_console=False), serve_in_thread(create_app_on(HOST, catalogue), HOST, port):
        console.say(f"API: http://{HOST}:{port}/v1   docs: http://{HOST}:{port}/docs")
        talking.talk(ready, voice, {})
