"""Learning on a small corpus with a tiny base: what a run keeps, how it ends, and what it never harms."""

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from adapted import random_rows
from manera.bases import base_model
from manera.corpus.storage import Corpus
from manera.dataset.canaries import Canary, make_canaries
from manera.dataset.encoding import Encoder
from manera.dataset.packing import pack
from manera.errors import CorpusError, ManeraError, ModelError, TrainingError
from manera.files import read_records
from manera.model import packed
from manera.records import Example, Message, TrainingStep
from manera.training import lora
from manera.training.fitting import fit
from manera.training.forecast import Forecast
from manera.training.learn import Learned, Prepared, learn
from manera.training.loop import AVERAGE_EXPONENT, MIN_SHARE, DivergedError, Plan, _expected_steps, plan
from manera.training.material import Material, gather, plant
from manera.training.settings import TrainingConfig
from manera.training.setup import SLOW_TOKENS_PER_SECOND, expected_tokens, set_up_material
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF, CANARIES, KNOWN, LOSSES, TRAINING, voices_folder
from manera.voice.manifest import read_voice
from tiny import PIECES, TEXT, tiny_corpus

LINES = [line for line in TEXT.split("\n") if line]
QUICK: dict[str, Any] = {
    "precision": "float32",
    "compile": "off",
    "rank": 4,
    "alpha": 8,
    "max_length": 192,
    "batch_tokens": 400,
    "epochs": 1,
    "learning_rate": 3e-3,
}


def settings(**changed: Any) -> TrainingConfig:
    return TrainingConfig(**(QUICK | changed))


def telegram(folder: Path) -> Path:
    messages: list[dict[str, Any]] = []
    for number in range(64):
        name, words = (("Аня", LINES[number % 12]), ("Боря", "Ну и что ты думаешь?"))[number % 2]
        messages.append(
            {
                "id": number,
                "type": "message",
                "date_unixtime": str(1_700_000_000 + 1800 * number + 86_400 * (number // 10)),
                "from": name,
                "from_id": f"user{number % 2 + 1}",
                "text": f"{words} {number}",
            }
        )
    path = folder / "result.json"
    path.write_text(json.dumps({"name": "Боря", "type": "personal_chat", "id": 2, "messages": messages}), "utf-8")
    return path


def channel(folder: Path) -> Path:
    messages = [
        {
            "id": number,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + 86_400 * number),
            "from": "Аня",
            "from_id": "channel1",
            "text": f"{LINES[number % 12]} {number}",
        }
        for number in range(32)
    ]
    path = folder / "result.json"
    path.write_text(json.dumps({"name": "Аня", "type": "public_channel", "id": 1, "messages": messages}), "utf-8")
    return path


def play(folder: Path) -> Path:
    speeches = [
        f"{('АНЯ', 'БОРЯ')[number % 2]}: {LINES[number % 12] if number % 2 == 0 else 'Ну и что?'} {number}."
        for number in range(64)
    ]
    path = folder / "пьеса.txt"
    path.write_text("Пьеса\n\nДействие первое\n" + "\n".join(speeches), "utf-8")
    return path


def book(folder: Path) -> Path:
    path = folder / "книга.txt"
    path.write_text("\n\n".join(f"{LINES[number % 12]} И так {number} раз." for number in range(32)), "utf-8")
    return path


WRITERS = {"telegram": telegram, "channel": channel, "play": play, "book": book}
KINDS = {"telegram": "dialogue", "channel": "post", "play": "dialogue", "book": "continuation"}
SPEAKERS = {"telegram": "Аня", "channel": None, "play": "АНЯ", "book": None}


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    """The same words as a chat, a channel, a play and a book."""
    found = {}
    for name, writer in WRITERS.items():
        folder = tmp_path_factory.mktemp(name)
        path = writer(folder)
        found[name] = tiny_corpus(path, folder / "corpus")
    return found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def chat(corpora: dict[str, Corpus], tiny_base: Path) -> Material:
    return gather(corpora["telegram"], "Аня", tiny_base, 192)


def run(corpus: Corpus, base: Path, name: str = "anna", speaker: str | None = "Аня", **changed: Any) -> list[Any]:
    events = learn(corpus, speaker, name, settings(**changed), base)
    return [event for event in events if not isinstance(event, Forecast)]


def begin(corpus: Corpus, base: Path, replace: bool = False, **changed: Any) -> Generator[Any, None, None]:
    return cast("Generator[Any, None, None]", learn(corpus, "Аня", "anna", settings(**changed), base, replace))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("source", WRITERS)
def test_each_source_becomes_a_voice_of_its_kind(corpora: dict[str, Corpus], tiny_base: Path, source: str) -> None:
    events = run(corpora[source], tiny_base, speaker=SPEAKERS[source])
    prepared, *steps, learned = events
    assert isinstance(prepared, Prepared)
    assert isinstance(learned, Learned)
    assert prepared.kind == learned.kind == KINDS[source]
    assert [step.step for step in steps] == list(range(1, prepared.steps + 1))
    voice = read_voice("anna")
    assert voice.kind == KINDS[source]
    assert voice.base == base_model.read(tiny_base)
    assert voice.held_out == learned.held_out
    assert (voice.instruction is None) == (voice.kind != "post")
    assert learned.held_out.voice.bits_per_byte < learned.held_out.base.bits_per_byte


def test_a_voice_is_complete(corpora: dict[str, Corpus], tiny_base: Path, home: Path, chat: Material) -> None:
    _, *steps, learned = run(corpora["telegram"], tiny_base)
    folder = voices_folder() / "anna"
    needed = {"manera.json", "adapter_config.json", adapter.WEIGHTS, ADAPTER_GGUF, TRAINING, LOSSES, "dataset", KNOWN}
    remembered = {"exchanges.jsonl", "exchanges.index", "relations.json", "rhythm.json", "rhythm-turns.json"}
    found = {path.name for path in folder.iterdir()}
    assert needed <= found <= needed | remembered
    assert list(read_records(folder / "training.jsonl", TrainingStep)) == steps
    assert list(read_records(folder / "dataset" / "train.jsonl", Example)) == chat.dataset.examples["train"]
    voice = read_voice("anna")
    assert (voice.name, voice.persona.name, voice.persona.speaker_id) == ("anna", "Аня", "user1")
    assert (voice.chat_template, voice.template_sha256) == (chat.encoder.template.source, chat.encoder.template.sha256)
    recipe = voice.recipe
    assert (recipe.method, recipe.max_length, recipe.precision, recipe.seed) == ("lora", 192, "float32", 0)
    assert (recipe.steps, recipe.kept_step) == (len(steps), learned.kept_step)
    assert recipe.rows_read > 0
    assert recipe.rows == len(chat.dataset.rows["train"])
    assert voice.sharpness is not None
    assert voice.sampling.temperature == voice.sharpness.temperature
    # the kept adapter is what the held-out figures are of
    model: Any = base_model.load(tiny_base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 4, 8, "float32", 0)
    lora.load_adapter_state(model, adapter.read_peft(folder))
    nll = packed.measure(model, chat.dataset.rows["test"], 2)
    assert nll.perplexity == pytest.approx(learned.held_out.voice.perplexity, rel=1e-4)
    validated = packed.measure(model, chat.dataset.rows["validation"], 2)
    assert validated.nats_per_token == pytest.approx(voice.sharpness.nats_per_token_at_1, rel=1e-4)
    assert validated.tokens == voice.sharpness.tokens


def test_canaries_are_learned_some_ten_times_and_held_out_from_everything_else(
    corpora: dict[str, Corpus], tiny_base: Path, chat: Material
) -> None:
    prepared, *_, learned = run(corpora["telegram"], tiny_base, canaries=3, epochs=2, validations_per_epoch=1)
    assert prepared.canaries == 3
    assert prepared.copies in (4, 5)
    folder = voices_folder() / "anna"
    planted = list(read_records(folder / CANARIES, Canary))
    assert [canary.secret for canary in planted] == [canary.secret for canary in make_canaries(0, 3, "ru")]
    assert planted[0].times_seen == pytest.approx(prepared.copies * 2 * learned.kept_step / learned.steps, rel=0.2)
    for part, examples in chat.dataset.examples.items():
        assert list(read_records(folder / "dataset" / f"{part}.jsonl", Example)) == examples


@pytest.mark.parametrize("source", WRITERS)
def test_planting_changes_the_training_rows_alone(corpora: dict[str, Corpus], tiny_base: Path, source: str) -> None:
    material = gather(corpora[source], SPEAKERS[source], tiny_base, 192)
    canaries = make_canaries(1, 2, material.language)
    planted = plant(material, canaries, copies=4)
    before, after = material.dataset.rows, planted.dataset.rows
    seen = [material.encoder.decode(row.tolist()) for row in after["train"].input_ids]
    assert all(sum(row.count(canary.secret) for row in seen) == 4 for canary in canaries)
    assert after["train"].supervised_tokens > before["train"].supervised_tokens
    assert (after["validation"], after["test"]) == (before["validation"], before["test"])
    assert planted.dataset.examples == material.dataset.examples


@pytest.mark.parametrize(
    ("source", "asked", "weight"), [("telegram", None, 0.3), ("telegram", 0, 0), ("channel", None, 0)]
)
def test_of_a_dialogue_the_context_is_learned_too(
    corpora: dict[str, Corpus], tiny_base: Path, source: str, asked: float | None, weight: float
) -> None:
    material = gather(corpora[source], SPEAKERS[source], tiny_base, 192)
    setup = set_up_material(material, settings(context_weight=asked))
    before, after = material.dataset.rows, setup.material.dataset.rows
    assert setup.recipe(1, 1).context_weight == weight
    assert (after["train"].supervised_tokens > before["train"].supervised_tokens) == (weight > 0)
    assert (after["validation"], after["test"]) == (before["validation"], before["test"])
    assert after["train"].input_ids is before["train"].input_ids


def test_what_training_took_is_written_into_the_voice(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    _, *steps, learned = run(corpora["telegram"], tiny_base)
    cost = read_voice("anna").cost
    assert cost is not None
    assert cost.tokens == sum(step.tokens for step in steps)
    assert cost.seconds > learned.seconds
    assert cost.peak_memory_bytes == learned.peak_memory_bytes


def test_train_validation_and_test_share_no_example(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    for source, corpus in corpora.items():
        parts = gather(corpus, SPEAKERS[source], tiny_base, 192).dataset.examples
        own = {
            part: {m.content for e in made for m in e.messages if m.role == "assistant"} for part, made in parts.items()
        }
        assert all(own.values())
        assert not own["train"] & own["validation"]
        assert not own["train"] & own["test"]
        assert not own["validation"] & own["test"]


def adapted(material: Material, seed: int = 0) -> Any:
    model: Any = base_model.load(material.base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 16, 32, "float32", seed)
    return model


def test_overfitting_one_example_reproduces_it_greedily(chat: Material) -> None:
    encoder: Encoder = chat.encoder
    messages = (Message("user", "Как дела?"), Message("assistant", "Сегодня пойдём гулять, если не будет дождя."))
    rows = pack([encoder.example(Example(messages))], 64)
    model = adapted(chat)
    with torch.no_grad():  # the tiny base's own row of it is too short ever to be the likeliest
        model.model.embed_tokens.weight[encoder.end_of_turn] *= 5
    *_, last = fit(model, rows, rows, Plan(120, 1, 1, 120, 1e-2), lambda step: None)
    assert last.loss < 0.01
    ids = encoder.prompt(messages[:1])
    start = len(ids)
    while ids[-1] != encoder.end_of_turn and len(ids) < 64:
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]), attention_mask=_causal(len(ids))).logits[0, -1].argmax()))
    assert encoder.decode(ids[start:-1]) == messages[1].content


def _causal(length: int) -> Any:
    from manera.model.attention import packed_mask

    ones = torch.ones(1, length, dtype=torch.long)
    return {
        "full_attention": packed_mask(ones, None, torch.float32),
        "sliding_attention": packed_mask(ones, 48, torch.float32),
    }


GOLDEN = [
    8.9644, 8.68738, 8.33951, 8.162, 7.34947, 7.80167, 7.49727, 6.85458, 6.53957, 6.78157, 6.4007,
    6.30906, 5.82456, 6.28132, 5.95966, 5.67153, 5.63386, 5.69006, 5.41656, 5.69761,
]  # fmt: skip
"""Nats per supervised token."""


def test_twenty_steps_lose_what_they_always_lost(chat: Material) -> None:
    rows = random_rows(PIECES, [30, 60, 45, 64, 12] * 4, 64)
    planned = Plan(
        steps=20, rows_per_step=4, rows_per_micro_batch=4, steps_per_validation=10, learning_rate=5e-3, seed=7
    )
    losses = [step.loss for step in fit(adapted(chat, seed=7), rows, rows, planned, lambda step: None)]
    # another processor adds up in another order, and 20 steps make a millionth into some hundred-thousandths
    assert losses == pytest.approx(GOLDEN, rel=1e-3)


def test_the_kept_point_has_the_lowest_held_out_loss(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    _, *steps, learned = run(corpora["telegram"], tiny_base, epochs=4, learning_rate=0.03, patience=50)
    scored = {step.step: step.validation_loss for step in steps if step.validation_loss is not None}
    assert len(scored) > 4
    assert learned.kept_step == min(scored, key=lambda step: scored[step])
    assert learned.stopped is None


def test_what_is_kept_is_the_mean_of_the_last_steps(chat: Material) -> None:
    rows, model = random_rows(PIECES, [30, 60, 45, 64] * 2, 64), adapted(chat, seed=7)
    kept: list[dict[str, torch.Tensor]] = []
    planned = Plan(6, 2, 2, steps_per_validation=6, learning_rate=5e-3)
    after = [
        lora.adapter_state(model)
        for _ in fit(model, rows, rows, planned, lambda _: kept.append(lora.adapter_state(model)))
    ]
    for name, mean in kept[-1].items():
        expected = after[0][name]
        for step, state in enumerate(after[1:], start=2):
            expected = torch.lerp(expected, state[name], 1 - (1 - 1 / step) ** (AVERAGE_EXPONENT + 1))
        torch.testing.assert_close(mean, expected)
        assert not torch.equal(mean, after[-1][name])


def test_training_ends_when_held_out_loss_stops_falling(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    prepared, *steps, learned = run(corpora["telegram"], tiny_base, epochs=50, learning_rate=0.1, patience=2)
    assert len(steps) < prepared.steps
    scored = [step.validation_loss for step in steps if step.validation_loss is not None]
    assert min(scored) not in scored[-2:]
    assert learned.steps == len(steps) > learned.kept_step


def test_training_ends_when_the_time_is_up(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    prepared, *steps, learned = run(corpora["telegram"], tiny_base, epochs=None, minutes=0.001)
    assert 1 <= len(steps) < prepared.steps
    assert steps[-1].validation_loss is not None
    assert steps[-1].learning_rate == pytest.approx(QUICK["learning_rate"] * MIN_SHARE)
    assert learned.steps == len(steps) == steps[-1].steps


@pytest.mark.parametrize(
    ("step", "elapsed", "expected"),
    [
        (3, 60.0, 6),  # half of the time went by
        (90, 10.0, 100),  # all passes end in time
        (3, 119.9, 4),  # one more is begun
        (3, 0.0, 100),
    ],
)
def test_how_many_steps_there_will_be_is_told_by_the_time(step: int, elapsed: float, expected: int) -> None:
    planned = Plan(100, 1, 1, steps_per_validation=1, learning_rate=1e-3, seconds=120)
    assert _expected_steps(step, planned, elapsed) == expected


def test_the_same_seed_gives_the_same_voice_and_another_one_another(
    corpora: dict[str, Corpus], tiny_base: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(corpora["telegram"], tiny_base, name, seed=seed)
    weights = {name: (voices_folder() / name / adapter.WEIGHTS).read_bytes() for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]
    assert read_voice("a").dataset_sha256 == read_voice("c").dataset_sha256


def test_a_loss_that_is_no_number_ends_with_advice(chat: Material) -> None:
    model = adapted(chat)
    with torch.no_grad():
        next(iter(lora.adapted_layers(model).values())).lora_A.fill_(float("nan"))
    rows = chat.dataset.rows
    with pytest.raises(TrainingError, match="nan at step 1") as caught:
        list(fit(model, rows["train"], rows["validation"], Plan(5, 2, 2, 5, 1e-3), lambda step: None))
    assert "learning rate" in str(caught.value.hint)


@pytest.mark.parametrize("interrupted_after", [1, 7])
def test_an_interruption_keeps_the_best_point_and_writes_a_whole_voice(
    corpora: dict[str, Corpus], tiny_base: Path, home: Path, interrupted_after: int
) -> None:
    events = begin(corpora["telegram"], tiny_base, epochs=9)
    steps: list[TrainingStep] = []
    assert isinstance(next(events), Prepared)
    while len(steps) < interrupted_after:
        step = next(events)
        if isinstance(step, TrainingStep):
            steps.append(step)
    learned = events.throw(KeyboardInterrupt)
    assert isinstance(learned, Learned)
    assert learned.stopped == f"stopped after step {interrupted_after}"
    assert learned.steps == interrupted_after
    scored = {step.step: step.validation_loss for step in steps if step.validation_loss is not None}
    assert learned.kept_step == (min(scored, key=lambda step: scored[step]) if scored else interrupted_after)
    assert read_voice("anna").held_out == learned.held_out
    assert [path.name for path in voices_folder().iterdir()] == ["anna"]
    with pytest.raises(StopIteration):
        next(events)


def test_a_loss_that_is_no_number_late_in_a_run_leaves_what_was_kept(
    corpora: dict[str, Corpus], tiny_base: Path, home: Path
) -> None:
    events = begin(corpora["telegram"], tiny_base, epochs=9)
    next(event for event in events if isinstance(event, TrainingStep) and event.validation_loss is not None)
    learned = events.throw(DivergedError("the loss became nan at step 2"))
    assert isinstance(learned, Learned)
    assert learned.stopped == "the loss became nan at step 2"
    assert read_voice("anna").held_out == learned.held_out


def test_an_interruption_before_the_first_step_leaves_nothing(corpora: dict[str, Corpus], tiny_base: Path) -> None:
    events = begin(corpora["telegram"], tiny_base)
    assert isinstance(next(events), Prepared)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)
    assert not voices_folder().exists() or not list(voices_folder().iterdir())


@pytest.fixture
def existing(corpora: dict[str, Corpus], tiny_base: Path, home: Path) -> dict[str, bytes]:
    run(corpora["telegram"], tiny_base, epochs=0.1)
    return files_of(voices_folder())


def test_a_taken_name_is_refused_before_work_starts(
    corpora: dict[str, Corpus], tiny_base: Path, existing: dict[str, bytes]
) -> None:
    with pytest.raises(ModelError, match="there is a voice 'anna' already"):
        next(learn(corpora["telegram"], "Аня", "anna", settings(), tiny_base))
    assert files_of(voices_folder()) == existing


def test_a_folder_that_is_no_voice_is_never_replaced(corpora: dict[str, Corpus], tiny_base: Path, home: Path) -> None:
    precious = voices_folder() / "anna" / "letters.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("дорогие письма", "utf-8")
    with pytest.raises(ModelError, match="is not a voice"):
        next(learn(corpora["telegram"], "Аня", "anna", settings(), tiny_base, replace=True))
    assert precious.read_text("utf-8") == "дорогие письма"


def test_a_replaced_voice_is_wholly_new(
    corpora: dict[str, Corpus], tiny_base: Path, existing: dict[str, bytes]
) -> None:
    list(learn(corpora["telegram"], "Аня", "anna", settings(seed=5), tiny_base, replace=True))
    found = files_of(voices_folder())
    assert found.keys() ^ existing.keys() <= {"anna/unread.json"}
    assert found[f"anna/{adapter.WEIGHTS}"] != existing[f"anna/{adapter.WEIGHTS}"]
    assert read_voice("anna").recipe.seed == 5


def test_a_run_that_is_given_up_harms_no_existing_voice(
    corpora: dict[str, Corpus], tiny_base: Path, existing: dict[str, bytes]
) -> None:
    events = begin(corpora["telegram"], tiny_base, replace=True)
    next(events), next(events)
    events.close()
    assert files_of(voices_folder()) == existing


def test_a_run_that_fails_to_write_harms_no_existing_voice(
    corpora: dict[str, Corpus], tiny_base: Path, existing: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = begin(corpora["telegram"], tiny_base, replace=True)
    next(events)
    monkeypatch.setattr(Path, "rename", _failing_into(voices_folder() / "anna"))
    with pytest.raises(ModelError, match="No space left on device"):
        list(events)
    assert files_of(voices_folder()) == existing


def _failing_into(folder: Path) -> Any:
    """Let the new voice's move fail, as on a full or foreign disk, and no other."""
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == folder and self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    return failing


def test_too_little_text_is_refused_with_what_is_needed(tiny_base: Path, tmp_path: Path) -> None:
    path = tmp_path / "записка.txt"
    path.write_text("Одна короткая записка о том, что всё хорошо. " * 8, "utf-8")
    corpus = tiny_corpus(path, tmp_path / "corpus")
    with pytest.raises(CorpusError, match="2,000 are needed"):
        next(learn(corpus, None, "anna", settings(), tiny_base))
    assert not voices_folder().exists()


@pytest.mark.parametrize("source", ["telegram", "channel"])
def test_examples_that_are_all_too_long_are_refused_at_once(
    corpora: dict[str, Corpus], tiny_base: Path, source: str
) -> None:
    with pytest.raises(TrainingError, match="fits an example of 32 tokens"):
        next(learn(corpora[source], SPEAKERS[source], "anna", settings(max_length=32), tiny_base))


@pytest.mark.parametrize(
    ("changed", "message"), [({"device": "abacus"}, "no device 'abacus'"), ({"device": "cuda:77"}, "no device")]
)
def test_what_this_machine_lacks_is_named(
    corpora: dict[str, Corpus], tiny_base: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ManeraError, match=message):
        next(learn(corpora["telegram"], "Аня", "anna", settings(**changed), tiny_base))


def test_a_plan_counts_steps_from_passes_over_the_rows() -> None:
    planned = plan(
        rows=10,
        row_length=256,
        batch_tokens=1024,
        micro_batch_tokens=512,
        epochs=2,
        validations_per_epoch=3,
        learning_rate=1e-3,
    )
    assert (planned.rows_per_micro_batch, planned.rows_per_step) == (2, 4)
    assert (planned.steps, planned.steps_per_validation) == (6, 1)
    short = replace(planned, rows_per_step=2, steps=10)
    assert short == plan(
        10, 256, batch_tokens=512, micro_batch_tokens=1024, epochs=2, validations_per_epoch=3, learning_rate=1e-3
    )
    small = plan(
        rows=2,
        row_length=512,
        batch_tokens=100,
        micro_batch_tokens=64,
        epochs=0.1,
        validations_per_epoch=3,
        learning_rate=1e-3,
    )
    assert (small.rows_per_micro_batch, small.rows_per_step) == (1, 1)
    assert (small.steps, small.steps_per_validation) == (1, 1)


@pytest.mark.parametrize(
    ("minutes", "rows", "tokens"),
    [
        (None, 100, 100 * 192),  # one pass
        (1, 100, 60 * SLOW_TOKENS_PER_SECOND),  # what a minute is enough for, not a hundred passes
    ],
)
def test_a_run_is_compiled_for_the_tokens_it_will_see(minutes: float | None, rows: int, tokens: int) -> None:
    planned = plan(
        rows=rows,
        row_length=192,
        batch_tokens=192,
        micro_batch_tokens=192,
        epochs=1 if minutes is None else 100,
        validations_per_epoch=1,
        learning_rate=1e-3,
        seconds=None if minutes is None else 60 * minutes,
    )
    assert expected_tokens(planned, 192) == tokens


def test_micro_batches_change_neither_loss_nor_gradients(chat: Material) -> None:
    rows = random_rows(PIECES, [30, 60, 45, 64] * 2, 64)

    def first_step(rows_per_micro_batch: int) -> tuple[float, dict[str, torch.Tensor]]:
        model = adapted(chat, seed=7)
        planned = Plan(1, len(rows), rows_per_micro_batch, steps_per_validation=1, learning_rate=5e-3)
        (step,) = fit(model, rows, rows, planned, lambda step: None)
        return step.loss, lora.adapter_state(model)

    loss, state = first_step(len(rows))
    for size in (1, 2):
        other_loss, other_state = first_step(size)
        assert other_loss == pytest.approx(loss, rel=1e-5)
        for name, tensor in state.items():
            torch.testing.assert_close(other_state[name], tensor, atol=2e-4, rtol=1e-3, msg=name)


def test_the_learning_rate_rises_then_falls_and_every_row_is_seen_each_epoch(chat: Material) -> None:
    rows = chat.dataset.rows
    count = len(rows["train"])
    planned = Plan(
        steps=2 * count, rows_per_step=1, rows_per_micro_batch=1, steps_per_validation=10**6, learning_rate=1e-3
    )
    steps = list(fit(adapted(chat), rows["train"], rows["validation"], planned, lambda step: None))
    rates = [step.learning_rate for step in steps]
    peak = rates.index(max(rates))
    assert max(rates) <= 1e-3
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    for epoch in (steps[:count], steps[count:]):
        assert sum(step.supervised_tokens for step in epoch) == rows["train"].supervised_tokens
        assert sum(step.tokens for step in epoch) == rows["train"].tokens


def test_nobodys_words_are_logged(
    corpora: dict[str, Corpus], tiny_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        run(corpora["telegram"], tiny_base, epochs=0.1)
    assert "дядя" not in caplog.text
