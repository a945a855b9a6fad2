"""Where a base comes from: the hub, a folder, a file; and what is said where it cannot be had."""

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file

from hub import COMMIT, TOKEN, Hub, serving
from manera.bases import origins
from manera.bases.catalogue import CATALOGUE, GEMMA_3_270M
from manera.errors import ModelError

UNSERVED = "http://127.0.0.1:9"  # the port of "discard", on which nobody listens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a repository of a small model holds, and more."""
    made = tmp_path / "small-model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "gptj", "architectures": ["GPTJForCausalLM"]}))
    (made / "tokenizer.json").write_text("{}")
    save_file({"weight": torch.zeros(4)}, made / "model.safetensors")
    (made / "pytorch_model.bin").write_bytes(b"the same again")
    (made / "tf_model.h5").write_bytes(b"and again")
    (made / "README.md").write_text("a model")
    (made / "modeling_own.py").write_text("raise SystemExit('never run')")
    return made


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    served = Hub({"anna/small": folder})
    with serving(served) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield served


def test_a_repository_lends_what_a_model_needs_and_its_commit(hub: Hub) -> None:
    with origins.lend("anna/small") as origin:
        assert (origin.id, origin.revision) == ("anna/small", COMMIT)
        assert {path.name for path in origin.files.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    assert sorted(hub.fetched) == ["config.json", "model.safetensors", "tokenizer.json"]
    with origins.lend(f"anna/small@{COMMIT}") as again:
        assert again == origin
    assert len(hub.fetched) == 3  # the cache has them


def test_older_weights_are_taken_where_there_are_no_others(hub: Hub, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with origins.lend("anna/small") as origin:
        assert {path.name for path in origin.files.iterdir()} == {"config.json", "pytorch_model.bin", "tokenizer.json"}


def test_where_no_hub_answers_the_cache_has_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with origins.lend("anna/small") as fetched:
        pass
    monkeypatch.setenv("HF_ENDPOINT", UNSERVED)
    with origins.lend("anna/small") as origin:
        assert origin == fetched
    with pytest.raises(ModelError, match="anna/other cannot be fetched") as refused, origins.lend("anna/other"):
        pass
    assert "gemma-3-270m, smollm2-135m" in str(refused.value.hint)


def test_what_is_not_there_or_not_for_everybody_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="has no anna/missing, or"), origins.lend("anna/missing"):
        pass
    with pytest.raises(ModelError, match="has no anna/small@v9, or"), origins.lend("anna/small@v9"):
        pass
    with pytest.raises(ModelError, match="no name that manera bases lists"), origins.lend("no such base"):
        pass
    hub.gated.add("anna/small")
    with pytest.raises(ModelError, match="only to those who accept its terms") as refused, origins.lend("anna/small"):
        pass
    assert "/anna/small, then: HF_TOKEN=hf_" in str(refused.value.hint)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with origins.lend("anna/small") as origin:
        assert origin.revision == COMMIT


def test_a_repository_without_weights_for_transformers_says_what_else_it_has(hub: Hub, folder: Path) -> None:
    for name in ("model.safetensors", "pytorch_model.bin"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match="no weights that transformers reads"), origins.lend("anna/small"):
        pass
    (folder / "small.Q8_0.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError) as refused, origins.lend("anna/small"):
        pass
    assert "small.Q8_0.gguf" in str(refused.value.hint)


def test_a_download_that_broke_off_goes_on_where_it_stopped(hub: Hub) -> None:
    hub.cut.add("model.safetensors")
    with (
        pytest.raises(ModelError, match=r"cannot be fetched from .*: status 503") as refused,
        origins.lend("anna/small"),
    ):
        pass
    assert "what has arrived is kept" in str(refused.value.hint)
    hub.cut.clear()
    with origins.lend("anna/small") as origin:
        assert (origin.files / "model.safetensors").stat().st_size
    assert hub.fetched.count("config.json") == 1


def test_a_folder_lends_itself_under_a_fingerprint_of_its_content(folder: Path) -> None:
    with origins.lend(str(folder)) as origin:
        assert (origin.id, origin.files) == ("small-model", folder)
    (folder / "README.md").write_text("another text")
    with origins.lend(f"{folder}/") as same:
        assert same.revision == origin.revision
    save_file({"weight": torch.ones(4)}, folder / "model.safetensors")
    with origins.lend(str(folder)) as other:
        assert other.revision != origin.revision


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "is no model: it has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda folder: [(folder / n).unlink() for n in ("model.safetensors", "pytorch_model.bin")], "no weights"),
        (lambda folder: _cut(folder / "model.safetensors"), "model.safetensors cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs.github"), "Git LFS"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"weight": "model-00002-of-00002.safetensors"}})
            ),
            "lacks model-00002-of-00002.safetensors",
        ),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("[]"), "index.json cannot be read"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(folder: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    spoil(folder)
    with pytest.raises(ModelError, match=said) as refused, origins.lend(str(folder)):
        pass
    assert refused.value.hint


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def test_a_file_lends_itself_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    with origins.lend(str(tmp_path / "mine.gguf")) as origin:
        assert (origin.id, len(origin.revision)) == ("mine", 64)
    for missing in (tmp_path / "other.gguf", tmp_path / "other"):
        with pytest.raises(ModelError, match="there is nothing at"), origins.lend(str(missing)):
            pass


def test_a_catalogued_base_has_its_name_and_its_hub_id() -> None:
    assert origins.hub_id("gpt2-medium") == ("openai-community/gpt2-medium", None)
    assert origins.hub_id("openai-community/gpt2-medium").base == "gpt2-medium"
    with origins.lend(GEMMA_3_270M.origin) as origin:
        assert (origin.id, origin.revision) == (GEMMA_3_270M.name, GEMMA_3_270M.sha256)
    assert len({base.origin for base in CATALOGUE}) == len(CATALOGUE)
