"""Write the pages of docs/reference from the code: ``python scripts/reference.py``."""

import html
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from typer.main import get_command

from manera import errors
from manera.cli.main import app
from manera.corpus.settings import CorpusConfig
from manera.dataset.building import MAX_LENGTH
from manera.generation.engine import Engine
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.faults import FAULTS, REFUSALS
from manera.serving.page import page as html_page
from manera.synthesis.settings import SynthesisConfig
from manera.training.settings import EPOCHS, TrainingConfig
from manera.training.setup import BATCH_TOKENS, CONTEXT_WEIGHTS, LEARNING_RATES
from manera.voice.manifest import Sampling

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "Written by `make docs` from {}; a test fails when it is out of date.\n"
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
MARKDOWN = {
    r"<h2><code>(.*?)</code></h2>\s*<p>(.*?)</p>": r"\n## \1\n\n\2",
    r"<table>\s*<tr><th>field<th>is": "\n| field | is |\n| --- | --- |",
    r"<tr><td><code>(.*?)</code><td>(.*?)\n\s*": r"| `\1` | \2 |\n",
    r"</table>": "",
    r"\n{3,}": "\n\n",
}
"""What the server's page becomes."""


def commands() -> str:
    """Return the help of every command."""
    shown = [
        f"## {' '.join(('manera', *words))}\n\n```\n{help_of(*words)}\n```\n" for words in words_of(get_command(app))
    ]
    return "\n".join(["# Commands\n", NOTE.format("`--help`"), *shown])


def words_of(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of every command in it."""
    yield words
    for name, one in getattr(command, "commands", {}).items():
        yield from words_of(one, *words, name)


def help_of(*arguments: str) -> str:
    """Return what ``manera ... --help`` prints in a hundred columns, wherever it runs."""
    environment = os.environ | {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-c", "from manera.cli.main import app; app(prog_name='manera')", *arguments, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return shown.stdout.strip()


def settings() -> str:
    """Return every setting with its default."""
    training = TrainingConfig.model_json_schema()["properties"]
    corpus = CorpusConfig.model_json_schema()["properties"]
    synthesis = SynthesisConfig.model_json_schema()["properties"]
    decided = [
        (kind, EPOCHS[kind], LEARNING_RATES[kind], BATCH_TOKENS[kind], CONTEXT_WEIGHTS[kind], MAX_LENGTH[kind])
        for kind in EPOCHS
    ]
    drawn = [(f"`{one.name}`", f"`{json.dumps(one.default)}`") for one in msgspec.structs.fields(Sampling)]
    return f"""\
# Settings

{NOTE.format("the code")}
## [training] in manera.toml

A flag of `manera train` stands above the environment, the environment above `manera.toml` in the current folder, and
that above the default. Where the default is a dash, the text or the machine decides.

{table("setting | default | values | what it is", settings_rows(training))}
Where nothing is set, the kind of text decides. With `minutes`, training runs as many epochs as fit into them.

{table("kind | epochs | learning_rate | batch_tokens | context_weight | max_length", decided)}
## [corpus] in manera.toml

What `manera import` leaves out; its flags stand above these.

{table("setting | default | values | what it is", settings_rows(corpus))}
## [synthesis] in manera.toml

How `manera synthesize` lets a model write a corpus; its flags stand above these.

{table("setting | default | values | what it is", settings_rows(synthesis))}
## Sampling

How a voice draws the next token: `sampling` in its `manera.json`. Training chooses the temperature; a request or a flag
overrides each. `null` is off.

{table("setting | default", drawn)}
## Environment

| variable | what it is |
| --- | --- |
| `MANERA_HOME` | the folder of voices, bases, corpora and keys |
| `MANERA_TRAINING_*` | a setting of `[training]`, such as `MANERA_TRAINING_RANK=8` |
| `MANERA_REMOTE_KEY` | the key of the servers that `--url` names; may stand in `.env` |
| `OPENAI_BASE_URL`, `OPENAI_API_KEY` | address and key of the API that `manera synthesize` asks; may stand in `.env` |
| `HF_TOKEN`, `HF_ENDPOINT` | token and address of the hub that `manera export --to hub` uploads to |
"""


def settings_rows(properties: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield name, default, values and description of each setting."""
    for name, told in properties.items():
        default = "–" if told["default"] is None else f"`{told['default']}`"
        yield f"`{name}`", default, values(told.get("anyOf", [told])[0]), told["description"]


def values(part: Mapping[str, Any]) -> str:
    """Write which values a setting takes."""
    if "enum" in part:
        return ", ".join(f"`{one}`" for one in part["enum"])
    return ", ".join([part["type"], *(BOUNDS[name].format(part[name]) for name in BOUNDS if name in part)])


def api() -> str:
    """Return what the server shows under /docs, as Markdown."""
    nobody = Catalogue(cast(Engine, None), base="", writers={}, created=0)  # a schema asks no engine
    shown = html_page(create_app(nobody).openapi())
    shown = shown[shown.index("<h2>") : shown.index("</html>")]
    for pattern, markdown in MARKDOWN.items():
        shown = re.sub(pattern, markdown, shown)
    return f"""\
# HTTP API

{NOTE.format("the schema")}
A running server shows the same under `/docs`, and for programs under `/openapi.json`. [The guide](../guides/api.md)
says how to use it, [Errors](errors.md) how each error is answered.

{html.unescape(shown).strip()}

## Refusals

{table("status | when", [(status, told["description"]) for status, told in REFUSALS.items()])}"""


def failures() -> str:
    """Return every error that manera raises on purpose, and how the server answers it."""
    kinds = [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.ManeraError)]
    raised = [(f"`{one.__name__}`", one.__doc__) for one in kinds if one is not errors.ManeraError]
    answered = [(f"`{kind.__name__}`", one.status, one.type, one.code or "–") for kind, one in FAULTS.items()]
    return f"""\
# Errors

{NOTE.format("the code")}
A command that fails prints `error:` and what is wrong, then `hint:` and what to do next, both to stderr. Its exit code
is 1. In Python every error is a `ManeraError` with `message` and `hint`.

{table("error | when", raised)}
## Over HTTP

The body has OpenAI's shape: `{{"error": {{"message", "type", "param", "code"}}}}`. An error that is not listed is
answered as the nearest class above it.

{table("error | status | type | code", answered)}"""


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """Write a table of Markdown."""
    lines = [head, re.sub("[^|]+", " --- ", head).strip(), *(" | ".join(map(str, row)) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


PAGES: dict[str, Callable[[], str]] = {"commands": commands, "settings": settings, "api": api, "errors": failures}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (FOLDER / f"{name}.md").write_text(write(), "utf-8")
