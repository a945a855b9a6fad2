import calendar
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.errors import SourceError
from manera.records import Dropped, Owner, SourceRecord, Utterance
from manera.sources.reading import read

Message = Mapping[str, Any]
Records = list[SourceRecord]
Import = Callable[..., Records]


def message(text: object = "привет", **fields: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "type": "message",
        "date_unixtime": "100",
        "from": "Аня",
        "from_id": "user1",
        "text": text,
    } | fields


def utterances(records: Records) -> list[Utterance]:
    return [record for record in records if isinstance(record, Utterance)]


def reasons(records: Records) -> list[str]:
    return [record.reason for record in records if isinstance(record, Dropped)]


def owners(records: Records) -> list[str]:
    return [record.speaker_id for record in records if isinstance(record, Owner)]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Write one chat as an export and read it."""

    def write_and_read(messages: Sequence[object], **header: Any) -> Records:
        chat = {"name": "Аня", "type": "personal_chat", "id": 1} | header | {"messages": messages}
        path = tmp_path / "result.json"
        path.write_text(json.dumps(chat), "utf-8")
        return list(read([path]))

    return write_and_read


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@given(text=texts | st.from_regex(r"\A\w([\r\n\t]{1,3}\w){1,4}\Z"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_text_with_any_line_breaks_survives_exactly(text: str, imported: Import) -> None:
    half = len(text) // 2
    in_parts = [text[:half], {"type": "bold", "text": text[half:]}, ""]
    assert [said.text for said in utterances(imported([message(text), message(in_parts)]))] == [text, text]


anything = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=2)
arbitrary_messages = st.lists(
    anything
    | st.fixed_dictionaries(
        {},
        optional={
            "id": anything,
            "type": st.sampled_from(["message", "service", "unsupported", "other"]) | anything,
            "text": anything | st.lists(st.fixed_dictionaries({"text": anything}), max_size=2),
            "from": anything,
            "from_id": anything,
            "date": anything,
            "date_unixtime": anything,
            "forwarded_from": anything,
            "via_bot": anything,
            "media_type": st.sampled_from(["sticker", "voice_message"]) | anything,
            "photo": anything,
            "reply_to_message_id": anything,
        },
    ),
    max_size=8,
)


@given(messages=arbitrary_messages)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_message_is_kept_or_dropped_once(messages: list[object], imported: Import) -> None:
    records = imported([message(), *messages])
    assert len(utterances(records)) + len(reasons(records)) == 1 + len(messages)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"forwarded_from": "Лента"}, "forward"),
        ({"forwarded_from": None}, "forward"),
        ({"saved_from": "Лента"}, "forward"),
        ({"via_bot": "@gif"}, "via bot"),
        ({"type": "service", "action": "phone_call"}, "service message"),
        ({"type": "unsupported"}, "unsupported message"),
        ({"type": "ERROR"}, "broken message"),
        ({"text": {"error": "?"}}, "broken message"),
        ({"text": ["a", {"type": "bold"}]}, "broken message"),
        ({"text": None}, "broken message"),
        ({"text": "\ud83d"}, "broken message"),
        ({"text": ""}, "empty text"),
        ({"text": " \n"}, "empty text"),
        ({"text": "", "media_type": "sticker", "file": "a.webp"}, "sticker"),
        ({"text": "", "media_type": "voice_message", "file": "a.ogg"}, "voice message"),
        ({"text": "", "media_type": "video_message", "file": "a.mp4"}, "video message"),
        ({"text": "", "photo": "a.jpg"}, "photo without text"),
        ({"text": "", "poll": {"question": "?"}}, "poll"),
        ({"text": "", "location_information": {}}, "location"),
        ({"text": "", "file": "a.pdf"}, "file without text"),
    ],
)
def test_what_is_not_the_senders_words_is_dropped_by_name(
    fields: dict[str, Any], reason: str, imported: Import
) -> None:
    records = imported([message(**fields)])
    assert (reasons(records), utterances(records)) == ([reason], [])


def test_a_caption_and_an_edited_message_are_words(imported: Import) -> None:
    records = imported([message("море", photo="a.jpg"), message("исправил", edited_unixtime="200")])
    assert [said.text for said in utterances(records)] == ["море", "исправил"]


def test_the_id_of_a_message_is_its_position(imported: Import) -> None:
    first, second = utterances(imported([message(id=7), message(id=9, reply_to_message_id=7)]))
    assert (first.position, second.position) == (7, 9)
    assert (first.reply_to, second.reply_to) == (None, 7)


def test_old_exports_have_numbers_for_ids_and_dates_without_a_zone(imported: Import) -> None:
    old = {
        "id": 1,
        "type": "message",
        "date": "2020-10-13T23:31:04",
        "from": "Ben",
        "from_id": 42,
        "text": "да",
    }
    (said,) = utterances(imported([old]))
    assert said.speaker_id == "user42"
    assert said.sent_at == calendar.timegm(datetime(2020, 10, 13, 23, 31, 4).timetuple())
    (post,) = utterances(imported([old], type="public_channel"))
    assert (post.speaker_id, post.kind) == ("channel42", "post")


def test_who_has_no_id_is_known_by_name_and_who_has_no_name_is_a_deleted_account(imported: Import) -> None:
    nameless, without_id = message(**{"from": None}), message()
    del without_id["from_id"]
    said = utterances(imported([nameless, without_id]))
    assert [(one.speaker_id, one.speaker) for one in said] == [("user1", "Deleted account"), ("Аня", "Аня")]


def test_a_message_without_an_id_follows_the_one_before(imported: Import) -> None:
    without_id = message()
    del without_id["id"]
    assert [one.position for one in utterances(imported([message(id=5), without_id, without_id]))] == [
        5,
        6,
        7,
    ]


def test_the_owner_of_a_personal_chat_is_the_one_it_is_not_named_after(imported: Import) -> None:
    own = message(**{"from": "Боря", "from_id": "user2"})
    assert owners(imported([message(), own])) == ["user2"]
    assert owners(imported([own, message()], name="Анна", id=1)) == ["user2"]
    assert owners(imported([message(), own], type="private_group")) == []


def test_an_account_tells_its_owner_and_chats_of_one_name_stay_apart(tmp_path: Path) -> None:
    def chat(number: int) -> dict[str, Any]:
        return {"name": "Аня", "type": "personal_chat", "id": number, "messages": [message()]}

    account = {
        "about": "…",
        "personal_information": {"user_id": 5, "first_name": "Б"},
        "contacts": {"list": [{"first_name": "x"}]},
        "chats": {"about": "…", "list": [chat(1), chat(2)]},
        "left_chats": {"about": "…", "list": [chat(3)]},
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps(account, ensure_ascii=False), "utf-8")
    records = list(read([path]))
    assert [said.thread for said in utterances(records)] == ["Аня (1)", "Аня (2)", "Аня (3)"]
    assert Owner("user5", is_certain=True) in records


def test_chats_without_ids_stay_apart_too(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    chat = {"name": "Аня", "messages": [message()]}
    path.write_text(json.dumps({"chats": {"list": [chat, chat]}}), "utf-8")
    assert len({said.thread for said in utterances(list(read([path])))}) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_export_saved_again_by_an_editor_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    chat = {"name": "Аня", "type": "personal_chat", "id": 1, "messages": [message("ёж")]}
    path.write_text(json.dumps(chat, ensure_ascii=False, indent=1), encoding)
    assert [said.text for said in utterances(list(read([path])))] == ["ёж"]


def test_an_export_cut_short_says_where(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    chat = {"name": "Аня", "type": "personal_chat", "id": 1, "messages": [message()] * 3}
    path.write_text(json.dumps(chat, indent=1)[:-40], "utf-8")
    with pytest.raises(SourceError, match=r"not valid JSON at line \d+, column \d+") as caught:
        list(read([path]))
    assert caught.value.hint


def count_of_messages(export: Any) -> int:
    chats = export.get("chats", {}).get("list", []) + export.get("left_chats", {}).get("list", [])
    return len(export.get("messages", [])) + sum(len(chat["messages"]) for chat in chats)


def test_every_real_export_is_read_to_the_last_message_or_refused(shared_data: Path) -> None:
    for path in sorted((shared_data / "chats").rglob("*.json")):
        if "telegram" not in path.as_posix() or path.stem in ("target", "cli-config"):
            continue
        if path.stem in ("error", "personal"):
            with pytest.raises(SourceError, match=r"not valid JSON|without messages") as caught:
                list(read([path]))
            assert caught.value.hint
            continue
        records = list(read([path]))
        assert len(utterances(records)) + len(reasons(records)) == count_of_messages(json.loads(path.read_text()))


def test_a_broken_real_export_is_told_with_its_place(shared_data: Path) -> None:
    with pytest.raises(SourceError) as caught:
        list(read([shared_data / "chats/telegram_innerdvations/tests/data/error.json"]))
    assert caught.value.message.endswith(
        "error.json is not valid JSON at line 5, column 3: expecting ',' or '}', found \"messages\": ["
    )


def test_a_real_talk_of_two_shows_its_owner_and_what_was_dropped(shared_data: Path) -> None:
    records = list(read([shared_data / "chats/telegram_tkonverter/examples/result.json"]))
    assert owners(records) == ["user777000"]
    dropped = Counter(reasons(records))
    assert dropped["service message"] == 61
    assert all(dropped[reason] == 1 for reason in ("forward", "sticker", "voice message", "poll", "to-do list"))
