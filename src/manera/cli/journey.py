"""``manera up``: the whole road, from a file to a conversation."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from manera import config
from manera.cli import console, corpora, learning, talking
from manera.cli.opening import Opened, opened
from manera.cli.serving import application
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import open_corpus, write
from manera.files import read_records
from manera.records import Example, Message
from manera.serving.catalogue import Catalogue
from manera.serving.listening import HOST, listen, server
from manera.sources.reading import read
from manera.training.settings import TrainingConfig
from manera.voice.folder import MANIFEST, voice_folder
from manera.voice.manifest import Voice, read_voice

SHOWN_PROMPTS = 3
SHOWN_TOKENS = 220
SHOWN_SEED = 1
OPENING_WORDS = 12


def up(
    path: Path,
    speaker: str | None,
    name: str | None,
    flags: Mapping[str, object],
    base: str,
    languages: str | None,
    replace: bool,
    port: int,
    talk: bool,
) -> None:
    """Import, train, compare with the base, serve and chat; a voice that is there already is not trained again."""
    settings = config.resolve(TrainingConfig, "training", flags)
    folder = config.home() / "corpora" / (name or learning.voice_name(path.absolute().stem))
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.say(f"importing {path}")
    write(read([path]), folder, replace=True)
    corpus = open_corpus(folder)
    corpora.show_import(corpus, console.say)
    chosen = choose_speaker(corpus.manifest, speaker, command=f"manera up {path}")
    voice = name or learning.voice_name(chosen.name)
    console.say(f"voice of {chosen.name} ({chosen.utterances:,} utterances, {chosen.words:,} words)")
    if (voice_folder(voice) / MANIFEST).is_file() and not replace:
        console.say(f"there is a voice {voice!r} already; --replace trains it again")
        console.show_held_out(read_voice(voice).held_out)
        console.show_verdict(*learning.recommended(voice, is_origin_known=False))
    else:
        learning.report(
            learning.follow(corpus, chosen.speaker_id, voice, settings, base, languages, replace), as_json=False
        )
    with opened([voice]) as ready:
        show_replies(ready, voice)
        if talk and sys.stdin.isatty():
            with serving(ready, port):
                talking.talk(ready, voice, {})
        else:
            console.say(f"\ntalk to it:  manera chat {voice}\nserve it:    manera serve {voice}")


def show_replies(ready: Opened, voice: str) -> None:
    """Print what base and voice write on held-out prompts; both are asked in the voice's own way."""
    writer = ready.writers[voice]
    for prompt in held_out_prompts(voice):
        print(f"\n>>> {prompt}")
        for title, asked in (("untuned base", writer._replace(adapters={})), (voice, writer)):
            flags = {"seed": SHOWN_SEED, "max_new_tokens": SHOWN_TOKENS}
            answer = "".join(talking.reply(ready, asked, [Message("user", prompt)], flags))
            print(f"\n[{title}]\n{answer.strip()}", flush=True)


def held_out_prompts(voice: str) -> list[str]:
    """Take what was asked in held-out examples, spread over them; of prose, how paragraphs begin."""
    described = read_voice(voice)
    examples = read_records(voice_folder(voice) / "dataset" / "test.jsonl", Example)
    prompts = [prompt for example in examples for prompt in _prompts(example, described)]
    step = max(1, len(prompts) // SHOWN_PROMPTS)
    return prompts[::step][:SHOWN_PROMPTS]


def _prompts(example: Example, voice: Voice) -> list[str]:
    first = example.messages[0]
    if voice.kind == "continuation":
        openings = (paragraph.split()[:OPENING_WORDS] for paragraph in first.content.split("\n"))
        return [" ".join(words) for words in openings if len(words) == OPENING_WORDS]
    if first.role != "user":
        return []
    before_topic = (voice.instruction or "").partition("{topic}")[0]
    return [first.content.removeprefix(before_topic)]


@contextmanager
def serving(ready: Opened, port: int) -> Iterator[None]:
    """Serve the API on loopback from a thread for the length of the block."""
    with listen(HOST, port) as listener:
        running = server(application(Catalogue(ready.engine, ready.base, ready.writers, int(time.time())), HOST))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, name="manera-api")
        thread.start()
        console.say(f"API: http://{HOST}:{port}/v1   docs: http://{HOST}:{port}/docs")
        try:
            yield
        finally:
            running.should_exit = True
            thread.join()
