"""ChatGPT and Open WebUI: what a person wrote to an assistant."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from manera.records import Dropped, Owner, SourceRecord, count_characters
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument
from manera.sources.json_export import as_fields, as_list, as_text, json_source, seconds_of
from manera.sources.markup import own_text
from manera.sources.messages import Talk

PERSON = "user"
_CHATGPT, _OPEN_WEBUI = "ChatGPT export", "Open WebUI export"
_NOT_THEIRS = {"assistant": "reply of an assistant"}


class _Node(NamedTuple):
    """One message of a conversation, which is a tree: what was written anew, or asked again, is another branch."""

    parent: str
    role: str
    text: str
    sent_at: int | None
    is_hidden: bool = False


def read(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield what the person wrote, each message a post, without blocks of code; what assistants wrote is dropped.

    Of messages that were written anew the last form counts, and only the branch that the person ended on.
    """
    for conversation in document.values() if document.peek() == "[" else (document.value(),):
        yield from _conversation(file, as_fields(conversation))
    yield Owner(PERSON, is_certain=True)


def _conversation(file: SourceFile, conversation: dict[str, Any]) -> Iterator[SourceRecord]:
    number = conversation.get("conversation_id") or conversation.get("id")
    title = as_text(conversation.get("title")) or "conversation"
    talk = Talk(file.source, f"{title} ({number})", f"assistant:{number}", "post")
    if "mapping" in conversation:
        nodes = {name: _of_chatgpt(as_fields(node)) for name, node in as_fields(conversation["mapping"]).items()}
        last = as_text(conversation.get("current_node"))
    else:
        history = as_fields(as_fields(conversation.get("chat")).get("history"))
        nodes = {name: _of_open_webui(as_fields(node)) for name, node in as_fields(history.get("messages")).items()}
        last = as_text(history.get("currentId"))
    branch = _branch(nodes, last)
    for name in [*branch, *(name for name in nodes if name not in branch)]:
        yield from _message(talk, nodes[name], name in branch)


def _message(talk: Talk, node: _Node, is_kept: bool) -> Iterator[SourceRecord]:
    if not node.role:
        return
    characters = count_characters(node.text)
    if node.role != PERSON:
        yield Dropped(_NOT_THEIRS.get(node.role, "service message"), talk.source, characters)
        return
    if node.is_hidden:
        yield Dropped("instructions to an assistant", talk.source, characters)
        return
    words, cut = own_text(node.text)
    reason = None if is_kept else "earlier version of a message"
    yield from talk.record(PERSON, PERSON, words, node.sent_at, reason=reason, cut=cut)


def _branch(nodes: Mapping[str, _Node], last: str) -> dict[str, None]:
    """Return the names of the messages that lead to the last one, from the first; of a file that names none, all."""
    if last not in nodes:
        return dict.fromkeys(nodes)
    names: dict[str, None] = {}
    while last in nodes and last not in names:
        names[last] = None
        last = nodes[last].parent
    return dict.fromkeys(reversed(names))


def _of_chatgpt(node: dict[str, Any]) -> _Node:
    message = as_fields(node.get("message"))
    content = as_fields(message.get("content"))
    parts = [part for part in as_list(content.get("parts")) if isinstance(part, str)]
    is_hidden = content.get("content_type") == "user_editable_context"
    is_hidden = is_hidden or as_fields(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    role = as_text(as_fields(message.get("author")).get("role"))
    sent_at = seconds_of(message.get("create_time"))
    return _Node(as_text(node.get("parent")), role, "\n".join(parts), sent_at, is_hidden)


def _of_open_webui(node: dict[str, Any]) -> _Node:
    role, content = as_text(node.get("role")), as_text(node.get("content"))
    return _Node(as_text(node.get("parentId")), role, content, seconds_of(node.get("timestamp")))


CHATGPT = json_source(_CHATGPT, (b"title", b"mapping", b"create_time"), read, "ChatGPT's and Open WebUI's")
OPEN_WEBUI = json_source(_OPEN_WEBUI, (b"user_id", b"chat", b"history", b"messages"), read)
