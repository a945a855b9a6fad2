"""``manera lab`` as a person runs it."""

import json
from pathlib import Path

import pytest

from commands import run
from lab_texts import PROSE, TEXT


def test_words_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(TEXT, "utf-8")
    shown = run("lab", "words", tmp_path / "book.txt", "--to", tmp_path / "words.html", home=tmp_path / "home")
    assert shown.returncode == 0, shown.stderr
    assert "seen once" in shown.stdout
    assert (tmp_path / "words.html").is_file()


def test_a_tokenizer_of_a_size(tmp_path: Path) -> None:
    to = tmp_path / "pieces"
    made = run("lab", "tokenizer", PROSE, "--vocab", "320", "--to", to, "--json", home=tmp_path / "home")
    assert json.loads(made.stdout)["vocabulary"] == 320, made.stderr
    assert (to / "tokenizer.json").is_file()


def test_a_model_is_trained_and_writes(tmp_path: Path) -> None:
    shape = ("--tokenizer", "character", "--width", "32", "--context", "16", "--epochs", "0.5", "--name", "small")
    made = run("lab", "train", PROSE, "--kind", "rnn", *shape, "--json", home=tmp_path)
    figures = json.loads(made.stdout)
    assert figures["voice"] == "small"
    assert figures["settings"]["kind"] == "rnn"
    assert 0 < figures["test_bits_per_byte"] < 6
    written = run("write", "small", "Он вошёл", "--max-tokens", "8", "--seed", "1", home=tmp_path)
    assert written.returncode == 0, written.stderr
    again = run("lab", "train", PROSE, "--kind", "rnn", *shape, home=tmp_path)
    assert "there is a voice 'small' already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "--kind", "gpt"), "kind = 'gpt' cannot be used"),
        (("train", "--vocab", "90000"), "90,000 were asked for"),
        (("train", "--minutes", "-1"), "--minutes -1 cannot be used"),
        (("tokenizer", "--vocab", "many"), "'many' is no number of tokens"),
    ],
    ids=["kind", "vocabulary", "minutes", "number"],
)
def test_what_cannot_be_is_named(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    command, *options = arguments
    refused = run("lab", command, PROSE, *options, home=tmp_path)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert "hint: " in refused.stderr


def test_a_text_of_200_characters_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(PROSE.read_text("utf-8")[:200], "utf-8")
    refused = run("lab", "train", tmp_path / "note.txt", "--kind", "ngram", home=tmp_path / "home")
    assert refused.returncode == 1
    assert "characters" in refused.stderr
    assert "hint: " in refused.stderr


def test_a_text_in_one_piece_is_named(tmp_path: Path) -> None:
    (tmp_path / "scroll.txt").write_text("".join(PROSE.read_text("utf-8")[:12_000].split()), "utf-8")
    refused = run("lab", "train", tmp_path / "scroll.txt", "--kind", "ngram", home=tmp_path / "home")
    assert refused.returncode == 1
    assert "it is one paragraph" in refused.stderr
