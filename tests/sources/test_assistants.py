"""What a person wrote to ChatGPT, or in Open WebUI."""

import json
from pathlib import Path
from typing import Any

from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def node(number: int, parent: int | None, role: str, *parts: object, **message: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": list(parts)}
    said = {"author": {"role": role}, "create_time": 1710266400.5 + number, "content": content} | message
    return {"id": f"n{number}", "parent": None if parent is None else f"n{parent}", "message": said, "children": []}


def conversation(*nodes: dict[str, Any], last: int) -> dict[str, Any]:
    mapping = {made["id"]: made for made in nodes}
    head = {"title": "Груши", "create_time": 1710266400.1, "update_time": 1710266500.1, "mapping": mapping}
    return head | {"current_node": f"n{last}", "conversation_id": "c-1", "id": "c-1"}


TREE = conversation(
    node(0, None, "system", ""),
    node(1, 0, "user", "про груши", {"asset_pointer": "file://a"}, "и сливы"),
    node(2, 1, "assistant", "Груши растут на деревьях."),
    node(3, 2, "user", "короче"),
    node(4, 2, "user", "короче, пожалуйста\n```\nкод\n```"),
    node(5, 4, "assistant", "Растут."),
    node(6, 0, "user", "я люблю груши", metadata={"is_visually_hidden_from_conversation": True}),
    last=5,
)


def test_of_a_conversation_with_chatgpt_the_branch_that_was_kept_is_read(tmp_path: Path) -> None:
    records = read_text(tmp_path / "conversations.json", json.dumps([TREE], ensure_ascii=False))
    assert talk(records) == [("user", "про груши\nи сливы"), ("user", "короче, пожалуйста")]
    first, second = utterances(records)
    assert (first.kind, first.thread, first.thread_id) == ("post", "Груши (c-1)", "assistant:c-1")
    assert (first.sent_at, second.position) == (1710266401, 2)
    assert sorted(reasons(records)) == [
        *("earlier version of a message", "instructions to an assistant"),
        *("reply of an assistant", "reply of an assistant", "service message"),
    ]
    assert cuts(records) == {"code": 9}
    assert owners(records) == [("user", True)]
    ledger(records)


def test_open_webui(tmp_path: Path) -> None:
    messages = {
        "a": {"id": "a", "parentId": None, "role": "user", "content": "привет", "timestamp": 1710266400},
        "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "Чем помочь?", "timestamp": 1710266401},
        "c": {"id": "c", "parentId": "b", "role": "user", "content": "расскажи", "timestamp": 1710266402},
        "d": {"id": "d", "parentId": "b", "role": "user", "content": "расскажи о чае", "timestamp": 1710266403},
    }
    chat = {"title": "Чай", "models": ["m"], "history": {"messages": messages, "currentId": "d"}, "messages": []}
    export = [{"id": "w-1", "user_id": "u", "title": "Чай", "chat": chat, "created_at": 1710266400}]
    records = read_text(tmp_path / "chat-export-1710266400.json", json.dumps(export, ensure_ascii=False))
    assert talk(records) == [("user", "привет"), ("user", "расскажи о чае")]
    assert reasons(records) == ["reply of an assistant", "earlier version of a message"]


def test_a_loop_and_odd_values_are_no_trap(tmp_path: Path) -> None:
    loop = conversation(node(1, 2, "user", "раз"), node(2, 1, "user", "два"), last=2)
    odd: list[object] = [
        *(5, None, {"mapping": 3}, {"mapping": {"a": None, "b": {"message": {"author": 1, "content": []}}}}),
        conversation(node(1, None, "user", 5, None, create_time="x"), last=9),
    ]
    records = read_text(tmp_path / "conversations.json", json.dumps([loop, *odd], ensure_ascii=False))
    assert talk(records) == [("user", "раз"), ("user", "два")]
    assert reasons(records) == ["empty text"]
