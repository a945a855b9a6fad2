"""A chat fetched from Telegram: a client whose answers are Telegram's own objects."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from telethon import TelegramClient, errors
from telethon.sessions import MemorySession
from telethon.tl import functions, types

from manera.errors import SourceError
from manera.sources.reading import read
from manera.sources.telegram_account import PAGE, Fetched, Kept, Step, Waiting, fetch, open_client
from told import cuts, owners, reasons, talk, utterances

BEGUN = datetime(2024, 3, 12, 18, 5, tzinfo=UTC)
CHANNEL = types.Channel(
    id=10, title="Двор", photo=types.ChatPhotoEmpty(), date=BEGUN, access_hash=5, broadcast=True, username="dvor"
)
OWNER = types.User(id=42, is_self=True, first_name="Ася", access_hash=6)
BORIS_ID = types.PeerUser(43)
BORIS = types.User(id=43, first_name="Борис", last_name="Тест", access_hash=7, username="boris")


class Telegram(TelegramClient):  # type: ignore[misc]
    """Answers as Telegram does, without a connection; faults are raised one by one before the next page."""

    def __init__(self, messages: Sequence[Any] = (), faults: Sequence[Exception] = (), session: Any = None) -> None:
        super().__init__(session or MemorySession(), 1, "hash")
        self.messages = list(messages)
        self.faults = list(faults)
        self.asked: list[str] = []
        self.allows_takeout = True
        self.is_known = True

    async def connect(self) -> None:
        pass

    async def disconnect(self) -> None:
        self.session.close()

    async def __call__(self, request: Any, ordered: bool = False, flood_sleep_threshold: int | None = None) -> Any:
        self.asked.append(type(request).__name__)
        if isinstance(request, functions.InvokeWithTakeoutRequest):
            assert request.takeout_id == 7
            request = request.query
        match request:
            case functions.account.InitTakeoutSessionRequest():
                if not self.allows_takeout:
                    raise errors.TakeoutInitDelayError(request, 86400)
                return types.account.Takeout(id=7)
            case functions.account.FinishTakeoutSessionRequest():
                return True
            case functions.updates.GetStateRequest() | functions.users.GetUsersRequest() if not self.is_known:
                raise errors.AuthKeyUnregisteredError(request)
            case functions.updates.GetStateRequest():
                return types.updates.State(1, 1, BEGUN, 1, 0)
            case functions.updates.GetDifferenceRequest():
                return types.updates.DifferenceEmpty(BEGUN, 0)
            case functions.auth.SendCodeRequest(phone_number="79990000000"):
                return types.auth.SentCode(types.auth.SentCodeTypeApp(5), phone_code_hash="hash")
            case functions.auth.SendCodeRequest():
                raise errors.PhoneNumberInvalidError(request)
            case functions.auth.SignInRequest(phone_code="12345"):
                self.is_known = True
                return types.auth.Authorization(user=OWNER)
            case functions.users.GetUsersRequest():
                return [OWNER]
            case functions.contacts.ResolveUsernameRequest(username="dvor"):
                return types.contacts.ResolvedPeer(types.PeerChannel(10), chats=[CHANNEL], users=[])
            case functions.contacts.ResolveUsernameRequest(username="boris"):
                return types.contacts.ResolvedPeer(types.PeerUser(43), chats=[], users=[BORIS])
            case functions.contacts.ResolveUsernameRequest():
                raise errors.UsernameNotOccupiedError(request)
            case functions.messages.GetHistoryRequest():
                return self.page(request)
        raise AssertionError(type(request).__name__)

    def page(self, request: Any) -> Any:
        if self.faults:
            raise self.faults.pop(0)
        assert (request.add_offset, request.limit) == (-PAGE, PAGE)
        found = [message for message in self.messages if message.id >= request.offset_id][:PAGE][::-1]
        return types.messages.MessagesSlice(
            count=len(self.messages), messages=found, topics=[], chats=[CHANNEL], users=[OWNER, BORIS]
        )


def post(number: int, text: str = "слово", **fields: Any) -> Any:
    return types.Message(id=number, peer_id=types.PeerChannel(10), date=BEGUN, message=text, post=True, **fields)


def said(number: int, text: str = "слово", out: bool = False, **fields: Any) -> Any:
    return types.Message(id=number, peer_id=types.PeerUser(43), date=BEGUN, message=text, out=out, **fields)


def fetched(client: Telegram, folder: Path, chat: str = "@dvor") -> tuple[Path, list[Step]]:
    """Fetch a chat; the seconds that it waits for are none."""

    async def at_once(seconds: float) -> None:
        assert seconds == 1

    async def steps() -> list[Step]:
        return [step async for step in fetch(client, chat, folder, at_once)]

    *steps_before, last = asyncio.run(steps())
    assert isinstance(last, Kept)
    return last.path, steps_before


def test_a_channel_of_several_pages_is_read_from_the_oldest_post_on(tmp_path: Path) -> None:
    client = Telegram([post(number) for number in range(1, 251)])
    path, steps = fetched(client, tmp_path)
    assert steps == [Fetched(100, 250), Fetched(200, 250), Fetched(250, 250)]
    records = list(read([path]))
    found = utterances(records)
    assert [one.position for one in found] == list(range(1, 251))
    assert (found[0].speaker, found[0].speaker_id, found[0].kind) == ("Двор", "channel10", "post")
    assert (found[0].thread, found[0].thread_id) == ("Двор (10)", "channel10")
    assert found[0].sent_at == BEGUN.timestamp()
    assert client.asked.count("InvokeWithTakeoutRequest") == 5
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_run_fetches_only_what_is_new(tmp_path: Path) -> None:
    client = Telegram([post(number) for number in range(1, 4)])
    path, _ = fetched(client, tmp_path)
    before = path.read_bytes()
    client = Telegram([post(number) for number in range(1, 6)])
    again, steps = fetched(client, tmp_path)
    assert again == path
    assert steps == [Fetched(2, 5)]
    assert path.read_bytes().startswith(before)
    assert [one.position for one in utterances(read([path]))] == [1, 2, 3, 4, 5]
    assert "InitTakeoutSessionRequest" not in client.asked


def test_telegram_s_waits_are_counted_down(tmp_path: Path) -> None:
    client = Telegram([post(1)], [errors.FloodWaitError(None, 3)])
    _, steps = fetched(client, tmp_path)
    assert [step.seconds for step in steps if isinstance(step, Waiting)] == [3, 2, 1]
    assert steps[-1] == Fetched(1, 1)


def test_a_connection_that_comes_back_goes_on(tmp_path: Path) -> None:
    client = Telegram([post(1)], [ConnectionError("gone"), TimeoutError()])
    _, steps = fetched(client, tmp_path)
    assert {step.reason for step in steps if isinstance(step, Waiting)} == {"the connection broke off"}
    assert steps[-1] == Fetched(1, 1)


def test_a_connection_that_stays_away_leaves_what_was_fetched(tmp_path: Path) -> None:
    class Broken(Telegram):
        def page(self, request: Any) -> Any:
            if request.offset_id > 1:
                raise ConnectionError("gone")
            return super().page(request)

    posts = [post(number) for number in range(1, 151)]
    with pytest.raises(SourceError, match="refused to go on: gone") as caught:
        fetched(Broken(posts), tmp_path)
    assert "goes on where it stopped" in (caught.value.hint or "")
    path, steps = fetched(Telegram(posts), tmp_path)
    assert steps == [Fetched(50, 150)]
    assert len(utterances(read([path]))) == 150


def test_a_last_line_that_was_cut_short_is_fetched_again(tmp_path: Path) -> None:
    path, _ = fetched(Telegram([post(1), post(2)]), tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    path, steps = fetched(Telegram([post(1), post(2)]), tmp_path)
    assert steps == [Fetched(1, 2)]
    assert [one.position for one in utterances(read([path]))] == [1, 2]


def test_where_telegram_allows_no_takeout_pages_are_asked_for_without(tmp_path: Path) -> None:
    client = Telegram([post(1)])
    client.allows_takeout = False
    fetched(client, tmp_path)
    assert "InvokeWithTakeoutRequest" not in client.asked


def test_a_talk_of_two_has_its_senders_and_its_owner(tmp_path: Path) -> None:
    reply = types.MessageReplyHeader(reply_to_msg_id=1)
    path, _ = fetched(Telegram([said(1, "привет"), said(2, "и тебе", True, reply_to=reply)]), tmp_path, "@boris")
    records = list(read([path]))
    assert talk(records) == [("Борис Тест", "привет"), ("Ася", "и тебе")]
    first, second = utterances(records)
    assert (first.thread_id, second.reply_to) == ("user42+user43", 1)
    assert owners(records)[0] == ("user42", True)


def test_every_kind_of_message_has_its_name(tmp_path: Path) -> None:
    voice = types.DocumentAttributeAudio(duration=3, voice=True)
    document = types.Document(1, 2, b"", BEGUN, "audio/ogg", 3, 4, attributes=[voice])
    quotation = types.MessageEntityBlockquote(offset=3, length=5)
    path, _ = fetched(
        Telegram(
            [
                said(1, "чужое", fwd_from=types.MessageFwdHeader(date=BEGUN, from_name="Лента")),
                said(2, "", media=types.MessageMediaPhoto()),
                said(3, "", media=types.MessageMediaDocument(document=document)),
                types.MessageService(4, types.PeerUser(43), date=BEGUN, action=types.MessageActionPinMessage()),
                types.MessageEmpty(5, peer_id=None),
                said(6, "😮\nчужое\nда", entities=[quotation]),
            ]
        ),
        tmp_path,
        "https://t.me/boris",
    )
    records = list(read([path]))
    assert reasons(records) == ["forward", "photo without text", "voice message", "service message"]
    assert talk(records) == [("Борис Тест", "😮\nда")]
    assert cuts(records) == {"quotation": 5}


def test_topics_of_a_group_are_threads(tmp_path: Path) -> None:
    action = types.MessageActionTopicCreate("Груши", 1)
    created = types.MessageService(1, types.PeerChannel(10), date=BEGUN, action=action, from_id=BORIS_ID)
    reply = types.MessageReplyHeader(reply_to_msg_id=1, forum_topic=True)
    first = types.Message(2, types.PeerChannel(10), date=BEGUN, message="созрели", from_id=BORIS_ID, reply_to=reply)
    path, _ = fetched(Telegram([created, first]), tmp_path)
    assert [one.thread for one in utterances(read([path]))] == ["Двор (10) / Груши"]


def test_who_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refused to find @nobody"):
        fetched(Telegram([]), tmp_path, "@nobody")


def test_no_line_holds_what_json_cannot(tmp_path: Path) -> None:
    path, _ = fetched(Telegram([post(1, "\u2028 \\x0c \"'")]), tmp_path)
    assert all(json.loads(line) for line in path.read_text().split("\n") if line)


def logged_in(folder: Path, *answers: str) -> Telegram:
    """Open a client that has to log in; it is asked in the order of the answers."""
    left = iter(answers)

    def client_of(session: str, *_: object, **__: object) -> Telegram:
        client = Telegram(session=session)
        client.is_known = not answers
        return client

    async def opened() -> Telegram:
        client = await open_client(
            folder, 1, "hash", lambda question: next(left), lambda question: next(left), client_of
        )
        assert isinstance(client, Telegram)
        await client.disconnect()
        return client

    return asyncio.run(opened())


def test_who_logs_in_is_asked_once_and_the_session_is_theirs_alone(tmp_path: Path) -> None:
    folder = tmp_path / "telegram"
    assert logged_in(folder, "79990000000", "12345").is_known
    assert (folder / "account.session").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert logged_in(folder).is_known


def test_a_login_that_telegram_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refused to log in"):
        logged_in(tmp_path, "123")
