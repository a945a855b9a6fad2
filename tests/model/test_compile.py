"""Compiled layers compute what they compute otherwise."""

import os
import time
from pathlib import Path

import pytest
import torch

from adapted import adapted_model, random_rows
from manera.machine.precision import compiler_is_available, fastest
from manera.model import packed
from manera.training import lora
from tiny import PIECES

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own parts


@pytest.fixture
def compiler() -> None:
    if not compiler_is_available():
        if os.environ.get("CI"):
            pytest.fail("torch.compile does not work here")
        pytest.skip("torch.compile does not work here: no C++ compiler, or no headers")


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_compiled_layers_give_the_same_loss_and_gradient(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [40, 30, 45], 48)
    batch = packed.to_batch(rows)
    found = {}
    for compiled in (False, True):
        model = adapted_model(tiny_base)
        if compiled:
            packed.compile_layers(model)
        measured = packed.measure(model, rows, 2)
        nats, tokens = packed.batch_nll(model, batch)
        (nats / tokens).backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        found[compiled] = float(nats.detach()), torch.cat(gradients), measured
        assert len(gradients) == 2 * len(lora.adapted_layers(model))
    assert found[True][0] == pytest.approx(found[False][0], rel=1e-5)
    assert torch.cosine_similarity(found[True][1], found[False][1], dim=0) > 1 - 1e-5
    assert found[True][2] == found[False][2]  # measuring is never compiled


def test_the_fastest_precision_is_one_that_this_machine_can_compute(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [40], 48)
    model = adapted_model(tiny_base, fastest())
    assert packed.measure(model, rows, 1).nats_per_token > 0
    assert fastest("cuda") == "bfloat16"


def test_choosing_a_precision_takes_no_time_even_where_the_others_are_slow() -> None:
    began = time.perf_counter()
    fastest.__wrapped__("cpu")
    assert time.perf_counter() - began < 5  # without their instructions, bfloat16 and int8 took half a minute
