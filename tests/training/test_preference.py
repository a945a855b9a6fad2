"""What people preferred becomes likelier, by the formula, against a reference that stays."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from adapted import adapted_model, logits
from manera.dataset.encoding import Encoder
from manera.dataset.packing import pack
from manera.errors import ModelError
from manera.model import packed
from manera.records import Message
from manera.training import lora
from manera.training.loop import State, plan, train
from manera.training.preference import (
    BETA,
    Replies,
    encode_pair,
    margins,
    pack_pairs,
    preference_loss,
    with_reference,
)
from manera.voice.preferences import Pair, read_pairs

ASKED = (Message("user", "Как дела?"),)
GIVEN = [
    Pair((Message("user", f"Как дела, {number}?"),), f"Пойдём гулять {number}.", f"Дождя не будет {number}.")
    for number in range(6)
]


def replies_of(pairs: list[Pair], encoder: Encoder) -> list[Replies]:
    found = [encode_pair(pair, "dialogue", None, encoder, 64) for pair in pairs]
    return [both for both in found if both]


@pytest.fixture
def model(tiny_base: Path) -> Any:
    return adapted_model(tiny_base)


def nudged(model: Any, by: float = 0.01) -> None:
    chance = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for layer in lora.adapted_layers(model).values():
            layer.lora_B.add_(torch.randn(layer.lora_B.shape, generator=chance), alpha=by)


def nats(model: Any, one: Any) -> float:
    return packed.measure(model, pack([one], len(one.input_ids)), 1).nats


def test_the_loss_is_that_of_the_paper(model: Any, tiny_encoder: Encoder) -> None:
    replies = replies_of(GIVEN[:3], tiny_encoder)
    pairs = with_reference(model, pack_pairs(replies, 128))
    before = [(nats(model, chosen), nats(model, rejected)) for chosen, rejected in replies]
    assert preference_loss(model, pairs)[0].item() == pytest.approx(3 * math.log(2), rel=1e-5)
    nudged(model)
    expected = 0.0
    for (chosen, rejected), (chosen_before, rejected_before) in zip(replies, before, strict=True):
        lead = BETA * ((chosen_before - nats(model, chosen)) - (rejected_before - nats(model, rejected)))
        expected += -math.log(1 / (1 + math.exp(-lead)))
        assert abs(lead) > 1e-4
    found, count = preference_loss(model, pairs)
    assert count == len(pairs) == pairs.supervised_tokens == 3
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_a_thumb_is_a_pair_whose_other_reply_stays_where_it_was(model: Any, tiny_encoder: Encoder) -> None:
    given = GIVEN[0]
    alike = (given, Pair(given.messages, given.chosen), Pair(given.messages, None, given.rejected))
    both, liked, disliked = (with_reference(model, pack_pairs(replies_of([pair], tiny_encoder), 128)) for pair in alike)
    nudged(model)
    assert margins(model, both)[0] == pytest.approx(margins(model, liked)[0] + margins(model, disliked)[0], abs=1e-5)


def test_pairs_are_scored_alike_however_they_are_batched(model: Any, tiny_encoder: Encoder) -> None:
    pairs = with_reference(model, pack_pairs(replies_of(GIVEN, tiny_encoder), 128))
    nudged(model)
    whole, _ = preference_loss(model, pairs)
    parts = sum(preference_loss(model, pairs.take(rows))[0].item() for rows in ([3, 1], [0, 5, 2], [4]))
    assert whole.item() == pytest.approx(parts, rel=1e-5)
    assert pairs.take([2]).reference.tolist() == pairs.reference[[2]].tolist()


def test_training_on_pairs_widens_their_margin_and_leaves_reference_and_base(
    model: Any, tiny_base: Path, tiny_encoder: Encoder
) -> None:
    pairs = with_reference(model, pack_pairs(replies_of(GIVEN, tiny_encoder), 96))
    reference, ids = pairs.reference.copy(), tiny_encoder.prompt(ASKED)
    with lora.measuring(model, with_adapter=False):
        base = logits(model, ids)
    planned = plan(6, 96, 6 * 96, 96, epochs=12, validations_per_epoch=1, learning_rate=3e-3, patience=99)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    losses = [
        step.loss
        for step in train(
            State(parameters, planned),
            pairs,
            lambda rows: preference_loss(model, rows),
            lambda _: sum(-lead for lead in margins(model, pairs)),
            planned,
            lambda _: None,
        )
    ]
    assert losses[0] == pytest.approx(math.log(2), rel=1e-5)
    assert losses[-1] < 0.9 * losses[0]
    assert min(margins(model, pairs)) > 0
    assert (pairs.reference == reference).all()
    with lora.measuring(model, with_adapter=False):
        torch.testing.assert_close(logits(model, ids), base)


def test_only_the_reply_is_scored_and_the_oldest_turns_give_way(tiny_encoder: Encoder) -> None:
    talk = tuple(Message(("user", "assistant")[place % 2], f"Раз и два и три {place}.") for place in range(9))
    chosen, rejected = encode_pair(Pair(talk, "Да.", "Нет."), "dialogue", None, tiny_encoder, 64) or (None, None)
    assert chosen is not None
    assert rejected is not None
    for one, text in ((chosen, "Да."), (rejected, "Нет.")):
        assert len(one.input_ids) <= 64
        assert one.supervised_tokens == len(tiny_encoder.text(text)) + 1
        assert "три 8" in tiny_encoder.decode(one.input_ids)
        assert "три 0" not in tiny_encoder.decode(one.input_ids)
    assert encode_pair(Pair(talk, "Да. " * 60, "Нет."), "dialogue", None, tiny_encoder, 64) is None
    assert encode_pair(Pair(talk, "Да.", "Да."), "dialogue", None, tiny_encoder, 64) is None


def test_a_post_is_asked_for_as_it_was_in_training(tiny_encoder: Encoder) -> None:
    found = encode_pair(Pair(ASKED, "Да.", None), "post", "Напиши пост: {topic}", tiny_encoder, 64)
    assert found is not None
    assert found[0] is not None
    assert "Напиши пост: Как дела?" in tiny_encoder.decode(found[0].input_ids)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("не JSON", "line 2, is no pair"),
        ('{"messages": []}', "line 2, is no pair: it has no messages"),
        ('{"messages": [{"role": "user", "content": "А?"}]}', "neither chosen nor rejected"),
        ('{"chosen": "Да"}', "line 2, is no pair"),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str, why: str) -> None:
    good = json.dumps({"messages": [{"role": "user", "content": "А?"}], "chosen": "Да", "source": "thumb"})
    (tmp_path / "pairs.jsonl").write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(ModelError, match=why):
        read_pairs(tmp_path / "pairs.jsonl")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are no preferences in"):
        read_pairs(tmp_path / "pairs.jsonl")
