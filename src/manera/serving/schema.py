"""What routes answer, for the schema: FastAPI knows pydantic's models, and answers are msgspec's structs."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response


def answers(kind: type[msgspec.Struct], *, streams: bool = False, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Describe a struct as the answer of a route, and events of it where the client may have them."""
    (reference,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    content: dict[str, Any] = {"application/json": {"schema": _inlined(reference, parts)}}
    if streams:
        event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
        content["text/event-stream"] = {"schema": event}
    return {status: {"description": "What was made", "content": content}}


def json_answer(made: msgspec.Struct, status: int = 200) -> Response:
    """Answer with a struct."""
    return Response(msgspec.json.encode(made), status, media_type="application/json")


def _inlined(part: Any, parts: Mapping[str, Any]) -> Any:
    """Put parts where they are referred to: chat's choices and completions' share a name."""
    if isinstance(part, list):
        return [_inlined(one, parts) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(parts[part["$ref"]], parts)
    return {key: _inlined(value, parts) for key, value in part.items()}
