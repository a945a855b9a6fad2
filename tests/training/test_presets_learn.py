"""Every preset trains a small model of its real architecture, and the voice answers."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from manera.bases import base_model, conversion
from manera.corpus.storage import open_corpus, write
from manera.generation.engine import Finished, Token
from manera.generation.opening import open_base
from manera.generation.reply import stream_reply, voice_writer
from manera.records import ExampleKind, Message
from manera.sources.reading import read
from manera.training.learn import Learned, learn
from manera.training.presets import PRESETS, find, resolve
from manera.voice.dataset import training_examples
from manera.voice.manifest import Sampling, read_voice
from tiny import TEXT
from tiny_models import save_tiny_model

EXAMPLES = Path(__file__).parents[2] / "examples"
HAS_FOUR_BITS = find_spec("bitsandbytes") is not None
QUICK = {"precision": "float32", "compile": "off", "max_length": 160, "batch_tokens": 640}


class Case(NamedTuple):
    """What a preset learns, on which small model, and how much of it; what the prompt holds then."""

    model: str
    corpus: str
    kind: ExampleKind
    epochs: float | None
    prompt: str
    speaker: str | None = None


CASES = {
    "rugpt3-post": Case("gpt2", "channel-ru", "post", 0.1, "Инструкция:"),
    "rudialogpt": Case("gpt2", "chat-ru", "dialogue", 0.1, "@@ВТОРОЙ@@"),
    "tinyllama-character": Case("llama", "play-ru", "dialogue", 0.5, "Как дела?\n", "ЛЕКАЛОВ"),
    "yandexgpt-user": Case("llama", "chat-ru", "dialogue", 0.1, "### Ответ:"),
    "prose": Case("gpt2", "book", "continuation", None, "Как дела?"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the bases of both architectures, and a book beside it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("gpt2", "llama"):
        saved = save_tiny_model(name, home / "saved" / name)
        conversion.write_gguf(saved, home / f"{name}.gguf")
        (home / "bases").mkdir(exist_ok=True)
        base_model.build(home / f"{name}.gguf", name, "seed 23", (), home / "bases" / name)
    lines = [line for line in TEXT.split("\n") if line]
    (home / "book").mkdir()
    (home / "book" / "книга.txt").write_text("\n\n".join(f"{lines[n % 12]} И так {n} раз." for n in range(32)), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(home))
        yield home


@pytest.mark.parametrize("name", CASES)
def test_a_preset_trains_a_voice_that_answers(name: str, folders: Path, tmp_path: Path) -> None:
    preset, case = find(name), CASES[name]
    source = folders / "book" if case.corpus == "book" else EXAMPLES / case.corpus
    write(read([source]), tmp_path / "corpus")
    method = None if HAS_FOUR_BITS or preset.settings.get("method") != "qlora" else "lora"  # else over whole weights
    config = resolve({**QUICK, "preset": name, "epochs": case.epochs, "method": method})
    corpus = open_corpus(tmp_path / "corpus")
    *_, learned = learn(corpus, case.speaker, name, config, folders / "bases" / case.model)
    assert isinstance(learned, Learned)
    assert learned.kind == case.kind
    assert learned.held_out.voice.bits_per_byte < learned.held_out.base.bits_per_byte
    voice = read_voice(name)
    assert (voice.recipe.preset, voice.recipe.format) == (name, preset.settings["format"])
    base = base_model.prepare_for(voice.base)
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    asked = [Message("user", "Как дела?")]
    with open_base(base, [name]) as engine:
        sampling = Sampling(temperature=0, max_new_tokens=12)
        *tokens, finished = stream_reply(engine, writer, asked, sampling).tokens
    assert isinstance(finished, Finished)
    assert "".join(token.text for token in tokens if isinstance(token, Token))
    prompt = writer.encoder.tokenizer.decode(writer.encoder.prompt(asked), skip_special_tokens=False)
    assert case.prompt in prompt


def test_every_preset_is_tried() -> None:
    assert list(CASES) == [preset.name for preset in PRESETS]


def test_a_user_learns_with_what_is_recalled(folders: Path) -> None:
    noted = [example for example in training_examples("yandexgpt-user") if example.messages[0].role == "system"]
    assert noted
    assert read_voice("yandexgpt-user").recalled == "note"
    assert all(len(example.messages) == 2 for example in training_examples("tinyllama-character"))
