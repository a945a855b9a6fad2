"""What a command was asked for is on stdout, whole; the rest is on stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from manera.cli.main import app
from manera.evaluation.report.blind_page import write_blind
from manera.evaluation.report.findings import SideBySide
from manera.voice.folder import voice_folder

SPEAKERS = 24
LONG_NAME = "Аполлинарий " * 12 + "[/red] :cat:"


def run(*arguments: str | Path, piped_to: str = "cat") -> subprocess.CompletedProcess[str]:
    """Run ``manera`` in a process of its own, its stdout in a pipe."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" | {piped_to}', "-", sys.executable, "-m", "manera.cli.main"]
        + [str(argument) for argument in arguments],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def typed(*arguments: str) -> Result:
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A group in which each speaker wrote one message more than the next."""
    names = [LONG_NAME, *(f"Speaker {number}" for number in range(1, SPEAKERS))]
    said = [number for number in range(SPEAKERS) for _ in range(SPEAKERS - number)]
    messages = [
        {
            "id": place,
            "type": "message",
            "date": "2024-09-02T19:14:36",
            "date_unixtime": str(1725293676 + place),
            "from": names[number],
            "from_id": f"user{number}",
            "text": f"message {place}",
            "text_entities": [{"type": "plain", "text": f"message {place}"}],
        }
        for place, number in enumerate(said)
    ]
    group = {"name": "Group", "type": "private_group", "id": 1, "messages": messages}
    (tmp_path / "result.json").write_text(json.dumps(group), "utf-8")
    imported = run("import", tmp_path / "result.json", "--to", tmp_path / "corpus")
    assert imported.returncode == 0, imported.stderr
    return tmp_path / "corpus"


def test_speakers_are_on_stdout_the_first_twenty_of_them(corpus: Path) -> None:
    shown = run("speakers", corpus)
    head, *rows, last = shown.stdout.splitlines()
    assert head.split() == ["speaker", "id", "utterances", "words", "threads"]
    assert [row.split()[-4] for row in rows] == [f"user{number}" for number in range(20)]
    assert last == "… and 4 more: --all"
    assert (shown.stderr, shown.returncode) == ("", 0)


def test_a_table_in_a_pipe_is_neither_cut_nor_wrapped(corpus: Path) -> None:
    assert run("speakers", corpus).stdout.splitlines()[1].startswith(f"{LONG_NAME}  ")


def test_all_speakers_are_shown_when_asked(corpus: Path) -> None:
    rows = run("speakers", corpus, "--all").stdout.splitlines()[1:]
    assert [row.split()[-4] for row in rows] == [f"user{number}" for number in range(SPEAKERS)]


def test_json_has_all_speakers(corpus: Path) -> None:
    shown = run("speakers", corpus, "--json")
    assert len(json.loads(shown.stdout)["speakers"]) == SPEAKERS
    assert shown.stderr == ""


@pytest.mark.parametrize("arguments", [(), ("--all",), ("--json",)])
def test_a_reader_that_left_is_no_error(corpus: Path, arguments: tuple[str, ...]) -> None:
    shown = run("speakers", corpus, *arguments, piped_to="true")
    assert (shown.stdout, shown.stderr) == ("", "")
    assert shown.returncode in (0, 1)


def test_keys_are_on_stdout_and_a_hint_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    names = [f"phone{number}" for number in range(22)]
    for name in names:
        added = typed("keys", "add", name)
        assert len(added.stdout.splitlines()) == 1
        assert name in added.stderr
    listed = typed("keys", "list")
    assert listed.stdout.splitlines()[-1] == "… and 2 more: --all"
    assert listed.stderr == ""
    assert [row.split()[0] for row in typed("keys", "list", "--all").stdout.splitlines()[1:]] == names
    for name in names[1:]:
        typed("keys", "revoke", name)
    revoked = typed("keys", "revoke", names[0])
    assert revoked.stdout == "revoked 'phone0'\n"
    assert "no key is left" in revoked.stderr


def test_what_the_doctor_found_is_on_stdout() -> None:
    found = run("doctor")
    facts = [line[:28].strip() for line in found.stdout.splitlines()]
    assert {"python", "packages", "home", "voices"} <= set(facts)
    assert found.stderr == ""


def test_what_people_said_of_the_pairs_is_on_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    folder = voice_folder("anna")
    folder.mkdir(parents=True)
    pairs = [SideBySide(f"question {n}", "", f"voice {n}", f"person {n}") for n in range(10)]
    _, key = write_blind(pairs, folder, "en")
    told = typed("evaluate", "anna", "--votes", str(key))
    assert told.stdout.startswith("people told 100% of 10 pairs")
    assert told.stderr == ""
