"""The archive of an account of X."""

import json
import zipfile
from pathlib import Path

from manera.records import Skipped
from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def part(name: str, *values: object) -> str:
    return f"window.YTD.{name}.part0 = " + json.dumps(values, ensure_ascii=False, indent=2)


def post(number: int, text: object, **fields: object) -> dict[str, object]:
    date = "Tue Mar 12 18:05:00 +0000 2024"
    return {"tweet": {"id_str": f"{number}", "full_text": text, "created_at": date} | fields}


ACCOUNT = part("account", {"account": {"accountId": "42", "username": "asya", "accountDisplayName": "Ася"}})
POSTS = part(
    "tweets",
    post(1, "кот &amp; дом"),
    post(2, "@borya @vera да, завтра https://t.co/abc", in_reply_to_screen_name="borya", in_reply_to_status_id_str="9"),
    post(3, "RT @borya: чужое"),
    post(4, "https://t.co/abc"),
    post(5, "д" * 260 + "… https://t.co/abc"),
    post(6, None),
)
LONG = part(
    "note_tweet",
    {"noteTweet": {"noteTweetId": "7", "createdAt": "2024-03-12T18:05:00.000Z", "core": {"text": "длинно"}}},
)


def said(number: int, sender: str, text: str) -> dict[str, object]:
    time = f"2024-03-12T18:{number:02}:00.000Z"
    return {"messageCreate": {"id": f"{number}", "senderId": sender, "text": text, "createdAt": time}}


MESSAGES = [said(6, "42", "и тебе"), said(5, "43", "привет"), {"joinConversation": {}}]
TALKS = part("direct_messages", {"dmConversation": {"conversationId": "42-43", "messages": MESSAGES}})


def test_posts_and_talks_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twitter-2024.zip", "w") as archive:
        for name, content in (
            ("account", ACCOUNT),
            ("tweets", POSTS),
            ("note-tweet", LONG),
            ("direct-messages", TALKS),
        ):
            archive.writestr(f"data/{name}.js", content)
        archive.writestr("data/like.js", part("like", {"like": {"tweetId": "1"}}))
        archive.writestr("Your archive.html", "<html><body>window</body></html>")
    records = list(read([tmp_path / "twitter-2024.zip"]))
    assert sorted(talk(records)) == [
        ("43", "привет"),
        *(("Ася", text) for text in ("да, завтра", "длинно", "и тебе", "кот & дом")),
    ]
    kinds = {one.text: one.kind for one in utterances(records)}
    assert (kinds["и тебе"], kinds["кот & дом"]) == ("message", "post")
    assert sorted(reasons(records)) == [
        *("broken message", "link", "repost", "service message", "shortened, whole in note-tweet.js")
    ]
    assert cuts(records) == {"name of whom a post answers": 11, "link": 16}
    assert set(owners(records)) == {("x42", True)}
    assert {one.sent_at for one in utterances(records)} == {1710266700, 1710266760}
    skipped = {Path(record.source).name: record.reason for record in records if isinstance(record, Skipped)}
    assert skipped["like.js"] == ".js file"
    ledger(records)


def test_posts_alone_are_of_an_owner_without_a_name(tmp_path: Path) -> None:
    records = read_text(tmp_path / "tweets.js", POSTS)
    assert {speaker for speaker, _ in talk(records)} == {"owner of the archive"}
