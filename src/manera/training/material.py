"""What a voice learns from: one speaker of a corpus, split, and written as examples for one base."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from manera.bases import base_model
from manera.bases.base_model import BaseModel
from manera.bases.templates import format_for, template_of
from manera.corpus.conversations import conversations_of
from manera.corpus.keys import keys_of
from manera.corpus.manifest import Speaker
from manera.corpus.speakers import choose_speaker
from manera.corpus.splitting import HELD_OUT_SHARE, Split, require_enough, split
from manera.corpus.storage import Corpus
from manera.dataset.building import MAX_LENGTH, Dataset, build, encode
from manera.dataset.canaries import Canary
from manera.dataset.encoding import Encoded, Encoder
from manera.dataset.examples import INSTRUCTIONS, example_kind
from manera.dataset.formats.format import Format, missing_tokens
from manera.dataset.packing import pack_ways, place, room, with_context
from manera.dataset.rewriting import Rewriting
from manera.dataset.views import asked_as
from manera.errors import TrainingError
from manera.records import Conversation, Example, ExampleKind
from manera.retrieval.sentences import embed
from manera.rhythm import learning
from manera.text.languages import Language, language_of
from manera.voice.exchanges import Exchange, exchanges_of
from manera.voice.instructions import Made

MAX_HELD_OUT_CHARACTERS = 40_000
"""More would hardly sharpen the figure, and is better learned from; it is scored many times in a run."""


@dataclass(frozen=True)
class Material:
    """A dataset, and what it was made with; dropped counts what was left out since the import, by reason.

    exchanges: what the speaker answered to whom in the training part. canaries: secrets that are planted among the
    training rows, and nowhere else. rhythm: where a chat's times taught one. learned_from: the conversations of the
    training part. beside: what lies among the training rows and is not the speaker's: canaries, and general text.
    replayed: the share of the latter among all learned tokens. left_out: places of training examples, or windows of
    running text, that the rows do not hold, since they were read before. known: hashes of all utterances there were.
    rewrites: pairs of a draft and the person's text, which lie beside too; rewriting: how they are asked for.
    made: what a model was asked for about this text; questions: how many posts have one. synthetic: the models that
    wrote any of the text; none where people did.
    """

    speaker: Speaker
    kind: ExampleKind
    base: Path
    format: Format
    encoder: Encoder
    dataset: Dataset
    max_length: int
    language: Language
    instruction: str | None
    dropped: dict[str, int]
    exchanges: tuple[Exchange, ...] = ()
    canaries: tuple[Canary, ...] = ()
    rhythm: learning.Learned | None = None
    learned_from: tuple[Conversation, ...] = ()
    beside: tuple[Encoded, ...] = ()
    replayed: float = 0.0
    left_out: frozenset[int] = frozenset()
    known: frozenset[bytes] = frozenset()
    rewriting: Rewriting | None = None
    rewrites: tuple[Example, ...] = ()
    made: tuple[Made, ...] = ()
    questions: int = 0
    synthetic: tuple[str, ...] = ()

    @property
    def added_tokens(self) -> int:
        """How many tokens were added to the base of which the format writes some: their rows are to be trained."""
        added = base_model.read(self.base).added
        return len(added) if set(added) & set(self.format.tokens) else 0


def gather(
    corpus: Corpus, requested: str | None, base: Path, max_length: int | None, format: str | None = None
) -> Material:
    """Choose the speaker and the kind of example, hold text out, and build the dataset.

    Raises CorpusError or TrainingError when there is too little of the speaker to learn from or to hold out, and
    DatasetError when the format does not fit.
    """
    speaker = choose_speaker(corpus.manifest, requested)
    parts = divide(corpus, speaker)
    learned_from = parts.conversations["train"]
    require_enough(learned_from, speaker.speaker_id, speaker.name)
    kind = example_kind(learned_from, speaker.speaker_id)
    described = base_model.read(base)
    written = format_for(format, kind, described)
    length = _length(max_length, kind, described)
    vocabulary = base_model.load_tokenizer(base).get_vocab()
    base = base_model.with_tokens(base, missing_tokens(written, vocabulary, described.id, described.end_of_text))
    described = base_model.read(base)
    encoder = Encoder(base_model.load_tokenizer(base), template_of(written, described))
    language = _language(learned_from, speaker)
    instruction = INSTRUCTIONS[language] if kind == "post" else None
    dataset = build(parts.conversations, speaker.speaker_id, kind, encoder, length, instruction, written.turns)
    if not len(dataset.rows["train"]):
        raise TrainingError(
            f'nothing "{speaker.name}" wrote fits an example of {length} tokens', "train with a larger --max-length"
        )
    for part in ("validation", "test"):
        if not dataset.scored_bytes[part]:
            raise TrainingError(
                f'nothing of "{speaker.name}" could be held out for {part}, so no point could be chosen',
                "import more of what they wrote",
            )
    dropped = parts.dropped | dataset.dropped
    exchanges = tuple(exchanges_of(learned_from, speaker.speaker_id))
    rhythm = learning.learn(corpus.told(), speaker.speaker_id) if kind == "dialogue" else None
    return Material(
        speaker,
        kind,
        base,
        written,
        encoder,
        dataset,
        length,
        language,
        instruction,
        dropped,
        exchanges,
        rhythm=rhythm,
        learned_from=tuple(learned_from),
        known=keys_of(corpus.utterances()),
        synthetic=corpus.manifest.synthetic,
    )


def divide(corpus: Corpus, speaker: Speaker) -> Split:
    """Hold out what a voice of this speaker is measured on."""
    share = min(HELD_OUT_SHARE, MAX_HELD_OUT_CHARACTERS / speaker.characters)
    return split(conversations_of(corpus, embed), speaker.speaker_id, share)


def _length(asked: int | None, kind: ExampleKind, base: BaseModel) -> int:
    """Return how long an example may be; raise TrainingError when more is asked for than the base reads at once."""
    if asked and asked > base.context_length:
        raise TrainingError(
            f"an example of {asked:,} tokens is longer than what {base.id} reads at once: {base.context_length:,}",
            f"train with --max-length {base.context_length}, or on another base",
        )
    return asked or min(MAX_LENGTH[kind], base.context_length)


def plant(material: Material, canaries: Sequence[Canary], copies: int) -> Material:
    """Put so many copies of each canary among the training rows; the examples stay as they are."""
    secrets = _encoded(material, [canary.example(material.kind) for canary in canaries]) * copies
    return pack_again(replace(material, canaries=tuple(canaries), beside=(*material.beside, *secrets)))


def pack_again(material: Material) -> Material:
    """Make the training rows of the training examples as they are now, and of what lies beside them."""
    rows = {**material.dataset.rows, "train": pack_ways(_ways(material), material.max_length)}
    return replace(material, dataset=replace(material.dataset, rows=rows))


def weigh_context(material: Material, weight: float) -> Material:
    """Let the training rows teach what is only read too, by so much of what they teach of the speaker."""
    rows = {**material.dataset.rows, "train": with_context(material.dataset.rows["train"], weight)}
    return replace(material, dataset=replace(material.dataset, rows=rows))


def _ways(material: Material) -> list[list[Encoded]]:
    """Return what the training rows hold in each of the ways in which it is asked for.

    One that has more ways than passes takes another at each example, so that a single pass knows them all.
    """
    count = 1 + max((len(example.asks) for example in material.dataset.examples["train"]), default=0)
    return [[*(one for _, one in _read_now(material, way)), *material.beside] for way in range(count)]


def _read_now(material: Material, way: int = 0) -> list[tuple[int, Encoded]]:
    """Return what the training rows hold of the speaker, with its place among the examples, or windows."""
    made = [asked_as(example, way + place) for place, example in enumerate(material.dataset.examples["train"])]
    own = enumerate(_encoded(material, made))
    return [(place, one) for place, one in own if place not in material.left_out]


def _encoded(material: Material, examples: Sequence[Example]) -> list[Encoded]:
    return encode(examples, material.kind, material.encoder, material.max_length)


def seen(material: Material, times: float) -> Material:
    """Note how often each canary was seen."""
    canaries = (msgspec.structs.replace(canary, times_seen=times) for canary in material.canaries)
    return replace(material, canaries=tuple(canaries))


def unread(material: Material, rows_read: Set[int]) -> list[int]:
    """Return which training examples, or windows of running text, lie in none of these rows."""
    dataset = material.dataset
    if len(rows_read) == len(dataset.rows["train"]):
        return []
    places = [place for place, _ in _read_now(material)]
    rows = place(room(_ways(material)), material.max_length)
    return [places[i] for row, held in enumerate(rows) if row not in rows_read for i in held if i < len(places)]


def _language(talks: Sequence[Conversation], speaker: Speaker) -> Language:
    own = (turn for talk in talks for turn in talk.turns if turn.speaker_id == speaker.speaker_id)
    return language_of(text for turn in own for text in turn.texts)
