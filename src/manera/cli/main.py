"""The commands: words typed, to one call per floor. Heavy imports happen inside the commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from manera.errors import ManeraError

app = typer.Typer(
    help="From the words that someone wrote to a model that writes like them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Paths = Annotated[list[Path], typer.Argument(help="Telegram exports, books, plays, folders of them.")]
To = Annotated[Path, typer.Option("--to", help="Folder of the corpus to write.")]
CorpusFolder = Annotated[Path, typer.Argument(help="A folder that manera import wrote.")]
Speaker = Annotated[str | None, typer.Option(help="Whose manner: a name or an id.")]
Name = Annotated[str | None, typer.Option(help="Name of the voice; by default the speaker's.")]
Minutes = Annotated[float | None, typer.Option(help="Train for this long at most.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the training text.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak of the learning rate.")]
Rank = Annotated[int | None, typer.Option(help="Rank of the adapter.")]
MaxLength = Annotated[int | None, typer.Option(help="Tokens of the longest example.")]
Precision = Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or int8.")]
Compile = Annotated[str | None, typer.Option(help="Compile the layers: auto, on or off.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the adapter and of the order of examples.")]
Languages = Annotated[str, typer.Option(help="Languages whose tokens the base keeps, by comma.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace what has this name already.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VoiceName = Annotated[str, typer.Argument(help="Name of a voice.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.")]
Temperature = Annotated[float | None, typer.Option(help="0 is greedy; by default the voice's own.")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest reply, in tokens.")]

DEFAULT_PORT = 8000


@app.command("import")
def import_(paths: Paths, to: To, replace: Replace = False, json: Json = False) -> None:
    """Read words from files into a corpus, with a ledger of what was kept and what was not."""
    from manera.cli import corpora

    corpora.import_corpus(paths, to, replace, json)


@app.command()
def speakers(corpus: CorpusFolder, json: Json = False) -> None:
    """Show who wrote how much in a corpus, and in how many threads."""
    from manera.cli import corpora

    corpora.show_speakers(corpus, json)


@app.command()
def train(
    corpus: CorpusFolder,
    speaker: Speaker = None,
    name: Name = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    rank: Rank = None,
    max_length: MaxLength = None,
    precision: Precision = None,
    compile: Compile = None,
    seed: Seed = None,
    languages: Languages = "ru,en",
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Train a voice on one speaker of a corpus and report how well it predicts held-out text."""
    from manera.cli import learning

    flags = {
        "minutes": minutes,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "rank": rank,
        "max_length": max_length,
        "precision": precision,
        "compile": compile,
        "seed": seed,
    }
    learned = learning.train_voice(corpus, speaker, name, flags, languages, replace)
    learning.report(learned, json)
    learning.fail_if_stopped(learned)


@app.command()
def write(
    voice: VoiceName,
    text: Annotated[str, typer.Argument(help="What to answer, to write about or to continue.")],
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    seed: Seed = None,
) -> None:
    """Write one text to stdout, as it is made."""
    from manera.cli import talking

    talking.write(voice, text, {"temperature": temperature, "max_new_tokens": max_tokens, "seed": seed})


@app.command()
def chat(voice: VoiceName, temperature: Temperature = None, max_tokens: MaxTokens = None, seed: Seed = None) -> None:
    """Talk to a voice in the terminal."""
    from manera.cli import talking

    talking.chat(voice, {"temperature": temperature, "max_new_tokens": max_tokens, "seed": seed})


@app.command()
def serve(
    voices: Annotated[list[str], typer.Argument(help="Names of voices.")],
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    slots: Annotated[int, typer.Option(help="Replies written at the same time.")] = 4,
) -> None:
    """Serve voices over an OpenAI-compatible API."""
    from manera.cli import talking

    talking.serve(voices, host, port, slots)


@app.command()
def up(
    path: Annotated[Path, typer.Argument(help="A Telegram export, a book, a play, or a folder of them.")],
    speaker: Speaker = None,
    name: Name = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    languages: Languages = "ru,en",
    replace: Replace = False,
    port: Port = DEFAULT_PORT,
    talk: Annotated[bool, typer.Option("--chat/--no-chat", help="Serve and chat at the end.")] = True,
) -> None:
    """Do it all: import, choose the voice, train, report, serve, and chat in the terminal."""
    from manera.cli import journey

    journey.up(path, speaker, name, {"minutes": minutes, "epochs": epochs}, languages, replace, port, talk)


@app.command()
def doctor() -> None:
    """Show what this machine and this installation can do."""
    from manera.cli import checkup

    checkup.show()


def main() -> None:
    """Run the command line; every expected failure is one clear error and exit code 1."""
    try:
        app()
    except ManeraError as error:
        _fail(error.message, error.hint)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'while writing'}", _os_hint(error))


def _fail(message: str, hint: str | None) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)
    sys.exit(1)


def _os_hint(error: OSError) -> str | None:
    import errno

    hints = {
        errno.ENOSPC: "the disk is full: free some space, or set MANERA_HOME to another disk; nothing was lost",
        errno.EACCES: "check who owns that file or folder",
        errno.EROFS: "that disk is read-only: set MANERA_HOME, or --to, to another",
    }
    return hints.get(error.errno or 0)


if __name__ == "__main__":
    main()
