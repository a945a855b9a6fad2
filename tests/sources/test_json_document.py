import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.errors import SourceError
from manera.sources import json_document
from manera.sources.decoding import BROKEN_BYTES
from manera.sources.json_document import JsonDocument

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def walked(document: JsonDocument) -> Any:
    """Rebuild a document from its smallest parts."""
    following = document.peek()
    if following == "{":
        return {key: walked(document) for key in document.members()}
    if following == "[":
        return [walked(document) for _ in document.elements()]
    return document.value()


def walked_to_the_end(content: bytes) -> Any:
    document = JsonDocument(io.BytesIO(content), "chat.json")
    value = walked(document)
    document.end()
    return value


def fault(content: str) -> str:
    with pytest.raises(SourceError) as caught:
        walked_to_the_end(content.encode())
    return caught.value.message


@given(value=values, chunk=st.integers(1, 40), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_a_document_read_in_pieces_of_any_size_is_the_same(
    value: Any, chunk: int, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_document, "CHUNK_BYTES", chunk)
        whole = JsonDocument(io.BytesIO(content), "x.json")
        assert whole.value() == value
        whole.end()
        assert walked_to_the_end(content) == value


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"a": 1\n "b": 2}', "line 2, column 2: expecting ',' or '}', found \"b\": 2}"),
        ('{"a": 1,\n\n  ]', "line 3, column 3: expecting a property name in double quotes, found ]"),
        ('{"a": [1, 2,]}', "line 1, column 13: expecting a value, found ]}"),
        ('{"a": [1, 2', "line 1, column 12: expecting ',' or ']', the file ends there"),
        ('{"a": "x', 'line 1, column 7: a string without an end, found "x'),
        ('{"a": "x\ny"}', "line 1, column 9: a line break or another control character inside a string, "),
        ('{"a"; 1}', "line 1, column 5: expecting ':', found ; 1}"),
        ('{"a": 1} more', "line 1, column 10: expecting the end of the file, found more"),
        ('{"a": tru}', "line 1, column 7: expecting a value, found tru}"),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_is_there(content: str, place: str) -> None:
    assert fault(content).startswith(f"chat.json is not valid JSON at {place}")


def test_the_place_is_right_far_behind_the_first_chunk() -> None:
    lines = ["[", *("1," for _ in range(200_000)), "1 1", "]"]
    assert "line 200002, column 3:" in fault("\n".join(lines))


def test_a_fault_early_in_a_large_file_is_found_without_reading_it_all(tmp_path: Path) -> None:
    content = io.BytesIO(b'{"a": 1 "b": [' + b"1," * 2_000_000)
    with pytest.raises(SourceError, match=re.escape("line 1, column 9")):
        walked(JsonDocument(content, "x.json"))
    assert content.tell() <= 2 * json_document.CHUNK_BYTES


def test_a_document_in_an_old_encoding_is_refused() -> None:
    with pytest.raises(SourceError, match="not in UTF-8"):
        JsonDocument(io.BytesIO('{"имя": "Ася"}'.encode("cp1251")), "x.json")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"])
def test_a_wide_encoding_is_read_without_a_mark_too(encoding: str) -> None:
    value = {"имя": ["Ася Тест", "ёж 🙂"] * 9}
    assert walked_to_the_end(json.dumps(value, ensure_ascii=False).encode(encoding)) == value


@given(text=st.text(st.characters(codec="utf-8"), max_size=30), chunk=st.integers(1, 40))
def test_a_control_character_as_telegram_writes_it_is_mended_wherever_chunks_end(text: str, chunk: int) -> None:
    written = json.dumps(f"{text}\f{text}", ensure_ascii=False).replace("\\f", "\\x0C")
    doubled = json.dumps(f"{text}\\x0C", ensure_ascii=False)  # a backslash that somebody typed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_document, "CHUNK_BYTES", chunk)
        document = JsonDocument(io.BytesIO(f"[{written}, {doubled}]".encode()), "x.json")
        assert walked(document) == [f"{text}\f{text}", f"{text}\\x0C"]
        assert document.mended[json_document.HEX_ESCAPE] == 1 + 2 * text.count("\f")


def test_a_few_damaged_bytes_are_counted_and_the_rest_is_read() -> None:
    content = json.dumps(["слово " * 40, "конец"], ensure_ascii=False).encode()
    document = JsonDocument(io.BytesIO(content[:9] + b"\xff" + content[10:]), "x.json")
    first, last = walked(document)
    assert (first.count("\ufffd"), last) == (2, "конец")
    assert document.mended[BROKEN_BYTES] == 2


def test_a_number_of_thousands_of_digits_is_told_with_its_place() -> None:
    assert "line 1, column 2: a number of thousands of digits" in fault("[" + "9" * 5000 + "]")
