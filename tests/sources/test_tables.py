"""Tables and datasets: which column holds what is said, or known by its name."""

import json
from pathlib import Path

import pytest

from manera.config import resolve
from manera.errors import SettingsError, SourceError
from manera.records import Dropped, Mended, Utterance
from manera.sources.decoding import CUT_SHORT
from manera.sources.reading import read
from manera.sources.settings import SourcesConfig

CSV = 'author,body,date\nАня,"Привет,\nкак дела?",2024-02-01 10:00\nБоря,Хорошо,1706781660\nБоря,,\n\nлишнее\n'
MAPPED = SourcesConfig.model_validate({"columns": "speaker=who, text=said"})


def said(path: Path, settings: SourcesConfig = SourcesConfig()) -> list[tuple[str, str]]:
    return [(one.speaker, one.text) for one in read([path], settings=settings) if isinstance(one, Utterance)]


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_is_known_by_the_names_of_its_columns(mark: str, encoding: str, tmp_path: Path) -> None:
    rows = [("author", "body"), ("Аня", "Привет, как дела? Пишу тебе."), ("Боря", "Хорошо")]
    table = "\n".join(mark.join(f'"{cell}"' for cell in row) for row in rows)
    (tmp_path / "chat.csv").write_bytes(table.encode(encoding))
    assert said(tmp_path / "chat.csv") == [("Аня", "Привет, как дела? Пишу тебе."), ("Боря", "Хорошо")]


def test_rows_are_messages_with_times_and_what_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "chat.csv").write_text(CSV, "utf-8")
    records = list(read([tmp_path / "chat.csv"]))
    kept = [(one.text, one.sent_at, one.position) for one in records if isinstance(one, Utterance)]
    assert kept == [("Привет,\nкак дела?", 1706781600, 1), ("Хорошо", 1706781660, 2)]
    assert [one.reason for one in records if isinstance(one, Dropped)] == ["row without text", "row of another length"]


def test_columns_are_named_by_the_person(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,who,said\n1,Аня,да\n2,Боря,нет\n", "utf-8")
    with pytest.raises(SourceError, match="table") as caught:
        said(tmp_path / "a.csv")
    assert "--map" in (caught.value.hint or "")
    assert "id, who, said" in (caught.value.hint or "")
    assert said(tmp_path / "a.csv", MAPPED) == [("Аня", "да"), ("Боря", "нет")]
    with pytest.raises(SourceError, match="no column 'lost'"):
        said(tmp_path / "a.csv", SourcesConfig(columns={"text": "lost"}))


@pytest.mark.parametrize("column", ["{bod}", "bod}", "{0}", "{path"])
def test_columns_may_have_braces_in_their_names(column: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"author,{column},date\nAnna,Hi,2024-02-01\nBen,Hello,2024-02-02\n", "utf-8")
    with pytest.raises(SourceError) as caught:
        said(tmp_path / "a.csv")
    assert column in (caught.value.hint or "")


@pytest.mark.parametrize(
    "given", ["speaker", "who=a", "text=", "=a", "", "speaker:who,text:said", "speaker=who text=said"]
)
def test_what_is_no_list_of_columns_is_a_wrong_setting(given: str) -> None:
    with pytest.raises(SettingsError, match=r"columns = .* speaker=author,text=body"):
        resolve(SourcesConfig, "sources", {"columns": given})


MESSAGES = {
    "messages": [
        {"role": "system", "content": "Пиши как Аня."},
        {"role": "user", "content": "Как дела?"},
        {"role": "assistant", "content": "Хорошо."},
    ]
}
SHARE_GPT = {"conversations": [{"from": "human", "value": "Как дела?"}, {"from": "gpt", "value": "Хорошо."}]}
ALPACA = {"instruction": "Как дела?", "input": "", "output": "Хорошо."}


@pytest.mark.parametrize("row", [MESSAGES, SHARE_GPT, ALPACA], ids=["messages", "sharegpt", "alpaca"])
@pytest.mark.parametrize("name", ["train.jsonl", "train.json", "train.parquet"])
def test_datasets_of_trainers_are_conversations(row: dict[str, object], name: str, tmp_path: Path) -> None:
    rows = [row, row]
    if name.endswith("parquet"):
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), tmp_path / name)
    elif name.endswith("jsonl"):
        (tmp_path / name).write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows), "utf-8")
    else:
        (tmp_path / name).write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    records = list(read([tmp_path / name]))
    kept = [(one.thread, one.speaker, one.text) for one in records if isinstance(one, Utterance)]
    talk = [("user", "Как дела?"), ("assistant", "Хорошо.")]
    assert kept == [(f"train / {number}", *turn) for number in (1, 2) for turn in talk]
    assert sum(isinstance(one, Dropped) for one in records) == (2 if row is MESSAGES else 0)


def test_rows_of_json_lines_and_parquet(tmp_path: Path) -> None:
    rows = [{"who": "Аня", "said": "да", "n": 1}, {"who": "Боря", "said": "нет", "n": 2}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert said(tmp_path / name, MAPPED) == [("Аня", "да"), ("Боря", "нет")]
        with pytest.raises(SourceError, match="table"):
            said(tmp_path / name)


def test_a_broken_line_is_an_error_and_left_out_when_asked_for(tmp_path: Path) -> None:
    row = json.dumps(ALPACA)
    (tmp_path / "a.jsonl").write_text(f"{row}\n{row[:20]}\n{row}\n", "utf-8")
    with pytest.raises(SourceError, match="line 2"):
        said(tmp_path / "a.jsonl")
    records = list(read([tmp_path / "a.jsonl"], settings=SourcesConfig(salvage=True)))
    assert sum(isinstance(one, Utterance) for one in records) == 4
    assert [(one.what, one.count) for one in records if isinstance(one, Mended)] == [(CUT_SHORT, 1)]


def test_a_chat_cut_short_is_saved_when_asked_for(tmp_path: Path) -> None:
    message = {"type": "message", "from": "Аня", "date_unixtime": "1"}
    messages = [{"id": number, "text": f"привет {number}", **message} for number in range(9)]
    whole = json.dumps({"name": "Б", "type": "personal_chat", "id": 1, "messages": messages}, ensure_ascii=False)
    for length in range(whole.index("привет 5"), len(whole) - 1, 7):
        (tmp_path / "result.json").write_text(whole[:length], "utf-8")
        with pytest.raises(SourceError, match="not valid JSON"):
            said(tmp_path / "result.json")
        records = list(read([tmp_path / "result.json"], settings=SourcesConfig(salvage=True)))
        texts = [one.text for one in records if isinstance(one, Utterance)]
        assert texts == [f"привет {number}" for number in range(len(texts))]
        assert len(texts) >= 5
        assert [one.what for one in records if isinstance(one, Mended)] == [CUT_SHORT]
