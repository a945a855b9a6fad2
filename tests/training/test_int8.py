"""Eight-bit products stay near the float ones, forward and backward."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapted import adapted_model, random_rows
from manera.model import packed
from manera.records import Precision
from manera.training import lora
from manera.training.int8 import Int8Linear, int8_product, quantize_rows
from tiny import PIECES

EITHER: list[Precision] = ["float32", "int8"]


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def matrices(outliers: bool) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(6)
    left = torch.randn(64, 96, generator=chance)
    if outliers:
        left[:, 7] *= 60
    return left, torch.randn(80, 96, generator=chance)


def test_rows_are_rounded_to_half_a_step_of_their_own_scale() -> None:
    values = torch.randn(9, 33, generator=torch.Generator().manual_seed(7)) * torch.logspace(-6, 6, 9)[:, None]
    rounded, scale = quantize_rows(values)
    assert rounded.dtype == torch.int8
    assert ((rounded * scale - values).abs() <= scale * 0.5001).all()
    rounded, scale = quantize_rows(torch.zeros(2, 8))
    assert torch.equal(rounded * scale, torch.zeros(2, 8))


@pytest.mark.parametrize("outliers", [False, True])
def test_an_int8_product_is_near_and_a_fine_one_nearer(outliers: bool) -> None:
    left, weight = matrices(outliers)
    rounded, scale = quantize_rows(weight)
    exact = left @ (rounded * scale).t()
    coarse = relative_error(int8_product(left, rounded.t(), fine=False) * scale.squeeze(1), exact)
    fine = relative_error(int8_product(left, rounded.t(), fine=True) * scale.squeeze(1), exact)
    assert coarse < (0.15 if outliers else 0.01)
    assert fine < coarse / 50


@pytest.mark.parametrize("fine", [False, True])
def test_the_gradient_of_an_int8_product_is_near(fine: bool) -> None:
    left, weight = matrices(outliers=False)
    rounded, scale = quantize_rows(weight)
    wanted = torch.randn(64, 80, generator=torch.Generator().manual_seed(8))
    x = left.clone().requires_grad_()
    product: Tensor = Int8Linear.apply(x, rounded, scale.squeeze(1), fine)  # type: ignore[no-untyped-call]
    assert relative_error(product.detach(), left @ weight.t()) < 0.015
    product.backward(wanted)  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert relative_error(x.grad, wanted @ weight) < 0.015


def test_learning_in_int8_follows_learning_in_float(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [40, 30, 45], 48)
    found = {}
    for precision in EITHER:
        model = adapted_model(tiny_base, precision)
        nats, tokens = packed.batch_nll(model, packed.to_batch(rows))
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        layers = lora.adapted_layers(model).values()
        found[precision] = (
            float(nats.detach()) / tokens,
            torch.cat([layer.lora_B.grad.flatten() for layer in layers if layer.lora_B.grad is not None]),
        )
    assert found["int8"][0] == pytest.approx(found["float32"][0], rel=0.02)
    assert torch.cosine_similarity(found["int8"][1], found["float32"][1], dim=0) > 0.98


def test_measuring_never_rounds_to_int8(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [40, 30], 48)
    model, exact = adapted_model(tiny_base, "int8"), adapted_model(tiny_base, "float32")
    rough = packed.measure(model, rows, 2)
    with lora.measuring(model):
        assert packed.measure(model, rows, 2) == packed.measure(exact, rows, 2)
    assert packed.measure(model, rows, 2) == rough != packed.measure(exact, rows, 2)
