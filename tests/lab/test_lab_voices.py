"""A model from nothing becomes a voice that writes and is measured like any other."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lab_texts import PROSE
from manera.corpus.storage import open_corpus, write
from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.opening import Options
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.opening import open_voices
from manera.lab.settings import Budget, LabSettings, settings_for
from manera.lab.texts import texts_of
from manera.lab.training import Trained, train
from manera.lab.voice import LabCard, write_voice
from manera.records import Message
from manera.sources.reading import read
from manera.voice.folder import LAB, voice_folder
from manera.voice.manifest import Sampling, read_voice
from shortened import BUDGET

MADE: dict[str, LabSettings] = {
    "ngram": settings_for("ngram", tokenizer="character", context=4),
    "linear": settings_for("linear", tokenizer="byte", width=32, context=8),
    "gru": settings_for("gru", tokenizer="word", vocabulary=360, width=32, context=16, learning_rate=1e-2),
    "lstm": settings_for("lstm", tokenizer="unigram", vocabulary=300, width=32, context=16, learning_rate=1e-2),
    "transformer": settings_for(
        "transformer", tokenizer="bpe", vocabulary=300, width=32, layers=1, context=96, learning_rate=1e-2
    ),
    "transformer-letters": settings_for(
        "transformer", tokenizer="character", width=32, layers=1, context=128, learning_rate=1e-2
    ),
    "transformer-words": settings_for(
        "transformer", tokenizer="word", vocabulary=360, width=32, layers=1, context=96, learning_rate=1e-2
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a corpus of a few pages of prose."""
    place = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(place))
        write(read([PROSE]), place / "corpus")
        yield place


@pytest.mark.parametrize("name", MADE)
def test_a_voice_from_nothing_writes(name: str, home: Path) -> None:
    corpus = open_corpus(home / "corpus")
    speaker = corpus.manifest.speakers[0]
    texts = texts_of(corpus, speaker)
    *_, trained = train(texts, MADE[name], Budget(tokens=20_000))
    assert isinstance(trained, Trained)
    on_test = trained.measured(texts.test)
    held_out = write_voice(corpus, speaker, name, trained, on_test)
    assert held_out.voice.bits_per_byte < held_out.base.bits_per_byte - 0.3
    assert held_out.voice.bits_per_byte == pytest.approx(on_test, abs=0.15)  # windows cut it elsewhere
    voice = read_voice(name)
    assert voice.base.form == ("gguf" if name in ("transformer", "transformer-letters") else "transformers")
    card = msgspec.json.decode((voice_folder(name) / LAB).read_bytes(), type=LabCard)
    assert (card.settings, card.bits_per_byte) == (MADE[name], trained.bits_per_byte)
    with open_voices([name], lambda _: None) as opened:
        writer = opened.writers[name]
        prompt = writer.encoder.prompt([Message("user", "Он вошёл")])
        sampling = Sampling(temperature=0.7, max_new_tokens=12, seed=1)
        written = list(stream(opened.engine, Request(prompt, sampling, writer.adapters)))
    assert "".join(one.text for one in written if isinstance(one, Token))
    assert isinstance(written[-1], Finished)


@pytest.mark.parametrize("name", ["ngram", "gru", "transformer"])
def test_a_voice_from_nothing_is_evaluated(name: str, home: Path) -> None:
    corpus = open_corpus(home / "corpus")
    speaker = corpus.manifest.speakers[0]
    texts = texts_of(corpus, speaker)
    *_, trained = train(texts, MADE[name], Budget(tokens=6000))
    assert isinstance(trained, Trained)
    write_voice(corpus, speaker, f"{name}-measured", trained, trained.measured(texts.test))
    *_, last = evaluate(f"{name}-measured", Options(BUDGET))
    assert isinstance(last, Evaluated)
    figures = last.report.metrics
    voice, base = (figures[f"bits_per_byte.{who}"].value or 0.0 for who in ("voice", "base"))
    assert 0.0 < voice < base
