"""A base folder of whatever a base's name means: built once, found again, and built anew for a voice that lacks it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

import tiny_own_form
from hub import COMMIT, Hub, serving
from manera.bases import base_model
from manera.bases.catalogue import CATALOGUE, GEMMA_3_270M, SMOLLM2_135M, without_hub
from manera.bases.memory import needs
from manera.errors import ModelError
from tiny_models import save_tiny_model

UNSERVED = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that llama.cpp computes, and one that it does not, as their makers save them."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_model("gpt2", folder / "gpt2")
    tiny_own_form.save("bart", folder / "bart")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def hub(models: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    served = Hub({"anna/gpt": models / "gpt2", "anna/bart": models / "bart"})
    with serving(served) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield served


@pytest.mark.parametrize(("name", "form"), [("anna/gpt", "gguf"), ("anna/bart", "transformers")])
def test_a_base_of_the_hub_is_fetched_once_and_again_where_it_is_gone(
    hub: Hub, home: Path, name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not base_model.is_prepared(name=name)
    folder = base_model.prepare(name=name)
    described = base_model.read(folder)
    assert (described.id, described.revision, described.form, described.languages) == (name, COMMIT, form, ())
    assert base_model.load(folder).config.vocab_size >= described.vocabulary
    monkeypatch.setenv("HF_ENDPOINT", UNSERVED)
    assert base_model.prepare(name=name) == base_model.prepare(name=f"{name}@{COMMIT}") == folder
    fetched = len(hub.fetched)
    shutil.rmtree(folder)
    assert base_model.prepare_for(described) == folder
    assert len(hub.fetched) == fetched  # the hub's cache had it


def test_a_folder_and_a_file_become_bases_under_what_they_hold(models: Path, home: Path) -> None:
    shutil.copytree(models / "gpt2", home / "mine")
    folder = base_model.prepare(name=str(home / "mine"))
    assert base_model.read(folder).id == "mine"
    shutil.copy(folder / base_model.GGUF, home / "other.gguf")
    of_file = base_model.prepare(name=str(home / "other.gguf"))
    assert base_model.read(of_file).vocabulary_sha256 == base_model.read(folder).vocabulary_sha256
    assert base_model.prepare(name=str(home / "mine")) == folder != of_file
    described = base_model.read(of_file)
    shutil.rmtree(of_file)
    with pytest.raises(ModelError, match="'other' was built from a folder or a file, and what was built is gone"):
        base_model.prepare_for(described)


def test_what_is_no_language_model_is_refused(models: Path, home: Path) -> None:
    shutil.copytree(models / "bart", home / "bert")
    config = json.loads((home / "bert" / "config.json").read_text())
    (home / "bert" / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ModelError, match="architecture 'bert' cannot be trained here"):
        base_model.prepare(name=str(home / "bert"))
    assert not list((home / "home" / "bases").iterdir())


def test_weights_and_a_tokenizer_that_do_not_belong_together_are_refused(models: Path, home: Path) -> None:
    shutil.copytree(models / "bart", home / "bart")
    tokenizer = json.loads((home / "bart" / "tokenizer.json").read_text())
    known = tokenizer["model"]["vocab"]
    known |= {f"word{number}": len(known) + number for number in range(40)}
    (home / "bart" / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="more tokens than the model has embeddings"):
        base_model.prepare(name=str(home / "bart"))


def test_a_name_that_means_nothing_names_what_needs_no_hub(home: Path) -> None:
    with pytest.raises(ModelError, match="there is no base 'gemma'") as refused:
        base_model.prepare(name="gemma")
    assert refused.value.hint is not None
    assert all(name in refused.value.hint for name in without_hub())


def test_memory_is_foretold_of_every_base() -> None:
    for base in CATALOGUE:
        assert 0.5e9 < needs(base).serve < needs(base).train < 60e9, base.name
    assert needs(GEMMA_3_270M).train == pytest.approx(2.3e9, rel=0.1)  # 2.24 GB were measured
    assert needs(SMOLLM2_135M).train == pytest.approx(2.6e9, rel=0.15)
