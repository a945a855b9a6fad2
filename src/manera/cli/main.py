"""The commands: words typed, to one call per floor. Heavy imports happen inside the commands."""

import inspect
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from manera import config
from manera.bases.catalogue import DEFAULT_BASE
from manera.errors import ManeraError, SettingsError
from manera.files import remove_abandoned

app = typer.Typer(
    help="From the words that someone wrote to a model that writes like them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

keys = typer.Typer(help="Add, list and revoke keys to the API.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")
memory = typer.Typer(
    help="See, search, take along and delete what people said to voices.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(memory, name="memory")
lab = typer.Typer(
    help="Look at words, make tokenizers, and train small models from nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(lab, name="lab")

Paths = Annotated[
    list[Path], typer.Argument(help="Exports of chats, mail, posts, books, plays, folders of them, or telegram:@chat.")
]
To = Annotated[Path, typer.Option("--to", help="Folder of the corpus to write.")]
Aliases = Annotated[
    list[str] | None,
    typer.Option("--alias", help='One person under several names: "MONICA=MNCA,MON."; may be repeated.'),
]
CorpusFolder = Annotated[Path, typer.Argument(help="A folder that manera import wrote.")]
Speaker = Annotated[str | None, typer.Option(help="Whose manner to learn: a name or an id.")]
Name = Annotated[str | None, typer.Option(help="Name of the voice; by default the speaker's.")]
Minutes = Annotated[float | None, typer.Option(help="Train for this long at most.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the training text.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak of the learning rate.")]
Method = Annotated[str | None, typer.Option(help="What is trained: lora, rslora, dora, qlora or full.")]
Rank = Annotated[int | None, typer.Option(help="Rank of the adapter.")]
Alpha = Annotated[float | None, typer.Option(help="Strength of the adapter, over its rank.")]
Dropout = Annotated[float | None, typer.Option(help="Share of the adapter's input that is left out while it learns.")]
Targets = Annotated[
    str | None, typer.Option(help="Layers that are adapted, separated by commas, or all-linear; by default the base's.")
]
MaxLength = Annotated[int | None, typer.Option(help="Tokens of the longest example.")]
Precision = Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or int8.")]
Compile = Annotated[str | None, typer.Option(help="Compile the layers: auto, on or off.")]
PerThread = Annotated[
    float | None, typer.Option(help="Learn at most so much of one chat: up to 1 a share of everything, else tokens.")
]
HalfLife = Annotated[float | None, typer.Option(help="Days after which a text counts half as much as a new one.")]
Replay = Annotated[float | None, typer.Option(help="Share of general text mixed in, so that less is forgotten.")]
ReplayFrom = Annotated[Path | None, typer.Option(help="Corpus of that text; by default a small bundled one.")]
Views = Annotated[
    str | None,
    typer.Option(help="In how many ways posts are asked for, in turn: 1 to 5, or auto: more where there are few."),
]
Rewrite = Annotated[
    bool | None, typer.Option("--rewrite", help="Learn to say a plain draft in the person's manner too.")
]
InstructionsFrom = Annotated[
    str | None,
    typer.Option(
        help="URL of any OpenAI-compatible model that makes questions and drafts of the text, which it is sent."
    ),
]
InstructionsModel = Annotated[str | None, typer.Option(help="Name of that model; by default the server's first.")]
Preset = Annotated[str | None, typer.Option(help="Train as people did; manera presets lists what there is.")]
Format = Annotated[
    str | None, typer.Option(help="How messages are written: own, a name that manera presets lists, or a .toml file.")
]
ContextShare = Annotated[
    float | None, typer.Option(help="Of the examples of a chat, how many open with what memory would recall: 0 to 1.")
]
TensorBoard = Annotated[str | None, typer.Option("--tensorboard", help="Folder to write steps to for TensorBoard.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the adapter and of the order of examples.")]
SamplingSeed = Annotated[
    int | None, typer.Option("--seed", help="Seed of the draws: the same seed gives the same reply.")
]
Base = Annotated[str, typer.Option("--base", help="The base that is trained; manera bases lists them.")]
Bases = Annotated[
    list[str] | None,
    typer.Option(
        "--base",
        help="The base that is trained: one that manera bases lists, OWNER/NAME of the hub, a folder, a GGUF file; "
        "of several, each has a voice.",
    ),
]
Languages = Annotated[
    str | None, typer.Option(help="Languages whose tokens the base keeps, separated by commas; by default its own.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run; begin no new one.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace what has this name already.")]
All = Annotated[bool, typer.Option("--all", help="Show every row of a long table.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VoiceName = Annotated[str, typer.Argument(help="Name of a voice.")]
User = Annotated[str, typer.Argument(help="Who talked, as the API knows them: telegram:12345.")]
OfClient = Annotated[str, typer.Option("--key", help="Name of the key over which they talked; by default none.")]
OfVoice = Annotated[str | None, typer.Option("--voice", help="With which voice; by default with all.")]
OfChat = Annotated[str | None, typer.Option("--chat", help="In which chat; by default in all.")]
KeyName = Annotated[str, typer.Argument(help="Whose key it is.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.")]
Temperature = Annotated[float | None, typer.Option(help="0 is greedy; by default the voice's own.")]
Guarded = Annotated[
    bool, typer.Option("--guard/--no-guard", help="Copy no twelve words of the training text in a row.")
]
Drafts = Annotated[
    int | None,
    typer.Option(min=1, max=8, help="Write so many drafts and show the best; 1 shows each word as it is written."),
]
MaxTokens = Annotated[int | None, typer.Option(help="Longest reply, in tokens.")]

DRAFTS_OF_ITEMS = 4
Web = Annotated[bool, typer.Option("--web", help="Serve the studio's page too.")]
WebPort = Annotated[int | None, typer.Option(help="Port of the page; by default 7860.")]

DEFAULT_PORT = 8000
SECONDS_TO_UNWIND = 5


def with_options_of(
    command: Callable[..., None], without: Sequence[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the arguments and options of another one, but for some."""
    options = inspect.signature(command)
    kept = [option for name, option in options.parameters.items() if name not in without]

    def taking(function: Callable[..., None]) -> Callable[..., None]:
        function.__signature__ = options.replace(parameters=kept)  # type: ignore[attr-defined]
        function.__annotations__ = command.__annotations__
        return function

    return taking


@app.command("import")
def import_(
    paths: Paths,
    to: To,
    alias: Aliases = None,
    since: Annotated[str | None, typer.Option(help="Leave out what was written before this day: 2025-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Leave out what was written after this day.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Keep this chat only, by name or id; * is anything; may be repeated.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out this chat; as --only.")] = None,
    columns: Annotated[
        str | None, typer.Option("--map", help="Which columns of a table hold what: speaker=author,text=body.")
    ] = None,
    keep_code: Annotated[
        bool | None, typer.Option("--keep-code", help="Keep blocks of code, and lists of links, of pages and blogs.")
    ] = None,
    salvage: Annotated[
        bool | None, typer.Option("--salvage", help="Keep what is whole of files that break off.")
    ] = None,
    keep_names: Annotated[
        bool | None, typer.Option("--keep-names", help="Leave names of people in messages as they are.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share in cleaning; by default as many as help.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Clean on the machines of a Ray cluster: HOST:PORT, or auto.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add what is new, and update what was edited.")] = False,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Read files into a corpus, with a ledger of what was kept and what was dropped."""
    from manera.cli import corpora

    flags = {
        "since": since,
        "until": until,
        "only": only,
        "exclude": exclude,
        "keep_names": keep_names,
        "workers": workers,
        "ray": ray,
    }
    of_sources = {"columns": columns, "keep_code": keep_code, "salvage": salvage}
    corpora.import_corpus(paths, to, replace, json, alias or [], flags, add, of_sources)


@app.command()
def speakers(corpus: CorpusFolder, all: All = False, json: Json = False) -> None:
    """Show who wrote how much in a corpus, and in how many threads."""
    from manera.cli import corpora

    corpora.show_speakers(corpus, all, json)


@app.command()
def describe(
    corpus: CorpusFolder,
    speaker: Annotated[str | None, typer.Option(help="Whom to describe: a name or an id.")] = None,
    to: Annotated[Path | None, typer.Option(help="File of the page; by default in the corpus.")] = None,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Print a note instead, which lets any language model write like them.")
    ] = False,
    json: Json = False,
) -> None:
    """Describe how somebody writes, as a page to look at: when, how much, how fast, in which words."""
    from manera.cli import describing

    describing.describe_speaker(corpus, speaker, to, prompt, json)


@app.command()
def forget(
    corpus: CorpusFolder,
    speaker: Annotated[str | None, typer.Option(help="Forget everything of this person: a name or an id.")] = None,
    message: Annotated[str | None, typer.Option(help="Forget one message: its number, or CHAT/NUMBER.")] = None,
    json: Json = False,
) -> None:
    """Take a person or a message out of a corpus for good, and mark the voices that have learned from them."""
    from manera.cli import forgetting

    forgetting.forget(corpus, speaker, message, json)


@app.command()
def synthesize(
    style: Annotated[
        Path, typer.Option(help="File that says how texts are written; with {topic} in it, it is the whole question.")
    ],
    topics: Annotated[Path, typer.Option(help="File of topics, one a line; the model thinks of more where needed.")],
    count: Annotated[int, typer.Option(help="How many texts.")],
    out: Annotated[Path, typer.Option(help="Folder of the corpus to write.")],
    model: Annotated[str | None, typer.Option(help="Who writes; by default the only model of the server.")] = None,
    url: Annotated[str | None, typer.Option(help="Address of the API; by default OPENAI_BASE_URL.")] = None,
    examples: Annotated[Path | None, typer.Option(help="Corpus of real text: each question shows some of it.")] = None,
    speaker: Annotated[str | None, typer.Option(help="Whose texts of that corpus: a name or an id.")] = None,
    name: Annotated[str | None, typer.Option(help="Who is to have written it; by default the style's file.")] = None,
    shots: Annotated[int | None, typer.Option(help="How many examples each question shows.")] = None,
    language: Annotated[
        str | None, typer.Option(help="ru or en; by default that of the examples, else of the topics.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Of the draws; 0 is greedy.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of the longest text.")] = None,
    min_words: Annotated[int | None, typer.Option(help="Words of the shortest text that is kept.")] = None,
    texts_per_topic: Annotated[int | None, typer.Option(help="Texts about each topic.")] = None,
    tries: Annotated[int | None, typer.Option(help="How often a text is asked for until one is kept.")] = None,
    at_once: Annotated[int | None, typer.Option(help="Questions under way at the same time.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draws and of the examples.")] = None,
    prices: Annotated[Path | None, typer.Option(help="File of prices; by default a bundled one.")] = None,
    budget: Annotated[float | None, typer.Option(help="Money that may be spent, over all runs.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say calls, tokens and money, and ask for nothing.")] = False,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Let any OpenAI-compatible model write a corpus to order; OPENAI_API_KEY is its key, also in .env."""
    from manera.cli import synthesizing

    flags = {
        "model": model,
        "shots": shots,
        "language": language,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "min_words": min_words,
        "texts_per_topic": texts_per_topic,
        "tries": tries,
        "at_once": at_once,
        "seed": seed,
        "prices": prices,
        "budget": budget,
    }
    wanted = synthesizing.Wanted(style, topics, count, out, url, examples, speaker, name, replace)
    synthesizing.synthesize(wanted, flags, plan, json)


@app.command()
def voices(all: All = False, json: Json = False) -> None:
    """Show the voices that there are, what they are worth, and which know what was forgotten."""
    from manera.cli.voices import show_voices

    show_voices(all, json)


@app.command()
def train(
    corpus: Annotated[
        Path | None, typer.Argument(help="A folder that manera import wrote; may be left out with --continue.")
    ] = None,
    speaker: Speaker = None,
    name: Name = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    method: Method = None,
    rank: Rank = None,
    alpha: Alpha = None,
    dropout: Dropout = None,
    targets: Targets = None,
    max_length: MaxLength = None,
    precision: Precision = None,
    compile: Compile = None,
    canaries: Annotated[
        int | None, typer.Option(min=0, help="Plant this many secrets; manera evaluate says whether they leak.")
    ] = None,
    per_thread: PerThread = None,
    half_life: HalfLife = None,
    replay: Replay = None,
    replay_from: ReplayFrom = None,
    preset: Preset = None,
    format: Format = None,
    context_share: ContextShare = None,
    views: Views = None,
    rewrite: Rewrite = None,
    instructions_from: InstructionsFrom = None,
    instructions_model: InstructionsModel = None,
    seed: Seed = None,
    tensorboard: TensorBoard = None,
    base: Bases = None,
    languages: Languages = None,
    replace: Replace = False,
    resume: Resume = False,
    go_on_from: Annotated[
        str | None,
        typer.Option("--continue", help="A voice to go on from: on what is new in CORPUS, else on its preferences."),
    ] = None,
    prefer: Annotated[
        Path | None, typer.Option(help="With --continue: a file of pairs, in place of the voice's own preferences.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a voice on one speaker of a corpus and report how well it predicts held-out text.

    On several bases it trains a voice on each, and compares them.
    """
    from manera.cli import comparing, growing, learning
    from manera.machine import ranks

    flags = {
        "minutes": minutes,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "method": method,
        "rank": rank,
        "alpha": alpha,
        "dropout": dropout,
        "targets": targets,
        "max_length": max_length,
        "precision": precision,
        "compile": compile,
        "canaries": canaries,
        "per_thread": per_thread,
        "half_life": half_life,
        "replay": replay,
        "replay_from": replay_from,
        "preset": preset,
        "format": format,
        "context_share": context_share,
        "views": views,
        "rewrite": rewrite,
        "instructions_from": instructions_from,
        "instructions_model": instructions_model,
        "seed": seed,
        "tensorboard": tensorboard,
    }
    if go_on_from:
        told = learning.one_base(base) if base else None
        growing.go_on(go_on_from, corpus, prefer, speaker, name, flags, told, replace, json)
        return
    folder = growing.require_corpus(corpus, prefer)
    if base is not None and len(base) > 1:
        chosen = learning.chosen_languages(languages)
        options = comparing.Options(speaker, name, flags, chosen, replace, resume)
        comparing.train_on_several(folder, base, options, json)
        return
    learned = learning.train_voice(
        folder, speaker, name, flags, learning.one_base(base, preset), languages, replace, resume
    )
    if not ranks.rank():
        learning.report(learned, json)
    learning.fail_if_stopped(learned)


@app.command()
def preferences(voice: VoiceName) -> None:
    """Print the thumbs and corrections that a voice got, as pairs of replies that --prefer takes."""
    from manera.cli import growing

    growing.show_preferences(voice)


@app.command()
def presets(json: Json = False) -> None:
    """Show the presets and the dialogue formats that a voice can be trained with."""
    from manera.cli.presets import show_presets

    show_presets(json)


@app.command()
@with_options_of(train, without=("replace", "resume"))
def plan(
    corpus: Path,
    speaker: str | None,
    name: str | None,
    base: list[str] | None,
    languages: str | None,
    json: bool,
    **flags: object,
) -> None:
    """Try three steps of what manera train would do, and say what it all would take: time, memory and disk."""
    from manera.cli import learning

    learning.plan_voice(corpus, speaker, name, flags, learning.one_base(base, flags.get("preset")), languages, json)


@app.command()
def runs(
    remove: Annotated[str | None, typer.Option(help="Forget the unfinished run of this voice.")] = None,
    json: Json = False,
) -> None:
    """Show the trainings that were broken off: the same manera train goes on with them."""
    from manera.cli.runs import remove_run, show_runs

    if remove is None:
        show_runs(json)
    else:
        remove_run(remove)


@app.command()
def bases(
    for_: Annotated[
        Path | None, typer.Option("--for", help="Instead: compare untuned bases on a person's held-out text.")
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="Of that corpus: a name or an id.")] = None,
    base: Annotated[
        list[str] | None, typer.Option(help="A base to compare; by default all that are ready; may be repeated.")
    ] = None,
    all: All = False,
    json: Json = False,
) -> None:
    """Show the base models that a voice can be trained on, or which of them knows a person's text best."""
    from manera.cli.bases import show_bases

    if for_ is None:
        show_bases(json, all)
        return
    from manera.cli.comparing import propose

    propose(for_, speaker, base or [], json)


@app.command()
def write(
    voice: VoiceName,
    text: Annotated[str, typer.Argument(help="What to answer, to write about or to continue.")],
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    drafts: Drafts = None,
    seed: SamplingSeed = None,
    guard: Guarded = True,
) -> None:
    """Write one text to stdout, as it is made."""
    from manera.cli import talking

    flags = {"temperature": temperature, "max_new_tokens": max_tokens, "drafts": drafts, "seed": seed}
    talking.write(voice, text, flags, guard)


@app.command()
def rewrite(
    voice: VoiceName,
    draft: Annotated[Path, typer.Argument(help="A text file; - or nothing reads standard input.")] = Path("-"),
    temperature: Annotated[float | None, typer.Option(help="0 is greedy, and then there is one try.")] = None,
    drafts: Annotated[int | None, typer.Option(min=1, max=8, help="Tries of each passage; the best is kept.")] = None,
    seed: SamplingSeed = None,
    guard: Guarded = True,
    json: Json = False,
) -> None:
    """Say a plain draft in the manner of a voice that was trained with --rewrite.

    The text goes to stdout, what was kept of each passage to stderr.
    """
    from manera.cli import rewriting

    rewriting.rewrite(voice, draft, {"temperature": temperature, "drafts": drafts, "seed": seed}, guard, json)


@app.command()
def chat(
    voice: VoiceName,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    drafts: Drafts = None,
    seed: SamplingSeed = None,
    guard: Guarded = True,
) -> None:
    """Talk to a voice in the terminal.

    /reset forgets the conversation, /quit ends it, //... says /... to the voice.
    """
    from manera.cli import talking

    flags = {"temperature": temperature, "max_new_tokens": max_tokens, "drafts": drafts, "seed": seed}
    talking.chat(voice, flags, guard)


@app.command()
def why(
    voice: VoiceName,
    reply: Annotated[str, typer.Argument(help="What the voice wrote.")],
    count: Annotated[int, typer.Option(min=1, help="How many training messages to show.")] = 5,
    json: Json = False,
) -> None:
    """Show the training messages that a reply of a voice is nearest to."""
    from manera.cli import explaining

    explaining.why(voice, reply, count, json)


@app.command()
def evaluate(
    voice: VoiceName,
    against: Annotated[list[str] | None, typer.Option(help="Another voice to score on the same text.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Fewer samples: quicker, and less sure.")] = False,
    curve: Annotated[
        bool, typer.Option("--curve", help="Train on a quarter, a half and all of the text too: how much is enough?")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the texts and of the draws.")] = 0,
    language: Annotated[
        str | None, typer.Option(help="Language of the page: ru or en; by default the corpus's.")
    ] = None,
    blind: Annotated[
        int | None, typer.Option(min=1, help="Instead: write a page of this many pairs for people to judge.")
    ] = None,
    blind_items: Annotated[
        int | None,
        typer.Option(
            min=3, help="Instead: write a page of this many texts, written in one draft, in several and real."
        ),
    ] = None,
    drafts: Annotated[
        int | None, typer.Option(min=1, max=8, help="Drafts of each of the voice's texts; by default 1, of items 4.")
    ] = None,
    votes: Annotated[Path | None, typer.Option(help="Instead: report people's answers on such a page.")] = None,
    url: Annotated[
        list[str] | None, typer.Option(help="Let the server at this address write, such as vLLM's; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure a voice on held-out text: likeness, leaks, health, and whether training was worth it."""
    from manera.cli import evaluating
    from manera.evaluation.budget import FAST, FULL
    from manera.evaluation.opening import Options

    if votes is not None:
        evaluating.show_votes(voice, votes, json)
        return
    if (blind or blind_items) and (fast or curve or against or json):
        raise SettingsError(
            "--blind and --blind-items write a page for people and measure nothing",
            "leave out --fast, --curve, --against and --json",
        )
    drafts = drafts or (DRAFTS_OF_ITEMS if blind_items else 1)
    options = Options(FAST if fast else FULL, seed, tuple(against or ()), curve, tuple(url or ()), drafts=drafts)
    if blind is not None:
        evaluating.write_pairs(voice, blind, options, language)
        return
    if blind_items is not None:
        evaluating.write_items_page(voice, blind_items, options, language)
        return
    evaluating.evaluate_voice(voice, options, language, json)


@app.command()
def serve(
    voices: Annotated[
        list[str] | None, typer.Argument(help="Names of voices; by default all of the newest base.")
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    slots: Annotated[int, typer.Option(min=1, max=256, help="Replies written at the same time.")] = 4,
    queue: Annotated[int, typer.Option(min=0, max=4096, help="Replies that may wait for their turn.")] = 64,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds that a request may take, waiting included.")] = 600,
    limits: Annotated[
        str, typer.Option(help="Where keys' use is counted: memory:// or redis://host:port.")
    ] = "memory://",
    engine: Annotated[
        str, typer.Option(help="What writes: llama.cpp; transformers, for a GPU; auto, as the base needs.")
    ] = "auto",
    url: Annotated[
        list[str] | None, typer.Option(help="Let the server at this address write, such as vLLM's; may be repeated.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Fold one voice into its base: faster, a little coarser, alone.")
    ] = False,
    web: Web = False,
    web_port: WebPort = None,
) -> None:
    """Serve voices over an OpenAI-compatible API, and with --web the studio's page beside it."""
    from manera.cli import serving
    from manera.generation.opening import EngineChoice
    from manera.serving.service import Bounds

    bounds = Bounds(slots=slots, queue=queue, deadline=deadline)
    choice = EngineChoice(engine, tuple(url or ()))
    serving.serve(voices or [], serving.ServeOptions(host, port, bounds, limits, choice, merge, web, web_port))


@app.command()
def web(
    api: Annotated[str | None, typer.Option(help="Address of the API; by default that of this machine.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; any but loopback wants a password.")] = None,
    port: WebPort = None,
    password: Annotated[str | None, typer.Option(help="Asked for on every page; better in .env.")] = None,
    share: Annotated[
        bool | None, typer.Option("--share", help="Open a public tunnel to the page; wants a password.")
    ] = None,
) -> None:
    """Serve the studio: a page to make voices, talk to them and compare them. It asks an API that runs already."""
    from manera.cli import web as studio

    studio.web(api, {"host": host, "port": port, "password": password, "share": share})


@keys.command("add")
def add_key(
    name: KeyName,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests it may make in a minute.")] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Tokens it may read and write in a minute.")
    ] = None,
    voices: Annotated[str | None, typer.Option(help="Models it may use, separated by commas; by default all.")] = None,
) -> None:
    """Make a key and print it once: only its hash is kept."""
    from manera.cli import serving

    serving.add(name, requests_per_minute, tokens_per_minute, voices)


@keys.command("list")
def list_keys(all: All = False, json: Json = False) -> None:
    """List the keys and what they may do."""
    from manera.cli import serving

    serving.show_keys(all, json)


@keys.command("revoke")
def revoke_key(name: KeyName) -> None:
    """Take a key away, from running servers too."""
    from manera.cli import serving

    serving.revoke(name)


@memory.command("show")
def show_memory(
    user: Annotated[str | None, typer.Argument(help="Who talked; by default everybody is listed.")] = None,
    key: OfClient = "",
    voice: OfVoice = None,
    chat: OfChat = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the last turns of a chat.")] = 50,
    all: All = False,
    json: Json = False,
) -> None:
    """Show who talked to which voice; of one person, in which chats; of one chat, what was said."""
    from manera.cli import remembering

    remembering.show(remembering.Asked(key, user, voice, chat), limit, all, json)


@memory.command("search")
def search_memory(
    user: User,
    text: Annotated[str, typer.Argument(help="What it was about.")],
    key: OfClient = "",
    voice: OfVoice = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many turns at most.")] = 10,
    json: Json = False,
) -> None:
    """Find what a person said, or was answered, by words and by meaning."""
    from manera.cli import remembering

    remembering.search(remembering.Asked(key, user, voice), text, limit, json)


@memory.command("forget")
def forget_memory(user: User, key: OfClient = "", voice: OfVoice = None, chat: OfChat = None) -> None:
    """Delete what a person said and was answered, from running servers' memory too."""
    from manera.cli import remembering

    remembering.forget(remembering.Asked(key, user, voice, chat))


@memory.command("export")
def export_memory(user: User, key: OfClient = "") -> None:
    """Print everything that is kept of a person as one JSON document."""
    from manera.cli import remembering

    remembering.export(remembering.Asked(key, user))


@app.command()
def export(
    voice: VoiceName,
    to: Annotated[str, typer.Option(help="peft, merged, gguf, ollama, vllm or hub.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; by default VOICE-FORMAT.")] = None,
    dtype: Annotated[str, typer.Option(help="Type of Hugging Face weights: bfloat16 or float32.")] = "bfloat16",
    repository: Annotated[str | None, typer.Option(help="For hub: USER/NAME to upload to.")] = None,
    public: Annotated[bool, typer.Option("--public", help="For hub: let everybody see it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="For hub: write the folder, upload nothing.")] = False,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Write a voice as a folder that other programs load, and check that it is the same voice there."""
    from manera.cli import exporting

    destination = exporting.Destination(repository, public, dry_run) if to == "hub" else None
    exporting.export_voice(voice, to, out, dtype, replace, destination, json)


LabPath = Annotated[Path, typer.Argument(help="A folder that manera import wrote, or whatever it reads.")]
LabSpeaker = Annotated[str | None, typer.Option("--speaker", help="Whose words: a name or an id.")]
Pieces = Annotated[str, typer.Option("--tokenizer", help="character, word, byte, bpe or unigram.")]


@lab.command("words")
def lab_words(
    paths: Annotated[list[Path], typer.Argument(help="One text or two: corpora, or whatever manera import reads.")],
    speaker: LabSpeaker = None,
    to: Annotated[Path | None, typer.Option("--to", help="File of the page; by default words.html.")] = None,
    json: Json = False,
) -> None:
    """Show how often words come, how many come once, and what a vocabulary would cover; two texts over each other."""
    from manera.cli import lab

    lab.show_words(paths, speaker, to, json)


@lab.command("tokenizer")
def lab_tokenizer(
    corpus: LabPath,
    kind: Annotated[str, typer.Option(help="character, word, byte, bpe or unigram.")] = "bpe",
    vocab: Annotated[str, typer.Option(help="Tokens, or auto: sizes are tried, and one is chosen by a rule.")] = "auto",
    model: Annotated[str, typer.Option(help="What each size is tried with: gru, ngram, lstm, ...")] = "gru",
    seconds: Annotated[float, typer.Option(min=1, help="For how long, each.")] = 20,
    speaker: LabSpeaker = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write; by default tokenizer-KIND.")] = None,
    json: Json = False,
) -> None:
    """Make a tokenizer.json that transformers loads, of a size that the text bears."""
    from manera.cli import lab

    lab.make_tokenizer(corpus, speaker, kind, vocab, model, seconds, to, json)


@lab.command("train")
def lab_train(
    corpus: LabPath,
    kind: Annotated[str, typer.Option(help="ngram, linear, rnn, gru, lstm or transformer.")] = "gru",
    tokenizer: Pieces = "bpe",
    vocab: Annotated[int | None, typer.Option(help="Tokens of a word, BPE or Unigram tokenizer.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of the embedding and of every layer.")] = None,
    layers: Annotated[int | None, typer.Option(help="How many layers.")] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens looked back over; of an n-gram its order; see docs/guides/lab.md.")
    ] = None,
    learning_rate: LearningRate = None,
    dropout: Annotated[float | None, typer.Option(help="Share of every layer's input that is left out.")] = None,
    batch: Annotated[int | None, typer.Option(help="Stretches of text that are read side by side.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the weights and of the order.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Train for this long at most; by default 10, without --epochs.")
    ] = None,
    epochs: Epochs = None,
    speaker: LabSpeaker = None,
    name: Name = None,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Train a small model from nothing, as a voice that manera write, chat and evaluate take."""
    from manera.cli import lab

    flags = {
        "kind": kind,
        "tokenizer": tokenizer,
        "vocabulary": vocab,
        "width": width,
        "layers": layers,
        "context": context,
        "learning_rate": learning_rate,
        "dropout": dropout,
        "batch": batch,
        "seed": seed,
    }
    lab.train(corpus, speaker, name, flags, {"minutes": minutes, "epochs": epochs}, replace, json)


@lab.command("search")
def lab_search(
    corpus: LabPath,
    kinds: Annotated[
        str, typer.Option(help="Kinds to try, separated by commas; each gets as many trials.")
    ] = "linear,rnn,gru,lstm,transformer",
    tokenizers: Annotated[str, typer.Option(help="Tokenizers to try: character, word, byte, bpe, unigram.")] = (
        "character,bpe"
    ),
    trials: Annotated[int, typer.Option(min=1, help="How many models, in all processes together.")] = 64,
    minutes: Annotated[float, typer.Option(help="After which no new trial begins.")] = 30,
    seconds: Annotated[
        float | None, typer.Option(help="How long each model learns; by default its share of the minutes.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="What draws the settings: tpe or random.")] = "tpe",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    seed: Annotated[int, typer.Option(help="Seed that those of the trials follow from.")] = 0,
    voice: Annotated[
        list[str] | None,
        typer.Option("--voice", help="A voice of a pretrained base, for the same table; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the study; by default the speaker's.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="postgresql://... of a study that several machines share; by default a file.")
    ] = None,
    speaker: LabSpeaker = None,
    to: Annotated[Path | None, typer.Option("--to", help="File of the page; by default NAME-search.html.")] = None,
    json: Json = False,
) -> None:
    """Try settings of small models with equal budgets, and say on one page what to do next; goes on where it was."""
    from manera.cli import searching

    flags: dict[str, object] = {
        "kinds": kinds.split(","),
        "pieces": tokenizers.split(","),
        "trials": trials,
        "minutes": minutes,
        "seconds": seconds,
        "sampler": sampler,
        "workers": workers,
        "seed": seed,
    }
    asked = searching.Asked(name, voice or (), storage, to, speaker)
    searching.search(corpus, asked, flags, json)


@app.command()
def up(
    path: Annotated[
        Path | None,
        typer.Argument(help="A Telegram export, a book, a play, or a folder of them; with --web it may come later."),
    ] = None,
    speaker: Speaker = None,
    name: Name = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    base: Base = DEFAULT_BASE,
    languages: Languages = None,
    replace: Replace = False,
    port: Port = DEFAULT_PORT,
    talk: Annotated[bool, typer.Option("--chat/--no-chat", help="Serve and chat at the end.")] = True,
    web: Web = False,
    web_port: WebPort = None,
) -> None:
    """Do it all: import, choose the voice, train, report, serve, and chat in the terminal, or on a page with --web."""
    from manera.cli import journey

    options = journey.UpOptions(speaker, name, minutes, epochs, base, languages, replace, port, talk, web, web_port)
    journey.up(path, options)


@app.command()
def bot(
    voice: VoiceName,
    api: Annotated[str | None, typer.Option(help="Address of the API; by default MANERA_API_URL.")] = None,
    pace: Annotated[str | None, typer.Option(help="real: as slowly as they do; brisk: within seconds; none.")] = None,
) -> None:
    """Be a voice in Telegram: BOT_TOKEN and the rest are read from the environment and from .env."""
    from manera.cli.bot import run_bot

    run_bot(voice, api, pace)


@app.command()
def doctor() -> None:
    """Show what this machine and this installation can do."""
    from manera.cli import checkup

    checkup.show()


def main() -> None:
    """Run the command line; every expected failure is one clear error and exit code 1."""
    config.let_threads_sleep()
    config.use_large_pages()
    _unwind_on_signals()
    _remove_abandoned()
    try:
        app()
    except ManeraError as error:
        _fail(error.message, error.hint)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'while writing'}", _os_hint(error))


def _unwind_on_signals() -> None:
    """Let SIGTERM and a closed terminal end a command as an error would: what it had begun is removed."""
    unwinding_since = float("-inf")

    def end(number: int, _: FrameType | None) -> None:
        nonlocal unwinding_since
        if time.monotonic() > unwinding_since + SECONDS_TO_UNWIND:  # timeout and shells send it twice
            unwinding_since = time.monotonic()
            sys.exit(128 + number)

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, end)


def _remove_abandoned() -> None:
    for kind in ("corpora", "voices", "bases", "runs"):
        folder = config.home() / kind
        remove_abandoned(folder)
        for inside in folder.glob("*/"):
            remove_abandoned(inside)


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
