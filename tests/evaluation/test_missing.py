"""What a report says of a voice that cannot be measured whole: the rest of it is."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

import completions_server
from manera.corpus.storage import open_corpus, write
from manera.evaluation.budget import FAST
from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.opening import Options
from manera.evaluation.report.document import Report
from manera.generation.llama_cpp import open_engine
from manera.sources.reading import read
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice.dataset import fingerprint_of
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import read_voice, write_voice
from running import running

EXAMPLE = Path(__file__).parents[2] / "examples" / "channel-en" / "result.json"
SETTINGS = TrainingConfig(precision="float32", compile="off", rank=4, alpha=8, max_length=256, epochs=0.2)


@pytest.fixture(scope="module", autouse=True)
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one voice of the tiny base, which writes a few words only."""
    folder = tmp_path_factory.mktemp("refused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(folder))
        write(read([EXAMPLE]), folder / "corpus")
        list(learn(open_corpus(folder / "corpus"), None, "anna", SETTINGS, tiny_base))
        changed("anna", sampling=msgspec.structs.replace(read_voice("anna").sampling, max_new_tokens=16))
        yield folder


@pytest.fixture
def options(tiny_base: Path) -> Options:
    return Options(FAST, base=tiny_base)


def changed(name: str, /, **changes: Any) -> None:
    write_voice(msgspec.structs.replace(read_voice(name), **changes), voice_folder(name))


@pytest.fixture
def copied() -> Iterator[str]:
    """Another voice, the same as the first."""
    shutil.copytree(voice_folder("anna"), voice_folder("copied"))
    changed("copied", name="copied")
    yield "copied"
    shutil.rmtree(voice_folder("copied"))


@pytest.fixture
def little(copied: str) -> str:
    """A voice of whose text three posts alone are held out."""
    path = voice_folder(copied) / "dataset" / "test.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    changed(copied, dataset_sha256=fingerprint_of(voice_folder(copied)))
    return copied


def report_of(name: str, options: Options) -> Report:
    *_, last = evaluate(name, options)
    assert isinstance(last, Evaluated)
    return last.report


def measured(report: Report) -> set[str]:
    """Return the first words of the figures' names."""
    return {name.partition(".")[0] for name in report.metrics}


def remove(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def break_a_line(path: Path) -> None:
    path.write_bytes(b"{]\n" + path.read_bytes())


@pytest.mark.parametrize(
    ("harm", "said"),
    [(remove, "no test.jsonl"), (empty, "is empty"), (cut_short, "was changed"), (break_a_line, "is no example")],
)
def test_without_its_held_out_text_a_voice_is_measured_on_general_text(
    options: Options, harm: Callable[[Path], None], said: str
) -> None:
    path = voice_folder("anna") / "dataset" / "test.jsonl"
    kept = path.read_bytes()
    try:
        harm(path)
        report = report_of("anna", options)
    finally:
        path.write_bytes(kept)
    assert report.recommended is None
    assert said in report.because
    assert said in report.not_measured["likeness"].message
    assert measured(report) == {"forgotten", "cost"}


def test_too_little_held_out_text_is_scored_and_says_how_much_is_missing(options: Options, little: str) -> None:
    report = report_of(little, options)
    assert report.recommended is not None
    why = report.not_measured["writing"]
    assert (why.reason, why.parameters) == ("too_few_turns", {"found": 3, "needed": 8, "missing": 5})
    assert why.message == "3 held-out turns can be answered, and 8 are needed: 5 more"
    assert measured(report) == {"bits_per_byte", "perplexity", "memory", "personal_data", "forgotten", "cost"}


def test_too_little_held_out_text_still_has_a_dial(options: Options, little: str) -> None:
    budget = msgspec.structs.replace(FAST, dial_tokens=300, dial_texts=2)
    report = report_of(little, replace(options, budget=budget))
    assert report.budget == budget
    assert report.not_measured["dial"].reason == "too_few_turns"
    assert report.metrics["dial.recommended"].value is not None
    assert not any(name.startswith("dial.likeness") for name in report.metrics)


def test_a_voice_of_another_tokenizer_is_counted_and_not_scored(options: Options, copied: str) -> None:
    changed(copied, base=msgspec.structs.replace(read_voice(copied).base, vocabulary_sha256="0" * 64))
    report = report_of(copied, options)
    assert report.recommended is None
    assert "differ in vocabulary_sha256" in report.because
    assert report.not_measured["ladder"].reason is None  # an error of another floor, in its own words
    assert set(report.metrics) >= {"personal_data.inputs", "personal_data.targets"}
    assert measured(report) == {"personal_data", "cost"}


def test_what_a_server_writes_is_measured_and_nothing_is_scored(
    options: Options, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions_server, "BASE", read_voice("anna").base.id)
    adapters = {"anna": voice_folder("anna") / ADAPTER_GGUF}
    with (
        open_engine(tiny_base / "base.gguf", adapters, slots=4, context_length=1024, threads=1) as engine,
        running(completions_server.application(engine, ("anna",))) as url,
    ):
        report = report_of("anna", replace(options, urls=(url,)))
    assert report.recommended is None
    for part in ("ladder", "forgetting"):
        assert report.not_measured[part].reason == "server_scores_nothing"
    assert report.not_measured["cost_of_a_reply"].reason == "server_cost_unseen"
    assert {"health", "copied", "distance", "personal_data"} <= measured(report)
