"""Slack's export: a folder a channel, a file a day."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manera.sources.reading import read
from told import ledger, read_text, reasons, talk, utterances

USERS = [{"id": "U1", "name": "asya", "profile": {"display_name": "Ася", "real_name": "Ася Тест"}}]


def message(ts: str, text: object = "привет", user: str = "U1", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "text": text, "ts": ts} | fields


DAY = [
    message("1710266400.000100", "смотри &lt;сюда&gt;: <https://example.org|статья>, <@U2>, <#C1|двор>, <!here>"),
    message(
        "1710266460.000200",
        "&gt; смотри\nвижу",
        "U2",
        thread_ts="1710266400.000100",
        user_profile={"real_name": "Боря", "display_name": ""},
    ),
    message("1710266470.0", "<@U2>, да"),
    message("1710266480.0", "joined", subtype="channel_join"),
    message("1710266490.0", "сборка готова", bot_id="B1"),
    message("1710266500.0", "", files=[{"name": "a.png"}]),
    message("1710266510.0", None),
    message("1710266520.0", user=""),
    {"type": "message"},
]


@pytest.mark.parametrize("is_packed", [False, True])
def test_names_marks_and_threads(is_packed: bool, tmp_path: Path) -> None:
    if is_packed:
        with zipfile.ZipFile(tmp_path / "двор.zip", "w") as archive:
            archive.writestr("users.json", json.dumps(USERS))
            archive.writestr("общий/2024-03-12.json", json.dumps(DAY))
        records = list(read([tmp_path / "двор.zip"]))
    else:
        read_text(tmp_path / "двор/общий/2024-03-12.json", json.dumps(DAY))
        (tmp_path / "двор/users.json").write_text(json.dumps(USERS))
        records = list(read([tmp_path / "двор"]))
    assert talk(records) == [
        ("Ася", "смотри <сюда>: статья, @U2, #двор, @here"),
        ("Боря", "вижу"),
        ("Ася", "@Боря, да"),
    ]
    first, second, _ = utterances(records)
    assert (first.thread, first.sent_at, second.reply_to) == ("общий", 1710266400, first.position)
    assert reasons(records) == [
        *("service message", "written by a bot", "photo without text"),
        *("broken message", "broken message", "broken message"),
    ]
    ledger(records)
