"""Models of every kind learn from nothing, and are measured by the same bits."""

import math

import pytest
import torch

from lab_texts import TEXT
from manera.bases.small.ngram import Ngram, count
from manera.errors import CorpusError, SettingsError, TrainingError
from manera.lab import models, scoring, tokenizers
from manera.lab.settings import KINDS, Budget, Kind, LabSettings, settings_for
from manera.lab.texts import TextSplits, require_enough, split_text
from manera.lab.training import LabStep, Trained, train
from manera.training.loop import DivergedError

SPLITS = split_text(TEXT[:12_000])
FEW = Budget(tokens=3000)


def tiny(kind: Kind, **chosen: object) -> LabSettings:
    shape = {"context": 3} if kind == "ngram" else {"context": 16, "width": 32, "batch": 4}
    return settings_for(kind, **{"tokenizer": "character", "learning_rate": 1e-2, **shape, **chosen})


def trained(settings: LabSettings, budget: Budget = FEW, texts: TextSplits = SPLITS) -> Trained:
    *steps, last = train(texts, settings, budget)
    assert isinstance(last, Trained)
    assert all(isinstance(step, LabStep) for step in steps)
    return last


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_every_kind_learns(kind: Kind) -> None:
    made = trained(tiny(kind))
    uniform = math.log2(made.tokenizer.get_vocab_size()) / made.bytes_per_token
    assert made.bits_per_byte < uniform - 1
    assert made.bits_per_byte == pytest.approx(min(step.bits_per_byte or 9 for step in made.curve), abs=0.02)
    assert made.measured(SPLITS.test) < uniform - 1
    assert made.parameters > 100


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ngram"])
def test_the_same_seed_gives_the_same_model(kind: Kind) -> None:
    first, second, other = (trained(tiny(kind, seed=seed), Budget(tokens=600)) for seed in (1, 1, 2))
    assert [step.bits_per_byte for step in first.curve] == [step.bits_per_byte for step in second.curve]
    assert first.bits_per_byte != other.bits_per_byte


@pytest.mark.parametrize("kind", KINDS)
def test_reading_token_by_token_gives_what_reading_at_once_gives(kind: Kind) -> None:
    settings = tiny(kind)
    tokenizer = tokenizers.learn("character", SPLITS.train, 0)
    model = models.build(settings, tokenizer, tokenizers.stream(tokenizer, SPLITS.train)).eval()
    ids = torch.tensor([tokenizer.encode(SPLITS.test[0][:14]).ids])
    with torch.no_grad():
        whole = model(ids).logits
        carried, parts = None, []
        for place in range(ids.shape[1]):
            read = model(ids[:, place : place + 1], past_key_values=carried, use_cache=True)
            carried = read.past_key_values
            parts.append(read.logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "transformer"])
def test_texts_in_one_row_do_not_see_each_other(kind: Kind) -> None:
    tokenizer = tokenizers.learn("character", SPLITS.train, 0)
    model = models.build(tiny(kind), tokenizer, tokenizers.stream(tokenizer, SPLITS.train)).eval()
    ids = torch.tensor([tokenizer.encode(SPLITS.test[0]).ids[:12]])
    positions = torch.tensor([[*range(7), *range(5)]])
    with torch.no_grad():
        packed = model.model(ids, position_ids=positions).last_hidden_state
        apart = torch.cat([model.model(part).last_hidden_state for part in (ids[:, :7], ids[:, 7:])], 1)
    torch.testing.assert_close(packed, apart)


def test_the_probabilities_of_an_ngram_sum_to_one() -> None:
    ids = [0, 3, 1, 2, 3, 1, 4, 3, 1, 2, 2, 4]
    model = models.build(tiny("ngram"), tokenizers.learn("character", SPLITS.train, 0), ids)
    told, _ = model.model.body(torch.tensor([[3, 1, 2, 9, 3, 1]]), None)
    torch.testing.assert_close(told.sum(-1), torch.ones(1, 6))
    assert isinstance(model.model.body, Ngram)


def test_kneser_ney_counts_what_a_gram_follows() -> None:
    # "san francisco" comes often, but "francisco" follows one word only: unseen contexts expect it little
    san, francisco, a, b, c, glasses = range(6)
    ids = [*([san, francisco] * 6), a, glasses, b, glasses, c, glasses]
    unigrams = count(ids, 2, 6)[0]
    share = dict(zip(unigrams.keys.tolist(), unigrams.mass.tolist(), strict=True))
    assert share[glasses] > share[francisco]


def test_every_token_is_asked_for_once() -> None:
    tokenizer = tokenizers.learn("character", SPLITS.train, 0)
    text = TEXT[:2500]
    for kind in ("gru", "transformer"):
        held_out = scoring.lay_out([text], tokenizer, tiny(kind))
        ids = tokenizers.stream(tokenizer, [text])
        assert held_out.rows[held_out.is_asked].tolist() == ids[1:]
        assert held_out.bytes == len(text.encode())


def test_bits_per_byte_are_of_the_text_not_of_its_tokens() -> None:
    """A model that knows nothing pays for every token alike, whatever tokenizer has cut the text."""
    for kind, size in (("character", 0), ("byte", 0), ("bpe", 300), ("word", 420)):
        tokenizer = tokenizers.learn(kind, SPLITS.train, size)  # type: ignore[arg-type]
        model = models.build(tiny("ngram"), tokenizer, tokenizers.stream(tokenizer, SPLITS.train))
        torch.nn.init.zeros_(model.model.norm.weight)
        held_out = scoring.lay_out(SPLITS.test, tokenizer, tiny("ngram"))
        tokens = len(tokenizers.stream(tokenizer, SPLITS.test)) - 1
        uniform = tokens * math.log2(tokenizer.get_vocab_size()) / len(SPLITS.test[0].encode())
        assert scoring.bits_per_byte(model, held_out) == pytest.approx(uniform, rel=1e-4)


def test_a_loss_that_is_no_number_is_named_with_its_step() -> None:
    with pytest.raises(DivergedError) as refusal:
        trained(tiny("rnn", learning_rate=1e20, clipping=1e9))
    assert "diverged at step" in refusal.value.message
    assert "--learning-rate" in (refusal.value.hint or "")


def test_overfitting_is_marked_and_its_best_point_kept() -> None:
    short = TextSplits((TEXT[:2200],), (TEXT[-3000:],), (TEXT[-3000:],))
    made = trained(tiny("lstm", width=96, dropout=0.0), Budget(tokens=50_000, patience=None), short)
    assert made.is_overfitted
    assert made.kept_step < made.curve[-1].step
    assert made.curve[-1].loss < made.curve[0].loss


def test_patience_ends_a_run_early() -> None:
    short = TextSplits((TEXT[:2200],), (TEXT[-3000:],))
    settings = tiny("lstm", width=96, dropout=0.0)
    made = trained(settings, Budget(tokens=200_000, patience=2), short)
    assert made.tokens < 200_000


def test_time_bounds_a_run() -> None:
    made = trained(tiny("gru"), Budget(seconds=0.5))
    assert made.seconds < 5


def test_closing_ends_a_run() -> None:
    steps = train(SPLITS, tiny("gru"), Budget(epochs=1000))
    next(steps)
    steps.close()
    assert list(steps) == []


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("gru", {"width": 0}),
        ("gru", {"dropout": 1.0}),
        ("gru", {"learning_rate": -1.0}),
        ("gpt", {}),
        ("gru", {"tokenizer": "syllables"}),
        ("gru", {"depth": 3}),
    ],
    ids=["width", "dropout", "rate", "kind", "tokenizer", "name"],
)
def test_impossible_settings_are_refused(kind: Kind, chosen: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        settings_for(kind, **chosen)


def test_a_budget_without_bounds_is_refused() -> None:
    with pytest.raises(SettingsError, match="for ever"):
        Budget()


def test_heads_need_whole_widths() -> None:
    with pytest.raises(TrainingError, match="heads of 32"):
        trained(tiny("transformer", width=40))


def test_a_corpus_of_200_characters_is_named() -> None:
    with pytest.raises(CorpusError, match="needs 2,000"):
        require_enough(split_text(TEXT[:200]), "it")
