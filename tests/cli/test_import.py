"""What ``manera import`` and ``manera speakers`` print, as a person sees it."""

import json
from pathlib import Path

from commands import EXAMPLES, run


def test_import_ends_with_three_things_that_were_said(tmp_path: Path) -> None:
    finished = run("import", EXAMPLES / "channel-ru", "--to", tmp_path / "c", home=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    *ledger, heading, first, second, third = finished.stdout.splitlines()
    assert ledger[0].startswith("read 149 (")
    assert "kept 140" in ledger[0]
    assert "      2         307  forward" in ledger
    assert heading == f"corpus: {tmp_path / 'c'}, for example by НИИ Мягкого Приземления:"
    assert all(line.startswith("  ") and 20 < len(line) < 210 for line in (first, second, third))
    assert len({first, second, third}) == 3


def test_what_is_not_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Утром пошёл снег, и все вышли на крыльцо.\n", "utf-8")
    (folder / "chats.rar").write_bytes(b"Rar!\x1a\x07\x00")
    (folder / "broken.json").write_text('{"name": "a", "messages": [{"id": 1,,}]}', "utf-8")
    shown = run("import", folder, "--to", tmp_path / "c", home=tmp_path).stdout
    assert "files read: 1 prose; not read: 2" in shown
    assert "not read: in/chats.rar, RAR archive: " in shown
    assert "not read: in/broken.json, broken file: " in shown
    manifest = json.loads((tmp_path / "c/corpus.json").read_text("utf-8"))
    assert [file["source"] for file in manifest["skipped"]] == ["in/chats.rar", "in/broken.json"]


def test_more_than_a_tenth_of_a_book_is_not_dropped_without_saying_where(tmp_path: Path) -> None:
    book = "Глава 1\n" + "Утром пошёл снег, и все вышли на крыльцо смотреть.\n" * 30
    notes = "Примечания\n" + "Крыльцо: здесь — веранда дома в Петровском.\n" * 6
    (tmp_path / "Снег.txt").write_text(book + notes, "utf-8")
    shown = run("import", tmp_path / "Снег.txt", "--to", tmp_path / "c", home=tmp_path).stdout
    assert "Снег.txt: 15% left out as editor's note, lines 32 to 38" in shown


def test_names_that_may_be_one_person_are_proposed_and_merged(tmp_path: Path) -> None:
    lines = "MONICA: Да, конечно.\nROSS: Нет, что ты.\n" * 20 + "MNCA: Да ну.\nMON.: Ну да.\n"
    (tmp_path / "play.txt").write_text(lines, "utf-8")
    proposed = run("import", tmp_path / "play.txt", "--to", tmp_path / "c", home=tmp_path).stdout
    assert 'maybe one person: --alias "MONICA=MNCA,MON."' in proposed
    alias = ("--alias", "MONICA=MNCA,MON.")
    merged = run("import", tmp_path / "play.txt", "--to", tmp_path / "c", "--replace", *alias, home=tmp_path)
    assert "maybe one person" not in merged.stdout
    listed = json.loads(run("speakers", tmp_path / "c", "--json", home=tmp_path).stdout)
    assert {one["name"]: one["utterances"] for one in listed["speakers"]} == {"MONICA": 22, "ROSS": 20}


def test_an_alias_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    for alias, told in (("MONICA", "who is whom"), ("НИИ=Никто", 'no utterances by "Никто"')):
        to = tmp_path / "c"
        failed = run("import", EXAMPLES / "channel-ru", "--to", to, "--alias", alias, home=tmp_path)
        assert failed.returncode == 1
        assert told in failed.stderr
        assert "hint: " in failed.stderr
        assert not to.exists()


def test_days_and_chats_that_were_not_asked_for_are_left_out_by_name(tmp_path: Path) -> None:
    told = run(
        *("import", EXAMPLES / "chat-ru", "--to", tmp_path / "c", "--since", "2025-01-01", "--until", "2027-01-01"),
        home=tmp_path,
    )
    assert "written on a day that was not asked for" in told.stdout + told.stderr
    refused = run("import", EXAMPLES / "chat-ru", "--to", tmp_path / "d", "--exclude", "Нет такого", home=tmp_path)
    assert refused.returncode == 1
    assert "there is no chat 'Нет такого'" in refused.stderr
    refused = run("import", EXAMPLES / "chat-ru", "--to", tmp_path / "d", "--since", "2025", home=tmp_path)
    assert "settings of [corpus] cannot be used: since = '2025'" in refused.stderr
