"""The whole evaluation of a small voice, and what each part refuses."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from torch import nn

from manera.cli.evaluating import write_pairs
from manera.corpus.storage import open_corpus, write
from manera.dataset.building import encode
from manera.dataset.encoding import Encoder
from manera.dataset.examples import messages_of
from manera.dataset.formats.format import read_format
from manera.dataset.packing import pack
from manera.dataset.template import ChatTemplate
from manera.errors import EvaluationError, SettingsError
from manera.evaluation import scoring
from manera.evaluation.asked import Task
from manera.evaluation.budget import FAST, for_pairs
from manera.evaluation.evaluate import PARTS, Evaluated, Part, evaluate, recommend, verdict_of
from manera.evaluation.imitation import imitate
from manera.evaluation.measures.gate import Verdict, gate
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.measures.pieces import Size, cut
from manera.evaluation.measures.verifier import MIN_PIECES, likeness_of
from manera.evaluation.opening import Opened, Options, open_voice
from manera.evaluation.other_authors import find_others
from manera.evaluation.parts import against, canaries, cost, ladder, learning_curve
from manera.evaluation.parts.dial import DIAL
from manera.evaluation.report.blind_page import read_votes, write_blind
from manera.evaluation.report.document import write_report
from manera.evaluation.report.findings import Findings, SideBySide
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.report.page import write_page
from manera.evaluation.report.verdict import because
from manera.evaluation.report.words import words_of
from manera.evaluation.rungs import RUNGS
from manera.evaluation.stretches import SHORT, Stretch, after_prefix, cut_stretches
from manera.evaluation.voice_dataset import own_writing, read_canaries, read_part
from manera.evaluation.writing import Written, whole
from manera.files import read_records
from manera.generation.engine import FinishReason
from manera.model import packed
from manera.records import Example, Message, TrainingStep, Utterance
from manera.retrieval.examples import Retriever
from manera.sources.reading import read
from manera.training import lora
from manera.training.fitting import fit
from manera.training.learn import learn
from manera.training.loop import plan
from manera.training.settings import TrainingConfig
from manera.voice.folder import UNREAD, voice_folder
from manera.voice.manifest import read_steps, write_voice

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat-ru" / "result.json"
MESSAGES = 900
SETTINGS = TrainingConfig(
    precision="float32", compile="off", rank=4, alpha=8, max_length=256, batch_tokens=1024, epochs=1, learning_rate=3e-3
)


@pytest.fixture(scope="module")
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one voice of the tiny base, trained on part of the invented chat."""
    folder = tmp_path_factory.mktemp("evaluated")
    chat = json.loads(EXAMPLE.read_text("utf-8"))
    chat["messages"] = chat["messages"][:MESSAGES]
    (folder / "result.json").write_text(json.dumps(chat), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(folder))
        paths = [folder / "result.json"]
        write(read(paths), folder / "corpus")
        list(learn(open_corpus(folder / "corpus"), "Тася Веретенникова", "tasya", SETTINGS, tiny_base))
        yield folder


@pytest.fixture
def options(tiny_base: Path) -> Options:
    return Options(FAST, base=tiny_base)


@pytest.fixture
def opened(home: Path, options: Options) -> Opened:
    return open_voice("tasya", options)


@pytest.fixture(scope="module")
def evaluated(home: Path, tiny_base: Path) -> Evaluated:
    *parts, last = evaluate("tasya", Options(FAST, base=tiny_base), (*PARTS, TOY))
    assert all(isinstance(part, Part) for part in parts)
    assert isinstance(last, Evaluated)
    return last


def measure_toy(opened: Opened) -> Iterator[Metric]:
    """Say how many letters a held-out turn has."""
    lengths = [float(len(task.reply)) for task in opened.tasks]
    yield metric(
        "toy.length", Interval(sum(lengths) / len(lengths), 1, 900), "toy_letters", len(lengths), "lower", "toys"
    )


TOY = Part("toy", measure_toy)


def by_id(found: Iterable[Metric | Findings]) -> dict[str, Metric]:
    return {one.id: one for one in found if isinstance(one, Metric)}


def test_every_part_is_measured_or_says_why_not(evaluated: Evaluated) -> None:
    report = evaluated.report
    assert {part: why.reason for part, why in report.not_measured.items()} == {
        "topic": "topic_needs_more_texts",
        "dial": "dial_takes_longer",
        "canaries": "no_canaries",
        "learning_curve": "curve_not_asked_for",
        "energy_of_training": "no_energy_meter_then",
        "energy_of_a_reply": "no_energy_meter",
    }
    assert report.not_measured["canaries"].message == "no canaries were planted in training"
    assert report.budget == FAST
    for name in (
        "bits_per_byte.voice",
        "perplexity.voice",
        "likeness.real",
        "copied.8_words.voice",
        "health.loops.voice",
        "delta.base",
    ):
        found = report.metrics[name]
        assert found.value is not None
        assert found.n > 0
        has_bounds = found.of != "pieces" or found.n >= MIN_PIECES
        assert (found.low is not None, found.high is not None) == (has_bounds, has_bounds)
        assert not has_bounds or (found.low or 0) <= found.value <= (found.high or 0)
    assert report.recommended is not None
    assert "bits per byte" in report.because
    assert "same_conversations" in report.compared_with
    assert not any("Тася" in other for other in report.compared_with)


def test_the_page_needs_no_network_and_shows_what_was_written(evaluated: Evaluated, home: Path, tmp_path: Path) -> None:
    steps = list(read_records(voice_folder("tasya") / "training.jsonl", TrainingStep))
    for language in ("ru", "en"):
        page = write_page(evaluated.report, evaluated.findings, "Тася <b>", steps, tmp_path, language).read_text(
            "utf-8"
        )
        assert "Тася &lt;b&gt;" in page
        assert "http" not in page.replace("http-equiv", "")
        assert page.count("<svg") == 4
        assert evaluated.findings.side_by_side[0].real.strip()[:20] in page


def test_another_metric_is_one_more_part(evaluated: Evaluated, tmp_path: Path) -> None:
    document = json.loads(write_report(evaluated.report, tmp_path).read_text("utf-8"))
    assert document["metrics"]["toy.length"]["unit"] == "toy_letters"
    for language in ("ru", "en"):
        page = write_page(evaluated.report, evaluated.findings, "Тася", [], tmp_path, language).read_text("utf-8")
        assert "toy.length" in page
        assert "toy_letters" in page  # nobody gave it words


def test_a_part_that_has_no_words_says_why_it_was_not_measured(opened: Opened, tmp_path: Path) -> None:
    def refuse(opened: Opened) -> Iterator[Metric]:
        raise EvaluationError("the toy is broken")

    *_, last = evaluate("tasya", opened.options, [Part("broken_toy", refuse)])
    assert isinstance(last, Evaluated)
    for language in ("ru", "en"):
        page = write_page(last.report, last.findings, "Тася", [], tmp_path, language).read_text("utf-8")
        assert "<b>broken_toy</b>: the toy is broken" in page


def test_a_russian_page_says_everything_in_russian(evaluated: Evaluated) -> None:
    report = evaluated.report
    said = [words_of("ru", "parts", part) for part in report.not_measured]
    said += [words_of("ru", "reasons", why.reason or "", why.parameters) for why in report.not_measured.values()]
    said.append(words_of("ru", "others", report.compared_with[0]))
    for found in report.metrics.values():
        if found.id != "toy.length":
            said.append(words_of("ru", "units", found.unit, found.parameters))
            said += [words_of("ru", "of", found.of), words_of("ru", "better", found.better)]
    assert {text for text in said if not re.search("[А-яё]|—", text)} == set()
    assert words_of("ru", "units", "bits_of_exposure", {"at_most": 9.01}) == "бит, не больше 9"


def test_the_page_draws_the_dial_and_how_much_text_is_enough(evaluated: Evaluated, tmp_path: Path) -> None:
    def drawn(*metrics: Metric) -> int:
        report = msgspec.structs.replace(evaluated.report, metrics=evaluated.report.metrics | by_id(metrics))
        return write_page(report, Findings(), "Тася", [], tmp_path, "en").read_text("utf-8").count("<svg")

    dial = [
        metric(f"dial.{name}.{scale:g}", Interval(1 + scale / 9, 0, 2), "voice_scale", 9, "neither")
        for name in ("bits_per_byte", "forgotten", "likeness", "copied")
        for scale in DIAL
    ]
    curve = [
        metric(f"learning_curve.{share:g}", Interval(1.4 - share, 0, 2), "bits_per_byte", 9, "lower", words=words)
        for share, words in ((0.25, 900), (0.5, 1800), (1, 3600))
    ]
    assert drawn(*dial, *curve) - drawn() == 3


def test_what_it_costs_is_told_of_training_and_of_a_reply(evaluated: Evaluated) -> None:
    costs = {name: found for name, found in evaluated.report.metrics.items() if name.startswith("cost.")}
    assert {
        "cost.training.minutes",
        "cost.training.tokens",
        "cost.training.peak_memory",
        "cost.reply.seconds",
        "cost.reply.tokens",
        "cost.reply.peak_memory",
    } <= costs.keys()
    assert all(found.value for found in costs.values())


def test_a_voice_trained_before_costs_were_noted_tells_what_its_steps_tell(opened: Opened) -> None:
    measured = cost.of_training(msgspec.structs.replace(opened.voice, cost=None))
    minutes, tokens = next(measured), next(measured)
    assert (minutes.id, tokens.id) == ("cost.training.minutes", "cost.training.tokens")
    assert tokens.value
    with pytest.raises(EvaluationError, match="before peak memory"):
        next(measured)


def test_planted_secrets_are_told_from_those_that_were_never_planted(home: Path, options: Options) -> None:
    settings = SETTINGS.model_copy(update={"canaries": 24, "validations_per_epoch": 1, "learning_rate": 6e-3})
    list(learn(open_corpus(home / "corpus"), "Тася Веретенникова", "canaries", settings, options.base or home))
    opened = open_voice("canaries", options)
    secrets = read_canaries(opened.voice)
    found = by_id(canaries.measure(secrets, opened.encoders, opened.model, opened.voice.recipe.seed, FAST.canaries, 0))
    planted, never = (found[f"canaries.exposure.{who}"] for who in ("planted", "never planted"))
    assert (planted.n, never.n) == (24, 24)
    assert planted.low is not None
    assert never.high is not None
    assert planted.low > never.high
    assert found["canaries.exposed.never planted"].value == 0
    assert found["canaries.times_seen"].value == pytest.approx(10, abs=0.5)


def test_more_text_teaches_more(opened: Opened, evaluated: Evaluated) -> None:
    validation = read_part(opened.voice, "validation")
    tokens = FAST.scored_tokens
    found = by_id(learning_curve.measure(opened.voice, opened.base, opened.stretches, validation, tokens, 0))
    assert list(found) == ["learning_curve.0.25", "learning_curve.0.5", "learning_curve.1"]
    quarter, half, everything = found.values()
    assert quarter.parameters["words"] < half.parameters["words"] < everything.parameters["words"]
    untrained = evaluated.report.metrics["bits_per_byte.base"]
    assert (everything.value or 9) < (quarter.value or 0) < (untrained.value or 0)


def test_scoring_stretch_by_stretch_sums_up_to_scoring_all(opened: Opened) -> None:
    stretches = [one.encoded for one in opened.stretches.held_out(opened.encoders.voice, 1500)]
    alone = scoring.nats(opened.model, stretches, 1.0)
    with lora.measuring(opened.model):
        together = packed.measure(opened.model, pack(stretches, 256), 2)
    assert alone.sum() == pytest.approx(together.nats, rel=1e-4)


def test_the_dial_at_nothing_is_the_base_and_in_between_it_is_neither(opened: Opened) -> None:
    stretches = [one.encoded for one in opened.stretches.held_out(opened.encoders.voice, 400)]
    nothing, half, whole = (scoring.nats(opened.model, stretches, scale) for scale in (0.0, 0.5, 1.0))
    with lora.measuring(opened.model, with_adapter=False):
        base = packed.measure(opened.model, pack(stretches, 256), 1)
    assert nothing.sum() == pytest.approx(base.nats, rel=1e-4)
    assert not np.allclose(half, nothing)
    assert not np.allclose(half, whole)
    assert np.allclose(whole, scoring.nats(opened.model, stretches, 1.0))


def test_what_stands_before_a_stretch_is_read_and_not_scored(opened: Opened) -> None:
    one = opened.stretches.held_out(opened.encoders.voice, 400)[0]
    shown = after_prefix(one, opened.encoders.voice.text("Дальше пишет Тася."))
    assert shown.supervised_tokens == one.encoded.supervised_tokens
    assert shown.input_ids.count(opened.encoders.voice.bos) == 1
    assert shown.input_ids[-20:] == one.encoded.input_ids[-20:]


def test_retrieved_examples_come_nearest_last_and_fit_the_room(opened: Opened) -> None:
    asked = ("Где ножницы?", "Как погода?", "Ножницы где лежат?")
    found = Retriever([Task(0, (Message("user", text),), "да") for text in asked])
    assert [task.asked for task in found.nearest("где мои ножницы", 2)] == [asked[0], asked[2]]
    shown = found.shown("где мои ножницы", "dialogue", opened.encoders.voice, 2, 400)
    assert opened.encoders.voice.decode(shown).index(asked[2]) < opened.encoders.voice.decode(shown).index(asked[0])
    assert found.shown("где мои ножницы", "dialogue", opened.encoders.voice, 2, 5) == []


def test_where_no_training_turn_answers_anything_nothing_is_retrieved(opened: Opened) -> None:
    assert Retriever([]).nearest("Как дела?", 3) == []
    assert Retriever([]).shown("Как дела?", "continuation", opened.encoders.voice, 3, 200) == []


def test_a_post_is_cut_alike_whether_it_is_learned_from_or_judged(opened: Opened) -> None:
    post = "Раз, два, три.\n\nЧетыре, пять.\n\n\nШесть."
    example = Example((Message("user", "Напиши пост"), Message("assistant", post)))
    assert own_writing([example]) == [["Раз, два, три.", "Четыре, пять.", "Шесть."]]
    assert cut([messages_of(post)], Size(words=6)) == cut(own_writing([example]), Size(words=6))


def test_a_channel_is_not_told_from_itself_in_the_bundled_texts(opened: Opened) -> None:
    channel = EXAMPLE.parents[1] / "channel-ru"
    posts = [record.text for record in read([channel]) if isinstance(record, Utterance)]
    training = [Example((Message("user", "Напиши пост"), Message("assistant", post))) for post in posts[:100]]
    others = find_others(msgspec.structs.replace(opened.voice, kind="post"), training)
    assert "play-ru: ЛЕКАЛОВ" in others
    assert not any(name.startswith("channel-ru") for name in others)


def test_the_other_side_keeps_its_colons_where_no_names_were_added(opened: Opened) -> None:
    def others(*said: str) -> str:
        training = [Example((Message("user", text), Message("assistant", "Да."))) for text in said]
        return str(find_others(opened.voice, training)["same_conversations"])

    filling = "Ну вот. " * 500
    assert "Слушай: завтра" in others("Слушай: завтра", filling)
    named = others("Глеб: Слушай: завтра\nНу: да", f"Вера: {filling}")
    assert "Глеб" not in named
    assert "Слушай: завтра" in named
    assert "Ну: да" in named


def test_what_was_cut_off_is_not_taken_for_manner() -> None:
    def kept(text: str, reason: FinishReason = "length") -> str:
        return whole(Written(text, reason, 9, 0.1))

    assert kept("Один. Два тр") == "Один."
    assert kept("Один\nДва тр").splitlines() == ["Один"]
    assert kept("Один два тр") == "Один два"
    assert kept("Один. Два тр", "stop") == "Один. Два тр"


def test_every_evaluation_of_a_voice_asks_the_same_verifier(opened: Opened, evaluated: Evaluated) -> None:
    assert evaluated.report.metrics["likeness.real"].value is not None
    (kept,) = voice_folder("tasya").glob("imitation-*.json")
    written = kept.stat().st_mtime_ns
    other = open_voice("tasya", replace(opened.options, seed=1))
    one, two = (each.judge for each in (opened, other))
    pieces = one.pieces([task.reply for task in opened.tasks])
    assert likeness_of(one.verifier, pieces, 8) == likeness_of(two.verifier, pieces, 8)
    assert kept.stat().st_mtime_ns == written
    assert kept.stat().st_mode & 0o077 == 0


def test_a_broken_imitation_is_written_again(tmp_path: Path, opened: Opened) -> None:
    prompts = opened.prompts.of(opened.encoders.base, opened.tasks[:2])
    sampling = msgspec.structs.replace(opened.voice.sampling, max_new_tokens=8)
    written = imitate(tmp_path, opened.writer.open_engine, prompts, sampling, 2)
    (kept,) = tmp_path.iterdir()
    for broken in (b"[", b'["\xff"]', b"{}"):
        kept.write_bytes(broken)
        assert len(imitate(tmp_path, opened.writer.open_engine, prompts, sampling, 2)) == len(written) == 2
        assert len(json.loads(kept.read_bytes())) == 2


def test_a_broken_dataset_of_another_voice_leaves_this_one_measured(opened: Opened, tiny_base: Path) -> None:
    other = voice_folder("broken")
    shutil.copytree(voice_folder("tasya"), other)
    voice = msgspec.structs.replace(
        opened.voice, name="broken", persona=msgspec.structs.replace(opened.voice.persona, name="Кто-то")
    )
    write_voice(voice, other)
    try:
        for broken in (b"{", b'{"messages":["\xff"]}'):
            (other / "dataset" / "train.jsonl").write_bytes(broken)
            assert "voice.broken" not in find_others(opened.voice, opened.dataset.training)
    finally:
        shutil.rmtree(other)


def test_a_changed_dataset_is_not_measured_on(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    path = voice_folder("tasya") / "dataset" / "test.jsonl"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[: kept.index(b"\n") + 1])
        *_, last = evaluate("tasya", Options(FAST, base=tiny_base))
    finally:
        path.write_bytes(kept)
    assert isinstance(last, Evaluated)
    assert last.report.recommended is None
    assert "changed after training" in last.report.because


def test_an_adapter_that_does_nothing_is_refused(opened: Opened) -> None:
    for layer in lora.adapted_layers(opened.model).values():
        nn.init.zeros_(layer.lora_B)
    assert not verdict_of(opened).recommended


OTHER = "Глеб Осокин"


def paragraphs() -> list[str]:
    """What one side of the invented chat wrote, as if it were prose."""
    chat = json.loads(EXAMPLE.read_text("utf-8"))["messages"][:MESSAGES]
    return [one["text"] for one in chat if one.get("from") == OTHER and isinstance(one.get("text"), str)]


WELL = SETTINGS.model_copy(update={"rank": 16, "alpha": 32, "epochs": 2, "learning_rate": 1e-2})


@pytest.fixture(scope="module")
def two_voices(home: Path, tiny_base: Path) -> None:
    """The voices of both sides of the chat."""
    for name, speaker in (("gleb", OTHER), ("not-gleb", "Тася Веретенникова")):
        list(learn(open_corpus(home / "corpus"), speaker, name, WELL, tiny_base))


def give_adapter(giver: str, taker: str) -> None:
    for path in voice_folder(giver).glob("adapter*"):
        shutil.copy(path, voice_folder(taker))


def scored_against(name: str, opened: Opened) -> dict[str, Metric]:
    return by_id(against.measure(name, opened.voice, opened.base, opened.stretches, FAST.scored_tokens, 0))


@pytest.mark.usefixtures("two_voices")
def test_another_voice_is_scored_beside_this_one_whatever_it_is_called(opened: Opened) -> None:
    assert set(scored_against("gleb", opened)) == {"bits_per_byte.against.gleb"}


def test_a_voice_that_learned_what_is_held_out_here_is_no_match(opened: Opened) -> None:
    dataset = voice_folder("tasya") / "dataset"
    kept = (dataset / "train.jsonl").read_bytes()
    assert opened.dataset.test
    try:
        (dataset / "train.jsonl").write_bytes(kept + (dataset / "test.jsonl").read_bytes())
        with pytest.raises(EvaluationError, match="longer texts that are held out here"):
            scored_against("tasya", opened)
    finally:
        (dataset / "train.jsonl").write_bytes(kept)


@pytest.mark.usefixtures("two_voices")
def test_a_voice_trained_on_another_author_is_refused(options: Options) -> None:
    assert recommend("gleb", options).recommended
    give_adapter("not-gleb", "gleb")
    verdict = recommend("gleb", options)
    assert verdict.difference.high < 0  # it knows the language, and so beats the base
    assert verdict.outcome == "other_words"


@pytest.mark.parametrize("kind", ["dialogue", "continuation"])
def test_only_what_a_voice_has_read_of_its_text_is_asked_whether_it_knows_it(
    kind: str, home: Path, tiny_base: Path, tmp_path: Path
) -> None:
    corpus = home / "corpus"
    if kind == "continuation":
        (tmp_path / "book.txt").write_text("\n\n".join(paragraphs()), "utf-8")
        corpus = tmp_path / "corpus"
        write(read([tmp_path / "book.txt"]), corpus)
    speaker = OTHER if kind == "dialogue" else None
    for epochs in (0.4, 1):
        list(learn(open_corpus(corpus), speaker, "reader", WELL.model_copy(update={"epochs": epochs}), tiny_base, True))
        reader = open_voice("reader", Options(FAST, base=tiny_base))
        assert reader.voice.kind == kind
        everything = all_stretches(reader)
        read_by_it = stretches_read(reader)
        if kind == "continuation":  # cut short, and each numbered by its place
            assert max(len(one.encoded.input_ids) for one in read_by_it) == SHORT
            read_by_it = [everything[one.conversation] for one in read_by_it]
        of_steps = sum(step.tokens for step in read_steps("reader"))
        assert tokens(read_by_it) == min(of_steps, tokens(everything))
        assert (len(read_by_it) < len(everything)) == (epochs < 1)


@pytest.fixture
def reader(home: Path, tiny_base: Path) -> Opened:
    """A voice that has read a part of its text."""
    config = WELL.model_copy(update={"epochs": 0.4})
    list(learn(open_corpus(home / "corpus"), OTHER, "reader", config, tiny_base, replace=True))
    return open_voice("reader", Options(FAST, base=tiny_base))


def all_stretches(opened: Opened) -> list[Stretch]:
    encoders = opened.encoders
    return cut_stretches(opened.dataset.training, encoders.kind, encoders.voice, encoders.max_length)


def stretches_read(opened: Opened) -> list[Stretch]:
    return opened.stretches.short_training(opened.encoders.voice, 10**6, opened.places_read)


def tokens(stretches: Sequence[Stretch]) -> int:
    return sum(len(one.encoded.input_ids) for one in stretches)


def test_without_a_note_of_what_was_unread_a_voice_is_asked_about_all_its_text(reader: Opened) -> None:
    (voice_folder("reader") / UNREAD).unlink()
    assert len(stretches_read(reader)) == len(all_stretches(reader))


def test_the_same_stretches_are_chosen_whatever_template_they_are_written_in(opened: Opened) -> None:
    template = read_format("dialogue").chat_template()
    wordier = ChatTemplate(template.source.replace("'A'", "'. . . . . A'"))
    wordy = Encoder(opened.encoders.voice.tokenizer, wordier)
    half = tokens(opened.stretches.held_out(opened.encoders.voice, 10**6)) // 2
    chosen, as_chosen = (opened.stretches.held_out(encoder, half) for encoder in (wordy, opened.encoders.voice))
    assert tokens(chosen) != tokens(as_chosen)
    assert [(one.conversation, one.asked) for one in chosen] == [(one.conversation, one.asked) for one in as_chosen]


def test_what_was_just_trained_here_is_not_asked_what_it_learned(home: Path, options: Options) -> None:
    verdict = recommend("tasya", options, is_origin_known=True)
    assert verdict.recommended
    assert verdict.knowledge is None


def test_a_voice_trained_far_too_long_is_refused(opened: Opened) -> None:
    material = encode(opened.dataset.training[:12], opened.voice.kind, opened.encoders.voice, 256)
    rows = pack(material, 256).take(range(3))
    planned = plan(len(rows), 256, 1024, 1024, 200, 1, learning_rate=4e-2, patience=1000)
    *_, last = fit(opened.model, rows, rows.take([0]), planned, lambda step: None)
    assert last.loss < 2
    assert not verdict_of(opened).recommended


def bits(base: float, voice: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    stretches = rng.normal(100, 10, 30)
    return {rung.name: stretches * (voice if rung.voice_scale else base) + rng.normal(0, 2, 30) for rung in RUNGS}


KNOWN, UNKNOWN = Interval(0.2, 0.1, 0.3), Interval(0.01, -0.05, 0.07)


def test_a_voice_that_surely_beats_the_best_untrained_rung_is_recommended() -> None:
    assert gate(bits(1.2, 1.0), ladder.TRAINED, [100] * 30, KNOWN).recommended


def test_a_voice_that_is_only_as_good_or_worse_is_refused() -> None:
    for voice in (1.2, 1.3):
        verdict = gate(bits(1.2, voice), ladder.TRAINED, [100] * 30, KNOWN)
        assert verdict.outcome == "no_better"


def test_where_it_is_known_what_was_learned_it_is_not_asked() -> None:
    verdict = gate(bits(1.2, 1.0), ladder.TRAINED, [100] * 30, None)
    assert verdict.recommended
    assert "bits per byte" in because(verdict)


def test_one_stretch_alone_recommends_nothing_and_says_so_without_bounds() -> None:
    verdict = gate({name: found[:1] for name, found in bits(1.2, 0.6).items()}, ladder.TRAINED, [100], None)
    assert verdict.outcome == "no_better"
    assert "nan" not in because(verdict) + because(verdict, "ru")


def test_stretches_of_one_conversation_recommend_no_more_than_it_does() -> None:
    def asked(voice: float, groups: Sequence[int]) -> Verdict:
        return gate(bits(1.2, voice), ladder.TRAINED, [100] * 30, None, groups=groups)

    assert asked(1.0, [0] * 30).outcome == "no_better"
    of_few, of_each = (asked(1.19, groups).difference for groups in ([0, 1, 2] * 10, range(30)))
    assert of_few.value == pytest.approx(of_each.value)
    assert asked(1.0, [0, 1, 2] * 10).recommended


def test_a_voice_that_does_not_know_its_own_text_is_refused() -> None:
    verdict = gate(bits(1.2, 1.0), ladder.TRAINED, [100] * 30, UNKNOWN)
    assert verdict.outcome == "other_words"
    assert "other words" in because(verdict)
    assert "других словах" in because(verdict, "ru")


def test_a_page_for_people_may_have_few_pairs(opened: Opened) -> None:
    assert len(open_voice("tasya", replace(opened.options, budget=for_pairs(3))).tasks) == 3
    with pytest.raises(SettingsError, match="no page in 'de'"):
        write_pairs("tasya", 3, opened.options, "de")


def test_people_are_counted_against_the_key(tmp_path: Path) -> None:
    pairs = [SideBySide(f"вопрос {n}", "", f"голос {n}", f"человек {n}") for n in range(40)]
    page, key = write_blind(pairs, tmp_path, "ru")
    right = json.loads(key.read_text("utf-8"))
    assert {"left", "right"} == set(right.values())
    assert "человек" not in key.read_text("utf-8")
    assert key.name not in page.read_text("utf-8")
    votes = tmp_path / "votes.json"
    votes.write_text(json.dumps(right), "utf-8")
    found, count = read_votes(votes, tmp_path)
    assert (found.value, count) == (1.0, 40)
    assert 0.9 < found.low < 1
    votes.write_text('{"99": "left"}', "utf-8")
    with pytest.raises(EvaluationError, match="not all"):
        read_votes(votes, tmp_path)
