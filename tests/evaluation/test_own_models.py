"""Voices that are models of their own, measured: they are scored and they write, fully or not at all."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from exported import examples
from manera.bases import base_model
from manera.evaluation import scoring
from manera.evaluation.budget import FAST
from manera.evaluation.opening import Opened, Options, open_voice
from manera.evaluation.reasons import NotMeasuredError
from manera.records import MethodName
from manera.training.methods import method_of
from manera.training.settings import TrainingConfig, alpha_of
from manera.voice import adapter
from manera.voice.dataset import write_dataset
from manera.voice.folder import voice_folder
from manera.voice.manifest import write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice


@pytest.fixture(params=["dora", "full"])
def opened(request: pytest.FixtureRequest, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    method: MethodName = request.param
    config = TrainingConfig(method=method, rank=4)
    recipe = Recipe(method=method, rank=4, alpha=alpha_of(config))
    folder = voice_folder(method)
    folder.mkdir(parents=True)
    model: nn.Module = base_model.load(tiny_base)
    method_of(method).make_trainable(model, config, "float32")
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapter.write(method_of(method).state(model), folder, recipe, tiny_base)
    digest = write_dataset({part: examples("dialogue") for part in ("train", "validation", "test")}, folder)
    voice = msgspec.structs.replace(tiny_voice(tiny_base, method), recipe=recipe, dataset_sha256=digest)
    write_voice(voice, folder)

    return open_voice(method, Options(FAST, base=tiny_base))


def test_it_is_scored_fully_or_as_its_base(opened: Opened) -> None:
    stretches = [one.encoded for one in opened.stretches.held_out(opened.encoders.voice, 300)]
    voice, base = (scoring.nats(opened.model, stretches, scale) for scale in (1.0, 0.0))
    assert not np.allclose(voice, base)
    assert np.array_equal(voice, scoring.nats(opened.model, stretches, 1.0))
    with pytest.raises(NotMeasuredError, match="a model of its own"):
        scoring.nats(opened.model, stretches, 0.5)


def test_it_writes_beside_its_base(opened: Opened) -> None:
    prompts = [opened.encoders.voice.prompt([])[:1] * 2]
    with opened.writer.open_engine() as engine:
        base, voice, again = (opened.writer.write(engine, scale, prompts)[0].text for scale in (0.0, 1.0, 1.0))
    assert base != voice == again
