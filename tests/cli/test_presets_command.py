"""``manera presets``: what a voice can be trained by, for people and as one document."""

import json

import pytest

from manera.bases.catalogue import DEFAULT_BASE
from manera.cli.learning import one_base
from manera.cli.presets import show_presets
from manera.dataset.formats.format import OWN, format_names
from manera.training.presets import PRESETS


def test_presets_and_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    show_presets(as_json=False)
    shown = capsys.readouterr().out
    assert all(f"  {name}: " in shown for name in [*format_names(), *(preset.name for preset in PRESETS)])
    assert "targets c_attn,c_proj" in shown


def test_a_preset_brings_its_base_unless_one_is_named() -> None:
    assert one_base(None, "rudialogpt") == "tinkoff-ai/ruDialoGPT-medium"
    assert one_base(["gpt2-medium"], "rudialogpt") == "gpt2-medium"
    assert one_base(None, "prose") == one_base(None) == DEFAULT_BASE


def test_the_document_holds_what_each_sets(capsys: pytest.CaptureFixture[str]) -> None:
    show_presets(as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in document["presets"]] == [preset.name for preset in PRESETS]
    assert document["presets"][0]["settings"]["rank"] == 24
    assert [one["name"] for one in document["formats"]] == [name for name in format_names() if name != OWN]
