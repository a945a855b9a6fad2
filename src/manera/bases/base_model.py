"""A base model on disk, from which voices are trained and with which they are served.

bases/<name>-<languages>-<fingerprint>/base.gguf        weights, as quantized upstream or with eight bits each
                                      /tokenizer.json   the same vocabulary for ``tokenizers``
                                      /base.json        what it is: BaseModel

Where llama.cpp does not compute an architecture, ``config.json`` and ``model.safetensors`` stand for ``base.gguf``.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import msgspec
from tokenizers import AddedToken, Tokenizer

from manera import config
from manera.bases import conversion, gguf_file, metadata, origins, own_form
from manera.bases.catalogue import DEFAULT_BASE, CataloguedBase, catalogued, find_base
from manera.bases.families import family_named, family_of, family_of_config
from manera.bases.family import Family, Form
from manera.bases.special import Special, read_special
from manera.bases.tokenizer import Vocabulary, build_tokenizer, read_vocabulary
from manera.bases.vocabulary import kept_tokens, known_languages, language_tokens, listed_tokens, lists_sha256
from manera.errors import ModelError
from manera.files import unfinished_beside

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GGUF, TOKENIZER, DESCRIPTION = "base.gguf", "tokenizer.json", "base.json"
_UNFIT = re.compile(r"[^\w.-]+")

_READING = {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_space_prefix": False}
"""How llama.cpp by itself is to read a text: opened by BOS, and otherwise as it is."""


class BaseModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which base this is; a voice fits any base that differs in none of id, revision and vocabulary hash.

    bos opens everything it reads; end_of_text ends what has no turns. chat_template and end_of_turn are of a base that
    was taught turns. form: "transformers" is a model of this architecture that llama.cpp does not compute.
    added: tokens that it was given here, the last of its vocabulary.
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
    form: Form = "gguf"
    architecture: str | None = None
    added: tuple[str, ...] = ()

    def differs_in(self, other: "BaseModel") -> list[str]:
        """Name what makes another base another one: nothing where a voice of this one fits it."""
        return [part for part in ("id", "revision", "vocabulary_sha256") if getattr(self, part) != getattr(other, part)]


def prepare_for(wanted: BaseModel) -> Path:
    """Return the folder of a voice's own base, building it where it is not there; raise ModelError."""
    if (built := find_built(wanted)) is not None:
        return built
    if catalogued(wanted.id) is None and not origins.is_hub_id(wanted.id):
        raise ModelError(
            f"the base {wanted.id!r} was built from a folder or a file, and what was built is gone",
            f"put it back into {config.home() / 'bases'}, or train the voice again: --base PATH --replace",
        )
    return with_tokens(prepare(wanted.languages, origins.pinned(wanted.id, wanted.revision)), wanted.added)


def with_tokens(folder: Path, tokens: Sequence[str]) -> Path:
    """Return the folder of the same base with special tokens added, building it the first time; itself where none are.

    Their rows are the mean of the others until they are trained. Raises ModelError.
    """
    if not tokens:
        return folder
    described = read(folder)
    if described.form == "transformers":
        raise ModelError(
            f"{described.id} cannot be given the tokens {', '.join(tokens)}: llama.cpp does not compute it",
            "train with a format whose tokens it has, or without --format",
        )
    digest = hashlib.sha256("\0".join((described.revision, described.vocabulary_sha256, *tokens)).encode()).hexdigest()
    place = config.home() / "bases" / f"{_UNFIT.sub('-', described.id)}-with-tokens-{digest[:12]}"
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
                vocabulary_sha256=_hash(pieces),
                added=(*described.added, *tokens),
            ),
            extended,
        )
        with suppress(OSError):  # another process was faster
            extended.rename(place)
    return place


def find_built(wanted: BaseModel) -> Path | None:
    """Return the folder of this very base, if it has been built."""
    return next((folder for folder, base in built() if not wanted.differs_in(base)), None)


def built() -> Iterator[tuple[Path, BaseModel]]:
    """Yield the folders of bases that are built and can be read, and what they are."""
    for description in sorted((config.home() / "bases").glob(f"*/{DESCRIPTION}")):
        with suppress(ModelError):
            yield description.parent, read(description.parent)


def prepare(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> Path:
    """Return the folder of a base trimmed to these languages, building it the first time.

    name: one that the catalogue has, a hub's ``OWNER/NAME``, a folder or a GGUF file. Without languages a packaged base
    is trimmed to its own, and any other left whole. Raises ModelError.
    """
    if (ready := find_prepared(languages, name)) is not None:
        return ready
    with origins.lend(name) as origin:
        folder = _place(languages, origin.id, origin.revision)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with unfinished_beside(folder) as unfinished:
            _build(origin, _chosen(languages, origin.id), unfinished)
            try:
                (unfinished / "base").rename(folder)
            except OSError:
                if not (folder / DESCRIPTION).is_file():  # else another process was faster
                    raise
    return folder


def is_prepared(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> bool:
    """Tell whether the base for these languages has been built; raise ModelError where there is no such base."""
    return find_prepared(languages, name) is not None


def find_prepared(languages: Sequence[str] = (), name: str = DEFAULT_BASE) -> Path | None:
    """Return the folder of a base for these languages, if it has been built; no hub is asked, the newest is taken."""
    if (known := catalogued(name)) is not None and known.is_packaged:
        place = _place(languages, known.name, known.sha256)
    elif (path := origins.local(name)) is not None:
        origin = origins.read_local(path)
        place = _place(languages, origin.id, origin.revision)
    else:
        asked = origins.hub_id(name)
        found = [folder for folder, base in built() if _is_asked(base, asked, languages)]
        return max(found, key=lambda folder: (folder / DESCRIPTION).stat().st_mtime, default=None)
    return place if (place / DESCRIPTION).is_file() else None


def _is_asked(base: BaseModel, asked: origins.HubId, languages: Sequence[str]) -> bool:
    is_this = base.id == asked.base and asked.revision in (None, base.revision) and not base.added
    return is_this and set(base.languages) == set(languages)


def _place(languages: Sequence[str], name: str, revision: str) -> Path:
    return config.home() / "bases" / folder_name(languages, name, revision)


def _chosen(languages: Sequence[str], name: str) -> list[str]:
    known = catalogued(name)
    return sorted(languages or (known.languages if known and known.is_packaged else ()))


def folder_name(languages: Sequence[str] = (), name: str = DEFAULT_BASE, revision: str | None = None) -> str:
    """Name the base by everything that its content follows from; revision: by default that of a packaged base."""
    chosen = _chosen(languages, name)
    listed = known_languages(name)
    tokens = ",".join(
        f"{language}:{language_tokens(name, language) if listed else lists_sha256(language)}" for language in chosen
    )
    digest = hashlib.sha256(f"{revision or find_base(name).sha256}:{tokens}".encode()).hexdigest()
    return f"{_UNFIT.sub('-', name)}-{'-'.join(chosen) or 'whole'}-{digest[:12]}"


def _build(origin: origins.Origin, languages: Sequence[str], within: Path) -> None:
    """Write the base folder ``base`` into a folder, which has room for what is needed meanwhile."""
    folder, whole = within / "base", origin.files
    if whole.is_dir():
        if family_of_config(conversion.read_config(whole)).form == "transformers":
            build_own_form(whole, origin.id, origin.revision, folder)
            return
        whole = within / "whole.gguf"
        conversion.write_gguf(origin.files, whole)
    known = catalogued(origin.id)
    special = known if known and known.is_packaged else None
    build(whole, origin.id, origin.revision, languages, folder, special)


def build(
    whole: Path,
    name: str,
    revision: str,
    languages: Sequence[str],
    folder: Path,
    special: CataloguedBase | Special | None = None,
) -> None:
    """Trim one GGUF file to the languages' tokens, or leave it whole without lists of them, and write a base folder.

    special: whose special tokens and template it has; by default what the file itself says.
    """
    folder.mkdir()
    reader = metadata.open_gguf(whole)
    vocabulary = read_vocabulary(reader)
    kept = _kept(vocabulary, languages)
    changed: dict[str, int] = {} if special else dict(_READING)
    special = special or read_special(reader)
    tokens = {"bos": special.bos, "eos": special.end_of_text}
    if special.chat_template is not None:
        tokens["eot"] = special.end_of_turn
    for one, token in tokens.items():
        changed[f"tokenizer.ggml.{one}_token_id"] = kept.index(vocabulary.pieces.index(token))
    gguf_file.write_trimmed(reader, kept, folder / GGUF, changed)
    describe(folder, name, revision, languages, special)


def _kept(vocabulary: Vocabulary, languages: Sequence[str]) -> list[int]:
    lists = [listed_tokens(vocabulary, language) for language in languages]
    listed = [tokens for tokens in lists if tokens is not None]
    if not languages or len(listed) < len(lists):
        return list(range(len(vocabulary.pieces)))
    return kept_tokens(vocabulary, set().union(*listed))


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
        vocabulary_sha256=_hash(vocabulary.pieces),
        context_length=metadata.context_length(reader),
        bos=special.bos,
        end_of_text=special.end_of_text,
        end_of_turn=special.end_of_turn,
        chat_template=special.chat_template,
    )
    _write_description(described, folder)


def build_own_form(files: Path, name: str, revision: str, folder: Path) -> None:
    """Write a base folder of a model that llama.cpp does not compute, or whose tokenizer it has not.

    files: as its makers saved it.
    """
    folder.mkdir()
    config = conversion.read_config(files)
    its = family_of_config(config)
    special = own_form.write(files, its, folder, folder / TOKENIZER)
    vocabulary = load_tokenizer(folder).get_vocab()
    described = BaseModel(
        id=name,
        revision=revision,
        languages=(),
        vocabulary=len(vocabulary),
        vocabulary_sha256=_hash(sorted(vocabulary, key=vocabulary.__getitem__)),
        context_length=own_form.context_length(config),
        bos=special.bos,
        end_of_text=special.end_of_text,
        end_of_turn=special.end_of_turn,
        form="transformers",
        architecture=its.architecture,
    )
    _write_description(described, folder)


def _write_description(described: BaseModel, folder: Path) -> None:
    (folder / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(described)))


def _hash(pieces: Sequence[str]) -> str:
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
    own = read(folder).architecture
    return family_of(open_weights(folder)) if own is None else family_named(own)


def load(folder: Path) -> "PreTrainedModel":
    """Load the weights that serving uses, dequantized to float32, as a transformers model in eval mode."""
    if read(folder).form == "transformers":
        return own_form.load(folder, family(folder))
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
