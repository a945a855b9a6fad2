"""What a report says of a voice that cannot be measured whole: the rest of it is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import completions_server
from manera.corpus.storage import open_corpus, write
from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.held_out import Material, read_material
from manera.evaluation.report import Report
from manera.evaluation.subject import Subject, open_subject
from manera.generation.llama_cpp import open_engine
from manera.sources.reading import read
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice.folder import voice_folder
from manera.voice.manifest import read_voice
from running import running

EXAMPLE = Path(__file__).parents[2] / "examples" / "channel-en" / "result.json"
SETTINGS = TrainingConfig(precision="float32", compile="off", rank=4, alpha=8, max_length=256, epochs=0.2)


@pytest.fixture(scope="module", autouse=True)
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one voice of the tiny base."""
    folder = tmp_path_factory.mktemp("refused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(folder))
        write(read([EXAMPLE]), folder / "corpus")
        list(learn(open_corpus(folder / "corpus"), None, "anna", SETTINGS, tiny_base))
        yield folder


@pytest.fixture
def subject(tiny_base: Path) -> Subject:
    """The voice, which writes a few words only."""
    subject = open_subject("anna", fast=True, base=tiny_base)
    sampling = msgspec.structs.replace(subject.voice.sampling, max_new_tokens=16)
    subject.voice = msgspec.structs.replace(subject.voice, sampling=sampling)
    return subject


def report_of(subject: Subject) -> Report:
    *_, last = evaluate(subject, fast=True)
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
    subject: Subject, harm: Callable[[Path], None], said: str
) -> None:
    path = voice_folder("anna") / "dataset" / "test.jsonl"
    kept = path.read_bytes()
    try:
        harm(path)
        report = report_of(subject)
    finally:
        path.write_bytes(kept)
    assert report.recommended is None
    assert said in report.because
    assert said in report.not_measured["likeness"]
    assert measured(report) == {"forgotten", "cost"}


def test_too_little_held_out_text_is_scored_and_says_how_much_is_missing(subject: Subject) -> None:
    whole = read_material(subject.voice)
    subject.material = Material(subject.voice, whole.training, whole.test[:3])
    report = report_of(subject)
    assert report.recommended is not None
    assert report.not_measured["writing"].endswith("and 8 are needed: 5 more")
    assert measured(report) == {"bits_per_byte", "perplexity", "memory", "personal_data", "forgotten", "cost"}


def test_too_little_held_out_text_still_has_a_dial(subject: Subject) -> None:
    whole = read_material(subject.voice)
    subject.material = Material(subject.voice, whole.training, whole.test[:3])
    subject.budget = subject.budget._replace(dial_tokens=300, dial_texts=2)
    report = report_of(subject)
    assert report.not_measured["dial"].endswith("and 8 are needed: 5 more")
    assert report.metrics["dial.recommended"].value is not None
    assert not any(name.startswith("dial.likeness") for name in report.metrics)


def test_a_voice_of_another_tokenizer_is_counted_and_not_scored(subject: Subject) -> None:
    other = msgspec.structs.replace(subject.voice.base, vocabulary_sha256="0" * 64)
    subject.voice = msgspec.structs.replace(subject.voice, base=other)
    report = report_of(subject)
    assert report.recommended is None
    assert "differ in vocabulary_sha256" in report.because
    assert set(report.metrics) >= {"personal_data.inputs", "personal_data.targets"}
    assert measured(report) == {"personal_data", "cost"}


def test_what_a_server_writes_is_measured_and_nothing_is_scored(
    subject: Subject, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions_server, "BASE", read_voice("anna").base.id)
    with (
        open_engine(tiny_base / "base.gguf", subject.adapters, slots=4, context_length=1024, threads=1) as engine,
        running(completions_server.application(engine, ("anna",))) as url,
    ):
        subject.urls = (url,)
        report = report_of(subject)
    assert report.recommended is None
    for part in ("ladder", "forgetting"):
        assert "no log-probabilities" in report.not_measured[part]
    assert "server" in report.not_measured["cost of a reply"]
    assert {"health", "copied", "distance", "personal_data"} <= measured(report)
