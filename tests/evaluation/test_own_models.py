"""Voices that are models of their own, measured: they are scored and they write, fully or not at all."""

from pathlib import Path

import numpy as np
import pytest

from adapted import write_voice_by
from manera.evaluation import scoring
from manera.evaluation.budget import FAST
from manera.evaluation.opening import Opened, Options, open_voice
from manera.evaluation.reasons import NotMeasuredError


@pytest.fixture(params=["dora", "full"])
def opened(request: pytest.FixtureRequest, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    write_voice_by(request.param, tiny_base, "own")
    return open_voice("own", Options(FAST, base=tiny_base))


def test_it_is_scored_fully_or_as_its_base(opened: Opened) -> None:
    stretches = [one.encoded for one in opened.stretches.held_out(opened.encoders.voice, 300)]
    voice, base = (scoring.nats(opened.model, stretches, scale) for scale in (1.0, 0.0))
    assert not np.allclose(voice, base)
    assert np.array_equal(voice, scoring.nats(opened.model, stretches, 1.0))
    with pytest.raises(NotMeasuredError, match="a model of its own"):
        scoring.nats(opened.model, stretches, 0.5)


def test_it_writes_beside_its_base(opened: Opened) -> None:
    encoder = opened.encoders.voice
    prompts = [[encoder.bos, *encoder.text("Привет")]]
    with opened.writer.open_engine() as engine:
        base, voice, again = (opened.writer.write(engine, scale, prompts)[0].text for scale in (0.0, 1.0, 1.0))
    assert base != voice
    assert voice == again
