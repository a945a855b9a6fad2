"""The whole evaluation of a small voice, and what each part refuses."""

import json
import shutil
from collections.abc import Iterator, Sequence
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
from manera.dataset.packing import pack
from manera.dataset.template import DIALOGUE, ChatTemplate
from manera.errors import EvaluationError, SettingsError
from manera.evaluation import scoring
from manera.evaluation.blind import read_votes, write_blind
from manera.evaluation.canaries import measure_canaries
from manera.evaluation.cost import measure_training_cost
from manera.evaluation.curve import measure_curve
from manera.evaluation.dial import DIAL
from manera.evaluation.distractors import gather, own_writing
from manera.evaluation.evaluate import Evaluated, Part, evaluate
from manera.evaluation.findings import CurvePoint, DialPoint, Findings, SideBySide
from manera.evaluation.held_out import Scored, Task, after_prefix, to_score
from manera.evaluation.imitation import imitate
from manera.evaluation.intervals import Interval
from manera.evaluation.ladder import RUNGS, gate
from manera.evaluation.likeness import LEAST_PIECES, Size, cut, likeness_of
from manera.evaluation.page import write_page
from manera.evaluation.retrieval import Retriever
from manera.evaluation.russian import in_russian
from manera.evaluation.subject import SHORT, Subject, open_subject
from manera.evaluation.worth import measure_against, measure_ladder
from manera.evaluation.writing import Written, whole
from manera.files import read_records, write_records
from manera.generation.engine import FinishReason
from manera.model import packed
from manera.records import Example, Message, TrainingStep, Utterance
from manera.sources.reading import read
from manera.training import lora
from manera.training.fitting import fit
from manera.training.learn import learn
from manera.training.loop import plan
from manera.training.settings import TrainingConfig
from manera.voice.folder import voice_folder
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
def subject(home: Path, tiny_base: Path) -> Subject:
    return open_subject("tasya", fast=True, base=tiny_base)


@pytest.fixture(scope="module")
def evaluated(home: Path, tiny_base: Path) -> Evaluated:
    *parts, last = evaluate(open_subject("tasya", fast=True, base=tiny_base), fast=True)
    assert all(isinstance(part, Part) for part in parts)
    assert isinstance(last, Evaluated)
    return last


def test_every_part_is_measured_or_says_why_not(evaluated: Evaluated) -> None:
    report = evaluated.report
    assert set(report.not_measured) == {
        "topic",
        "dial",
        "canaries",
        "learning curve",
        "energy of training",
        "energy of a reply",
    }
    assert report.not_measured["canaries"] == "no canaries were planted in training"
    assert report.not_measured["energy of training"].startswith("no energy meter")
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
        has_bounds = found.unit_of_n != "pieces" or found.n >= LEAST_PIECES
        assert (found.low is not None, found.high is not None) == (has_bounds, has_bounds)
        assert not has_bounds or (found.low or 0) <= found.value <= (found.high or 0)
    assert report.recommended is not None
    assert "bits per byte" in report.because
    assert "the other side of the same conversations" in report.compared_with
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
        assert evaluated.findings.shown[0].real.strip()[:20] in page


def test_a_russian_page_says_everything_in_russian(evaluated: Evaluated) -> None:
    report = evaluated.report
    said = {*report.not_measured, *report.not_measured.values(), *report.compared_with[:1]}
    for found in report.metrics.values():
        said |= {found.unit, found.unit_of_n, found.better}
    assert {text for text in said if in_russian(text) == text} <= {"voice_scale"}
    assert in_russian("bits, 9 at most") == "бит, не больше 9"
    assert in_russian("File exists") == "File exists"


def test_the_page_draws_the_dial_and_how_much_text_is_enough(evaluated: Evaluated, tmp_path: Path) -> None:
    plain = Findings()
    drawn = Findings(
        dial=[DialPoint(scale, 1.5 - scale / 3, 1.2 + scale / 9, scale / 2, scale / 40) for scale in DIAL],
        curve=[CurvePoint(words, Interval(1.4 - words / 9000, 1.3, 1.5)) for words in (0, 900, 1800, 3600)],
    )
    pictures = [
        write_page(evaluated.report, findings, "Тася", [], tmp_path, "en").read_text("utf-8").count("<svg")
        for findings in (plain, drawn)
    ]
    assert pictures[1] - pictures[0] == 3


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


def test_a_voice_trained_before_costs_were_noted_tells_what_its_steps_tell(subject: Subject) -> None:
    subject.voice = msgspec.structs.replace(subject.voice, cost=None)
    with pytest.raises(EvaluationError, match="before peak memory"):
        measure_training_cost(subject)
    assert set(subject.metrics) == {"cost.training.minutes", "cost.training.tokens"}
    assert subject.metrics["cost.training.tokens"].value


def test_planted_secrets_are_told_from_those_that_were_never_planted(home: Path, tiny_base: Path) -> None:
    settings = SETTINGS.model_copy(update={"canaries": 12, "validations_per_epoch": 1})
    list(learn(open_corpus(home / "corpus"), "Тася Веретенникова", "canaries", settings, tiny_base))
    subject = open_subject("canaries", fast=True, base=tiny_base)
    measure_canaries(subject)
    planted, never = (subject.metrics[f"canaries.exposure.{who}"] for who in ("planted", "never planted"))
    assert (planted.n, never.n) == (12, 12)
    assert planted.low is not None
    assert never.high is not None
    assert planted.low > never.high
    assert subject.metrics["canaries.exposed.never planted"].value == 0
    assert subject.metrics["canaries.times_seen"].value == pytest.approx(10, abs=0.5)


def test_more_text_teaches_more(subject: Subject) -> None:
    measure_curve(subject)
    untrained, quarter, half, everything = subject.findings.curve
    assert untrained.words == 0
    assert quarter.words < half.words < everything.words
    assert everything.bits_per_byte.value < quarter.bits_per_byte.value < untrained.bits_per_byte.value
    assert set(subject.metrics) == {"learning_curve.0.25", "learning_curve.0.5", "learning_curve.1"}


def test_scoring_stretch_by_stretch_sums_up_to_scoring_all(subject: Subject) -> None:
    stretches = [one.encoded for one in subject.stretches(subject.encoder, 1500)]
    alone = scoring.nats(subject.model, stretches, 1.0)
    with lora.measuring(subject.model):
        together = packed.measure(subject.model, pack(stretches, 256), 2)
    assert alone.sum() == pytest.approx(together.nats, rel=1e-4)


def test_the_dial_at_nothing_is_the_base_and_in_between_it_is_neither(subject: Subject) -> None:
    stretches = [one.encoded for one in subject.stretches(subject.encoder, 400)]
    nothing, half, whole = (scoring.nats(subject.model, stretches, scale) for scale in (0.0, 0.5, 1.0))
    with lora.measuring(subject.model, with_adapter=False):
        base = packed.measure(subject.model, pack(stretches, 256), 1)
    assert nothing.sum() == pytest.approx(base.nats, rel=1e-4)
    assert not np.allclose(half, nothing)
    assert not np.allclose(half, whole)
    assert np.allclose(whole, scoring.nats(subject.model, stretches, 1.0))


def test_what_stands_before_a_stretch_is_read_and_not_scored(subject: Subject) -> None:
    one = subject.stretches(subject.encoder, 400)[0]
    shown = after_prefix(one, subject.encoder.text("Дальше пишет Тася."))
    assert shown.supervised_tokens == one.encoded.supervised_tokens
    assert shown.input_ids.count(subject.encoder.bos) == 1
    assert shown.input_ids[-20:] == one.encoded.input_ids[-20:]


def test_retrieved_examples_come_nearest_last_and_fit_the_room(subject: Subject) -> None:
    asked = ("Где ножницы?", "Как погода?", "Ножницы где лежат?")
    found = Retriever([Task(0, (Message("user", text),), "да") for text in asked])
    assert [task.asked for task in found.nearest("где мои ножницы", 2)] == [asked[0], asked[2]]
    shown = found.shown("где мои ножницы", "dialogue", subject.encoder, 2, 400)
    assert subject.encoder.decode(shown).index(asked[2]) < subject.encoder.decode(shown).index(asked[0])
    assert found.shown("где мои ножницы", "dialogue", subject.encoder, 2, 5) == []


def test_where_no_training_turn_answers_anything_nothing_is_retrieved(subject: Subject) -> None:
    assert Retriever([]).nearest("Как дела?", 3) == []
    assert Retriever([]).shown("Как дела?", "continuation", subject.encoder, 3, 200) == []


def test_a_post_is_cut_alike_whether_it_is_learned_from_or_judged(subject: Subject) -> None:
    post = "Раз, два, три.\n\nЧетыре, пять.\n\n\nШесть."
    example = Example((Message("user", "Напиши пост"), Message("assistant", post)))
    assert own_writing([example]) == [["Раз, два, три.", "Четыре, пять.", "Шесть."]]
    assert cut([messages_of(post)], Size(words=6)) == cut(own_writing([example]), Size(words=6))


def test_a_channel_is_not_told_from_itself_in_the_bundled_texts(subject: Subject) -> None:
    channel = EXAMPLE.parents[1] / "channel-ru"
    posts = [record.text for record in read([channel]) if isinstance(record, Utterance)]
    training = [Example((Message("user", "Напиши пост"), Message("assistant", post))) for post in posts[:100]]
    others = gather(msgspec.structs.replace(subject.voice, kind="post"), training)
    assert "play-ru: ЛЕКАЛОВ" in others
    assert not any(name.startswith("channel-ru") for name in others)


def test_the_other_side_keeps_its_colons_where_no_names_were_added(subject: Subject) -> None:
    def others(*said: str) -> str:
        training = [Example((Message("user", text), Message("assistant", "Да."))) for text in said]
        return str(gather(subject.voice, training)["the other side of the same conversations"])

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


def test_every_evaluation_of_a_voice_asks_the_same_verifier(
    subject: Subject, evaluated: Evaluated, tiny_base: Path
) -> None:
    assert evaluated.report.metrics["likeness.real"].value is not None
    (kept,) = voice_folder("tasya").glob("imitation-*.json")
    written = kept.stat().st_mtime_ns
    other = open_subject("tasya", fast=True, seed=1, base=tiny_base)
    one, two = (each.judge for each in (subject, other))
    pieces = one.pieces([task.reply for task in subject.tasks])
    assert likeness_of(one.verifier, pieces, 8) == likeness_of(two.verifier, pieces, 8)
    assert kept.stat().st_mtime_ns == written
    assert kept.stat().st_mode & 0o077 == 0


def test_a_broken_imitation_is_written_again(tmp_path: Path, subject: Subject) -> None:
    prompts = subject.prompts(subject.plain, subject.tasks[:2])
    sampling = msgspec.structs.replace(subject.voice.sampling, max_new_tokens=8)
    written = imitate(tmp_path, subject.engine, prompts, sampling, 2)
    (kept,) = tmp_path.iterdir()
    for broken in (b"[", b'["\xff"]', b"{}"):
        kept.write_bytes(broken)
        assert len(imitate(tmp_path, subject.engine, prompts, sampling, 2)) == len(written) == 2
        assert len(json.loads(kept.read_bytes())) == 2


def test_a_broken_dataset_of_another_voice_leaves_this_one_measured(subject: Subject, tiny_base: Path) -> None:
    other = voice_folder("broken")
    shutil.copytree(voice_folder("tasya"), other)
    voice = msgspec.structs.replace(
        subject.voice, name="broken", persona=msgspec.structs.replace(subject.voice.persona, name="Кто-то")
    )
    write_voice(voice, other)
    try:
        for broken in (b"{", b'{"messages":["\xff"]}'):
            (other / "dataset" / "train.jsonl").write_bytes(broken)
            assert "the voice broken" not in gather(subject.voice, subject.material.training)
    finally:
        shutil.rmtree(other)


def test_a_changed_dataset_is_not_measured_on(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    path = voice_folder("tasya") / "dataset" / "test.jsonl"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[: kept.index(b"\n") + 1])
        *_, last = evaluate(open_subject("tasya", fast=True, base=tiny_base), fast=True)
    finally:
        path.write_bytes(kept)
    assert isinstance(last, Evaluated)
    assert last.report.recommended is None
    assert "changed after training" in last.report.because


def test_an_adapter_that_does_nothing_is_refused(subject: Subject) -> None:
    for layer in lora.adapted_layers(subject.model).values():
        nn.init.zeros_(layer.lora_B)
    measure_ladder(subject)
    verdict = subject.findings.verdict
    assert verdict is not None
    assert not verdict.recommended


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


@pytest.mark.usefixtures("two_voices")
def test_another_voice_is_scored_beside_this_one_whatever_it_is_called(subject: Subject) -> None:
    measure_against(subject, "gleb")
    assert set(subject.metrics) == {"bits_per_byte.against.gleb"}
    assert set(subject.findings.rungs) == {"against gleb"}


def test_a_voice_that_learned_what_is_held_out_here_is_no_match(subject: Subject) -> None:
    dataset = voice_folder("tasya") / "dataset"
    kept = (dataset / "train.jsonl").read_bytes()
    assert subject.material.test
    try:
        (dataset / "train.jsonl").write_bytes(kept + (dataset / "test.jsonl").read_bytes())
        with pytest.raises(EvaluationError, match="longer texts that are held out here"):
            measure_against(subject, "tasya")
    finally:
        (dataset / "train.jsonl").write_bytes(kept)


@pytest.mark.usefixtures("two_voices")
def test_a_voice_trained_on_another_author_is_refused(tiny_base: Path) -> None:
    assert measure_ladder(open_subject("gleb", fast=True, base=tiny_base)).recommended
    give_adapter("not-gleb", "gleb")
    verdict = measure_ladder(open_subject("gleb", fast=True, base=tiny_base))
    assert verdict.difference.high < 0  # it knows the language, and so beats the base
    assert verdict.reason == "other words"


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
        reader = open_subject("reader", fast=True, base=tiny_base)
        assert reader.voice.kind == kind
        everything = to_score(reader.material.training, reader.voice.kind, reader.encoder, reader.max_length)
        read_by_it = reader.short_stretches("train", reader.encoder, most=10**6)
        if kind == "continuation":  # cut short, and each numbered by its place
            assert max(len(one.encoded.input_ids) for one in read_by_it) == SHORT
            read_by_it = [everything[one.conversation] for one in read_by_it]
        of_steps = sum(step.tokens for step in read_steps("reader"))
        assert tokens(read_by_it) == min(of_steps, tokens(everything))
        assert (len(read_by_it) < len(everything)) == (epochs < 1)


@pytest.fixture
def reader(home: Path, tiny_base: Path) -> Subject:
    """A voice that has read a part of its text."""
    config = WELL.model_copy(update={"epochs": 0.4})
    list(learn(open_corpus(home / "corpus"), OTHER, "reader", config, tiny_base, replace=True))
    return open_subject("reader", fast=True, base=tiny_base)


def tokens(stretches: Sequence[Scored]) -> int:
    return sum(len(one.encoded.input_ids) for one in stretches)


def test_a_run_that_was_stopped_before_it_was_scored_has_read_all_of_its_steps(reader: Subject) -> None:
    steps = read_steps("reader")[:2]
    unscored = [msgspec.structs.replace(step, validation_loss=None) for step in steps]
    write_records(voice_folder("reader") / "training.jsonl", unscored)
    assert tokens(reader.short_stretches("train", reader.encoder, most=10**6)) == sum(step.tokens for step in steps)


def test_without_a_record_of_its_training_a_voice_is_asked_about_all_its_text(reader: Subject) -> None:
    everything = to_score(reader.material.training, reader.voice.kind, reader.encoder, reader.max_length)
    (voice_folder("reader") / "training.jsonl").write_text('{"step": 1, "ste', "utf-8")
    assert len(reader.short_stretches("train", reader.encoder, most=10**6)) == len(everything)


def test_the_same_stretches_are_chosen_whatever_template_they_are_written_in(subject: Subject) -> None:
    wordy = Encoder(
        subject.encoder.tokenizer, ChatTemplate(DIALOGUE.replace("'A'", "'. . . . . A'"), end_of_turn="<eos>")
    )
    most = tokens(subject.stretches(subject.encoder, 10**6)) // 2
    chosen, as_chosen = (subject.stretches(encoder, most) for encoder in (wordy, subject.encoder))
    assert tokens(chosen) != tokens(as_chosen)
    assert [(one.conversation, one.asked) for one in chosen] == [(one.conversation, one.asked) for one in as_chosen]


def test_what_was_just_trained_here_is_not_asked_what_it_learned(subject: Subject) -> None:
    verdict = measure_ladder(subject, is_origin_known=True)
    assert verdict.recommended
    assert verdict.knowledge is None
    assert "memory.membership_auc" not in subject.metrics


def test_a_voice_trained_far_too_long_is_refused(subject: Subject) -> None:
    material = encode(subject.material.training[:12], subject.voice.kind, subject.encoder, 256)
    rows = pack(material, 256).take(range(3))
    planned = plan(len(rows), 256, 1024, 1024, 200, 1, learning_rate=4e-2, patience=1000)
    *_, last = fit(subject.model, rows, rows.take([0]), planned, lambda step: None)
    assert last.loss < 2
    verdict = measure_ladder(subject)
    assert verdict.reason == "no better"
    assert verdict.knowledge is not None
    assert verdict.knowledge.value > 0  # it does know its text


def bits(base: float, voice: float) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(1)
    stretches = chance.normal(100, 10, 30)
    return {rung.name: stretches * (voice if rung.voice_scale else base) + chance.normal(0, 2, 30) for rung in RUNGS}


KNOWN, UNKNOWN = Interval(0.2, 0.1, 0.3), Interval(0.01, -0.05, 0.07)


def test_a_voice_that_surely_beats_the_best_untrained_rung_is_recommended() -> None:
    assert gate(bits(1.2, 1.0), [100] * 30, KNOWN).recommended


def test_a_voice_that_is_only_as_good_or_worse_is_refused() -> None:
    for voice in (1.2, 1.3):
        verdict = gate(bits(1.2, voice), [100] * 30, KNOWN)
        assert verdict.reason == "no better"


def test_where_it_is_known_what_was_learned_it_is_not_asked() -> None:
    verdict = gate(bits(1.2, 1.0), [100] * 30, None)
    assert verdict.recommended
    assert "bits per byte" in verdict.because("en")


def test_one_stretch_alone_recommends_nothing_and_says_so_without_bounds() -> None:
    verdict = gate({name: found[:1] for name, found in bits(1.2, 0.6).items()}, [100], None)
    assert verdict.reason == "no better"
    assert "nan" not in verdict.because("en") + verdict.because("ru")


def test_stretches_of_one_conversation_recommend_no_more_than_it_does() -> None:
    assert gate(bits(1.2, 1.0), [100] * 30, None, groups=[0] * 30).reason == "no better"
    of_few, of_each = (
        gate(bits(1.2, 1.19), [100] * 30, None, groups=g).difference for g in ([0, 1, 2] * 10, range(30))
    )
    assert of_few.value == pytest.approx(of_each.value)
    assert gate(bits(1.2, 1.0), [100] * 30, None, groups=[0, 1, 2] * 10).recommended


def test_a_voice_that_does_not_know_its_own_text_is_refused() -> None:
    verdict = gate(bits(1.2, 1.0), [100] * 30, UNKNOWN)
    assert verdict.reason == "other words"
    assert "other words" in verdict.because("en")
    assert "других словах" in verdict.because("ru")


def test_a_page_for_people_may_have_few_pairs(subject: Subject) -> None:
    subject.budget = subject.budget._replace(texts=3)
    assert len(subject.tasks) == 3
    with pytest.raises(SettingsError, match="no page in 'de'"):
        write_pairs("tasya", 3, 0, "de", [])


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
