"""``manera rewrite``: a draft in, the same in a voice's manner out, and what was kept of it beside."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from manera.cli.main import app
from manera.cli.rewriting import in_words
from manera.dataset.rewriting import Rewriting
from manera.errors import ModelError, SourceError
from manera.generation.rewriting import MAX_WORDS, Rewritten, passages
from manera.voice.folder import voice_folder
from manera.voice.manifest import write_voice
from tiny import tiny_voice, write_tiny_adapter

DRAFT = "Мы с Верой ждали трамвай 40 минут.\n\nПотом пошли пешком.\n"


@pytest.fixture(autouse=True)
def voices(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two voices of the tiny base, of which one has learned to rewrite."""
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "bases").mkdir(parents=True)
    (tmp_path / "home" / "bases" / "tiny").symlink_to(tiny_base)
    for name, rewriting in (("anna", Rewriting("Скажи по-своему: {draft}", from_notes=True)), ("boris", None)):
        folder = voice_folder(name)
        folder.mkdir(parents=True)
        write_tiny_adapter(folder / "adapter.gguf", 1)
        write_voice(msgspec.structs.replace(tiny_voice(tiny_base, name, "post"), rewriting=rewriting), folder)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "draft.txt"
    path.write_text(DRAFT, "utf-8")
    return path


def test_each_paragraph_is_rewritten_and_reported(draft: Path) -> None:
    said = CliRunner().invoke(app, ["rewrite", "anna", str(draft), "--seed", "1", "--drafts", "2"])
    assert said.exit_code == 0, said.output
    assert said.stdout.count("\n\n") >= 1
    assert "1: similarity " in said.stderr
    assert "2: similarity " in said.stderr
    assert "of 2 names and numbers kept" in said.stderr


def test_as_json_it_is_one_document(draft: Path) -> None:
    said = CliRunner().invoke(app, ["rewrite", "anna", str(draft), "--seed", "1", "--drafts", "2", "--json"])
    found = json.loads(said.stdout)["passages"]
    assert [one["draft"] for one in found] == DRAFT.strip().split("\n\n")
    assert sorted(found[0]["kept"] + found[0]["lost"]) == ["40", "Верой"]
    assert all(-1 <= one["similarity"] <= 1 for one in found)


def test_standard_input_is_read_and_the_same_seed_writes_the_same() -> None:
    runs = [CliRunner().invoke(app, ["rewrite", "anna", "--seed", "3", "--drafts", "2"], input=DRAFT) for _ in range(2)]
    assert runs[0].exit_code == 0
    assert runs[0].stdout == runs[1].stdout


def test_a_voice_that_never_learned_to_rewrite_says_what_to_do(draft: Path) -> None:
    said = CliRunner().invoke(app, ["rewrite", "boris", str(draft)])
    assert isinstance(said.exception, ModelError)
    assert "has not learned to rewrite" in said.exception.message
    assert "--rewrite" in str(said.exception.hint)


@pytest.mark.parametrize("content", [b"", b" \n\n 12 ", b"\xff\xfe\xff"])
def test_what_is_no_draft_is_refused(draft: Path, content: bytes) -> None:
    draft.write_bytes(content)
    said = CliRunner().invoke(app, ["rewrite", "anna", str(draft)])
    assert isinstance(said.exception, SourceError)


def test_a_long_paragraph_goes_sentence_by_sentence_and_nothing_is_lost() -> None:
    long = " ".join(f"Это предложение номер {number}, и в нём восемь слов." for number in range(30))
    found = list(passages(f"Короткий.\n\n\n{long}"))
    assert "".join(between + part for between, part in found) == f"Короткий.\n\n\n{long}"
    assert max(len(part.split()) for _, part in found) <= MAX_WORDS
    assert len(found) > 2


def test_what_was_lost_and_added_is_told_in_words() -> None:
    passage = Rewritten("…", "…", 0.834, ["Верой"], ["40"], ["14"], 0.5)
    told = "3: similarity 0.83; likeness 0.50; 1 of 2 names and numbers kept; lost: 40; added: 14"
    assert in_words(3, passage) == told
