"""A base model on disk: one trimmed GGUF file, from which voices are trained and with which they are served.

bases/<name>-<languages>-<fingerprint>/base.gguf        weights, exactly as quantized upstream
                                      /tokenizer.json   the same vocabulary for ``tokenizers``
                                      /base.json        what it is: BaseModel
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from tokenizers import Tokenizer

from manera import config
from manera.bases import builtin, gguf_file
from manera.bases.tokenizer import build_tokenizer
from manera.bases.vocabulary import DEFAULT_LANGUAGES, kept_tokens, language_tokens
from manera.errors import ModelError
from manera.files import fingerprint, unfinished_beside

if TYPE_CHECKING:
    from transformers import Gemma3ForCausalLM


class BaseModel(msgspec.Struct, frozen=True):
    """Which base this is; a voice fits any base with the same id, revision and vocabulary hash."""

    id: str
    revision: str
    languages: tuple[str, ...]
    vocabulary: int
    vocabulary_sha256: str
    context_length: int


def prepare(languages: Sequence[str] = DEFAULT_LANGUAGES) -> Path:
    """Return the folder of the built-in base trimmed to these languages, building it the first time.

    Building takes about half a minute and 300 MB of temporary disk. Raises ModelError.
    """
    folder = _place(languages)
    if is_prepared(languages):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with builtin.assembled() as whole, unfinished_beside(folder) as unfinished:
        build(whole, builtin.NAME, languages, unfinished / "base")
        try:
            (unfinished / "base").rename(folder)
        except OSError:
            if not is_prepared(languages):  # else another process was faster
                raise
    return folder


def is_prepared(languages: Sequence[str]) -> bool:
    """Tell whether the base for these languages has been built."""
    return (_place(languages) / "base.json").is_file()


def _place(languages: Sequence[str]) -> Path:
    return config.home() / "bases" / folder_name(languages)


def folder_name(languages: Sequence[str]) -> str:
    """Name the base by everything that its content follows from."""
    tokens = ",".join(f"{language}:{language_tokens(language)}" for language in sorted(languages))
    digest = hashlib.sha256(f"{builtin.SHA256}:{tokens}".encode()).hexdigest()
    return f"{builtin.NAME}-{'-'.join(sorted(languages))}-{digest[:12]}"


def build(whole: Path, name: str, languages: Sequence[str], folder: Path) -> None:
    """Trim one GGUF file to the languages' tokens and write a base folder."""
    folder.mkdir()
    reader = gguf_file.open_gguf(whole)
    kept = kept_tokens(gguf_file.read_vocabulary(reader), languages)
    gguf_file.write_trimmed(reader, kept, folder / "base.gguf")
    describe(folder, name, fingerprint(whole).sha256, languages)


def describe(folder: Path, name: str, revision: str, languages: Sequence[str]) -> None:
    """Write what is derived from ``base.gguf``: its tokenizer and its description."""
    reader = gguf_file.open_gguf(folder / "base.gguf")
    vocabulary = gguf_file.read_vocabulary(reader)
    build_tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    described = BaseModel(
        id=name,
        revision=revision,
        languages=tuple(sorted(languages)),
        vocabulary=len(vocabulary.pieces),
        vocabulary_sha256=hashlib.sha256("\0".join(vocabulary.pieces).encode()).hexdigest(),
        context_length=gguf_file.value(reader, f"{gguf_file.value(reader, 'general.architecture')}.context_length"),
    )
    (folder / "base.json").write_bytes(msgspec.json.format(msgspec.json.encode(described)))


def read(folder: Path) -> BaseModel:
    """Return a base folder's description; raise ModelError when it is not one."""
    try:
        return msgspec.json.decode((folder / "base.json").read_bytes(), type=BaseModel)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{folder} holds no base model: {error}", "remove that folder; it is built again") from error


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load a base folder's tokenizer without loading its weights."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def load(folder: Path) -> "Gemma3ForCausalLM":
    """Load the weights that serving uses, dequantized to float32, as a transformers model in eval mode."""
    from transformers import Gemma3ForCausalLM
    from transformers.initialization import no_init_weights

    reader = gguf_file.open_gguf(folder / "base.gguf")
    with no_init_weights():
        model = Gemma3ForCausalLM(gguf_file.transformers_config(reader))
    weights = gguf_file.transformers_weights(reader)
    model.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]}, assign=True)
    model.tie_weights()
    return model.eval()
