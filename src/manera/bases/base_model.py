"""A base model on disk: one GGUF file, from which voices are trained and with which they are served.

bases/<name>-<languages>-<fingerprint>/base.gguf        weights, exactly as quantized upstream
                                      /tokenizer.json   the same vocabulary for ``tokenizers``
                                      /base.json        what it is: BaseModel
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import msgspec
from tokenizers import AddedToken, Tokenizer

from manera import config
from manera.bases import gguf_file, metadata
from manera.bases.catalogue import DEFAULT_BASE, CataloguedBase, find_base
from manera.bases.families import family_of
from manera.bases.family import Family
from manera.bases.special import Special, read_special
from manera.bases.tokenizer import build_tokenizer, read_vocabulary
from manera.bases.vocabulary import kept_tokens, language_tokens
from manera.errors import ModelError
from manera.files import unfinished_beside

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GGUF, TOKENIZER, DESCRIPTION = "base.gguf", "tokenizer.json", "base.json"


class BaseModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which base this is; a voice fits any base that differs in none of id, revision and vocabulary hash.

    bos opens everything it reads; end_of_text ends what has no turns. chat_template and end_of_turn are of a base that
    was taught turns. added: tokens that it was given here, the last of its vocabulary.
    """

    id: str
    revision: str
    languages: tuple[str, ...]
    vocabulary: int
    vocabulary_sha256: str
    context_length: int
    bos: str = "<bos>"
    end_of_text: str = "<eos>"
    end_of_turn: str = "<eos>"
    chat_template: str | None = None
    added: tuple[str, ...] = ()

    def differs_in(self, other: "BaseModel") -> list[str]:
        """Name what makes another base another one: nothing where a voice of this one fits it."""
        return [part for part in ("id", "revision", "vocabulary_sha256") if getattr(self, part) != getattr(other, part)]


def prepare_for(wanted: BaseModel) -> Path:
    """Return the folder of a voice's own base, building it where it is not there; raise ModelError."""
    return find_built(wanted) or with_tokens(prepare(wanted.languages, wanted.id), wanted.added)


def with_tokens(folder: Path, tokens: Sequence[str]) -> Path:
    """Return the folder of the same base with special tokens added, building it the first time; itself where none are.

    Their rows are the mean of the others until they are trained. Raises ModelError.
    """
    if not tokens:
        return folder
    described = read(folder)
    digest = hashlib.sha256("\0".join((described.revision, described.vocabulary_sha256, *tokens)).encode()).hexdigest()
    place = config.home() / "bases" / f"{described.id.replace('/', '--')}-with-tokens-{digest[:12]}"
    if (place / DESCRIPTION).is_file():
        return place
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with unfinished_beside(place) as unfinished:
        extended = unfinished / "base"
        extended.mkdir()
        gguf_file.write_extended(open_weights(folder), tokens, extended / GGUF)
        tokenizer = load_tokenizer(folder)
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
        tokenizer.save(str(extended / TOKENIZER))
        pieces = read_vocabulary(open_weights(extended)).pieces
        if [tokenizer.token_to_id(token) for token in tokens] != list(range(len(pieces)))[-len(tokens) :]:
            raise ModelError(f"{folder} has other rows than its tokenizer has tokens", "choose another format")
        _write_description(
            msgspec.structs.replace(
                described,
                vocabulary=len(pieces),
                vocabulary_sha256=_hashed(pieces),
                added=(*described.added, *tokens),
            ),
            extended,
        )
        with suppress(OSError):  # another process was faster
            extended.rename(place)
    return place


def find_built(wanted: BaseModel) -> Path | None:
    """Return the folder of this very base, if it has been built."""
    for description in sorted((config.home() / "bases").glob(f"*/{DESCRIPTION}")):
        with suppress(ModelError):
            if not wanted.differs_in(read(description.parent)):
                return description.parent
    return None


def prepare(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> Path:
    """Return the folder of a base trimmed to these languages, by default its own, building it the first time.

    Building takes about half a minute and 300 MB of temporary disk. Raises ModelError.
    """
    base = find_base(name)
    folder = _place(base, languages)
    if is_prepared(languages, name):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with base.whole() as whole, unfinished_beside(folder) as unfinished:
        build(whole, base.name, base.sha256, languages or base.languages, unfinished / "base", base)
        try:
            (unfinished / "base").rename(folder)
        except OSError:
            if not is_prepared(languages, name):  # else another process was faster
                raise
    return folder


def is_prepared(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> bool:
    """Tell whether the base for these languages has been built."""
    return (_place(find_base(name), languages) / DESCRIPTION).is_file()


def _place(base: CataloguedBase, languages: Sequence[str]) -> Path:
    return config.home() / "bases" / folder_name(languages, base.name)


def folder_name(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> str:
    """Name the base by everything that its content follows from."""
    base = find_base(name)
    chosen = sorted(languages or base.languages)
    tokens = ",".join(f"{language}:{language_tokens(name, language)}" for language in chosen)
    digest = hashlib.sha256(f"{base.sha256}:{tokens}".encode()).hexdigest()
    return f"{name}-{'-'.join(chosen) or 'whole'}-{digest[:12]}"


def build(
    whole: Path,
    name: str,
    revision: str,
    languages: Sequence[str],
    folder: Path,
    special: CataloguedBase | Special | None = None,
) -> None:
    """Trim one GGUF file to the languages' tokens, or leave it whole without any, and write a base folder.

    special: whose special tokens and template it has; by default what the file itself says.
    """
    folder.mkdir()
    reader = metadata.open_gguf(whole)
    vocabulary = read_vocabulary(reader)
    kept = (
        kept_tokens(vocabulary, {index for one in languages for index in language_tokens(name, one)})
        if languages
        else list(range(len(vocabulary.pieces)))
    )
    special = special or read_special(reader)
    tokens = {"bos": special.bos, "eos": special.end_of_text}
    if special.chat_template is not None:
        tokens["eot"] = special.end_of_turn
    ids = {f"tokenizer.ggml.{one}_token_id": vocabulary.pieces.index(token) for one, token in tokens.items()}
    gguf_file.write_trimmed(reader, kept, folder / GGUF, {key: kept.index(index) for key, index in ids.items()})
    describe(folder, name, revision, languages, special)


def describe(
    folder: Path, name: str, revision: str, languages: Sequence[str], special: CataloguedBase | Special | None = None
) -> None:
    """Write what is derived from ``base.gguf``: its tokenizer and its description.

    special: whose special tokens and template it has; by default they are those of the built-in base.
    """
    reader = metadata.open_gguf(folder / GGUF)
    vocabulary = read_vocabulary(reader)
    build_tokenizer(vocabulary).save(str(folder / TOKENIZER))
    special = special or find_base(DEFAULT_BASE)
    described = BaseModel(
        id=name,
        revision=revision,
        languages=tuple(sorted(languages)),
        vocabulary=len(vocabulary.pieces),
        vocabulary_sha256=_hashed(vocabulary.pieces),
        context_length=metadata.context_length(reader),
        bos=special.bos,
        end_of_text=special.end_of_text,
        end_of_turn=special.end_of_turn,
        chat_template=special.chat_template,
    )
    _write_description(described, folder)


def _write_description(described: BaseModel, folder: Path) -> None:
    (folder / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(described)))


def _hashed(pieces: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(pieces).encode()).hexdigest()


def read(folder: Path) -> BaseModel:
    """Return a base folder's description; raise ModelError when it is not one."""
    try:
        return msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=BaseModel)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{folder} holds no base model: {error}", "remove that folder; it is built again") from error


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load a base folder's tokenizer without loading its weights."""
    return Tokenizer.from_file(str(folder / TOKENIZER))


def open_weights(folder: Path) -> gguf.GGUFReader:
    """Map a base folder's weights."""
    return metadata.open_gguf(folder / GGUF)


def family(folder: Path) -> Family:
    """Return how a base folder's model is laid out."""
    return family_of(open_weights(folder))


def load(folder: Path) -> "PreTrainedModel":
    """Load the weights that serving uses, dequantized to float32, as a transformers model in eval mode."""
    import transformers
    from transformers.initialization import no_init_weights

    reader = open_weights(folder)
    its = family_of(reader)
    with no_init_weights():
        model: Any = getattr(transformers, its.model_class)(its.config(reader))
    weights = gguf_file.transformers_weights(reader)
    weights.setdefault(f"{its.layout.head}.weight", weights[f"{its.layout.embedding}.weight"])
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    return model.eval()
