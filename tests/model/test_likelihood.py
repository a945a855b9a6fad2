"""One formula for loss, whatever the chunk, the batch or the padding."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from adapted import adapted_model, random_example, random_rows
from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows, pack
from manera.model import packed
from manera.model.likelihood import CHUNK, Nll, each_nll, supervised_nll, tempered_nll
from manera.training import lora
from tiny import PIECES

WIDTH, VOCABULARY = 16, 50


def labels(shape: tuple[int, int], share: float) -> Tensor:
    chance = torch.Generator().manual_seed(5)
    found = torch.randint(0, VOCABULARY, shape, generator=chance)
    return found.masked_fill(torch.rand(shape, generator=chance) > share, IGNORE_INDEX)


def plain_nll(logits: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """Sum cross-entropy the plain way: position t is scored from logits at t - 1."""
    wanted = targets[:, 1:].reshape(-1)
    nats = cross_entropy(logits[:, :-1].flatten(0, 1), wanted, ignore_index=IGNORE_INDEX, reduction="sum")
    return nats, int((wanted != IGNORE_INDEX).sum())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (3, CHUNK + 1), (2, 2 * CHUNK)])
def test_chunked_likelihood_is_plain_cross_entropy_in_value_and_gradient(shape: tuple[int, int], share: float) -> None:
    chance = torch.Generator().manual_seed(4)
    head = torch.randn(VOCABULARY, WIDTH, generator=chance)
    states = torch.randn(*shape, WIDTH, generator=chance)
    targets = labels(shape, share)
    plain, chunked = states.clone().requires_grad_(), states.clone().requires_grad_()
    expected, count = plain_nll(plain @ head.t(), targets)
    found, tokens = supervised_nll(chunked, head, targets)
    assert tokens == count
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    (expected * 0.3).backward()  # type: ignore[no-untyped-call]
    (found * 0.3).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(chunked.grad, plain.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, CHUNK + 1)])
def test_likelihood_at_a_temperature_is_that_of_divided_logits(shape: tuple[int, int]) -> None:
    chance = torch.Generator().manual_seed(4)
    head = torch.randn(VOCABULARY, WIDTH, generator=chance)
    states = torch.randn(*shape, WIDTH, generator=chance)
    targets = labels(shape, 0.4)
    found, tokens = tempered_nll(states, head, targets, (0.5, 1.0))
    assert tokens == int((targets[:, 1:] != IGNORE_INDEX).sum())
    for temperature, nats in zip((0.5, 1.0), found, strict=True):
        expected, _ = plain_nll(states @ head.t() / temperature, targets)
        torch.testing.assert_close(nats, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(2, 7), (3, CHUNK + 1)])
def test_nats_of_single_tokens_add_up(shape: tuple[int, int], share: float) -> None:
    chance = torch.Generator().manual_seed(4)
    head, hidden = torch.randn(VOCABULARY, WIDTH, generator=chance), torch.randn(*shape, WIDTH, generator=chance)
    wanted = labels(shape, share)
    nats, tokens = supervised_nll(hidden, head, wanted)
    each = each_nll(hidden, head, wanted)
    assert len(each) == tokens
    torch.testing.assert_close(each.sum(), nats)


@pytest.mark.parametrize("shape", [(1, 1), (3, CHUNK + 1)])
def test_weights_multiply_the_nats_and_the_gradient_of_each_token(shape: tuple[int, int]) -> None:
    chance = torch.Generator().manual_seed(4)
    head = torch.randn(VOCABULARY, WIDTH, generator=chance)
    states = torch.randn(*shape, WIDTH, generator=chance)
    targets, weights = labels(shape, 0.4), torch.rand(*shape, generator=chance) * 3
    plain, chunked = states.clone().requires_grad_(), states.clone().requires_grad_()
    wanted = targets[:, 1:].reshape(-1)
    each = cross_entropy((plain @ head.t())[:, :-1].flatten(0, 1), wanted, reduction="none")
    expected = (each * weights[:, 1:].reshape(-1)).sum()
    found, tokens = supervised_nll(chunked, head, targets, weights)
    assert tokens == int((wanted != IGNORE_INDEX).sum())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    expected.backward()  # type: ignore[no-untyped-call]
    found.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(chunked.grad, plain.grad, rtol=1e-4, atol=1e-5)


def test_position_zero_is_never_scored() -> None:
    targets = torch.full((2, 5), IGNORE_INDEX)
    targets[:, 0] = 3
    nats, tokens = supervised_nll(torch.randn(2, 5, WIDTH), torch.randn(VOCABULARY, WIDTH), targets)
    assert (float(nats), tokens) == (0.0, 0)


def test_likelihoods_add_up_before_they_are_divided() -> None:
    total = Nll(6.0, 2) + Nll(2.0, 6)
    assert total.nats_per_token == 1.0
    assert total.perplexity == pytest.approx(math.e)
    assert total.bits_per_byte(4) == pytest.approx(2 / math.log(2))
    assert math.isnan(Nll(0.0, 0).nats_per_token)


def gradients(base: Path, rows: Rows, micro_batches: list[list[int]]) -> tuple[float, dict[str, Tensor]]:
    model = adapted_model(base)
    nats = 0.0
    for indices in micro_batches:
        batch_nats, _ = packed.batch_nll(model, packed.to_batch(rows.take(indices)))
        (batch_nats / rows.supervised_tokens).backward()  # type: ignore[no-untyped-call]
        nats += float(batch_nats.detach())
    found = {
        f"{name}.{which}": getattr(layer, which).grad
        for name, layer in lora.adapted_layers(model).items()
        for which in ("lora_A", "lora_B")
    }
    return nats, found


def test_batch_size_and_packing_do_not_change_loss_or_gradient(tiny_base: Path) -> None:
    lengths = [40, 22, 9, 31, 17, 25]
    rows = random_rows(PIECES, lengths, 48)
    alone = random_rows(PIECES, lengths, 64)
    nats, expected = gradients(tiny_base, rows, [list(range(len(rows)))])
    for other, micro_batches in (
        (rows, [[index] for index in range(len(rows))]),
        (rows, [[1, 0], list(range(2, len(rows)))]),
        (alone, [list(range(len(alone)))]),
    ):
        other_nats, found = gradients(tiny_base, other, micro_batches)
        assert other_nats == pytest.approx(nats, rel=1e-5)
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6)
            assert gradient.abs().max() > 0


def test_an_example_that_weighs_twice_is_learned_as_if_it_were_there_twice(tiny_base: Path) -> None:
    examples = [random_example(PIECES, length) for length in (40, 31, 25)]
    weighted = pack([examples[0].weighted(2), *examples[1:]], 48)
    doubled = pack([examples[0], *examples], 48)
    nats, found = gradients(tiny_base, weighted, [[index] for index in range(len(weighted))])
    expected_nats, expected = gradients(tiny_base, doubled, [list(range(len(doubled)))])
    assert nats / weighted.supervised_tokens == pytest.approx(expected_nats / doubled.supervised_tokens, rel=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6)


def test_an_example_among_others_in_its_row_is_scored_as_alone(tiny_base: Path) -> None:
    model = adapted_model(tiny_base)
    rows = random_rows(PIECES, [40, 22, 9, 31, 17, 25], 72)
    found = packed.measure_each(model, rows)
    assert sum(map(len, found)) == 6
    for row, each in enumerate(found):
        for segment, nats in enumerate(each.tolist(), start=1):
            alone = rows.take([row])
            alone.labels[alone.segments != segment] = IGNORE_INDEX
            assert nats == pytest.approx(packed.measure(model, alone, 1).nats, rel=1e-5)
