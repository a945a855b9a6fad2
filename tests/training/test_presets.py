"""Presets: defaults by a name, before which every other setting goes."""

from pathlib import Path

import pytest

from manera.errors import SettingsError, TrainingError
from manera.training.presets import PRESETS, Preset, find, require_architecture, resolve


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_preset_stands_below_the_file_the_environment_and_the_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (resolve({}).format, resolve({}).epochs) == (None, None)
    chosen = resolve({"preset": "prose"})
    assert (chosen.preset, chosen.format, chosen.epochs) == ("prose", "prose", 1.0)
    (tmp_path / "manera.toml").write_text('[training]\nepochs = 3\npreset = "prose"\n', "utf-8")
    assert resolve({}).epochs == 3
    monkeypatch.setenv("MANERA_TRAINING_EPOCHS", "4")
    assert resolve({}).epochs == 4
    assert (resolve({"epochs": 5}).epochs, resolve({"epochs": 5}).format) == (5, "prose")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_made_of_settings_that_there_are(preset: Preset) -> None:
    assert resolve({"preset": preset.name}).preset == preset.name


def test_an_unknown_preset_names_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="no preset 'rugpt'") as caught:
        resolve({"preset": "rugpt"})
    assert "rugpt3-post" in str(caught.value.hint)


def test_a_preset_on_the_wrong_architecture_is_named_with_what_fits() -> None:
    with pytest.raises(
        TrainingError, match="'rugpt3-post' trains bases of the architecture gpt2, and g is gemma3"
    ) as it:
        require_architecture("rugpt3-post", "g", "gemma3")
    assert it.value.hint == "--base ai-forever/rugpt3medium_based_on_gpt2, or a preset that fits: prose"
    require_architecture("rugpt3-post", "g", "gpt2")
    require_architecture("prose", "g", "gemma3")
    assert find("yandexgpt-user").architectures == ("llama",)
